"""A session asks for more jobs after seeing what came of the last, without Hydra's sweeper."""

import contextlib
import json
import signal
from collections.abc import Callable
from typing import Any

import forked
import pytest
from hydra._internal.core_plugins.basic_launcher import BasicLauncher
from omegaconf import OmegaConf

from experiments.jobs import ConfigurationError
from experiments.launchers import EnsembleLauncher, HydraLauncher
from experiments.ledger import State
from experiments.session import SweepSession

FAST = ("engine=numpy", "epochs=30")
Expand = Callable[..., Any]


@pytest.fixture
def folder(folder_with_store: Callable) -> "Folder":  # noqa: F821
    folder = folder_with_store()
    with contextlib.chdir(folder.path):
        yield folder


def narrower(entries: list[Any]) -> list[str]:
    """A search: the rate with the lowest loss, again, and one to each side of it."""
    best = float(min(entries, key=lambda entry: entry.run.final_loss).params["lr"])
    return [f"lr={best},{best * 0.7},{best * 1.3}", *FAST]


def test_three_batches_of_a_search(folder, expand: Expand) -> None:
    launcher = EnsembleLauncher()
    jobs = expand("lr=0.5,2,8", *FAST)
    with SweepSession(jobs[0].config, launcher, "a search", {"notes.txt": b"mine"}) as session:
        for _ in range(3):
            entries = session.run(jobs)
            assert [entry.state for entry in entries] == [State.NEW] * len(entries)
            jobs = expand(*narrower(entries))
    (parent,) = folder.sweeps()
    children = {run.info.run_id: run for run in folder.children(parent)}
    rows = folder.jobs(parent)
    assert session.ending == parent.info.status == "FINISHED"
    assert parent.info.run_name == "a search"
    assert folder.artifacts(parent)["notes.txt"] == b"mine"
    assert len(children) == len(rows) == len(session.ledger) == 7  # the best twice again
    assert parent.data.metrics == {"jobs": 7, "finished": 7, "reused": 0, "failed": 0}
    for row in rows:
        metrics = children[row["run_id"]].data.metrics
        for column in ("converged", "converged_at_end", "final_loss", "max_error"):
            assert float(row[column]) == metrics[column]
        assert row["epochs_to_converge"] == str(metrics.get("epochs_to_converge", ""))


def test_a_job_is_done_once_however_often_it_is_asked_for(folder, expand: Expand) -> None:
    jobs = expand("seed=0,1", *FAST, "resume=false")
    for _ in range(2):
        with SweepSession(jobs[0].config, EnsembleLauncher(), "again") as session:
            first = session.run([jobs[0], jobs[0]])
            assert first[0] is first[1]
            assert session.run(jobs)[0] is first[0]
            assert session.run([]) == []
    assert [len(folder.children(sweep)) for sweep in folder.sweeps()] == [2, 2]  # resume=false holds between sweeps


@pytest.mark.parametrize("trials", [1, 12])
def test_results_of_reused_runs_are_those_of_new_ones(folder, expand: Expand, trials: int) -> None:
    jobs = expand("lr=1,8", "seed=0,100", f"trials={trials}", "engine=numpy", "epochs=400")
    found = []
    for _ in range(2):
        with SweepSession(jobs[0].config, EnsembleLauncher(), "twice") as session:
            found.append(session.run(jobs))
    new, reused = found
    assert {entry.state for entry in new} == {State.NEW}
    assert {entry.state for entry in reused} == {State.REUSED}
    assert [entry.run for entry in reused] == [entry.run for entry in new]
    for entry in new:
        metrics = folder.client.get_run(entry.run.run_id).data.metrics
        assert entry.run.trials == trials
        names = (
            ("converged", "epochs_to_converge") if trials == 1 else ("convergence_rate", "median_epochs_to_converge")
        )
        assert (entry.run.converged, entry.run.epochs_to_converge) == tuple(map(metrics.get, names))
        assert (entry.run.final_loss, entry.run.max_error) == (metrics.get("final_loss"), metrics.get("max_error"))
    assert {entry.run.converged for entry in new} != {0.0}


SEARCH = """
import json, os, signal, sys
from hydra import initialize_config_dir
from hydra._internal.callbacks import Callbacks
from hydra.core.global_hydra import GlobalHydra
from hydra.core.plugins import Plugins
from hydra.types import HydraContext, RunMode
from omegaconf import open_dict
from experiments import config, train
from experiments.jobs import expand
from experiments.launchers import EnsembleLauncher, HydraLauncher
from experiments.session import SweepSession
from tracking.store import Store

write, calls = Store.write, []
def fatal(self, records):
    calls.append(records)
    if len(calls) == 2 and sys.argv[1] == "after":
        write(self, records)
    if len(calls) == 2 and sys.argv[1]:
        os.kill(os.getpid(), signal.SIGKILL)
    return write(self, records)
Store.write = fatal

config.register()
with initialize_config_dir(str(config.CONF), version_base="1.3"):
    loader = GlobalHydra.instance().config_loader()

    def jobs(rates):
        values = ",".join(map(str, rates))
        return expand(loader, "train", (), [f"lr={values}", "seed=range(3)", "engine=numpy", "epochs=30"], 1000)

    launcher = EnsembleLauncher()
    if sys.argv[2] != launcher.name:
        overrides = ["hydra/launcher=" + sys.argv[2], "hydra.sweep.dir=logs", "hydra.job.name=search"]
        composed = loader.load_configuration("train", overrides, run_mode=RunMode.MULTIRUN)
        with open_dict(composed):
            composed.hydra.runtime.cwd = os.getcwd()
            composed.hydra.runtime.output_dir = "logs"
        context = HydraContext(config_loader=loader, callbacks=Callbacks())
        plugin = Plugins.instance().instantiate_launcher(
            hydra_context=context, task_function=train.task, config=composed
        )
        launcher = HydraLauncher(plugin, context, train.task, composed)

    batch, found = jobs([0.5, 2.0, 8.0]), []
    with SweepSession(batch[0].config, launcher, "search") as session:
        for _ in range(3):
            entries = session.run(batch)
            found.append([(entry.run.config_hash, entry.run.final_loss, entry.run.max_error) for entry in entries])
            best = float(min(entries, key=lambda entry: entry.run.final_loss).params["lr"])
            batch = jobs([best, best * 0.7, best * 1.3])
print(json.dumps(found))
"""


def search(folder: Any, killed: str = "", launcher: str = "ensemble", code: int = 0) -> list[Any]:
    done = forked.run("-c", SEARCH, killed, launcher, folder=folder.path)
    assert done.returncode == code, done.stderr
    return json.loads(done.stdout.splitlines()[-1]) if code == 0 else []


def comparable(rows: list[dict[str, str]]) -> list[dict[str, str]]:
    assert all(row["run_id"] for row in rows)
    return [{**row, "run_id": "", "origin": ""} for row in rows]


@pytest.fixture(scope="module")
def undisturbed(folder_with_store: Callable) -> tuple[list[Any], list[dict[str, str]]]:
    """What the search finds, and its table of jobs."""
    folder = folder_with_store()
    found = search(folder)
    return found, comparable(folder.jobs(folder.sweeps()[0]))


@pytest.mark.parametrize("killed", ["before", "after"])
def test_a_search_that_is_killed_goes_on_where_it_was(folder, undisturbed: tuple[Any, Any], killed: str) -> None:
    """In the middle of the second batch, before or after that is written."""
    search(folder, killed, code=-signal.SIGKILL)
    found = search(folder)
    broken, whole = folder.sweeps()
    assert (found, comparable(folder.jobs(whole))) == undisturbed
    assert (broken.info.status, whole.info.status) == ("KILLED", "FINISHED")
    made = [len(folder.children(broken)), len(folder.children(whole))]
    assert made == ([9, 12] if killed == "before" else [15, 6])
    hashes = [run.data.tags["config_hash"] for run in folder.runs("tags.config_hash != ''")]
    assert len(hashes) == len(set(hashes)) == 21


def test_a_search_by_a_launcher_of_hydra_s_finds_the_same(folder, undisturbed: tuple[Any, Any]) -> None:
    found = search(folder, launcher="basic")
    (parent,) = folder.sweeps()
    assert (found, comparable(folder.jobs(parent))) == undisturbed
    assert parent.data.tags["launcher"] == "basic"
    assert len(list(folder.path.glob("logs/*/search.log"))) == 21  # no job's folder is another's


def test_what_a_launcher_cannot_do_is_refused_before_there_is_a_run(folder, expand: Expand) -> None:
    class Fussy(EnsembleLauncher):
        def problems(self, jobs: Any) -> list[str]:
            return [f"lr={job.config.lr}: valid is a rate below 1, here" for job in jobs if job.config.lr >= 1]

    jobs = expand("lr=0.5,2", *FAST)
    with SweepSession(jobs[0].config, Fussy(), "fussy") as session:
        with pytest.raises(ConfigurationError, match=r"lr=2\.0: valid is a rate below 1, here"):
            session.run(jobs)
        assert len(session.ledger) == 0
        assert [entry.state for entry in session.run(jobs[:1])] == [State.NEW]
    assert session.ending == "FINISHED"
    assert len(folder.runs("tags.config_hash != ''")) == 1


def test_jobs_that_hydra_cannot_tell_apart_are_not_for_its_launchers(make_job: Callable) -> None:
    composed = OmegaConf.create({"hydra": {"runtime": {"choices": {"hydra/launcher": "basic"}}}})
    launcher = HydraLauncher(BasicLauncher(), None, None, composed)
    (problem,) = launcher.problems([make_job(seed=0), make_job(seed=1)])
    assert problem.startswith("hydra/launcher=basic: valid are jobs that differ in their overrides")
    assert launcher.problems([make_job(seed=0), make_job(seed=0)]) == []


def test_jobs_of_another_experiment_are_refused(folder, expand: Expand) -> None:
    jobs = expand("seed=0,1", *FAST)
    with SweepSession(jobs[0].config, EnsembleLauncher(), "strangers") as session:
        with pytest.raises(ConfigurationError, match="experiment=other: valid is xor, as in the rest of the sweep"):
            session.run(expand("experiment=other", *FAST))
        with pytest.raises(ConfigurationError, match="lr=-1"):
            session.run(expand("lr=-1.0,1.0", *FAST))
        session.run(jobs)
    assert len(folder.runs("tags.config_hash != ''")) == 2


def test_whoever_asks_for_jobs_may_fail(folder, expand: Expand) -> None:
    """What was done stays, and the parent does not claim that it was all."""
    jobs = expand("seed=0,1", *FAST)

    def search() -> None:
        with SweepSession(jobs[0].config, EnsembleLauncher(), "fails") as session:
            session.run(jobs)
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        search()
    (parent,) = folder.sweeps()
    assert (parent.info.status, parent.data.metrics["finished"]) == ("FAILED", 2)


def test_a_launcher_that_fails_ends_the_sweep(folder, expand: Expand, caplog: pytest.LogCaptureFixture) -> None:
    class Broken(EnsembleLauncher):
        def run(self, jobs: Any, parent: Any, store: Any) -> None:
            super().run(jobs[:1], parent, store)
            raise RuntimeError("out of order")

    jobs = expand("seed=0,1", *FAST)
    with SweepSession(jobs[0].config, Broken(), "broken") as session:
        session.run(jobs)
        pytest.fail("there is nothing to go on with")
    (parent,) = folder.sweeps()
    assert session.ending == parent.info.status == "FAILED"
    assert [entry.state for entry in session.ledger] == [State.NEW, State.LEFT]
    assert "out of order" in caplog.text
