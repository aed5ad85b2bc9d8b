"""Ctrl-C and SIGTERM at any point: no traceback, no half-written run, a parent that tells the truth."""

import contextlib
import os
import signal
import sqlite3
from collections.abc import Callable
from multiprocessing.process import BaseProcess
from pathlib import Path

import pytest

TWO_CHUNKS = ("-m", "engine=numpy", "epochs=20", "seed=range(3)", "hidden=2,3")
GO_ON = "To go on from here: python -m experiments.train -m"


@pytest.fixture
def folder(folder_with_store: Callable) -> "Folder":  # noqa: F821
    return folder_with_store()


def assert_all_or_nothing(folder) -> None:
    """Runs are there whole or not there, and no files without a run."""
    runs = folder.runs()
    assert {run.info.status for run in runs} <= {"FINISHED", "KILLED"}
    children = [run for run in runs if "sweep_id" in run.data.tags]
    assert {run.info.status for run in children} <= {"FINISHED"}
    for run in children:
        assert "final_loss" in run.data.metrics
        assert set(folder.artifacts(run)) == {"predictions.json", "weights.npz", "config.yaml"}
    with_files = {path.parent.name for path in folder.path.glob("mlartifacts/*/*/artifacts")}
    conditions = [run for sweep in folder.sweeps() for run in folder.conditions(sweep)]
    assert {run.info.status for run in conditions} <= {"FINISHED"}
    assert with_files <= {run.info.run_id for run in [*runs, *conditions]}


@pytest.mark.parametrize(
    ("module", "change"),
    [
        ("hydra", "interrupt()"),
        ("nn_core", "interrupt()"),
        ("experiments.jobs", "before(module, 'expand', lambda *a: interrupt())"),
        ("experiments.batches", "before(module, 'grid_problems', lambda *a: interrupt(signal.SIGTERM))"),
    ],
    ids=["importing Hydra", "importing ours", "expanding", "validating"],
)
def test_before_there_is_anything(new_folder: Callable, module: str, change: str) -> None:
    folder = new_folder()
    process = folder.start(*TWO_CHUNKS, **folder.sabotage(module, change))
    output = folder.finish(process, code=143 if "SIGTERM" in change else 130)
    assert output == ""
    assert list(folder.path.iterdir()) == []


def test_while_the_store_is_being_made(new_folder: Callable) -> None:
    folder = new_folder()
    change = "before(module, 'SqlAlchemyStore', lambda *a: interrupt(signal.SIGTERM))"
    changed = folder.sabotage("mlflow.store.tracking.sqlalchemy_store", change)
    assert "Traceback" not in folder.finish(folder.start(*TWO_CHUNKS, **changed), code=143)
    assert list(folder.path.iterdir()) == []


@pytest.mark.parametrize(
    ("module", "change", "finished"),
    [
        ("tracking.store", "before(module.Store, 'start_parent', lambda *a: interrupt())", 0),
        ("experiments.ensemble", "before(module, 'start', lambda *a: interrupt())", 3),
        ("experiments.ensemble", "before(module, 'start', lambda *a: interrupt(signal.SIGTERM))", 3),
        ("tracking.store", "before(module.Store, 'write', lambda *a: interrupt())", 3),
        ("experiments.ledger", "before(module.Ledger, 'note', lambda *a: interrupt())", 6),
        ("tracking.sql_writer", "before(module.SqlWriter, 'analyze', lambda *a: interrupt())", 6),
    ],
    ids=["starting", "training", "training, SIGTERM", "writing", "closing", "closed"],
)
def test_first_signal_lets_the_chunk_in_hand_be_written(folder, module: str, change: str, finished: int) -> None:
    output = folder.train(*TWO_CHUNKS, code=143 if "SIGTERM" in change else 130, **folder.sabotage(module, change))
    assert "Traceback" not in output
    (parent,) = folder.sweeps()
    assert parent.info.status == ("FINISHED" if finished == 6 else "KILLED")
    assert parent.data.metrics["finished"] == finished
    assert len(folder.children(parent)) == finished
    assert_all_or_nothing(folder)
    assert (GO_ON in output) == (finished < 6)
    left = 6 - finished
    assert f"6 jobs: {left} to do" in folder.train(*TWO_CHUNKS, "dry_run=true")


@pytest.mark.parametrize(
    ("module", "change"),
    [
        ("experiments.ensemble", "before(module, 'start', lambda *a: (interrupt(), interrupt()))"),
        ("experiments.description", "before(module, 'describe', lambda *a: (interrupt(), interrupt()))"),
        (
            "tracking.sql_writer",
            """
            def twice_among_the_rows_of_a_child(session, model, rows):
                if model.__tablename__ == "params":
                    interrupt()
                    interrupt()

            before(module, "_add_all", twice_among_the_rows_of_a_child)
            """,
        ),
    ],
    ids=["training", "describing", "writing"],
)
def test_second_signal_stops_at_once(folder, module: str, change: str) -> None:
    output = folder.train(*TWO_CHUNKS, code=130, **folder.sabotage(module, change))
    assert "Traceback" not in output
    (parent,) = folder.sweeps()
    assert parent.info.status == "KILLED"
    assert folder.children(parent) == []
    assert GO_ON in output
    assert_all_or_nothing(folder)


def wait(folder, process: BaseProcess, condition: Callable[[], object]) -> None:
    """Wait until a condition holds, as long as the program runs."""
    while not condition():
        process.join(timeout=0.05)
        assert process.is_alive(), folder.joined(process)


@pytest.mark.parametrize(
    ("launcher", "number"),
    [
        ("ensemble", signal.SIGINT),
        ("basic", signal.SIGTERM),
        ("basic", signal.SIGINT),
        ("joblib", signal.SIGINT),
        ("joblib", signal.SIGTERM),
    ],
)
def test_from_outside(folder, launcher: str, number: signal.Signals) -> None:
    """As a terminal does it, which sends Ctrl-C to all processes of the program; other programs do so with SIGTERM."""
    note_what_begins = """
    import pathlib, uuid
    before(module, "_train", lambda job: pathlib.Path(f"begun-{uuid.uuid4()}").touch())
    """
    changed = folder.sabotage("experiments.one_run", note_what_begins)
    many = ("-m", "epochs=300", "seed=range(4)", "hidden=range(1,200)", "engine=numpy", f"hydra/launcher={launcher}")
    process = folder.fork(*many, **changed)
    wait(folder, process, lambda: folder.runs("tags.config_hash != '' AND attributes.status = 'FINISHED'"))
    (os.kill if (launcher, number) == ("basic", signal.SIGTERM) else os.killpg)(process.pid, number)
    output = folder.joined(process, 128 + number)
    assert "Stopping after the runs in hand; once more to stop at once." in output
    assert "Traceback" not in output
    assert "Warning" not in output
    (parent,) = folder.sweeps()
    assert parent.info.status == "KILLED"
    children = folder.children(parent)
    assert len(children) == parent.data.metrics["finished"] > 0
    assert launcher == "ensemble" or len(list(folder.path.glob("begun-*"))) == len(children)
    assert {row["run_id"] for row in folder.jobs(parent)} == {run.info.run_id for run in children} | {""}
    assert GO_ON in output
    assert f"hydra/launcher={launcher}" in output.partition(GO_ON)[2]
    assert_all_or_nothing(folder)


def test_joblib_s_workers_are_stopped_at_once_by_a_second_signal(folder) -> None:
    changed = folder.sabotage(
        "experiments.ensemble", "import pathlib\nbefore(module, 'start', lambda *a: pathlib.Path('begun').touch())"
    )
    process = folder.fork(
        "-m", "epochs=1000000000", "engine=numpy", "seed=0,1", "hydra/launcher=joblib", **changed
    )  # fmt: skip
    wait(folder, process, (folder.path / "begun").exists)
    os.killpg(process.pid, signal.SIGINT)
    wait(folder, process, lambda: "Stopping after the runs" in folder.forked[process].read_text())
    os.killpg(process.pid, signal.SIGINT)
    output = folder.joined(process, 130)
    assert "Traceback" not in output
    assert GO_ON in output
    (parent,) = folder.sweeps()
    assert parent.info.status == "KILLED"
    assert folder.children(parent) == []
    assert_all_or_nothing(folder)


def test_a_second_signal_is_heard_while_the_store_is_locked(folder) -> None:
    """By another program that never lets go of it."""
    note_who_writes = """
    import pathlib
    before(module.SqliteDatabase, "transaction", lambda self: pathlib.Path("writing").touch())
    """
    with contextlib.closing(sqlite3.connect(folder.path / "mlflow.db", isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        process = folder.fork(*TWO_CHUNKS, **folder.sabotage("tracking.database", note_who_writes))
        while not ((folder.path / "writing").exists() and sleeps(process.pid)) and process.is_alive():
            process.join(0.02)
        for number in (signal.SIGINT, signal.SIGTERM):
            os.kill(process.pid, number)
        process.join(timeout=60)
        assert process.exitcode == 130, folder.forked[process].read_text()
    assert folder.forked[process].read_text() == ""
    assert folder.runs() == []


def sleeps(pid: int) -> bool:
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "S"


def test_single_run(folder) -> None:
    output = folder.train(
        "epochs=1000", "engine=numpy", code=130,
        **folder.sabotage("experiments.ensemble", "before(module, 'start', lambda *a: interrupt())"),
    )  # fmt: skip
    assert "Traceback" not in output
    assert "To run it again: python -m experiments.train epochs=1000" in output
    assert folder.runs() == []
    written = folder.train(
        "epochs=1000", "engine=numpy", code=130,
        **folder.sabotage("tracking.store", "before(module.Store, 'write', lambda *a: interrupt())"),
    )  # fmt: skip
    assert "Traceback" not in written
    (run,) = folder.runs()
    assert run.info.status == "FINISHED"


def test_signals_that_are_ignored_stay_so(folder) -> None:
    """What a script starts in the background is not stopped by a Ctrl-C meant for something else."""
    changed = folder.sabotage("experiments.ensemble", "before(module, 'start', lambda *a: interrupt())")
    previous = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        process = folder.start(*TWO_CHUNKS, **changed)
    finally:
        signal.signal(signal.SIGINT, previous)
    folder.finish(process)
    assert [sweep.info.status for sweep in folder.sweeps()] == ["FINISHED"]
