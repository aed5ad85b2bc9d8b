"""A tracking store: found or made, written to by the fastest way it allows, and asked what it holds."""

import getpass
import logging
import os
import sys
import time
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from experiments.tracking import database as databases
from experiments.tracking.client_writer import ClientWriter, mlflow_errors
from experiments.tracking.database import PostgresDatabase, SqliteDatabase
from experiments.tracking.errors import TrackingError, explain_os
from experiments.tracking.record import RunRecord, RunUpdate
from experiments.tracking.sql_writer import RUNS_PER_TRANSACTION, SqlWriter, new_run_ids

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import Run
    from mlflow.store.tracking.sqlalchemy_store import SqlAlchemyStore

log = logging.getLogger(__name__)

EXPERIMENT_TAGS = {"mlflow.experimentKind": "custom_model_development"}
"""Without it MLflow's UI opens an experiment on a page of empty traces."""


def tracking_uri() -> str:
    """Return ``MLFLOW_TRACKING_URI`` when set, else that of ``mlflow.db`` in the current folder, as MLflow does."""
    if uri := os.environ.get("MLFLOW_TRACKING_URI"):
        if uri in {"sqlite://", "sqlite:///:memory:"}:
            raise TrackingError(f"MLFLOW_TRACKING_URI={uri} is gone when the process ends; name a file")
        if path := databases.sqlite_path(uri):
            return _sqlite_uri(path)
        return uri
    return _sqlite_uri(Path.cwd() / "mlflow.db")


def artifact_root() -> Path:
    """Where experiments created here keep their artifacts; also where ``mlflow ui`` looks by default."""
    return Path.cwd() / "mlartifacts"


def _sqlite_uri(path: Path) -> str:
    return f"sqlite:///{str(path).replace('%', '%25').replace('?', '%3F')}"


@dataclass(frozen=True)
class Experiment:
    """An MLflow experiment."""

    id: str
    artifact_location: str
    active: bool


@dataclass(frozen=True)
class Store:
    """One experiment in a tracking store.

    Attributes
    ----------
    uri : str
        Tracking URI.
    experiment_id : str
    artifact_location : str
        Where the experiment keeps its artifacts.
    database : SqliteDatabase, PostgresDatabase or None
        Set if runs are written and read by SQL.
    """

    uri: str
    experiment_id: str
    artifact_location: str
    database: SqliteDatabase | PostgresDatabase | None

    @cached_property
    def client(self) -> "MlflowClient":
        """MLflow's client for this store (imports MLflow, which takes seconds)."""
        return _client(self.uri)

    @cached_property
    def _writer(self) -> SqlWriter | ClientWriter:
        if self.database is None:
            return ClientWriter(self.client, self.uri, self.experiment_id, _context_tags())
        return SqlWriter(self.database, self.experiment_id, self.artifact_location, _context_tags())

    def write(self, records: Sequence[RunRecord]) -> list[str]:
        """Store finished runs.

        Parameters
        ----------
        records : sequence of RunRecord

        Returns
        -------
        list of str
            Their run ids.

        Raises
        ------
        TrackingError
            If the store cannot be written to. By SQL, in transactions of at most 256 runs, a run is there whole or
            not at all; through the client a run that was begun stays RUNNING.
        """
        run_ids: list[str] = []
        if isinstance(self._writer, ClientWriter):
            for record in records:
                run_id = self._writer.start(record.name, record.tags, record.start_ms)
                self._writer.fill(run_id, record)
                run_ids.append(run_id)
            return run_ids
        for first in range(0, len(records), RUNS_PER_TRANSACTION):
            chunk = records[first : first + RUNS_PER_TRANSACTION]
            chunk_ids = new_run_ids(len(chunk))
            self._writer.write(chunk, chunk_ids)
            run_ids += chunk_ids
        return run_ids

    def start_parent(self, name: str, tags: Mapping[str, str]) -> str:
        """Create the run of a sweep that begins now, and return its id."""
        return self._writer.start(name, tags, _now_ms())

    def update_parent(self, run_id: str, update: RunUpdate) -> None:
        """Add metrics, tags and artifacts to the run of a sweep, and end it if the update has a status."""
        self._writer.update(run_id, update, _now_ms())

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

    def search(self, matching: str) -> "Iterator[Run]":
        """Ask MLflow for all runs of the experiment that match, oldest first, page by page."""
        token = None
        with mlflow_errors(self.uri):
            while True:
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
        If the store cannot be opened, or the experiment has been deleted.
    """
    uri = tracking_uri()
    database = databases.connect(uri)
    if isinstance(database, SqliteDatabase):
        _ensure_sqlite_store(database.path)
    if isinstance(database, PostgresDatabase) and not database.columns("runs"):
        with _postgres_lock(database):
            _sql_store(uri)
    if database is not None and (different := databases.differences(database)):
        log.warning(
            "the tables of %s are not those of the MLflow this was written for, so runs are written "
            "through MLflow's client, which is slower (%s)",
            uri,
            "; ".join(different),
        )
        database = None
    found = _find_experiment(uri, database, experiment)
    if found is None:
        _create_experiment(uri, database, experiment)
        found = _find_experiment(uri, database, experiment)
    if found is None or not found.active:
        raise TrackingError(
            f"experiment {experiment!r} has been deleted; choose another name, or bring it back with "
            f"`mlflow experiments restore --experiment-id {found.id if found else '?'}`"
        )
    return Store(uri, found.id, found.artifact_location, database)


def find_store(experiment: str) -> Store | None:
    """Open a store without making anything; None if there is no such store or experiment yet."""
    uri = tracking_uri()
    database = databases.connect(uri)
    if isinstance(database, SqliteDatabase) and not database.path.exists():
        return None
    if database is not None and databases.differences(database):
        database = None
    found = _find_experiment(uri, database, experiment)
    return Store(uri, found.id, found.artifact_location, database) if found and found.active else None


def _find_experiment(uri: str, database: SqliteDatabase | PostgresDatabase | None, name: str) -> Experiment | None:
    if database is not None:
        rows = database.query(
            "SELECT experiment_id, artifact_location, lifecycle_stage FROM experiments "
            "WHERE name = ? AND workspace = 'default'",
            (name,),
        )
        return Experiment(str(rows[0][0]), rows[0][1], rows[0][2] == "active") if rows else None
    with mlflow_errors(uri):
        found = _client(uri).get_experiment_by_name(name)
    if found is None:
        return None
    return Experiment(found.experiment_id, found.artifact_location, found.lifecycle_stage == "active")


def _create_experiment(uri: str, database: SqliteDatabase | PostgresDatabase | None, name: str) -> None:
    """Create an experiment, unless another process does so first."""
    with mlflow_errors(uri):
        from mlflow.entities import ExperimentTag
        from mlflow.exceptions import MlflowException

        try:
            if database is None:
                _client(uri).create_experiment(name, tags=EXPERIMENT_TAGS)
            else:
                tags = [ExperimentTag(key, value) for key, value in EXPERIMENT_TAGS.items()]
                _sql_store(uri).create_experiment(name, tags=tags)  # type: ignore[no-untyped-call]
        except MlflowException as error:
            if error.error_code != "RESOURCE_ALREADY_EXISTS":
                raise


def _client(uri: str) -> "MlflowClient":
    from mlflow import MlflowClient

    return MlflowClient(tracking_uri=uri, registry_uri=uri)


def _sql_store(uri: str) -> "SqlAlchemyStore":
    """MLflow's own store class: making one makes the schema, and only it lets us say where artifacts go."""
    logging.getLogger("mlflow.store.db.utils").setLevel(logging.WARNING)
    with mlflow_errors(uri):
        from mlflow.store.tracking.sqlalchemy_store import SqlAlchemyStore

        return SqlAlchemyStore(uri, str(artifact_root()))  # type: ignore[no-untyped-call]


def _ensure_sqlite_store(path: Path) -> None:
    """Make a store where there is none.

    The schema is built in a file beside it, which is then linked into place: whoever finds the store finds it whole,
    even after a kill in mid-migration. The lock only saves others from doing the same work.
    """
    if path.exists() and path.stat().st_size and not _being_made(path):
        return
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with _folder_lock(path.parent):
            if path.exists():
                return
            draft = path.with_name(f".{path.name}.{os.getpid()}")
            try:
                _sql_store(_sqlite_uri(draft))._dispose_engine()  # type: ignore[no-untyped-call]
                with suppress(FileExistsError):
                    os.link(draft, path)
            finally:
                draft.unlink(missing_ok=True)
    except OSError as error:
        raise explain_os(error, path) from error


def _being_made(path: Path) -> bool:
    """Wait while another program, such as ``mlflow ui``, is making the schema."""
    while databases.differences(SqliteDatabase(path)):
        if time.time() - path.stat().st_mtime > 5:
            return False
        time.sleep(0.1)
    return False


@contextmanager
def _folder_lock(folder: Path) -> Iterator[None]:
    """Hold a lock on a folder, where the system has such locks."""
    try:
        import fcntl
    except ImportError:
        yield
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        with suppress(OSError):
            fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


@contextmanager
def _postgres_lock(database: PostgresDatabase) -> Iterator[None]:
    """Hold a lock that every process using this database sees, while the schema is made."""
    with database.transaction() as transaction:
        transaction.execute("SELECT pg_advisory_xact_lock(hashtext('mlflow schema'))")
        yield


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
