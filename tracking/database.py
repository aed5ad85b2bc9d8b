"""MLflow's SQL database: the tables that hold runs, read by the database's own driver and written through SQLAlchemy.

SQLite and PostgreSQL only; any other store is reached through MLflow's client. SQLAlchemy is imported only to write,
so that commands that read answer at once.
"""

import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, closing, contextmanager
from dataclasses import dataclass
from functools import cache
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol
from urllib.parse import unquote

from tracking.errors import StoreUnreachableError, TrackingError, explain_sqlite, without_password

if TYPE_CHECKING:
    import psycopg
    from sqlalchemy import Engine
    from sqlalchemy.orm import Session

TABLES = {
    "runs": (
        "run_uuid", "name", "source_type", "source_name", "entry_point_name", "user_id", "status", "start_time",
        "end_time", "deleted_time", "source_version", "lifecycle_stage", "artifact_uri", "experiment_id",
    ),
    "params": ("key", "value", "run_uuid"),
    "tags": ("key", "value", "run_uuid"),
    "metrics": ("key", "value", "timestamp", "step", "is_nan", "run_uuid"),
    "latest_metrics": ("key", "value", "timestamp", "step", "is_nan", "run_uuid"),
}  # fmt: skip
"""Columns of the tables that hold runs, in the order of MLflow 3.17's models.

A store whose tables differ is none of ours to write to.
"""

EXPERIMENT_TABLES = {
    "experiments": (
        "experiment_id", "name", "workspace", "artifact_location", "lifecycle_stage", "creation_time",
        "last_update_time",
    ),
    "experiment_tags": ("key", "value", "experiment_id"),
}  # fmt: skip
"""Columns of the tables that hold experiments."""

_LOCK_TIMEOUT_S = 120.0
"""How long to wait for other writers: far longer than any of our transactions lasts."""

_CONNECT_TIMEOUT_S = 10

_CACHE_KIB = 65536


class Database(Protocol):
    """A database that holds an MLflow tracking store."""

    def rows(self, statement: str, values: Sequence[Any] = ()) -> Iterator[tuple[Any, ...]]:
        """Read row by row, outside any transaction; parameters are written as ``?``."""

    def query(self, statement: str, values: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        """Read all rows at once."""

    def session(self) -> "AbstractContextManager[Session]":
        """Open a session of SQLAlchemy: one transaction, committed at the end and rolled back on any exception."""

    def columns(self, table: str) -> set[str]:
        """Names of a table's columns; empty if there is no such table."""


def differences(database: Database) -> list[str]:
    """Say where the database's tables differ from `TABLES`; empty if they do not."""
    found = []
    for table, known in (TABLES | EXPERIMENT_TABLES).items():
        columns = database.columns(table)
        if columns != set(known):
            found.append(f"{table}: {', '.join(sorted(columns ^ set(known)))}")
    return found


@dataclass(frozen=True)
class SqliteDatabase:
    """A SQLite file, in whatever journal mode it has.

    MLflow's default, the rollback journal, is kept: unlike a write-ahead log it survives being copied
    as one file, and works on network and read-only disks. What it costs is that readers wait while a commit is
    written out; the connection here keeps that short, some tens of milliseconds, by holding all changes in
    memory until then.
    """

    path: Path

    def connect(self) -> sqlite3.Connection:
        """Open the file, which has to be there: a store without tables is of no use to anyone."""
        return sqlite3.connect(f"{self.path.as_uri()}?mode=rw", uri=True, timeout=_LOCK_TIMEOUT_S, isolation_level=None)

    def rows(self, statement: str, values: Sequence[Any] = ()) -> Iterator[tuple[Any, ...]]:
        """Read row by row, outside any transaction; parameters are written as ``?``."""
        with self._explained(), closing(self.connect()) as connection:
            yield from connection.execute(statement, values)

    def query(self, statement: str, values: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        """Read all rows at once."""
        return list(self.rows(statement, values))

    @contextmanager
    def session(self) -> "Iterator[Session]":
        """Write, alone from the start: no reader has to be upgraded, so no two writers can block each other."""
        with self._explained(), _transaction(_sqlite_engine(self)) as session:
            yield session

    def columns(self, table: str) -> set[str]:
        """Names of a table's columns; empty if there is no such table."""
        return {name for (name,) in self.query("SELECT name FROM pragma_table_info(?)", (table,))}

    def analyze(self) -> None:
        """Let SQLite count, or it picks an index that makes a metric history fifty times slower."""
        with self._explained(), closing(self.connect()) as connection:
            connection.execute("PRAGMA analysis_limit = 400")
            connection.execute("ANALYZE")

    @contextmanager
    def _explained(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.Error as error:
            raise explain_sqlite(error, self.path) from error


@dataclass(frozen=True)
class PostgresDatabase:
    """A PostgreSQL database, by psycopg 3."""

    conninfo: str

    def connect(self) -> "psycopg.Connection":
        """Connect to the server."""
        import psycopg

        return psycopg.connect(self.conninfo, connect_timeout=_CONNECT_TIMEOUT_S)

    def rows(self, statement: str, values: Sequence[Any] = ()) -> Iterator[tuple[Any, ...]]:
        """Read row by row; parameters are written as ``?``."""
        with self._explained(), self.connect() as connection, connection.cursor("rows") as cursor:
            yield from cursor.execute(statement.replace("?", "%s"), values)

    def query(self, statement: str, values: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        """Read all rows at once."""
        return list(self.rows(statement, values))

    @contextmanager
    def session(self) -> "Iterator[Session]":
        """Write."""
        with self._explained(), _transaction(_postgres_engine(self)) as session:
            yield session

    def columns(self, table: str) -> set[str]:
        """Names of a table's columns; empty if there is no such table."""
        found = self.query(
            "SELECT column_name FROM information_schema.columns "
            "WHERE table_schema = current_schema() AND table_name = ?",
            (table,),
        )
        return set(chain.from_iterable(found))

    @contextmanager
    def _explained(self) -> Iterator[None]:
        import psycopg

        try:
            yield
        except (psycopg.OperationalError, psycopg.InterfaceError) as error:
            raise StoreUnreachableError(f"the database does not answer: {_told(error)}") from error
        except psycopg.Error as error:
            raise TrackingError(f"the database refused: {_told(error)}") from error


@contextmanager
def _transaction(engine: "Engine") -> "Iterator[Session]":
    """Open a session whose errors are the driver's own, as those of reading are."""
    from sqlalchemy.exc import DBAPIError
    from sqlalchemy.orm import Session

    try:
        with Session(engine) as session, session.begin():
            yield session
    except DBAPIError as error:
        raise (error.orig or error) from error


@cache
def _sqlite_engine(database: SqliteDatabase) -> "Engine":
    from sqlalchemy import NullPool, create_engine, event

    def connect() -> sqlite3.Connection:
        connection = database.connect()
        connection.execute(f"PRAGMA cache_size = -{_CACHE_KIB}")
        connection.execute("PRAGMA cache_spill = OFF")
        return connection

    engine = create_engine("sqlite://", creator=connect, poolclass=NullPool)
    # The driver, left to itself, would begin at the first insertion, and without the lock.
    event.listen(engine, "begin", lambda connection: connection.exec_driver_sql("BEGIN IMMEDIATE"))
    return engine


@cache
def _postgres_engine(database: PostgresDatabase) -> "Engine":
    from sqlalchemy import NullPool, create_engine

    return create_engine("postgresql+psycopg://", creator=database.connect, poolclass=NullPool)


def _told(error: Exception) -> str:
    """Write what PostgreSQL says in several lines as one, without the password that it may quote."""
    return without_password(" ".join(str(error).split()))


def sqlite_path(uri: str) -> Path | None:
    """Path of the file that a tracking URI such as ``sqlite:///mlflow.db`` names; None if it names something else."""
    for prefix in ("sqlite:///", "sqlite+pysqlite:///"):
        if uri.startswith(prefix) and "?" not in uri:
            return Path(unquote(uri.removeprefix(prefix))).absolute()
    return None


def sqlite_uri(path: Path) -> str:
    """Tracking URI of a SQLite file."""
    return f"sqlite:///{str(path).replace('%', '%25').replace('?', '%3F')}"


def connect(uri: str) -> SqliteDatabase | PostgresDatabase | None:
    """Choose the database for a tracking URI; None if only MLflow's client can reach it."""
    if path := sqlite_path(uri):
        return SqliteDatabase(path)
    scheme, _, rest = uri.partition("://")
    if scheme.split("+")[0] == "postgresql":
        return PostgresDatabase(f"postgresql://{rest}")
    return None
