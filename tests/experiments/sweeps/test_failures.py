"""A job that raises takes nothing else with it."""

import os
from collections.abc import Callable

import forked
import pytest

FAST = ("-m", "engine=numpy", "epochs=20")
BOOM = """
def boom(configs):
    for config in configs:
        if config.seed == 2:
            raise FloatingPointError("the network of seed 2 would not")

before(module, "start", boom)
"""


@pytest.fixture
def folder(folder_with_store: Callable) -> "Folder":  # noqa: F821
    return folder_with_store()


@pytest.mark.parametrize("launcher", ["ensemble", "basic", "joblib"])
def test_the_others_go_on(folder, launcher: str) -> None:
    arguments = (*FAST, "seed=range(4)", f"hydra/launcher={launcher}")
    output = folder.train(*arguments, code=1, **folder.sabotage("experiments.ensemble", BOOM))
    (parent,) = folder.sweeps()
    children = {run.data.params["seed"]: run for run in folder.children(parent)}
    assert {seed: run.info.status for seed, run in children.items()} == {
        "0": "FINISHED", "1": "FINISHED", "2": "FAILED", "3": "FINISHED",
    }  # fmt: skip
    failed = folder.artifacts(children["2"])
    assert set(failed) == {"traceback.txt", "config.yaml"}
    assert b"FloatingPointError: the network of seed 2 would not" in failed["traceback.txt"]
    assert children["2"].data.metrics == {}
    assert "the network of seed 2 would not" in children["2"].data.tags["error"]

    assert parent.info.status == "FAILED"
    assert [parent.data.metrics[key] for key in ("jobs", "finished", "reused", "failed")] == [4, 3, 0, 1]
    assert [row["origin"] for row in folder.jobs(parent)] == ["new", "new", "failed", "new"]
    (log,) = folder.path.glob("multirun/*/*/train.log")
    assert "failed: python -m experiments.train engine=numpy epochs=20 seed=2" in log.read_text()
    assert "FloatingPointError" in output

    again = folder.train(*arguments)
    assert "4 jobs: 0 to do, 3 already finished, 1 failed before (will run again)" in again
    assert folder.sweeps()[1].info.status == "FINISHED"
    assert [row["origin"] for row in folder.jobs(folder.sweeps()[1])] == ["reused", "reused", "new", "reused"]


@pytest.mark.parametrize("launcher", ["ensemble", "basic"])
def test_fail_fast_stops(folder, launcher: str) -> None:
    arguments = (*FAST, "hidden=2,3,4", "seed=2", "fail_fast=true", f"hydra/launcher={launcher}")
    output = folder.train(*arguments, code=1, **folder.sabotage("experiments.ensemble", BOOM))
    (parent,) = folder.sweeps()
    assert parent.info.status == "FAILED"
    assert [run.info.status for run in folder.children(parent)] == ["FAILED"]
    assert "2 jobs are left. To go on from here: python -m experiments.train -m" in output


def test_single_run_that_fails(folder) -> None:
    changed = folder.sabotage("experiments.ensemble", BOOM)
    output = folder.train("engine=numpy", "epochs=20", "seed=2", code=1, **changed)
    (run,) = folder.runs()
    assert run.info.status == "FAILED"
    assert b"the network of seed 2 would not" in folder.artifacts(run)["traceback.txt"]
    assert output.count("Traceback") == 1


def test_a_launcher_that_dies_leaves_a_closed_parent(folder) -> None:
    """As joblib's does when the system kills a worker that needs too much memory."""
    die = "before(module, 'start', lambda configs: os.kill(os.getpid(), signal.SIGKILL))"
    arguments = (*FAST, "seed=range(2)", "hydra/launcher=joblib")
    output = folder.train(*arguments, code=1, **folder.sabotage("experiments.ensemble", die))
    (parent,) = folder.sweeps()
    assert parent.info.status == "FAILED"
    assert folder.children(parent) == []
    assert "The launcher failed" in output
    assert "2 jobs are left. To go on from here: python -m experiments.train -m" in output


def test_a_store_that_breaks_in_the_middle(folder) -> None:
    """Nothing that was written before is lost, and the same command goes on when the store is well again."""
    break_it = """
    import sqlite3
    calls = []

    def break_at_the_second_chunk(session, model, rows):
        calls.append(model.__tablename__)
        if calls.count("params") == 2:
            error = sqlite3.OperationalError("disk is full")
            error.sqlite_errorcode = sqlite3.SQLITE_FULL
            raise error

    before(module, "_add_all", break_at_the_second_chunk)
    """
    arguments = (*FAST, "hidden=2,3", "seed=range(3)")
    output = folder.train(*arguments, code=1, **folder.sabotage("tracking.sql_writer", break_it))
    assert "no space left" in output
    assert "Traceback" not in output
    (parent,) = folder.sweeps()
    assert parent.info.status == "FAILED"
    assert len(folder.children(parent)) == parent.data.metrics["finished"] == 3
    assert "6 jobs: 3 to do, 3 already finished" in folder.train(*arguments)
    assert folder.sweeps()[1].info.status == "FINISHED"


def test_a_full_disk_in_mid_sweep(folder_with_store: Callable) -> None:
    """No file may grow past a limit from the second chunk on, since the disk itself cannot be filled here."""
    folder = folder_with_store()
    sweep = ("-m", "engine=numpy", "epochs=20", "seed=range(30)", "hidden=2,3")
    fill = """
    import resource
    chunks = []
    def fill(self, records):
        chunks.append(records)
        if len(chunks) == 2:
            resource.setrlimit(resource.RLIMIT_FSIZE, (10, 10))
    before(module.Store, "write", fill)
    """
    environment = {**os.environ, "MLFLOW_TRACKING_URI": "", **folder.sabotage("tracking.store", fill)}
    # Through pipes, since the limit is one of all files.
    done = forked.run("-m", "experiments.train", *sweep, folder=folder.path, environment=environment)
    output = done.stdout + done.stderr
    assert done.returncode == 1
    assert "Traceback" not in output
    assert f"no space left for {folder.path}" in output
    assert "launch the same command again" in output
    assert "60 jobs: 30 to do, 30 already finished" in folder.train(*sweep)
    broken, mended = folder.sweeps()
    assert (broken.info.status, mended.info.status) == ("KILLED", "FINISHED")
    assert len(folder.children(broken)) == len(folder.children(mended)) == 30
    assert {run.info.status for run in folder.runs("tags.config_hash != ''")} == {"FINISHED"}
    with_files = {path.parent.name for path in folder.path.glob("mlartifacts/*/*/artifacts")}
    assert with_files == {run.info.run_id for run in [*folder.runs(), *folder.conditions(mended)]}


def test_a_job_that_cannot_have_its_folder(folder) -> None:
    output = folder.train(*FAST, "seed=0,1", "hydra/launcher=basic", "hydra.sweep.subdir=/proc/x", code=1)
    assert "Traceback" not in output
    assert "The launcher failed: [Errno 2] No such file or directory: '/proc/x'" in output
    (parent,) = folder.sweeps()
    assert parent.info.status == "FAILED"
    assert folder.children(parent) == []
