"""A tracking store: found or made, read, and written to by the fastest way it allows."""

import getpass
import logging
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path
from uuid import uuid4

from tracking import artifacts, creation, spool
from tracking.addresses import VALID, VARIABLE, describe, tracking_uri
from tracking.client import mlflow_errors
from tracking.client_reader import ClientReader
from tracking.client_writer import ClientWriter
from tracking.database import TABLES, Database, SqliteDatabase, connect, unknown_models
from tracking.disk import require_writable_file
from tracking.errors import LoginRefusedError, StoreUnreachableError, TrackingError, without_secrets
from tracking.reader import Experiment, Reader
from tracking.record import RunRecord, RunUpdate, now_ms
from tracking.sql_reader import SqlReader
from tracking.sql_writer import SqlWriter

log = logging.getLogger(__name__)

_WRITTEN_BY_SQL = ("sqlite", "postgresql")


@dataclass
class Store:
    """One experiment in a tracking store, to be read and written.

    `spooled` counts finished runs and updates that did not get through and were kept on disk; see `write`.
    """

    experiment: str
    experiment_id: str
    artifact_location: str
    reader: Reader
    spooled: int = 0

    @property
    def uri(self) -> str:
        """Tracking URI."""
        return self.reader.uri

    @cached_property
    def writer(self) -> SqlWriter | ClientWriter:
        """The fastest way to write to this store (imports MLflow)."""
        database = _database_to_write_to(self.reader)
        if database is None:
            return ClientWriter(self.uri, self.experiment_id, _context_tags())
        return SqlWriter(database, self.experiment_id, self.artifact_location, _context_tags())

    def write(self, records: Sequence[RunRecord]) -> list[str]:
        """Store finished runs.

        By SQL, in transactions of at most 256 runs, a run is stored whole or not at all. A server that does not
        answer is asked again with growing pauses; then the runs are kept on disk, which is logged and counted
        in `spooled`, for ``python -m experiments.sweeps sync`` to upload. Returned are the run ids, and empty strings
        for runs that were kept on disk. Raises `TrackingError` if the store cannot be written to for another reason:
        disk full, no permission, experiment deleted.
        """
        size = self.writer.runs_at_once
        chunks = (records[first : first + size] for first in range(0, len(records), size))
        return [run_id for chunk in chunks for run_id in self._write(chunk)]

    def write_together(self, records: Sequence[RunRecord]) -> list[str]:
        """Store finished runs as `write` does; by SQL all of them, or none."""
        return self._write(records)

    def start_parent(self, name: str, tags: Mapping[str, str]) -> str:
        """Create the run of a sweep that begins now, and return its id."""
        return self.writer.start(name, tags, now_ms())

    def update_parent(self, run_id: str, update: RunUpdate) -> None:
        """Add metrics, tags and artifacts to the run of a sweep, and end it if the update has a status.

        An update that does not get through is kept on disk as runs are; see `write`.
        """
        try:
            self._require_answer()
            self.writer.update(run_id, update, now_ms())
        except StoreUnreachableError as error:
            self._keep(run_id, update, error)

    def upload(self, kept: spool.Kept) -> None:
        """Store what was kept on disk; doing so again changes nothing."""
        if isinstance(kept.content, RunUpdate):
            self.writer.update(kept.run_id, kept.content, kept.now_ms)
        else:
            self.writer.complete(kept.content, kept.run_id, kept.id)

    def _write(self, records: Sequence[RunRecord]) -> list[str]:
        """Write runs that are written together."""
        run_ids = [""] * len(records)
        try:
            self._require_answer()
            run_ids = self.writer.begin(records)
            self.writer.write(records, run_ids)
        except StoreUnreachableError as error:
            return [self._keep(run_id, record, error) for run_id, record in zip(run_ids, records, strict=True)]
        return run_ids

    def _require_answer(self) -> None:
        """Ask once, with no patience, where earlier runs did not get through."""
        if self.spooled:
            self.reader.ping()

    def _keep(self, run_id: str, content: RunRecord | RunUpdate, error: StoreUnreachableError) -> str:
        folder = Path.cwd() / spool.FOLDER
        if self.spooled == 0:
            kept = f"{error}. Finished runs are kept in {folder}"
            log.error("%s; when the server is back: python -m experiments.sweeps sync", kept)
        here = without_secrets(self.uri)
        spool.keep(folder, spool.Kept(uuid4().hex, time.time_ns(), self.experiment, here, run_id, content))
        self.spooled += 1
        return ""


def open_store(experiment: str) -> Store:
    """Open the tracking store of the current folder, or the one that ``MLFLOW_TRACKING_URI`` names.

    Makes whatever is missing: database, schema, experiment. Any number of processes may do so at once. Raises
    `TrackingError` if the store cannot be written to, or the experiment has been deleted.
    """
    uri = tracking_uri()
    if (database := connect(uri)) is not None:
        with _advised(uri):
            creation.make_schema(database)
    reader = open_reader(uri)
    found = next((one for one in reader.experiments() if one.name == experiment), None)
    if found is None:
        creation.make_experiment(uri, _database_to_write_to(reader), experiment)
        found = next((one for one in reader.experiments() if one.name == experiment), None)
    if found is None or not found.active:
        raise TrackingError(
            f"experiment {experiment!r} has been deleted: choose another name, or bring it back with "
            f"`mlflow experiments restore --experiment-id {found.id if found else '?'}`"
        )
    if isinstance(database, SqliteDatabase):
        require_writable_file(database.path)
    artifacts.require_writable(found.artifact_location)
    return _store(reader, found)


def find_store(experiment: str) -> Store | None:
    """Open a store without making anything; None if there is no such store or experiment yet."""
    return next((store for store in find_stores() if store.experiment == experiment), None)


def find_stores() -> list[Store]:
    """Open every experiment of the tracking store, without making anything; none if there is no store yet."""
    reader = _existing(tracking_uri())
    if reader is None:
        return []
    return [_store(reader, experiment) for experiment in reader.experiments() if experiment.active]


def open_reader(uri: str | None = None) -> Reader:
    """Open all active experiments of a tracking store to be read; raises `TrackingError` if there is none."""
    uri = tracking_uri(uri)
    reader = _existing(uri)
    if reader is None:
        raise TrackingError(
            f"{describe(uri)}: there is no tracking store; run a sweep in this folder first, or set {VARIABLE}"
        )
    return reader


def _existing(uri: str) -> Reader | None:
    """Choose the fastest way to read a store; None if it is a database that holds none."""
    database = connect(uri)
    with _advised(uri):
        if database is None:
            reader = ClientReader(uri)
            reader.ping()
            return reader
        if "runs" not in database.columns():
            return None
        missing = TABLES.keys() - database.columns().keys()
        different = database.differences()
    if missing:
        raise TrackingError(
            f"{describe(uri)}: tables are missing ({', '.join(sorted(missing))}), so the store is damaged, or none of "
            "MLflow's. Restore it, or move it away"
        )
    if different:
        _warn_once(f"The tables of {without_secrets(uri)}", "; ".join(different))
        return ClientReader(uri)
    return SqlReader(database)


def _store(reader: Reader, experiment: Experiment) -> Store:
    return Store(experiment.name, experiment.id, experiment.artifact_location, reader.within(experiment.id))


def _database_to_write_to(reader: Reader) -> Database | None:
    """Choose the database that runs are written to by SQL; None if MLflow's client has to write them."""
    if not isinstance(reader, SqlReader) or reader.database.dialect not in _WRITTEN_BY_SQL:
        return None
    with mlflow_errors(reader.uri):
        different = unknown_models()
    if different:
        _warn_once("The models of the MLflow that is installed", "; ".join(different))
        return None
    return reader.database


@contextmanager
def _advised(uri: str) -> Iterator[None]:
    """Say what can be done about a store that does not answer when it is opened."""
    try:
        yield
    except StoreUnreachableError as error:
        advice = "" if isinstance(error, LoginRefusedError) else f". Start it, or name another store; {VALID}"
        raise type(error)(f"{describe(uri)}: {error}{advice}") from error


@cache
def _warn_once(what: str, different: str) -> None:
    problem = f"{what} are not those this was written for"
    log.warning("%s, so that runs are written through MLflow's client, which is slower (%s).", problem, different)


def _context_tags() -> dict[str, str]:
    """Return the tags that MLflow's own ``start_run`` would set."""
    try:
        user = getpass.getuser()
    except (ImportError, KeyError, OSError):
        user = "unknown"
    return {"mlflow.user": user, "mlflow.source.name": sys.argv[0] or "<console>", "mlflow.source.type": "LOCAL"}
