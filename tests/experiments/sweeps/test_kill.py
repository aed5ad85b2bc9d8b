"""kill -9 at any moment: what was stored stays, what is left is done by the next launch."""

import contextlib
import os
import random
import signal
import sqlite3
import time
from collections.abc import Callable
from pathlib import Path

import forked

from tracking.provenance import process_identity

SWEEP = ("-m", "engine=numpy", "seed=range(1000)", "hidden=2,4", "epochs=100", "record.per_decade=10")
RUNS = 2000
SWEEPS = "tags WHERE key = 'kind'"
TRAINED = "tags WHERE key = 'config_hash'"
KILLS = 20


def count(store: Path, what: str) -> int:
    """Count in the database itself, which takes no time; 0 if there is none yet."""
    if not store.exists():
        return 0
    with contextlib.closing(sqlite3.connect(store, timeout=60)) as database:
        return database.execute(f"SELECT count(*) FROM {what}").fetchone()[0]


def test_killed_at_twenty_random_moments(new_folder: Callable, folder_with_store: Callable) -> None:
    chance = random.Random(1986)
    folder, undisturbed = new_folder(), folder_with_store()
    store = folder.path / "mlflow.db"
    stored = [0]
    for number in range(KILLS):
        # Kill it while it starts, while it has a parent, or while it stores runs; and in between.
        awaited = [None, SWEEPS, TRAINED, SWEEPS][number % 4]
        before = count(store, awaited) if awaited else 0
        process = folder.fork(*SWEEP)
        while awaited and count(store, awaited) == before and process.is_alive():
            process.join(0.02)
        process.join(chance.uniform(0.0, 0.4 if awaited else 1.5))
        forked.end(process)
        stored.append(count(store, TRAINED))
    assert stored == sorted(stored)
    assert 0 < stored[KILLS // 2] < RUNS  # or the moments were not worth much

    output = folder.train(*SWEEP)
    assert f"2,000 jobs: {RUNS - stored[-1]:,} to do" in output
    *killed, last = folder.sweeps()
    assert last.info.status == "FINISHED"
    assert {sweep.info.status for sweep in killed} <= {"KILLED", "FINISHED"}
    assert "KILLED" in {sweep.info.status for sweep in killed}
    rows = folder.jobs(last)
    assert all(row["run_id"] for row in rows)

    undisturbed.train(*SWEEP)
    wanted, found = contents(undisturbed.path / "mlflow.db"), contents(store)
    assert len(wanted) == RUNS
    assert found.keys() == wanted.keys()
    assert [key for key, content in wanted.items() if found[key] != content] == []
    # What the tables say is what MLflow says.
    for row in chance.sample(rows, 5):
        (other,) = undisturbed.runs(f"tags.config_hash = '{row['config_hash']}'")
        assert folder.content(folder.client.get_run(row["run_id"])) == undisturbed.content(other)


def test_workers_end_with_their_sweep(folder_with_store: Callable) -> None:
    """joblib's are processes of their own, which would go on to store what the next launch does again."""
    folder = folder_with_store()
    note_who_trains = """
    import pathlib
    before(module, "start", lambda configs: pathlib.Path(f"worker-{os.getpid()}").touch())
    """
    sweep = ("-m", "engine=numpy", "seed=0,1", "hydra/launcher=joblib", "hydra.launcher.n_jobs=2")
    process = folder.fork(*sweep, "epochs=1000000000", **folder.sabotage("experiments.ensemble", note_who_trains))
    while len(workers := list(folder.path.glob("worker-*"))) < 2:
        process.join(0.05)
        assert process.is_alive(), folder.joined(process)
    identities = [process_identity(int(path.name.partition("-")[2])) for path in workers]
    assert None not in identities
    os.kill(process.pid, signal.SIGKILL)
    process.join()
    deadline = time.monotonic() + 60
    while left := [pid for path in workers if process_identity(pid := int(path.name.partition("-")[2])) in identities]:
        assert time.monotonic() < deadline, f"{left} train on"


WORKER = """
from experiments.one_run import Parent, _end_with
from tracking.provenance import provenance
_end_with(Parent("", (), provenance(engine="", launcher="").tags))
print("goes on", flush=True)
_end_with(Parent("", (), {dead}))
print("goes on still", flush=True)
"""


def test_a_worker_whose_sweep_is_dead_ends() -> None:
    """Also where no system sees to it."""
    dead = forked.run("-c", "from tracking.provenance import *; print(provenance(engine='', launcher='').tags)").stdout
    worker = forked.run("-c", WORKER.format(dead=dead))
    assert (worker.returncode, worker.stdout) == (1, "goes on\n")


def contents(store: Path) -> dict[str, list]:
    """All rows and files of every trained run, by configuration; straight from the tables, MLflow takes its time."""
    found = {}
    with contextlib.closing(sqlite3.connect(store)) as database:
        runs = database.execute(
            "SELECT run_uuid, value, status, artifact_uri "
            "FROM runs JOIN tags USING (run_uuid) WHERE key = 'config_hash'"
        ).fetchall()
        hashes = {run_id: config_hash for run_id, config_hash, _, _ in runs}
        for _, config_hash, status, folder in runs:
            assert config_hash not in found, "trained twice"
            files = {path.name: path.read_bytes() for path in Path(folder).iterdir()}
            found[config_hash] = [status, files]
        for rows in (
            "key, value FROM params",
            "key, value FROM tags WHERE key NOT IN ('sweep_id', 'mlflow.parentRunId', 'mlflow.note.content')",
            "key, step, value FROM metrics",
            "key, step, value FROM latest_metrics",
        ):
            for run_id, *row in database.execute(f"SELECT run_uuid, {rows} ORDER BY 2, 3"):
                if run_id in hashes:
                    found[hashes[run_id]].append(row)
    return found
