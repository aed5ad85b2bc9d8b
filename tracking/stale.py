"""Runs that are called RUNNING and are not, because their process ended without a word."""

import os
import re
import socket
from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum

from tracking import names
from tracking.provenance import process_identity
from tracking.record import Run, RunUpdate, now_ms
from tracking.store import Store

_PID = re.compile("[1-9][0-9]{0,6}")


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
    """Tell whether the process is alive that a run's ``host``, ``pid`` and ``process`` name; see `provenance`.

    Anybody may set tags: what cannot be such a name says nothing of a process here.
    """
    pid, process = tags.get("pid", ""), tags.get("process", "unknown")
    if not _PID.fullmatch(pid) or tags.get("host") != socket.gethostname():
        return Life.ELSEWHERE
    here = process_identity(os.getpid())
    if here is None or process == "unknown":
        try:
            os.kill(int(pid), 0)
        except ProcessLookupError:
            return Life.DEAD
        except PermissionError:
            pass  # somebody else's is a process, too
        return Life.ALIVE
    machine, boot, namespace, *_ = process.split("/") if process.count("/") == 3 else ("",) * 3
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
    running = {run.run_id: run for run in store.reader.running()}
    parents: dict[str, Run | None] = dict(running)
    stale = []
    for run in running.values():
        owner: Run | None = run
        if "pid" not in run.tags and (sweep_id := run.tags.get(names.SWEEP_ID)):
            if sweep_id not in parents:
                parents[sweep_id] = store.reader.run(sweep_id)
            owner = parents[sweep_id]
        if owner is not None and life(owner.tags) is Life.DEAD:
            stale.append(StaleRun(run.run_id, run.name, owner.tags["pid"]))
    return stale


def repair(store: Store) -> list[StaleRun]:
    """Mark the stale runs of an experiment as KILLED, and return them."""
    stale = stale_runs(store)
    for run in stale:
        store.writer.update(run.run_id, RunUpdate(status="KILLED"), now_ms())
    return stale
