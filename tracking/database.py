"""MLflow's SQL database, spoken to through SQLAlchemy.

What is written goes through MLflow's own models of its tables. What is read does not need them, and importing MLflow
takes seconds that a command which only reads should not take.
"""

import sqlite3
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self, TypeVar

from tracking.addresses import sqlite_path
from tracking.disk import explain
from tracking.errors import StoreUnreachableError, TrackingError, without_secrets

if TYPE_CHECKING:
    from types import ModuleType

    from sqlalchemy import Connection, Engine
    from sqlalchemy.orm import Session

Result = TypeVar("Result")

TABLES = {
    "runs": (
        "run_uuid", "name", "source_type", "source_name", "entry_point_name", "user_id", "status", "start_time",
        "end_time", "deleted_time", "source_version", "lifecycle_stage", "artifact_uri", "experiment_id",
    ),
    "params": ("key", "value", "run_uuid"),
    "tags": ("key", "value", "run_uuid"),
    "metrics": ("key", "value", "timestamp", "step", "is_nan", "run_uuid"),
    "latest_metrics": ("key", "value", "timestamp", "step", "is_nan", "run_uuid"),
    "experiments": (
        "experiment_id", "name", "workspace", "artifact_location", "lifecycle_stage", "creation_time",
        "last_update_time",
    ),
    "experiment_tags": ("key", "value", "experiment_id"),
}  # fmt: skip
"""Columns of the tables that are used, in the order of MLflow 3.17's models.

A store whose tables differ is none of ours to write to.
"""

_LOCK_TIMEOUT_S = 120.0
"""How long to wait for other writers: far longer than any of our transactions lasts."""

_LOCK_SLICE_S = 0.2
"""How long SQLite may wait at a stretch: Python hears no Ctrl-C meanwhile."""

_CONNECT_TIMEOUT_S = 10
_CACHE_KIB = 65536
_ROWS_AT_ONCE = 5000
_IDS_AT_ONCE = 500


@cache
def models() -> "ModuleType":
    """MLflow's models of its tables (imports MLflow, which takes a second or more)."""
    from mlflow.store.tracking.dbmodels import models

    return models


def unknown_models() -> list[str]:
    """Say where the models of the MLflow that is installed differ from `TABLES`; empty if they do not."""
    known = models().Base.metadata.tables
    return [
        f"{table}: {', '.join(known[table].columns.keys() if table in known else ['missing'])}"
        for table, columns in TABLES.items()
        if table not in known or tuple(known[table].columns.keys()) != columns
    ]


@dataclass(frozen=True)
class Database:
    """A database on a server: PostgreSQL, or another that SQLAlchemy has a driver for."""

    uri: str

    @cached_property
    def engine(self) -> "Engine":
        """SQLAlchemy's; a new connection for each use, since a sweep may train for hours between two."""
        from sqlalchemy import NullPool, create_engine, make_url

        url = make_url(self.uri)
        if url.get_backend_name() == "postgresql":
            url = url.set(drivername="postgresql+psycopg")
        patience = {"connect_timeout": _CONNECT_TIMEOUT_S} if url.get_backend_name() in {"postgresql", "mysql"} else {}
        return create_engine(url, poolclass=NullPool, connect_args=patience)

    @property
    def dialect(self) -> str:
        """SQLAlchemy's name of the kind of database."""
        return self.engine.dialect.name

    @contextmanager
    def reading(self) -> "Iterator[Connection]":
        """Connect to read only; rows stream, and nobody can write to a SQLite file until they have been read."""
        with self.explained(), self.engine.connect() as connection:
            connection = connection.execution_options(yield_per=_ROWS_AT_ONCE)
            if self.dialect == "postgresql":
                connection = connection.execution_options(postgresql_readonly=True)
            yield connection

    @contextmanager
    def transaction(self) -> "Iterator[Session]":
        """Write: all of it, or nothing if an exception is raised."""
        from sqlalchemy.orm import Session

        with self.explained(), Session(self.engine) as session, session.begin():
            yield session

    @contextmanager
    def explained(self) -> Iterator[None]:
        """Turn what the driver raises, by itself or through SQLAlchemy, into a `TrackingError`."""
        from sqlalchemy.exc import DBAPIError

        try:
            yield
        except (DBAPIError, self.engine.dialect.loaded_dbapi.Error) as error:
            raise self._meaning(getattr(error, "orig", None) or error) from error

    def _meaning(self, error: BaseException) -> TrackingError:
        driver: Any = self.engine.dialect.loaded_dbapi
        said = without_secrets(" ".join(str(error).split()))  # psycopg quotes the address over several lines
        if isinstance(error, driver.OperationalError | driver.InterfaceError):
            return StoreUnreachableError(f"the database does not answer: {said}")
        return TrackingError(f"the database refused: {said}")

    def ping(self) -> None:
        """Find out whether it answers at all, with no more patience than it takes to connect."""
        with self.reading():
            pass

    def columns(self) -> dict[str, set[str]]:
        """Columns of those tables of `TABLES` that are there."""
        from sqlalchemy import inspect

        with self.reading() as connection:
            found = inspect(connection).get_multi_columns(filter_names=list(TABLES))
        return {table: {column["name"] for column in columns} for (_, table), columns in found.items()}

    def differences(self) -> list[str]:
        """Say where its tables differ from `TABLES`; empty if they do not."""
        found = self.columns()
        different = {table: found.get(table, set()) ^ set(columns) for table, columns in TABLES.items()}
        return [f"{table}: {', '.join(sorted(columns))}" for table, columns in different.items() if columns]

    def analyze(self) -> None:
        """Keep queries fast after much was written; servers do so by themselves."""


@dataclass(frozen=True)
class SqliteDatabase(Database):
    """A SQLite file, in whatever journal mode it has.

    MLflow's default, the rollback journal, is kept: unlike a write-ahead log it survives being copied
    as one file, and works on network and read-only disks. What it costs is that readers wait while a commit is
    written out; the connection here keeps that short, some tens of milliseconds, by holding all changes in
    memory until then.
    """

    @property
    def path(self) -> Path:
        """The file."""
        path = sqlite_path(self.uri)
        assert path is not None
        return path

    @cached_property
    def engine(self) -> "Engine":
        """SQLAlchemy's, which leaves transactions to `transaction`."""
        from sqlalchemy import NullPool, create_engine

        return create_engine("sqlite://", creator=self._connect, poolclass=NullPool)

    @contextmanager
    def reading(self) -> "Iterator[Connection]":
        """Connect to read only; each statement sees what has been committed by then."""
        with super().reading() as connection:
            connection.exec_driver_sql("PRAGMA query_only = ON")
            yield connection

    @contextmanager
    def transaction(self) -> "Iterator[Session]":
        """Write, alone from the start: no reader has to be upgraded, so no two writers can block each other."""
        with super().transaction() as session:
            # The driver, left to itself, would begin at the first insertion, and without the lock.
            session.connection().exec_driver_sql("BEGIN IMMEDIATE")
            yield session

    def columns(self) -> dict[str, set[str]]:
        """Columns of those tables of `TABLES` that are there; none if there is no file."""
        return super().columns() if self.path.exists() else {}

    def analyze(self) -> None:
        """Let SQLite count, or it picks an index that makes a metric history fifty times slower."""
        with self.explained(), closing(self._connect()) as connection:
            connection.execute("PRAGMA analysis_limit = 400")
            connection.execute("ANALYZE")

    def _connect(self) -> sqlite3.Connection:
        """Open the file, which has to be there: a store without tables is of no use to anyone."""
        uri = f"{self.path.as_uri()}?mode=rw"
        connection = sqlite3.connect(
            uri, uri=True, timeout=_LOCK_SLICE_S, isolation_level=None, factory=_PatientConnection
        )
        connection.execute(f"PRAGMA cache_size = -{_CACHE_KIB}")
        connection.execute("PRAGMA cache_spill = OFF")
        return connection

    def _meaning(self, error: BaseException) -> TrackingError:
        assert isinstance(error, sqlite3.Error)
        return explain(error, self.path)


class _PatientCursor(sqlite3.Cursor):
    def execute(self, *arguments: Any) -> Self:
        return _patiently(super().execute, *arguments)


class _PatientConnection(sqlite3.Connection):
    """Waits for other writers, in slices between which signals are heard."""

    def cursor(self, factory: Any = _PatientCursor) -> Any:
        return super().cursor(factory)

    def execute(self, *arguments: Any) -> Any:
        return self.cursor().execute(*arguments)  # sqlite3's own makes its cursor past the method above

    def commit(self) -> None:
        _patiently(super().commit)


def _patiently(do: Callable[..., Result], *arguments: Any) -> Result:
    deadline = time.monotonic() + _LOCK_TIMEOUT_S
    while True:
        try:
            return do(*arguments)
        except sqlite3.OperationalError as error:
            busy = getattr(error, "sqlite_errorcode", 0) & 0xFF == sqlite3.SQLITE_BUSY
            if not busy or time.monotonic() > deadline:
                raise


def chunks(ids: Sequence[str]) -> Iterator[Sequence[str]]:
    """Divide ids among queries that name them, well below the number of variables that any database allows."""
    return (ids[first : first + _IDS_AT_ONCE] for first in range(0, len(ids), _IDS_AT_ONCE))


def connect(uri: str) -> Database | None:
    """Choose the database for a tracking URI; None if only MLflow's client can reach it."""
    match uri.partition(":")[0].split("+")[0]:
        case "sqlite":
            return SqliteDatabase(uri)
        case "postgresql" | "mysql" | "mssql":
            return Database(uri)
    return None
