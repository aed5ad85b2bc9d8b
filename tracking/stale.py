"""Runs that are called RUNNING and are not, because their process ended without a word."""

import os
import shutil
import socket
import time
from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from pathlib import Path

from tracking import files, overview
from tracking.provenance import process_identity
from tracking.record import RunUpdate
from tracking.store import Store

ABANDONED_AFTER_S = 3600.0
"""Files without a run are left alone for so long: it may be about to be committed."""


class Life(Enum):
    """What can be said from here about a process."""

    ALIVE = "alive"
    DEAD = "dead"
    ELSEWHERE = "on another machine, or in another container"


@dataclass(frozen=True)
class StaleRun:
    """A run that is called RUNNING although its process is dead."""

    run_id: str
    name: str
    pid: str


def life(tags: Mapping[str, str]) -> Life:
    """Tell whether the process that a run's provenance names is alive.

    Parameters
    ----------
    tags : mapping of str to str
        With ``host``, ``pid`` and ``process``, as `tracking.provenance` writes them.
    """
    pid, process = tags.get("pid", ""), tags.get("process", "unknown")
    if not pid.isdecimal() or tags.get("host") != socket.gethostname():
        return Life.ELSEWHERE
    here = process_identity(os.getpid())
    if here is None or process == "unknown":
        return _life_by_signal(int(pid))
    machine, boot, namespace, _ = process.split("/")
    my_machine, my_boot, my_namespace, _ = here.split("/")
    if machine != my_machine:
        return Life.ELSEWHERE
    if boot != my_boot:
        return Life.DEAD
    if namespace != my_namespace:
        return Life.ELSEWHERE
    return Life.ALIVE if process_identity(int(pid)) == process else Life.DEAD


def stale_runs(store: Store) -> list[StaleRun]:
    """Find the runs of an experiment that are called RUNNING although their process, or their sweep's, is dead."""
    running = {run.run_id: run for run in overview.running(store)}
    parents: dict[str, overview.RunInfo | None] = dict(running)
    stale = []
    for run in running.values():
        owner: overview.RunInfo | None = run
        if "pid" not in run.tags and (sweep_id := run.tags.get("sweep_id")):
            if sweep_id not in parents:
                parents[sweep_id] = overview.run(store, sweep_id)
            owner = parents[sweep_id]
        if owner is not None and life(owner.tags) is Life.DEAD:
            stale.append(StaleRun(run.run_id, run.name, owner.tags["pid"]))
    return stale


def repair(store: Store) -> list[StaleRun]:
    """Mark the stale runs of an experiment as KILLED, and return them."""
    stale = stale_runs(store)
    for run in stale:
        store.writer.update(run.run_id, RunUpdate(status="KILLED"), time.time_ns() // 1_000_000)
    return stale


def remove_abandoned_files(store: Store) -> int:
    """Remove artifacts whose run was never committed, because its process was killed just then.

    Returns
    -------
    int
        How many runs' folders were removed.
    """
    folder = files.local_folder(store.artifact_location)
    if store.database is None or folder is None or not folder.is_dir():
        return 0
    known = {
        run_id
        for (run_id,) in store.database.query(
            "SELECT run_uuid FROM runs WHERE experiment_id = ?", (int(store.experiment_id),)
        )
    }
    abandoned = [path for path in folder.iterdir() if path.name not in known and _is_abandoned(path)]
    for path in abandoned:
        shutil.rmtree(path, ignore_errors=True)
    return len(abandoned)


def _is_abandoned(path: Path) -> bool:
    """Whether a folder was made for a run here, long ago: our run ids begin with the time in milliseconds."""
    try:
        made_s = int(path.name[:12], 16) / 1000
        written_s = path.stat().st_mtime
    except (ValueError, OSError):
        return False
    return len(path.name) == 32 and abs(made_s - written_s) < 60 and time.time() - written_s > ABANDONED_AFTER_S


def _life_by_signal(pid: int) -> Life:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return Life.DEAD
    except PermissionError:
        return Life.ALIVE
    return Life.ALIVE
