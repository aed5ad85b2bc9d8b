"""Reading runs out of an MLflow store, and nothing else: no row is ever written here.

A store in a database is read by SQL through MLflow's own models, in a tenth of the time that its client takes; a
tracking server is read through `MlflowClient`. Both return the same records.
"""

import os
import re
import ssl
import urllib.error
import urllib.request
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from http.client import HTTPException
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

if TYPE_CHECKING:
    import sqlalchemy as sa
    from mlflow import MlflowClient
    from mlflow.entities import Run

SWEEP = "tags.kind = 'sweep'"
_IDS_A_QUERY = 500  # well below the number of bound variables that any database allows
_CONNECTIONS = 8
_PAGE = 1000
_PATIENCE_S = 5
_DATABASES = ("sqlite", "postgresql", "mysql", "mssql")
_PASSWORDS = re.compile(r"(?<=:)[^/\s]\S*(?=@)|(?<=password=)[^&\s]*", re.IGNORECASE)


class StoreError(Exception):
    """The tracking store cannot be read; the message says which and why."""


@dataclass(frozen=True)
class Record:
    """One finished run as MLflow keeps it: everything but its metric histories and artifacts."""

    run_id: str
    start_time: int
    artifact_uri: str
    params: dict[str, str]
    metrics: dict[str, float]
    tags: dict[str, str]


class Histories(NamedTuple):
    """Points of metric curves, in order of run, key and step; all arrays have the shape (points,)."""

    run: NDArray[np.int64]  # index into the run ids asked for
    key: NDArray[np.int64]  # index into the keys asked for
    step: NDArray[np.int64]
    value: NDArray[np.float64]


class Store(Protocol):
    """A tracking store to read from."""

    client: "MlflowClient"

    def records(self, sweep_ids: Sequence[str], run_ids: Sequence[str]) -> dict[str, Record]:
        """Return the finished runs among the children of the sweeps and the runs named, by run id."""
        ...

    def histories(self, run_ids: Sequence[str], keys: Sequence[str]) -> Histories:
        """Return the points of these metrics of these runs."""
        ...


def open_store(uri: str | None = None) -> Store:
    """Open the store at `uri`, by default ``MLFLOW_TRACKING_URI`` or ``mlflow.db`` in the current folder.

    Raises
    ------
    StoreError
        If there is no store there. None is created.
    """
    uri = uri or _uri()
    served = uri.startswith(("http://", "https://"))
    # Asked here, once: MLflow's client would try for minutes, and make tables in a database that has none.
    problem = _problem_of_server(uri) if served else _problem_of_database(uri)
    if problem:
        raise StoreError(f"{_named(uri)}: {problem}")
    os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
    os.environ.setdefault("MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT", "true")
    os.environ.setdefault("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "3")  # the default of 7 takes minutes
    from mlflow import MlflowClient, set_tracking_uri

    set_tracking_uri(uri)  # artifact URIs of a server are resolved against it
    client = MlflowClient(uri)
    return ClientStore(client) if served else SqlStore(client, uri)


def _uri() -> str:
    return os.environ.get("MLFLOW_TRACKING_URI") or f"sqlite:///{Path.cwd() / 'mlflow.db'}"


def _named(uri: str) -> str:
    """A store in a message: by the variable that chose it, without a password."""
    variable = "MLFLOW_TRACKING_URI=" if uri == os.environ.get("MLFLOW_TRACKING_URI") else ""
    return variable + _PASSWORDS.sub("***", uri)


def _problem_of_server(uri: str) -> str:
    """Why no tracking server can be read there; empty if one may be."""
    try:
        address = re.sub(r"//[^/]*@", "//", uri)  # urllib would take credentials for part of the host
        with urllib.request.urlopen(f"{address.rstrip('/')}/health", timeout=_PATIENCE_S):  # noqa: S310
            return ""
    except urllib.error.HTTPError as error:
        if error.code < 500:
            return ""  # somebody answers; whether it is MLflow, its client will find out
        reason = str(error)
    except urllib.error.URLError as error:
        if isinstance(error.reason, ssl.SSLError):
            return ""  # MLflow's client has certificates of its own
        reason = str(error.reason)
    except (OSError, HTTPException, ValueError) as error:
        reason = str(error)
    return f"no tracking server answers there ({_told(reason)})"


def _problem_of_database(uri: str) -> str:
    """Why no tracking store can be read there; empty if one can."""
    import sqlalchemy as sa

    try:
        url = sa.make_url(uri)
        dialect = url.get_backend_name()
        if dialect not in _DATABASES:
            raise sa.exc.NoSuchModuleError
        if dialect == "sqlite" and not Path(url.database or "").is_file():
            return "there is no tracking store; run a sweep in this folder first, or set MLFLOW_TRACKING_URI"
        patience = {"connect_timeout": _PATIENCE_S} if dialect in ("postgresql", "mysql") else {}
        with sa.create_engine(url, poolclass=sa.pool.NullPool, connect_args=patience).connect() as connection:
            if not sa.inspect(connection).has_table("runs"):
                return "that database holds no tracking store"
    except ImportError as error:
        return f"the driver of that database is not installed ({error})"
    except (sa.exc.ArgumentError, ValueError):  # unknown databases among them
        return (
            "valid is sqlite:///FILE, postgresql+psycopg://USER:PASSWORD@HOST/DATABASE, http://HOST:PORT of a tracking "
            "server, or nothing, which means mlflow.db in the current folder"
        )
    except sa.exc.DBAPIError as error:
        return f"the database cannot be read ({_told(error.orig)})"
    except OSError as error:
        return f"the database cannot be read ({_told(error)})"
    return ""


def _told(error: object) -> str:
    """What another program says, in one line and without a password that it may quote."""
    return re.sub(r"[^\s/'\"]*@", "***@", " ".join(str(error).split()))


class ClientStore:
    """A store behind any tracking URI, read through the public client."""

    def __init__(self, client: "MlflowClient") -> None:
        self.client = client

    def records(self, sweep_ids: Sequence[str], run_ids: Sequence[str]) -> dict[str, Record]:
        """Return the finished runs among the children of the sweeps and the runs named, by run id."""
        found = {
            run.info.run_id: _record(run)
            for sweep_id in sweep_ids
            for run in search(self.client, f"tags.sweep_id = '{sweep_id}' and attributes.status = 'FINISHED'")
        }
        missing = [run_id for run_id in dict.fromkeys(run_ids) if run_id not in found]
        with ThreadPoolExecutor(_CONNECTIONS) as pool:
            for run in pool.map(self.client.get_run, missing):
                if run.info.status == "FINISHED" and run.info.lifecycle_stage == "active":
                    found[run.info.run_id] = _record(run)
        return found

    def histories(self, run_ids: Sequence[str], keys: Sequence[str]) -> Histories:
        """Return the points of these metrics of these runs."""
        points: list[tuple[int, int, int, float]] = []
        wanted = [(r, k) for r in range(len(run_ids)) for k in range(len(keys))]
        with ThreadPoolExecutor(_CONNECTIONS) as pool:
            histories = pool.map(lambda rk: self.client.get_metric_history(run_ids[rk[0]], keys[rk[1]]), wanted)
            for (r, k), history in tqdm(
                zip(wanted, histories, strict=True), "loss curves", len(wanted), delay=2, leave=False, disable=None
            ):
                points.extend((r, k, m.step, m.value) for m in history)
        columns = list(zip(*points, strict=True)) or [()] * 4
        return _ordered(*(np.array(c) for c in columns))


class SqlStore:
    """A store in a database, read by SQL through MLflow's own models."""

    def __init__(self, client: "MlflowClient", uri: str) -> None:
        import sqlalchemy as sa

        self.client = client
        self._engine = sa.create_engine(uri, poolclass=sa.pool.NullPool)

    @contextmanager
    def _read(self) -> Iterator["sa.Connection"]:
        with self._engine.connect() as connection:
            if self._engine.dialect.name == "sqlite":
                connection.exec_driver_sql("PRAGMA query_only = ON")
            elif self._engine.dialect.name == "postgresql":
                connection.exec_driver_sql("SET TRANSACTION READ ONLY")
            yield connection

    def records(self, sweep_ids: Sequence[str], run_ids: Sequence[str]) -> dict[str, Record]:
        """Return the finished runs among the children of the sweeps and the runs named, by run id."""
        import sqlalchemy as sa
        from mlflow.store.tracking.dbmodels.models import SqlLatestMetric, SqlParam, SqlRun, SqlTag

        found: dict[str, Record] = {}
        with self._read() as connection:
            children: Any = sa.select(SqlTag.run_uuid).where(SqlTag.key == "sweep_id", SqlTag.value.in_(sweep_ids))
            ids = list(dict.fromkeys([*connection.scalars(children), *run_ids]))
            for chunk in _chunks(ids):
                runs = sa.select(SqlRun.run_uuid, SqlRun.start_time, SqlRun.artifact_uri).where(
                    SqlRun.run_uuid.in_(chunk), SqlRun.status == "FINISHED", SqlRun.lifecycle_stage == "active"
                )
                for run_id, start_time, artifact_uri in connection.execute(runs):
                    found[run_id] = Record(run_id, start_time, artifact_uri, {}, {}, {})
                for table, field in ((SqlParam, "params"), (SqlTag, "tags"), (SqlLatestMetric, "metrics")):
                    rows = sa.select(table.run_uuid, table.key, table.value).where(table.run_uuid.in_(chunk))
                    for run_id, key, value in connection.execute(rows):
                        if run_id in found:
                            getattr(found[run_id], field)[key] = value
        return found

    def histories(self, run_ids: Sequence[str], keys: Sequence[str]) -> Histories:
        """Return the points of these metrics of these runs."""
        import sqlalchemy as sa
        from mlflow.store.tracking.dbmodels.models import SqlMetric

        run_index = {run_id: r for r, run_id in enumerate(run_ids)}
        key_index = {key: k for k, key in enumerate(keys)}
        parts: list[NDArray[np.float64]] = []
        with (
            self._read() as connection,
            tqdm(total=len(run_ids), desc="loss curves", unit="run", delay=2, leave=False, disable=None) as bar,
        ):
            for chunk in _chunks(list(run_ids)):
                # No condition on the key: SQLite would search by it, through every run of the store.
                rows: Any = sa.select(SqlMetric.run_uuid, SqlMetric.key, SqlMetric.step, SqlMetric.value).where(
                    SqlMetric.run_uuid.in_(chunk)
                )
                points = [
                    (run_index[run_id], key_index[key], step, value)
                    for run_id, key, step, value in connection.execute(rows)
                    if key in key_index
                ]
                parts.append(np.array(points, np.float64).reshape(-1, 4))
                bar.update(len(chunk))
        run, key, step, value = np.concatenate([np.empty((0, 4)), *parts]).T
        return _ordered(run, key, step, value)


@contextmanager
def readable() -> Iterator[None]:
    """Turn what a store that fails while it is read says into a `StoreError`."""
    try:
        yield
    except Exception as error:
        from mlflow.exceptions import MlflowException
        from sqlalchemy.exc import SQLAlchemyError

        if not isinstance(error, MlflowException | SQLAlchemyError):
            raise
        raise StoreError(f"{_named(_uri())}: reading failed ({_told(error).split(' [SQL:')[0]})") from error


def search(client: "MlflowClient", filter_string: str) -> list["Run"]:
    """All active runs of all active experiments that an MLflow filter finds, newest first."""
    experiments = [e.experiment_id for e in client.search_experiments()]
    found: list[Run] = []
    token: str | None = None
    while True:
        page = client.search_runs(
            experiments, filter_string, max_results=_PAGE, order_by=["start_time DESC"], page_token=token
        )
        found.extend(page)
        token = page.token
        if not token:
            return found


def _record(run: "Run") -> Record:
    info, data = run.info, run.data
    return Record(
        info.run_id, info.start_time, info.artifact_uri, dict(data.params), dict(data.metrics), dict(data.tags)
    )


def _chunks(ids: list[str]) -> Iterator[list[str]]:
    return (ids[i : i + _IDS_A_QUERY] for i in range(0, len(ids), _IDS_A_QUERY))


def _ordered(run: NDArray[Any], key: NDArray[Any], step: NDArray[Any], value: NDArray[Any]) -> Histories:
    """Sort, and keep one of the points that a repeated upload may have logged twice."""
    order = np.lexsort((step, key, run))
    place = np.stack([run, key, step]).astype(np.int64)[:, order]
    first = np.append(True, (np.diff(place) != 0).any(axis=0))[: place.shape[1]]
    run, key, step = place[:, first]
    return Histories(run, key, step, value[order][first].astype(np.float64))
