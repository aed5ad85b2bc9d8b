"""Reading runs out of an MLflow store, and nothing else: no row is ever written here.

A store in a database is read by SQL through MLflow's own models, in a tenth of the time that its client takes; a
tracking server is read through `MlflowClient`. Both return the same records.
"""

import os
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import make_url
from tqdm import tqdm

if TYPE_CHECKING:
    import sqlalchemy as sa
    from mlflow import MlflowClient
    from mlflow.entities import Run

SWEEP = "tags.kind = 'sweep'"
_IDS_A_QUERY = 500  # well below the number of bound variables that any database allows
_CONNECTIONS = 8
_PAGE = 1000


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
    uri = uri or os.environ.get("MLFLOW_TRACKING_URI") or f"sqlite:///{Path.cwd() / 'mlflow.db'}"
    if uri.startswith("sqlite:") and not Path(make_url(uri).database or "").is_file():
        raise StoreError(
            f"there is no tracking store at {uri}: run a sweep in this folder first, or set MLFLOW_TRACKING_URI"
        )
    os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
    os.environ.setdefault("MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT", "true")
    from mlflow import MlflowClient, set_tracking_uri

    set_tracking_uri(uri)  # artifact URIs of a server are resolved against it
    client = MlflowClient(uri)
    if uri.startswith(("http:", "https:")):
        return ClientStore(client)
    if uri.split(":", 1)[0].split("+")[0] in ("sqlite", "postgresql", "mysql", "mssql"):
        return SqlStore(client, uri)
    raise StoreError(f"a tracking store must be a database or a server, not {uri}")


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
