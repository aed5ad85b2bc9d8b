"""Other sweeps of an experiment that are under way, and the jobs that they have in hand.

A sweep lists its jobs on its parent run before it begins with them. Who wants one of them later finds it there, and
waits for it until it is done, or until that sweep is over. Nobody waits for one who has come later, so that no two wait
for each other.
"""

import logging
import time
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock

from tracking import names
from tracking.artifacts import local_folder
from tracking.record import Outcome, Run
from tracking.stale import Life, life
from tracking.store import Store

log = logging.getLogger(__name__)

SHORTEST_PAUSE_S = 1.0
"""Between two looks at the others; longer, the longer a look takes."""


@contextmanager
def alone(store: Store) -> Iterator[None]:
    """Keep other sweeps of the experiment from looking or listing their jobs: those that share a folder with this one.

    That is the folder of the experiment's artifacts, or if these are on a server the current one.
    """
    folder = local_folder(store.artifact_location) or Path.cwd()
    # It is left there: between removing it and letting go, somebody else could lock it, and a third make another.
    lock = FileLock(folder / ".sweeps.lock")
    try:
        folder.mkdir(parents=True, exist_ok=True)
        lock.acquire()
    except OSError as error:
        log.debug("no lock can be had (%s); sweeps of this moment will not see each other", error)
    try:
        yield
    finally:
        lock.release()


class Others:
    """What a sweep waits for; its process is the one with these tags."""

    def __init__(self, store: Store, process: Mapping[str, str]) -> None:
        self._store, self._process = store, process
        self._in_hand: dict[str, set[str]] = {}  # by config_hash, the sweeps that came before
        self._found: list[tuple[Run, Life, set[str]]] = []  # each with the jobs that it listed

    def __contains__(self, config_hash: str) -> bool:
        return config_hash in self._in_hand

    def look(self, wanted: Collection[str]) -> None:
        """Find who has jobs in hand that are wanted, by their config_hash.

        To be done `alone`, before listing them, and before asking which are finished: a sweep that ends in between has
        stored its last by then.
        """
        running = ("attributes.status", "=", "RUNNING")
        for sweep in self._store.reader.runs(running, (f"tags.{names.KIND}", "=", names.SWEEP)):
            if self._process.items() <= sweep.tags.items():
                continue  # this sweep, or an earlier one of the same process, such as a notebook's
            rows = self._store.reader.jobs(sweep)
            listed = {row["config_hash"] for row in rows if not row["run_id"]} & set(wanted)
            alive = life(sweep.tags)
            if alive is not Life.DEAD:
                self._found.append((sweep, alive, listed))
            if alive is Life.ALIVE:
                for config_hash in listed:
                    self._in_hand.setdefault(config_hash, set()).add(sweep.run_id)

    def tell(self, left: Collection[str]) -> None:
        """Say who has how many of the jobs that are left to do."""
        for sweep, alive, listed in self._found:
            if count := len(listed & set(left)):
                _tell(sweep, count, alive)

    def wait(self) -> list[Outcome]:
        """Pause, then say what has come of jobs that were in the hands of others, and are no longer."""
        began = time.monotonic()
        ended: list[Outcome] = []
        for sweep_id in sorted(set().union(*self._in_hand.values())):
            sweep = self._store.reader.run(sweep_id)
            over = sweep is None or sweep.status != "RUNNING" or life(sweep.tags) is Life.DEAD
            made = [run for run in self._store.reader.of_sweep(sweep_id) if run.status != "RUNNING"]
            gone = {run.config_hash for run in made}
            for config_hash, sweeps in self._in_hand.items():
                if over or config_hash in gone:
                    sweeps.discard(sweep_id)
            ended += made
        self._in_hand = {config_hash: sweeps for config_hash, sweeps in self._in_hand.items() if sweeps}
        if self._in_hand:
            time.sleep(max(SHORTEST_PAUSE_S, 5 * (time.monotonic() - began)))
        return ended


def _tell(sweep: Run, count: int, alive: Life) -> None:
    who, pid = f"sweep {sweep.run_id} ({sweep.name})", sweep.tags.get("pid", "?")
    if alive is Life.ALIVE:
        log.info("%s of these jobs are in hand of %s, process %s, and waited for", f"{count:,}", who, pid)
        return
    log.warning(
        "%s of these jobs may be in hand of %s on %s, and are done here, too. If it is dead: "
        "python -m experiments.sweeps repair %s",
        f"{count:,}", who, sweep.tags.get("host", "an unknown host"), sweep.run_id,
    )  # fmt: skip
