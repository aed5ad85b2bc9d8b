"""A sweep's home: its store, its parent run, and what came of its jobs.

A grid is one batch of jobs; a search asks for the next after seeing what came of the last. What came of them is read
back from the store, so that all launchers are believed alike, and runs of earlier sweeps like new ones.
"""

import logging
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType, TracebackType
from typing import Self

from experiments import batches, conditions, ensemble, interruption
from experiments.config import Config
from experiments.description import Parent
from experiments.identity import NOT_PART_OF_A_RUN, literal
from experiments.interruption import Interrupted, SweepStopped
from experiments.jobs import Job, refuse
from experiments.launchers import Launcher
from experiments.ledger import Entry, Ledger, State, plan
from experiments.others import Others, alone
from tracking import names
from tracking.errors import StoreUnreachableError, TrackingError
from tracking.provenance import provenance
from tracking.record import Ending, Outcome, RunUpdate
from tracking.stale import repair
from tracking.store import Store, open_store
from tracking.view import save_view, sweep_links

log = logging.getLogger(__name__)

LONGEST_LIST = 20
"""Failed jobs that are listed one by one."""


class SweepSession:
    """A sweep that can go on: opened, run as often as one likes, closed whatever happens.

    As a context it is opened and closed::

        with SweepSession(settings, launcher, "a search") as session:
            first = session.run(jobs)
            second = session.run(better(first))

    All jobs share where and how to run, the `settings` ``experiment``, ``engine``, ``resume`` and ``fail_fast``. The
    parent run has a `name` and `tags`, and from the first jobs on the `artifacts` that the sweep keeps of itself; a
    `folder` gets a copy of the table of jobs in the end. All jobs so far are in the `ledger`; `ending` is None until
    the sweep ends.
    """

    def __init__(
        self,
        settings: Config,
        launcher: Launcher,
        name: str,
        artifacts: Mapping[str, bytes] = MappingProxyType({}),
        folder: Path | None = None,
        store: Store | None = None,
        tags: Mapping[str, str] = MappingProxyType({}),
    ) -> None:
        self.ledger = Ledger()
        self.ending: Ending | None = None
        self._settings, self._launcher, self._name, self._folder = settings, launcher, name, folder
        self._store = store or open_store(settings.experiment)
        self._made_by = provenance(engine=settings.engine, launcher=launcher.name)
        self._artifacts = {**self._made_by.artifacts, **artifacts}
        self._process = {tag: self._made_by.tags[tag] for tag in ("host", "pid", "process")}
        self._tags = {names.KIND: names.SWEEP, **self._made_by.tags, **tags}
        self._run_id = ""
        self._engines: dict[str, set[str]] = {}
        self._origins: set[str] = set()  # of reused runs, those that have been looked at
        self._unread = False  # whether runs were made that the ledger does not have
        self._under_way: list[Outcome] = []
        self._lost: StoreUnreachableError | None = None

    @property
    def run_id(self) -> str:
        """The parent run; empty until the sweep is open."""
        return self._run_id

    def open(self) -> None:
        """Start the parent run, and mend what dead sweeps have left; `TrackingError` if the store cannot be used."""
        for run in repair(self._store):
            log.warning("%s was called RUNNING, but its process is dead; it is KILLED now", run.name)
        try:
            with interruption.held():
                self._run_id = self._store.start_parent(self._name, self._tags)
        except Interrupted:
            if not self._run_id:
                raise  # else it takes effect in `run`, which knows what is left

    def run(self, jobs: Sequence[Job]) -> list[Entry]:
        """Have jobs done, but for those that this session, or with `resume` the experiment, has finished before.

        Repeated ones are done once. Returned is what came of each; a job that the tracking server knows nothing of yet
        is left.

        Raises `ConfigurationError` if a job cannot run, and none is done then; `Interrupted` or `SweepStopped` if the
        sweep is not to go on, for a reason that has been told, and is to be closed; `TrackingError` if the store cannot
        be asked what came of them.
        """
        refuse([*self._strangers(jobs), *batches.problems(jobs)] or self._launcher.problems(jobs))
        self.ledger.add(jobs)
        by_hash = {job.config_hash: job for job in jobs}
        self._note_engines(jobs)
        others = Others(self._store, self._process)
        with alone(self._store):
            if self._settings.resume:
                others.look(by_hash)
                self.ledger.reuse(self._store.reader.outcomes())
                others.tell([config_hash for config_hash in by_hash if not self.ledger[config_hash].done])
            tags = {"engine": ", ".join(sorted(self._engines))}
            files = {**self._artifacts, names.JOBS_CSV: self.ledger.table}
            self._store.update_parent(self._run_id, RunUpdate(tags=tags, artifacts=files))
        self._artifacts = {}
        entries = [self.ledger[job.config_hash] for job in jobs]
        log.info(plan(entries))
        self._warn_of_origins(jobs)
        interruption.check()
        while by_hash:
            left = {config_hash: job for config_hash, job in by_hash.items() if not self.ledger[config_hash].done}
            if to_do := [job for config_hash, job in left.items() if config_hash not in others]:
                self._unread = True
                self._launch(to_do)
                self._read_back()
            by_hash = {config_hash: job for config_hash, job in left.items() if config_hash in others}
            if by_hash:
                self.ledger.reuse(others.wait())
                self._warn_of_origins(jobs)
        return entries

    def close(self, *, complete: bool = True) -> None:
        """Write what came of the jobs on the parent run, and end it.

        Not `complete` is a sweep of somebody who failed, and might have asked for more jobs. If the server is away, the
        parent's end is kept on disk like the runs, and `StoreUnreachableError` is raised.
        """
        go_on = self._made_by.tags["command"]
        try:
            if self._unread:
                self._read_back()
        except StoreUnreachableError:
            self._store.update_parent(self._run_id, RunUpdate(status="FAILED"))
            log.warning("To go on from here, after python -m experiments.sweeps sync: %s", go_on)
            raise
        for run in self._under_way:  # through MLflow's client, a run is there before it is finished
            self._store.update_parent(run.run_id, RunUpdate(status="KILLED"))
        self._track_conditions()
        ledger, ending = self.ledger, self.ledger.ending(interrupted=bool(interruption.exit_code()))
        self.ending = ending if complete or ending != "FINISHED" else "FAILED"
        update = ledger.update(self.ending, sweep_links(self._store.experiment_id, self._run_id))
        self._store.update_parent(self._run_id, update)
        self._save_view()
        if self._folder:
            copy = self._folder / names.JOBS_CSV
            try:
                copy.write_bytes(update.artifacts[names.JOBS_CSV])
            except OSError as error:
                log.warning("%s could not be written (%s); the artifact of that name is", copy, error.strerror)
        self._store.writer.analyze()
        log.info("%s\n", ledger.description)
        failed = ledger.having(State.FAILED)
        for entry in failed[:LONGEST_LIST]:
            log.error("failed: python -m experiments.train %s", entry.overrides)
        if len(failed) > LONGEST_LIST:
            log.error("... and %s more that failed; all are in jobs.csv", f"{len(failed) - LONGEST_LIST:,}")
        if ledger.left:
            log.warning("%s jobs are left. To go on from here: %s", f"{ledger.left:,}", go_on)

    def _track_conditions(self) -> None:
        """Sum up the trials by condition; where that fails, the trials are there, and the sweep ends all the same."""
        if self._store.spooled:
            return  # whoever uploads what is on disk will know more
        self._store.writer.analyze()
        try:
            conditions.track(self._store, self._run_id, self.ledger)
        except TrackingError as error:
            log.warning("The conditions of the sweep could not be tracked as runs: %s", error)

    def _save_view(self) -> None:
        """Have the UI open on this sweep, for whoever follows the links in its descriptions."""
        try:
            if not self._store.spooled and (parent := self._store.reader.run(self._run_id)):
                save_view(self._store, parent)
        except TrackingError as error:
            log.warning("The sweep's view in MLflow's UI could not be saved: %s", error)

    def __enter__(self) -> Self:
        self.open()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> bool:
        """Close; whatever stopped the sweep itself has been told, and is not raised again."""
        stopped = isinstance(error, Interrupted | SweepStopped)
        with interruption.held("Closing the sweep; once more to leave it as it is."):
            self.close(complete=error is None or stopped)
        return stopped

    def _strangers(self, jobs: Sequence[Job]) -> Iterator[str]:
        for key in sorted(NOT_PART_OF_A_RUN):
            mine = getattr(self._settings, key)
            for other in sorted({getattr(job.config, key) for job in jobs} - {mine}):
                yield f"{key}={literal(other)}: valid is {literal(mine)}, as in the rest of the sweep"

    def _note_engines(self, jobs: Sequence[Job]) -> None:
        """Say, once for each reason, why networks train in the reference."""
        engines = ensemble.engines(job.config for job in jobs)
        before = self._engines.get("numpy", set())
        if why := ensemble.reason({name: lacking - before for name, lacking in engines.items()}):
            log.warning(why)
        for name, lacking in engines.items():
            self._engines.setdefault(name, set()).update(lacking)

    def _launch(self, jobs: Sequence[Job]) -> None:
        """Have jobs done; whether they succeeded is another question."""
        try:
            with interruption.held("Stopping after the runs in hand; once more to stop at once."):
                self._launcher.run(jobs, Parent(self._run_id, self.ledger.swept, self._process), self._store)
        except TrackingError as error:
            log.error("%s", error)
            raise SweepStopped from error
        except Exception as error:
            # A disk that is full, a folder that cannot be made; anything else is a mistake to be found.
            log.error("The launcher failed: %s", error, exc_info=not isinstance(error, OSError))
            raise SweepStopped from error

    def _read_back(self) -> None:
        """Read what came of the jobs; a server that was away once is not asked again."""
        if self._lost:
            raise self._lost
        try:
            made = list(self._store.reader.of_sweep(self._run_id))
        except StoreUnreachableError as error:
            self._lost = error
            raise
        self._under_way = [run for run in made if run.status == State.RUNNING.status]
        self.ledger.note(replace(run, status=State.KILLED.status) if run in self._under_way else run for run in made)
        self._unread = False

    def _warn_of_origins(self, jobs: Sequence[Job]) -> None:
        """Name the versions of the code, and the engines, other than the present ones, that made reused runs."""
        by_origin: dict[str, list[Job]] = {}
        for job in jobs:
            entry = self.ledger[job.config_hash]
            if entry.state is State.REUSED and (origin := entry.run.sweep_id or entry.run.run_id) not in self._origins:
                by_origin.setdefault(origin, []).append(job)
        self._origins |= by_origin.keys()
        present = self._made_by.tags["git_commit"], self._made_by.artifacts.get(names.GIT_DIFF, b"")
        codes, engines = set(), Counter[str]()
        for origin, reused in by_origin.items():
            if run := self._store.reader.run(origin):
                commit, diff = run.tags.get("git_commit"), self._store.reader.artifact(run, names.GIT_DIFF) or b""
                if (commit, diff) != present:
                    codes.add(f"{commit or 'unknown'}{' with uncommitted changes' if diff else ''}")
                engines.update(ensemble.other_engines((job.config for job in reused), run.tags.get("engine", "")))
        if codes:
            log.warning(
                "Finished runs come from other code: %s. resume=false would run them again", ", ".join(sorted(codes))
            )
        for engine, count in sorted(engines.items()):
            log.warning(
                "%s finished runs were trained by engine=%s, which this sweep does not use for them. Where rates are "
                "high, engines differ after some hundred epochs. resume=false would run them again",
                f"{count:,}", engine,
            )  # fmt: skip
