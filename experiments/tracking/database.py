"""MLflow's SQL database, by its own driver: the tables that hold runs, reading them, and transactions.

SQLite and PostgreSQL only; any other store is reached through MLflow's client.
"""

import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Any, Protocol
from urllib.parse import unquote

from experiments.tracking.errors import StoreUnreachableError, TrackingError, explain_sqlite, without_password

Rows = Iterable[tuple[Any, ...]]

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
"""Columns of the tables that hold runs, in MLflow 3.17; a store whose tables differ is none of ours to write to."""

EXPERIMENT_TABLES = {
    "experiments": (
        "experiment_id", "name", "artifact_location", "lifecycle_stage", "creation_time", "last_update_time",
        "workspace",
    ),
    "experiment_tags": ("key", "value", "experiment_id"),
}  # fmt: skip
"""Columns of the tables that hold experiments."""

_LOCK_TIMEOUT_S = 120.0
"""How long to wait for other writers: far longer than any of our transactions lasts."""

_CACHE_KIB = 65536


class Transaction(Protocol):
    """What may be done inside a transaction."""

    def execute(self, statement: str, values: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        """Run one statement, its parameters written as ``?``, and return its rows."""

    def insert(self, table: str, rows: Rows) -> None:
        """Insert rows, in the order of ``TABLES[table]``."""


class Database(Protocol):
    """A database that holds an MLflow tracking store."""

    def query(self, statement: str, values: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        """Read, outside any transaction."""

    def transaction(self) -> Any:
        """Open a context that yields a `Transaction`, commits it at the end and rolls it back on any exception."""

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
class SqliteTransaction:
    """A transaction on SQLite."""

    connection: sqlite3.Connection

    def execute(self, statement: str, values: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        """Run one statement and return its rows."""
        return self.connection.execute(statement, values).fetchall()

    def insert(self, table: str, rows: Rows) -> None:
        """Insert rows, in the order of ``TABLES[table]``."""
        columns = TABLES[table]
        names = ", ".join(columns)
        marks = ", ".join("?" * len(columns))
        self.connection.executemany(f"INSERT INTO {table} ({names}) VALUES ({marks})", rows)  # noqa: S608


@dataclass(frozen=True)
class SqliteDatabase:
    """A SQLite file, in whatever journal mode it has.

    MLflow's default, the rollback journal, is kept: unlike a write-ahead log it survives being copied
    as one file, and works on network and read-only disks. What it costs is that readers wait while a commit is
    written out; the connection here keeps that short, some tens of milliseconds, by holding all changes in
    memory until then.
    """

    path: Path

    @contextmanager
    def _connection(self) -> Iterator[sqlite3.Connection]:
        try:
            # mode=rw: never create a file, a store without tables is of no use to anyone.
            with closing(
                sqlite3.connect(
                    f"{self.path.as_uri()}?mode=rw", uri=True, timeout=_LOCK_TIMEOUT_S, isolation_level=None
                )
            ) as connection:
                yield connection
        except sqlite3.Error as error:
            raise explain_sqlite(error, self.path) from error

    def query(self, statement: str, values: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        """Read, outside any transaction."""
        with self._connection() as connection:
            return connection.execute(statement, values).fetchall()

    @contextmanager
    def transaction(self) -> Iterator[SqliteTransaction]:
        """Write, alone from the start: no reader has to be upgraded, so no two writers can block each other."""
        with self._connection() as connection:
            connection.execute(f"PRAGMA cache_size = -{_CACHE_KIB}")
            connection.execute("PRAGMA cache_spill = OFF")
            connection.execute("BEGIN IMMEDIATE")
            yield SqliteTransaction(connection)
            connection.execute("COMMIT")

    def columns(self, table: str) -> set[str]:
        """Names of a table's columns; empty if there is no such table."""
        return {name for (name,) in self.query("SELECT name FROM pragma_table_info(?)", (table,))}

    def analyze(self) -> None:
        """Let SQLite count, or it picks an index that makes a metric history fifty times slower."""
        with self._connection() as connection:
            connection.execute("PRAGMA analysis_limit = 400")
            connection.execute("ANALYZE")


@dataclass(frozen=True)
class PostgresTransaction:
    """A transaction on PostgreSQL."""

    connection: Any

    def execute(self, statement: str, values: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        """Run one statement and return its rows."""
        cursor = self.connection.execute(statement.replace("?", "%s"), values)
        return list(cursor.fetchall()) if cursor.description else []

    def insert(self, table: str, rows: Rows) -> None:
        """Insert rows, in the order of ``TABLES[table]``."""
        names = ", ".join(TABLES[table])
        with self.connection.cursor() as cursor, cursor.copy(f"COPY {table} ({names}) FROM STDIN") as copy:
            for row in rows:
                copy.write_row(row)


@dataclass(frozen=True)
class PostgresDatabase:
    """A PostgreSQL database, by psycopg 3."""

    conninfo: str

    @contextmanager
    def transaction(self) -> Iterator[PostgresTransaction]:
        """Write."""
        import psycopg

        try:
            with psycopg.connect(self.conninfo, connect_timeout=10) as connection:
                yield PostgresTransaction(connection)
        except (psycopg.OperationalError, psycopg.InterfaceError) as error:
            raise StoreUnreachableError(f"the database does not answer: {_told(error)}") from error
        except psycopg.Error as error:
            raise TrackingError(f"the database refused: {_told(error)}") from error

    def query(self, statement: str, values: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        """Read."""
        with self.transaction() as transaction:
            return transaction.execute(statement, values)

    def columns(self, table: str) -> set[str]:
        """Names of a table's columns; empty if there is no such table."""
        found = self.query(
            "SELECT column_name FROM information_schema.columns "
            "WHERE table_schema = current_schema() AND table_name = ?",
            (table,),
        )
        return set(chain.from_iterable(found))


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
