"""What a sweep says of itself."""

import csv
import io
import math
import shlex

import pytest
from scipy.stats import binomtest

from experiments import summary


@pytest.mark.parametrize(
    ("counts", "line"),
    [
        ((1000, 650, 350, 10), "1,000 jobs: 640 to do, 350 already finished, 10 failed before (will run again)"),
        ((12, 12, 0, 0), "12 jobs: 12 to do"),
        ((12, 0, 12, 0), "12 jobs: 0 to do, 12 already finished"),
        ((3, 3, 0, 3), "3 jobs: 0 to do, 3 failed before (will run again)"),
        ((1, 1, 0, 0), "1 job: 1 to do"),
    ],
)
def test_the_plan_in_one_line(counts, line):
    assert summary.plan_line(*counts) == line


def test_swept_keys_are_the_params_that_differ(expand):
    def keys(*arguments):
        return summary.swept_keys(expand(*arguments))

    assert keys() == ()
    assert keys("lr=0.1,0.2", "seed=range(2)", "hidden=4") == ("lr", "seed")
    assert keys("hidden=4,[2,2]", "bias=null,1") == ("hidden", "bias")
    assert keys("task=xor,parity") == ("task", "task.bits")
    assert keys("optimizer=gradient_descent,momentum") == ("optimizer", "optimizer.momentum", "optimizer.scaled")


def test_the_table_of_jobs_is_csv_whatever_is_in_it(expand):
    jobs = expand("lr=0.1,0.2", "hidden=[8,4],2", "experiment='a, b \"c\" d'")
    runs = [("run0", "new"), ("", ""), ("run2", "reused"), ("", "")]
    rows = list(csv.DictReader(io.StringIO(summary.jobs_csv(jobs, runs).decode())))
    assert list(rows[0]) == ["job", "config_hash", "overrides", "run_id", "origin"]
    assert [row["job"] for row in rows] == ["0", "1", "2", "3"]
    assert [row["config_hash"] for row in rows] == [job.config_hash for job in jobs]
    assert [(row["run_id"], row["origin"]) for row in rows] == runs
    for row, job in zip(rows, jobs, strict=True):
        (again,) = expand(*shlex.split(row["overrides"]))
        assert again.config == job.config


def test_a_dry_run_lists_what_would_be_done(expand):
    jobs = expand("seed=range(4)")
    finished = {jobs[1].config_hash: "run1"}
    failed = {jobs[2].config_hash: "run2"}
    assert summary.plan_table(jobs, finished, failed).splitlines() == [
        "     0  seed=0  (would run)",
        "     1  seed=1  (finished, run run1)",
        "     2  seed=2  (failed before, would run again)",
        "     3  seed=3  (would run)",
    ]


def test_a_long_dry_run_is_cut(expand):
    jobs = expand(f"seed=range({summary.MOST_ROWS + 5})")
    lines = summary.plan_table(jobs, {}, {}).splitlines()
    assert len(lines) == summary.MOST_ROWS + 1
    assert lines[-1].split() == ["...", "and", "5", "more"]
    assert len(summary.plan_table(jobs[: summary.MOST_ROWS], {}, {}).splitlines()) == summary.MOST_ROWS


def cells(table):
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in table.splitlines()]


def test_convergence_by_condition_sums_over_seeds(expand):
    jobs = expand("lr=0.1,0.5", "hidden=2,4", "seed=range(3)")
    rates = [float(job.config.lr > 0.2 and job.config.seed > 0) for job in jobs]
    table = summary.convergence_table(jobs, ("lr", "hidden", "seed"), rates)
    header, rule, *rows = cells(table)
    assert header == ["lr", "hidden", "converged", "trials", "rate", "95% interval"]
    assert all(set(cell) == {"-", ":"} for cell in rule)
    intervals = {k: binomtest(k, 3).proportion_ci(method="wilson") for k in (0, 2)}
    assert rows == [
        [lr, hidden, str(k), "3", f"{k / 3:.2f}", f"{intervals[k].low:.2f} to {intervals[k].high:.2f}"]
        for lr, k in (("0.1", 0), ("0.5", 2))
        for hidden in ("2", "4")
    ]
    assert len({len(line) for line in table.splitlines()}) == 1


def test_convergence_counts_trials_and_leaves_out_jobs_without_a_run(expand):
    jobs = expand("lr=0.1,0.5,1", "trials=1000")
    _, _, *rows = cells(summary.convergence_table(jobs, ("lr",), [0.013, 1.0, math.nan]))
    assert [row[:4] for row in rows] == [["0.1", "13", "1,000", "0.01"], ["0.5", "1,000", "1,000", "1.00"]]


def test_conditions_that_lack_a_key_have_an_empty_cell(expand):
    jobs = expand("task=xor,parity")
    _, _, *rows = cells(summary.convergence_table(jobs, ("task", "task.bits"), [1.0, 1.0]))
    assert [row[:2] for row in rows] == [["xor", ""], ["parity", "2"]]


def test_a_table_of_many_conditions_is_cut(expand):
    jobs = expand(f"lr=range(1,{summary.MOST_ROWS + 4})")
    table = summary.convergence_table(jobs, ("lr",), [0.0] * len(jobs))
    assert table.endswith("\n\n... and 3 more conditions.")
    assert len(cells(table.partition("\n\n")[0])) == summary.MOST_ROWS + 2
