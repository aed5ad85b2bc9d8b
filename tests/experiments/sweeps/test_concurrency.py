"""Several sweeps at once, in a folder without a store."""

import contextlib
import os
import signal
from collections.abc import Callable

import pytest

from tracking.record import RunUpdate
from tracking.store import open_store

# The last one wants the same as the first, the third something of both others.
SEEDS = ("range(0,30)", "range(30,60)", "range(20,90)", "range(0,30)")


def test_four_sweeps_started_at_the_same_moment(new_folder: Callable) -> None:
    folder = new_folder()
    started = [folder.fork("-m", "engine=numpy", "epochs=20", f"seed={seeds}", "hidden=2,3") for seeds in SEEDS]
    outputs = [folder.joined(process) for process in started]
    assert not [output for output in outputs if "locked" in output or "Traceback" in output]
    sweeps = folder.sweeps()
    assert [sweep.info.status for sweep in sweeps] == ["FINISHED"] * 4
    for sweep in sweeps:
        rows = folder.jobs(sweep)
        assert len(rows) == sweep.data.metrics["jobs"]
        assert all(row["origin"] in {"new", "reused"} and row["run_id"] for row in rows)
        assert sweep.data.metrics["finished"] + sweep.data.metrics["reused"] == len(rows)
    assert sorted(sweep.data.metrics["jobs"] for sweep in sweeps) == [60, 60, 60, 140]
    runs = folder.runs("tags.config_hash != ''")
    assert {run.info.status for run in runs} == {"FINISHED"}
    assert len({run.data.tags["config_hash"] for run in runs}) == len(runs) == 180  # nothing is run twice
    assert len(runs) == sum(sweep.data.metrics["finished"] for sweep in sweeps)
    folders = list(folder.path.glob("multirun/*/*"))
    assert len(folders) == 4
    assert all({path.name for path in each.iterdir()} == {"multirun.yaml", "jobs.csv", "train.log"} for each in folders)


@pytest.mark.parametrize("end", ["finished", "killed"])
def test_a_sweep_waits_for_what_another_has_in_hand(folder_with_store: Callable, end: str) -> None:
    """A wider one does the rest meanwhile; and does it all if the other is killed."""
    folder = folder_with_store()
    hold = """
    import pathlib
    def until_told(configs):
        pathlib.Path("begun").touch()
        pathlib.Path("go").read_bytes()  # a pipe
    before(module, "start", until_told)
    """
    os.mkfifo(folder.path / "go")
    sweep = ("-m", "engine=numpy", "epochs=20")
    first = folder.fork(*sweep, "seed=range(3)", **folder.sabotage("experiments.ensemble", hold))
    while not (folder.path / "begun").exists():
        first.join(0.02)
        assert first.is_alive(), folder.joined(first)
    wider = folder.fork(*sweep, "seed=range(5)")
    while len(folder.runs("tags.config_hash != ''")) < 2:
        wider.join(0.02)
        assert wider.is_alive(), folder.joined(wider)
    if end == "finished":
        (folder.path / "go").write_bytes(b"now")
        folder.joined(first)
    else:
        os.kill(first.pid, signal.SIGKILL)
    output = folder.joined(wider)
    mine, others = folder.sweeps()
    assert f"3 of these jobs are in hand of sweep {mine.info.run_id}" in output
    assert f"process {first.pid}, and waited for" in output
    assert [row["origin"] for row in folder.jobs(others)] == [
        *["reused" if end == "finished" else "new"] * 3,
        "new",
        "new",
    ]
    assert others.info.status == "FINISHED"
    assert len(folder.runs("tags.config_hash != ''")) == 5


def test_a_sweep_on_another_machine_is_named(folder_with_store: Callable) -> None:
    """Whether it is alive cannot be said from here; so nobody waits for it for ever."""
    folder = folder_with_store()
    table = b"job,config_hash,overrides,run_id,origin\n"
    sweep = ("-m", "engine=numpy", "epochs=20", "seed=range(2)")
    folder.train(*sweep)
    for row in folder.jobs(folder.sweeps()[0]):
        folder.client.delete_run(row["run_id"])
        table += f"{row['job']},{row['config_hash']},{row['overrides']},,\n".encode()
    with contextlib.chdir(folder.path):
        store = open_store("xor")
        other = store.start_parent("other", {"kind": "sweep", "host": "elsewhere", "pid": "1"})
        damaged = store.start_parent("damaged", {"kind": "sweep", "host": "elsewhere"})
        store.update_parent(other, RunUpdate(artifacts={"jobs.csv": table}))
        store.update_parent(damaged, RunUpdate(artifacts={"jobs.csv": b"job,config\n0,1,2,3\n"}))
    output = folder.train(*sweep)
    assert f"2 of these jobs may be in hand of sweep {other} (other) on elsewhere, and are done here, too" in output
    assert f"If it is dead: python -m experiments.sweeps repair {other}" in output
    assert f"in hand of sweep {damaged}" not in output
    assert len(folder.runs("tags.config_hash != ''")) == 2
