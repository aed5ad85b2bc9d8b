"""A tracking store: found or made, written to by the fastest way it allows, and asked what it holds."""

import getpass
import logging
import os
import ssl
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import cache, cached_property
from http.client import HTTPException
from pathlib import Path
from typing import TYPE_CHECKING
from uuid import uuid4

from tracking import creation, files, spool
from tracking import database as databases
from tracking.client_writer import ClientWriter, mlflow_errors
from tracking.creation import mlflow_client
from tracking.database import PostgresDatabase, SqliteDatabase
from tracking.errors import StoreUnreachableError, TrackingError, explain_os, without_password
from tracking.record import RunRecord, RunUpdate
from tracking.sql_writer import RUNS_PER_TRANSACTION, SqlWriter, new_run_ids, unknown_models
from tracking.uri import VALID, named, tracking_uri

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import Run

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Experiment:
    """An MLflow experiment."""

    id: str
    name: str
    artifact_location: str
    active: bool


@dataclass
class Store:
    """One experiment in a tracking store.

    Attributes
    ----------
    uri : str
        Tracking URI.
    experiment : str
        The experiment's name.
    experiment_id : str
    artifact_location : str
        Where the experiment keeps its artifacts.
    database : SqliteDatabase, PostgresDatabase or None
        Set if runs are read by SQL, and written so if MLflow's models are known too.
    spooled : int
        Finished runs and updates that did not get through and were kept on disk; see `write`.
    """

    uri: str
    experiment: str
    experiment_id: str
    artifact_location: str
    database: SqliteDatabase | PostgresDatabase | None
    spooled: int = 0

    @cached_property
    def client(self) -> "MlflowClient":
        """MLflow's client for this store (imports MLflow, which takes seconds)."""
        return mlflow_client(self.uri)

    @cached_property
    def writer(self) -> SqlWriter | ClientWriter:
        """The fastest way to write to this store."""
        if (database := _if_models_known(self.uri, self.database)) is None:
            return ClientWriter(self.client, self.uri, self.experiment_id, _context_tags())
        return SqlWriter(database, self.experiment_id, self.artifact_location, _context_tags())

    def write(self, records: Sequence[RunRecord]) -> list[str]:
        """Store finished runs.

        By SQL, in transactions of at most 256 runs, a run is stored whole or not at all. A server that does not
        answer is asked again with growing pauses; then the runs are kept on disk, which is logged and counted
        in `spooled`, for ``python -m experiments.sweeps sync`` to upload.

        Parameters
        ----------
        records : sequence of RunRecord

        Returns
        -------
        list of str
            Their run ids; empty strings for runs that were kept on disk.

        Raises
        ------
        TrackingError
            If the store cannot be written to for another reason: disk full, no permission, experiment deleted.
        """
        run_ids: list[str] = []
        for first in range(0, len(records), RUNS_PER_TRANSACTION):
            chunk = records[first : first + RUNS_PER_TRANSACTION]
            if isinstance(self.writer, SqlWriter):
                run_ids += self._write_by_sql(self.writer, chunk)
            else:
                run_ids += [self._write_by_client(self.writer, record) for record in chunk]
        return run_ids

    def start_parent(self, name: str, tags: Mapping[str, str]) -> str:
        """Create the run of a sweep that begins now, and return its id."""
        return self.writer.start(name, tags, _now_ms())

    def update_parent(self, run_id: str, update: RunUpdate) -> None:
        """Add metrics, tags and artifacts to the run of a sweep, and end it if the update has a status.

        An update that does not get through is kept on disk as runs are; see `write`.
        """
        if self._given_up():
            self._keep(run_id, update)
            return
        try:
            self.writer.update(run_id, update, _now_ms())
        except StoreUnreachableError as error:
            self._keep(run_id, update, error)

    def upload(self, kept: spool.Kept) -> None:
        """Store what was kept on disk; doing so again changes nothing."""
        writer = self.writer
        if isinstance(kept.content, RunUpdate):
            writer.update(kept.run_id, kept.content, kept.now_ms)
        elif isinstance(writer, SqlWriter):
            writer.write([kept.content], [kept.run_id or kept.id])
        else:
            writer.complete(kept.run_id, kept.content, kept.id)

    def finished(self, config_hashes: Collection[str]) -> dict[str, str]:
        """Look up which configurations this experiment holds as finished runs.

        Returns
        -------
        dict of str to str
            Configuration hash to run id, of the latest run where there are several.
        """
        return self._by_config_hash("FINISHED", config_hashes)

    def failed(self, config_hashes: Collection[str]) -> dict[str, str]:
        """Look up which configurations this experiment holds as failed runs; see `finished`."""
        return self._by_config_hash("FAILED", config_hashes)

    def analyze(self) -> None:
        """Keep MLflow's own queries fast after many runs were added; cheap, and nothing but SQLite needs it."""
        if isinstance(self.database, SqliteDatabase):
            self.database.analyze()

    def search(self, matching: str) -> "Iterator[Run]":
        """Ask MLflow for all runs of the experiment that match, oldest first, page by page."""
        token = None
        while True:
            with mlflow_errors(self.uri):
                page = self.client.search_runs(
                    [self.experiment_id],
                    matching,
                    max_results=10_000,
                    order_by=["attributes.start_time ASC"],
                    page_token=token,
                )
            yield from page
            token = page.token
            if not token:
                return

    def _by_config_hash(self, status: str, config_hashes: Collection[str]) -> dict[str, str]:
        wanted = set(config_hashes)
        if self.database is not None:
            rows = self.database.query(
                "SELECT tags.value, runs.run_uuid FROM tags JOIN runs ON runs.run_uuid = tags.run_uuid "
                "WHERE tags.key = 'config_hash' AND runs.experiment_id = ? AND runs.status = ? "
                "AND runs.lifecycle_stage = 'active' ORDER BY runs.start_time, runs.run_uuid",
                (int(self.experiment_id), status),
            )
            return {config_hash: run_id for config_hash, run_id in rows if config_hash in wanted}
        found = {
            run.data.tags["config_hash"]: run.info.run_id
            for run in self.search(f"attributes.status = '{status}' AND tags.config_hash LIKE '%'")
        }
        return {config_hash: run_id for config_hash, run_id in found.items() if config_hash in wanted}

    def _write_by_sql(self, writer: SqlWriter, chunk: Sequence[RunRecord]) -> list[str]:
        run_ids = new_run_ids(len(chunk))
        if self._given_up():
            return [self._keep("", record) for record in chunk]
        for pause in (*_pauses(), None):
            try:
                writer.write(chunk, run_ids)
            except StoreUnreachableError as error:
                if pause is None:
                    # The last transaction may have gone through without an answer, hence the same ids later.
                    return [self._keep(i, record, error) for i, record in zip(run_ids, chunk, strict=True)]
                time.sleep(pause)
            else:
                break
        return run_ids

    def _write_by_client(self, writer: ClientWriter, record: RunRecord) -> str:
        run_id = ""
        if self._given_up():
            return self._keep("", record)
        try:
            run_id = writer.start(record.name, record.tags, record.start_ms)
            writer.fill(run_id, record)
        except StoreUnreachableError as error:
            return self._keep(run_id, record, error)
        except BaseException:
            if run_id:
                with suppress(TrackingError):
                    writer.update(run_id, RunUpdate(status="KILLED"), _now_ms())
            raise
        return run_id

    def _given_up(self) -> bool:
        """Whether earlier runs did not get through, and the server still does not answer."""
        if self.spooled == 0:
            return False
        try:
            _ask(self.uri, self.database)
        except StoreUnreachableError:
            return True
        return False

    def _keep(self, run_id: str, content: RunRecord | RunUpdate, error: Exception | None = None) -> str:
        folder = Path.cwd() / spool.FOLDER
        if self.spooled == 0:
            log.error(
                "%s. Finished runs are kept in %s; when the server is back: python -m experiments.sweeps sync",
                error,
                folder,
            )
        here = without_password(self.uri)
        spool.keep(folder, spool.Kept(uuid4().hex, time.time_ns(), self.experiment, here, run_id, content))
        self.spooled += 1
        return ""


def open_store(experiment: str) -> Store:
    """Open the tracking store of the current folder, or the one that ``MLFLOW_TRACKING_URI`` names.

    Makes whatever is missing: database, schema, experiment. Any number of processes may do so at once.

    Parameters
    ----------
    experiment : str
        Name of an MLflow experiment.

    Raises
    ------
    TrackingError
        If the store cannot be written to, or the experiment has been deleted.
    """
    uri = tracking_uri()
    database = _reached(uri)
    if isinstance(database, SqliteDatabase) and not database.path.exists():
        creation.make_schema(uri, database)
    if database is not None and databases.differences(database):
        creation.make_schema(uri, database)
    database = _if_known(uri, database)
    found = _experiments(uri, database, experiment)
    if not found:
        creation.make_experiment(uri, _if_models_known(uri, database), experiment)
        found = _experiments(uri, database, experiment)
    if not found or not found[0].active:
        raise TrackingError(
            f"experiment {experiment!r} has been deleted: choose another name, or bring it back with "
            f"`mlflow experiments restore --experiment-id {found[0].id if found else '?'}`"
        )
    if isinstance(database, SqliteDatabase):
        _require_writable(database.path)
    files.require_writable(found[0].artifact_location)
    return _store(uri, database, found[0])


def find_store(experiment: str) -> Store | None:
    """Open a store without making anything; None if there is no such store or experiment yet."""
    return next((store for store in find_stores() if store.experiment == experiment), None)


def find_stores() -> list[Store]:
    """Open every experiment of the tracking store, without making anything; none if there is no store yet.

    Raises
    ------
    TrackingError
        If the store cannot be read.
    """
    uri = tracking_uri()
    database = _reached(uri)
    if isinstance(database, SqliteDatabase) and not database.path.exists():
        return []
    database = _if_known(uri, database)
    return [_store(uri, database, experiment) for experiment in _experiments(uri, database) if experiment.active]


def _store(uri: str, database: SqliteDatabase | PostgresDatabase | None, experiment: Experiment) -> Store:
    return Store(uri, experiment.name, experiment.id, experiment.artifact_location, database)


def _if_known(uri: str, database: SqliteDatabase | PostgresDatabase | None) -> SqliteDatabase | PostgresDatabase | None:
    """Go on with a database only if its tables are known."""
    if database is not None and (different := databases.differences(database)):
        _warn_once(f"The tables of {without_password(uri)}", "; ".join(different))
        return None
    return database


def _if_models_known(
    uri: str, database: SqliteDatabase | PostgresDatabase | None
) -> SqliteDatabase | PostgresDatabase | None:
    """Write to a database only if MLflow's models of its tables are known (imports MLflow)."""
    if database is not None:
        with mlflow_errors(uri):
            different = unknown_models()
        if different:
            _warn_once("The models of the MLflow that is installed", "; ".join(different))
            return None
    return database


@cache
def _warn_once(what: str, different: str) -> None:
    log.warning(
        "%s are not those this was written for, so that runs are written through MLflow's client, "
        "which is slower (%s).",
        what,
        different,
    )


def _experiments(
    uri: str, database: SqliteDatabase | PostgresDatabase | None, name: str | None = None
) -> list[Experiment]:
    """All experiments, deleted ones included, or the one of that name."""
    if database is not None:
        rows = database.query(
            "SELECT experiment_id, name, artifact_location, lifecycle_stage FROM experiments "
            "WHERE workspace = 'default' ORDER BY experiment_id",
        )
        found = [Experiment(str(number), known, where, stage == "active") for number, known, where, stage in rows]
        return found if name is None else [experiment for experiment in found if experiment.name == name]
    with mlflow_errors(uri):
        from mlflow.entities import ViewType

        client = mlflow_client(uri)
        if name is None:
            entities = list(client.search_experiments(ViewType.ALL, max_results=10_000))
        else:
            entities = [entity for entity in [client.get_experiment_by_name(name)] if entity is not None]
    return [Experiment(e.experiment_id, e.name, e.artifact_location, e.lifecycle_stage == "active") for e in entities]


def _require_writable(path: Path) -> None:
    """Make sure that SQLite can write to a file, and make its journal beside it."""
    try:
        files.try_to_write(path.parent)
        with path.open("ab"):
            pass
    except OSError as error:
        raise explain_os(error, path) from error


def _reached(uri: str) -> SqliteDatabase | PostgresDatabase | None:
    """Choose the database for a tracking URI, as `databases.connect`, and make sure that it, or the server, answers."""
    database = databases.connect(uri)
    try:
        _ask(uri, database)
    except StoreUnreachableError as error:
        raise StoreUnreachableError(f"{named(uri)}: {error}. Start it, or name another store; {VALID}") from error
    return database


def _ask(uri: str, database: SqliteDatabase | PostgresDatabase | None) -> None:
    """Ask a server whether it is there at all; once, with no patience."""
    if isinstance(database, PostgresDatabase):
        database.query("SELECT 1")
    elif uri.startswith(("http://", "https://")):
        try:
            with urllib.request.urlopen(f"{without_password(uri).rstrip('/')}/health", timeout=5):  # noqa: S310
                return
        except urllib.error.HTTPError as error:
            if error.code < 500:
                return  # somebody answered; whether he knows MLflow, its client will find out
            reason = str(error)
        except urllib.error.URLError as error:
            if isinstance(error.reason, ssl.SSLCertVerificationError):
                return  # likewise, with a certificate that its client may have been told to trust
            reason = str(error.reason)
        except (OSError, HTTPException, ValueError) as error:
            reason = str(error)
        raise StoreUnreachableError(f"no tracking server answers there ({reason.strip()})")
    elif uri.startswith(("mysql", "mssql")):
        import sqlalchemy

        try:
            with sqlalchemy.create_engine(uri, poolclass=sqlalchemy.NullPool).connect():
                pass
        except sqlalchemy.exc.DBAPIError as error:
            raise StoreUnreachableError(f"the database does not answer: {error.orig}") from error


def _pauses() -> list[int]:
    """Seconds between attempts: as many as MLflow's client makes over HTTP."""
    return [2**attempt for attempt in range(int(os.environ["MLFLOW_HTTP_REQUEST_MAX_RETRIES"]))]


def _context_tags() -> dict[str, str]:
    """Return the tags that MLflow's own ``start_run`` would set."""
    try:
        user = getpass.getuser()
    except (ImportError, KeyError, OSError):
        user = "unknown"
    return {
        "mlflow.user": user,
        "mlflow.source.name": sys.argv[0] or "<console>",
        "mlflow.source.type": "LOCAL",
    }


def _now_ms() -> int:
    return time.time_ns() // 1_000_000
