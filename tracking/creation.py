"""Making what is missing of a store: database, schema, experiment; by any number of processes at once."""

import logging
import os
import sqlite3
import time
from contextlib import closing, suppress
from pathlib import Path

from tracking import artifacts
from tracking.addresses import sqlite_uri
from tracking.client import mlflow_client, mlflow_errors
from tracking.database import Database, SqliteDatabase, models
from tracking.disk import explained
from tracking.errors import TrackingError, without_secrets
from tracking.record import now_ms

log = logging.getLogger(__name__)

LONGEST_NAME = 256
"""Characters that MLflow's table holds of an experiment's name."""

_PAGE_BYTES = 8192
"""Twice SQLite's default: a tenth less time per run, and no effect on anything else."""

_UNDER_WAY_S = 5.0
"""A schema that has not grown for so long is not being made by anyone."""


def artifact_root() -> str:
    """Where experiments made here keep their artifacts; also where ``mlflow ui`` looks by default."""
    return str(Path.cwd() / "mlartifacts").replace("%", "%25")  # MLflow decodes even plain paths


def make_schema(database: Database) -> None:
    """Make the tables of a database that has none, or let MLflow say what is wrong with those it has."""
    if not database.differences():
        return
    artifacts.require_writable(artifact_root())
    if isinstance(database, SqliteDatabase):
        _make_sqlite(database)
        return
    with database.transaction() as session:
        if database.dialect == "postgresql":
            from sqlalchemy import func, select

            session.execute(select(func.pg_advisory_xact_lock(func.hashtext("mlflow schema"))))
        if database.differences():
            _make_tables(database.uri, database.uri)


def make_experiment(uri: str, database: Database | None, name: str) -> None:
    """Make an experiment, unless another process does so first; raises `TrackingError` if it cannot be made."""
    if not 0 < len(name) <= LONGEST_NAME:
        raise TrackingError(f"experiment={name[:80]!r} cannot name an experiment: 1 to {LONGEST_NAME} characters can")
    if database is not None:
        artifacts.require_writable(artifact_root())
        _insert_experiment(database, name)
        return
    with mlflow_errors(uri):
        from mlflow.exceptions import MlflowException

        try:
            mlflow_client(uri).create_experiment(name)
        except MlflowException as error:
            if error.error_code != "RESOURCE_ALREADY_EXISTS":
                raise


def _insert_experiment(database: Database, name: str) -> None:
    """Do what MLflow's client would, which cannot put artifacts below the current folder, under the number it gives."""
    from sqlalchemy.dialects import postgresql, sqlite

    insert = sqlite.insert if isinstance(database, SqliteDatabase) else postgresql.insert
    experiments = models().SqlExperiment
    now = now_ms()
    with database.transaction() as session:
        made = session.scalars(
            insert(experiments)
            .values(name=name, creation_time=now, last_update_time=now)
            .on_conflict_do_nothing(index_elements=["workspace", "name"])
            .returning(experiments)
        )
        for experiment in made:
            experiment.artifact_location = f"{artifact_root()}/{experiment.experiment_id}"


def _make_sqlite(database: SqliteDatabase) -> None:
    from filelock import FileLock

    path = database.path
    lock = path.with_name(f".{path.stem}.lock")
    with explained(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        with FileLock(lock):  # it saves others from doing the same work
            try:
                if not path.exists():
                    _make_file(path)
            finally:
                lock.unlink(missing_ok=True)
    # Another program, such as `mlflow ui`, may have made the file, and still be at it.
    while database.differences():
        if time.time() - path.stat().st_mtime > _UNDER_WAY_S:
            _make_tables(database.uri, database.uri)
            return
        time.sleep(0.1)


def _make_file(path: Path) -> None:
    """Build the schema in a file beside the store, then link it into place.

    Whoever finds a store finds it whole, even after a kill in mid-migration.
    """
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        draft.touch()  # MLflow would try for minutes
        _make_tables(sqlite_uri(draft), sqlite_uri(path))
        with closing(sqlite3.connect(draft)) as connection:
            connection.execute(f"PRAGMA page_size = {_PAGE_BYTES}")
            connection.execute("VACUUM")
        with suppress(FileExistsError):
            path.hardlink_to(draft)
    finally:
        for leftover in draft.parent.glob(f"{draft.name}*"):
            leftover.unlink()


def _make_tables(uri: str, shown: str) -> None:
    """Let MLflow's own store make its tables; only that class lets us say where artifacts go."""
    logging.getLogger("mlflow.store.db.utils").setLevel(logging.WARNING)
    log.info("Making the store %s, which takes some seconds, once", without_secrets(shown))
    with mlflow_errors(shown):
        from mlflow.store.tracking.sqlalchemy_store import SqlAlchemyStore

        SqlAlchemyStore(uri, artifact_root())._dispose_engine()  # type: ignore[no-untyped-call]
