"""What a sweep says of its jobs is what the store says of their runs, in whatever order that was made and read."""

import csv
import io
import shlex

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binomtest

from experiments import ledger
from experiments.ledger import Ledger, State, plan, preview
from tracking.record import Outcome

STATUSES = ["KILLED", "RUNNING", "FAILED", "FINISHED"]  # from worst to best


def run_of(job, status="FINISHED", run_id="", **results):
    return Outcome(run_id or f"run of {job.config_hash}", job.config_hash, status, trials=job.config.trials, **results)


def rows(ledger):
    return list(csv.DictReader(io.StringIO(ledger.table.decode())))


@given(st.lists(st.tuples(st.integers(0, 5), st.sampled_from(STATUSES)), max_size=20))
def test_of_several_runs_of_a_job_the_best_counts_and_of_equals_the_last(make_job, noted):
    """Four jobs, and runs of six."""
    jobs = [make_job(seed=seed) for seed in range(6)]
    found = Ledger(jobs[:4])
    runs = [run_of(jobs[number], status, f"{place}") for place, (number, status) in enumerate(noted)]
    found.note(runs)
    expected = {}
    for run in sorted(runs, key=lambda run: (STATUSES.index(run.status), int(run.run_id))):
        expected[run.config_hash] = run
    for job in jobs[:4]:
        if job.config_hash in expected:
            assert found[job.config_hash].run is expected[job.config_hash]
            assert found[job.config_hash].state.status == expected[job.config_hash].status
        else:
            assert found[job.config_hash].state is State.LEFT
    assert len(found) == 4
    statuses = [expected[job.config_hash].status if job.config_hash in expected else "" for job in jobs[:4]]
    assert found.counts == {
        "jobs": 4, "finished": statuses.count("FINISHED"), "reused": 0, "failed": statuses.count("FAILED"),
        "killed": statuses.count("KILLED"), "running": statuses.count("RUNNING"),
    }  # fmt: skip
    over = [status in ("FINISHED", "FAILED") for status in statuses]
    assert found.left == over.count(False)
    assert found.ending(interrupted=False) == ("FINISHED" if set(statuses) == {"FINISHED"} else "FAILED")
    assert (found.ending(interrupted=True) == "KILLED") is not all(over)


def test_runs_of_others_are_reused_if_finished_and_remembered_if_failed(make_job):
    jobs = [make_job(seed=seed) for seed in range(5)]
    found = Ledger(jobs)
    found.note([run_of(jobs[0], run_id="mine")])
    others = [("FINISHED", 0), ("FAILED", 1), ("FINISHED", 1), ("FINISHED", 2), ("FINISHED", 2), ("FAILED", 3)]
    found.reuse(run_of(jobs[job], status, f"other {place}") for place, (status, job) in enumerate(others))
    assert [(entry.state, entry.run.run_id) for entry in found] == [
        (State.NEW, "mine"), (State.REUSED, "other 2"), (State.REUSED, "other 4"), (State.LEFT, ""), (State.LEFT, ""),
    ]  # fmt: skip
    assert plan(list(found)) == "5 jobs: 1 to do, 3 already finished, 1 failed before (will run again)"


@pytest.mark.parametrize(
    ("counts", "line"),
    [
        ((1000, 350, 10), "1,000 jobs: 640 to do, 350 already finished, 10 failed before (will run again)"),
        ((12, 0, 0), "12 jobs: 12 to do"),
        ((12, 12, 0), "12 jobs: 0 to do, 12 already finished"),
        ((3, 0, 3), "3 jobs: 0 to do, 3 failed before (will run again)"),
        ((1, 0, 0), "1 job: 1 to do"),
    ],
)
def test_the_plan_in_one_line(expand, counts, line):
    total, finished, failed = counts
    jobs = expand(f"seed=range({total})")
    found = Ledger(jobs)
    statuses = ["FINISHED"] * finished + ["FAILED"] * failed
    found.reuse(run_of(job, status) for job, status in zip(jobs, statuses, strict=False))
    assert plan(list(found)) == line


def test_swept_keys_are_the_params_that_tell_jobs_apart(expand):
    def keys(*arguments):
        return Ledger(expand(*arguments)).swept

    assert keys() == ()
    assert keys("lr=0.1,0.2", "seed=range(2)", "hidden=4") == ("lr", "seed")
    assert keys("hidden=4,[2,2]", "bias=null,1") == ("hidden", "bias")
    assert keys("task=xor,parity") == ("task",)
    assert keys("optimizer=gradient_descent,momentum", "seed=0,1") == ("seed", "optimizer")
    both = [*expand(), *expand("optimizer=momentum", "optimizer.momentum=0.5,0.9")]
    assert Ledger(both).swept == ("optimizer", "optimizer.momentum")
    assert keys("activation=sigmoid,tanh,relu", "task.coding=auto") == ("activation",)
    assert keys("activation=tanh", "task.coding=unit,symmetric") == ("task.low",)
    assert keys("activation=sigmoid,tanh", "task.coding=auto", "task.low=0,-1") == ("task.low", "activation")
    assert Ledger().swept == ()


def test_the_table_of_jobs_is_csv_whatever_is_in_it(expand):
    jobs = expand("lr=0.1,0.2", "hidden=[8,4],2", "experiment='a, b \"c\" d'")
    found = Ledger(jobs)
    found.note([run_of(jobs[0]), run_of(jobs[1], "KILLED"), run_of(jobs[3], "FAILED")])
    found.reuse([run_of(jobs[2])])
    table = rows(found)
    results = ["converged", "converged_at_end", "epochs_to_converge", "final_loss", "max_error"]
    assert list(table[0]) == ["job", "config_hash", "overrides", "run_id", "origin", *results]
    assert [row["job"] for row in table] == ["0", "1", "2", "3"]
    assert [row["config_hash"] for row in table] == [job.config_hash for job in jobs]
    assert [row["origin"] for row in table] == ["new", "", "reused", "failed"]
    assert [bool(row["run_id"]) for row in table] == [True, False, True, True]
    for row, job in zip(table, jobs, strict=True):
        (again,) = expand(*shlex.split(row["overrides"]))
        assert again.config == job.config


def test_the_table_has_the_results_as_they_are(expand):
    jobs = expand("lr=1,2", "trials=1,20")
    found = Ledger(jobs)
    found.note(
        [
            run_of(
                jobs[0],
                converged=1.0,
                converged_at_end=0.0,
                epochs_to_converge=812.0,
                final_loss=1 / 3,
                max_error=1e-300,
            ),
            run_of(jobs[1], converged=0.35, converged_at_end=0.3, epochs_to_converge=1500.5),
            run_of(jobs[2], converged=0.0, final_loss=0.25),
        ]
    )
    columns = ("converged", "converged_at_end", "epochs_to_converge", "final_loss", "max_error")
    written = [tuple(row[column] for column in columns) for row in rows(found)]
    assert written == [
        ("1", "0", "812", "0.3333333333333333", "1e-300"), ("0.35", "0.3", "1500.5", "", ""), ("0", "", "", "0.25", ""),
        ("",) * 5,
    ]  # fmt: skip
    assert found.convergence_rate == (1 + 0.35 * 20 + 0) / 22


def test_a_ledger_that_is_read_is_the_one_that_was_written(expand):
    jobs = expand("lr=0.1,0.2", "seed=range(3)")
    written = Ledger(jobs)
    made = [run_of(job, status, converged=1.0) for job, status in zip(jobs, ["FINISHED", "FAILED"], strict=False)]
    reused = {run.run_id: run for run in [run_of(jobs[2], converged=0.0, final_loss=0.5)]}
    written.note(made)
    written.reuse(reused.values())
    read = Ledger.read(csv.DictReader(io.StringIO(written.table.decode())), made, reused)
    read.look_up({f"run of {job.config_hash}": job.params for job in jobs}.__getitem__)
    assert read.table == written.table
    assert read.counts == written.counts
    assert read.description == written.description
    assert read.convergence_rate == written.convergence_rate == 2 / 3


def test_a_table_from_before_it_had_results_is_read():
    table = "job,config_hash,overrides,run_id,origin\n0,a,lr=1,x,reused\n1,b,lr=2,y,new\n2,c,lr=3,,\n"
    read = Ledger.read(csv.DictReader(table.splitlines()), [Outcome("z", "c", "FINISHED", converged=1.0)], {})
    assert [(entry.state, entry.run.run_id) for entry in read] == [
        (State.REUSED, "x"), (State.LEFT, ""), (State.NEW, "z"),
    ]  # fmt: skip


def test_a_dry_run_lists_what_would_be_done(expand):
    jobs = expand("seed=range(4)")
    found = Ledger(jobs)
    found.reuse([run_of(jobs[1], run_id="run1"), run_of(jobs[2], "FAILED")])
    assert preview(list(found)).splitlines() == [
        "     0  seed=0  (would run)",
        "     1  seed=1  (finished, run run1)",
        "     2  seed=2  (failed before, would run again)",
        "     3  seed=3  (would run)",
    ]


def test_a_long_dry_run_is_cut(expand):
    jobs = expand(f"seed=range({ledger.MOST_ROWS + 5})")
    lines = preview(list(Ledger(jobs))).splitlines()
    assert len(lines) == ledger.MOST_ROWS + 1
    assert lines[-1].split() == ["...", "and", "5", "more"]
    assert len(preview(list(Ledger(jobs[: ledger.MOST_ROWS]))).splitlines()) == ledger.MOST_ROWS


def convergence(jobs, rates):
    """The table in a description; a rate of None is a job without a run."""
    found = Ledger(jobs)
    for job, rate in zip(jobs, rates, strict=True):
        if rate is not None:
            found.note([run_of(job, converged=rate, converged_at_end=0.5 * rate)])
    return found.description.split("\n\n", 1)[1]


def cells(table):
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in table.splitlines()]


def test_convergence_by_condition_sums_over_seeds(expand):
    jobs = expand("lr=0.1,0.5", "hidden=2,4", "seed=range(3)")
    table = convergence(jobs, [float(job.config.lr > 0.2 and job.config.seed > 0) for job in jobs])
    header, rule, *found = cells(table)
    assert header == ["lr", "hidden", "converged", "trials", "rate", "95% interval", "at the end"]
    assert all(set(cell) == {"-", ":"} for cell in rule)
    intervals = {k: binomtest(k, 3).proportion_ci(method="wilson") for k in (0, 2)}
    assert found == [
        [lr, hidden, str(k), "3", f"{k / 3:.2f}", f"{intervals[k].low:.2f} to {intervals[k].high:.2f}", f"{k / 6:.2f}"]
        for lr, k in (("0.1", 0), ("0.5", 2))
        for hidden in ("2", "4")
    ]
    assert len({len(line) for line in table.splitlines()}) == 1


def test_convergence_counts_trials_and_leaves_out_jobs_without_a_run(expand):
    _, _, *found = cells(convergence(expand("lr=0.1,0.5,1", "trials=1000"), [0.013, 1.0, None]))
    assert [row[:4] for row in found] == [["0.1", "13", "1,000", "0.01"], ["0.5", "1,000", "1,000", "1.00"]]


def test_conditions_that_lack_a_key_have_an_empty_cell(expand):
    jobs = [*expand(), *expand("task=parity", "task.bits=2,3")]
    _, _, *found = cells(convergence(jobs, [1.0, 1.0, 1.0]))
    assert [row[:2] for row in found] == [["xor", ""], ["parity", "2"], ["parity", "3"]]


def test_a_table_of_many_conditions_is_cut(expand):
    jobs = expand(f"lr=range(1,{ledger.MOST_ROWS + 4})")
    table = convergence(jobs, [0.0] * len(jobs))
    assert table.endswith("\n\n... and 3 more conditions.")
    assert len(cells(table.partition("\n\n")[0])) == ledger.MOST_ROWS + 2


def test_a_description_is_no_longer_than_mlflow_allows(expand):
    weights = [f"[{','.join([str(number)] * 1000)}]" for number in range(6)]
    jobs = expand("init=fixed", f"init.weights={','.join(weights)}")
    text = Ledger(jobs)
    text.note(run_of(job, converged=1.0) for job in jobs)
    assert len(text.description) <= 8000
    assert text.description.startswith("6 jobs, 6 finished, 0 reused, 0 failed\n\n|")
    assert text.description.endswith("\n\n... and more.")
