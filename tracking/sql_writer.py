"""Runs written straight into MLflow's tables, many in one transaction: all of a run, or nothing of it.

Through MLflow's client a run costs a dozen transactions. Here a chunk of finished runs is one, through MLflow's own
SQLAlchemy models, and what it leaves is, row for row, what the client would have left. The models' tables are compared
with those that this module was written for (`unknown_models`), as are the database's own (`database.differences`).
"""

import os
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import chain, repeat
from typing import TYPE_CHECKING, Any

from tracking import files
from tracking.database import EXPERIMENT_TABLES, TABLES, PostgresDatabase, SqliteDatabase
from tracking.errors import TrackingError
from tracking.record import RunRecord, RunUpdate, short_name

if TYPE_CHECKING:
    from types import ModuleType

    from sqlalchemy.orm import Session

RUNS_PER_TRANSACTION = 256

NOT_NAN = 0
"""Not ``False``, which Python's SQLite driver takes three times as long to pass on."""

Row = tuple[Any, ...]


def new_run_ids(count: int) -> list[str]:
    """Make run ids, in ascending order.

    They look like MLflow's (32 hexadecimal digits) but begin with the time. All indexes of MLflow's tables contain the
    run id: with ids in order they grow at one end, and the ten-thousandth run costs as much as the first.
    """
    now_ms = time.time_ns() // 1_000_000
    return sorted(f"{now_ms:012x}{os.urandom(10).hex()}" for _ in range(count))


@cache
def mlflow_models() -> "ModuleType":
    """MLflow's SQLAlchemy models (imports MLflow, which takes a second or more)."""
    from mlflow.store.tracking.dbmodels import models

    return models


def unknown_models() -> list[str]:
    """Say where the models of the MLflow that is installed differ from what is known; empty if they do not."""
    known = mlflow_models().Base.metadata.tables
    return [
        f"{table}: {', '.join(known[table].columns.keys() if table in known else ['missing'])}"
        for table, columns in (TABLES | EXPERIMENT_TABLES).items()
        if table not in known or tuple(known[table].columns.keys()) != columns
    ]


@dataclass(frozen=True)
class SqlWriter:
    """Writes runs of one experiment into a database whose tables are known (`database.differences`).

    Attributes
    ----------
    database : SqliteDatabase or PostgresDatabase
    experiment_id : str
    artifact_location : str
        The experiment's.
    tags : mapping of str to str
        Tags of every run, unless it brings its own.
    """

    database: SqliteDatabase | PostgresDatabase
    experiment_id: str
    artifact_location: str
    tags: Mapping[str, str]

    def artifact_uri(self, run_id: str) -> str:
        """Where a run keeps its artifacts."""
        return f"{self.artifact_location.rstrip('/')}/{run_id}/artifacts"

    def write(self, records: Sequence[RunRecord], run_ids: Sequence[str]) -> None:
        """Write finished runs, artifacts first, then all rows in one transaction.

        Runs whose id is already there are left alone, so that a chunk whose commit got no answer can be
        written again.
        """
        from sqlalchemy import select

        try:
            for record, run_id in zip(records, run_ids, strict=True):
                files.save(self.artifact_uri(run_id), record.artifacts)
            with self.database.session() as session:
                self._require_active(session)
                run_id = mlflow_models().SqlRun.run_uuid
                there = set(session.scalars(select(run_id).where(run_id.in_(run_ids))))
                self._insert(session, [pair for pair in zip(run_ids, records, strict=True) if pair[0] not in there])
        except BaseException:
            self._clean_up(run_ids)
            raise

    def start(self, name: str, tags: Mapping[str, str], start_ms: int) -> str:
        """Create a run that is under way, and return its id."""
        (run_id,) = new_run_ids(1)
        name = short_name(name)
        all_tags = {**self.tags, **tags}
        models = mlflow_models()
        with self.database.session() as session:
            self._require_active(session)
            _add_all(session, models.SqlRun, [self._run_row(run_id, name, all_tags, "RUNNING", start_ms, None)])
            _add_all(session, models.SqlTag, _tag_rows(run_id, name, all_tags))
        return run_id

    def update(self, run_id: str, update: RunUpdate, now_ms: int) -> None:
        """Add to a run that is under way, and end it if the update says so."""
        models = mlflow_models()
        ((artifact_uri,),) = self.database.query("SELECT artifact_uri FROM runs WHERE run_uuid = ?", (run_id,))
        files.save(artifact_uri, update.artifacts)
        with self.database.session() as session:
            for key, text in update.tags.items():
                session.merge(models.SqlTag(run_uuid=run_id, key=key, value=text))
            for key, number in update.metrics.items():
                values = {"run_uuid": run_id, "key": key, "value": float(number), "timestamp": now_ms, "step": 0}
                session.merge(models.SqlMetric(**values, is_nan=False))
                session.merge(models.SqlLatestMetric(**values, is_nan=False))
            if update.status:
                run = session.get_one(models.SqlRun, run_id)
                run.status, run.end_time = update.status, now_ms

    def tag_experiment(self, key: str, value: str) -> None:
        """Set a tag of the experiment."""
        with self.database.session() as session:
            session.merge(mlflow_models().SqlExperimentTag(experiment_id=int(self.experiment_id), key=key, value=value))

    def _require_active(self, session: "Session") -> None:
        experiment = session.get(mlflow_models().SqlExperiment, int(self.experiment_id))
        if experiment is None or experiment.lifecycle_stage != "active":
            raise TrackingError(
                f"experiment {self.experiment_id} has been deleted; bring it back with "
                f"`mlflow experiments restore --experiment-id {self.experiment_id}`, or choose another one"
            )

    def _run_row(
        self, run_id: str, name: str, tags: Mapping[str, str], status: str, start_ms: int, end_ms: int | None
    ) -> Row:
        user = tags.get("mlflow.user", "unknown")
        uri = self.artifact_uri(run_id)
        return (
            run_id, name, "UNKNOWN", "", "", user, status, start_ms,
            end_ms, None, "", "active", uri, int(self.experiment_id),
        )  # fmt: skip

    def _insert(self, session: "Session", runs: Sequence[tuple[str, RunRecord]]) -> None:
        models = mlflow_models()
        tags = {run_id: {**self.tags, **record.tags} for run_id, record in runs}
        many = chain.from_iterable
        _add_all(
            session,
            models.SqlRun,
            [self._run_row(i, r.name, tags[i], r.status, r.start_ms, r.end_ms) for i, r in runs],
        )
        _add_all(session, models.SqlParam, many(zip(r.params, r.params.values(), repeat(i)) for i, r in runs))
        _add_all(session, models.SqlTag, many(_tag_rows(i, r.name, tags[i]) for i, r in runs))
        _add_all(session, models.SqlMetric, many(many(_metric_rows(i, r) for i, r in runs)))
        _add_all(session, models.SqlLatestMetric, many(_latest_rows(i, r) for i, r in runs))

    def _clean_up(self, run_ids: Sequence[str]) -> None:
        """Remove the files of runs that are not in the database; leave everything if it does not answer."""
        marks = ", ".join("?" * len(run_ids))
        try:
            there = self.database.query(f"SELECT run_uuid FROM runs WHERE run_uuid IN ({marks})", run_ids)  # noqa: S608
        except TrackingError:
            return
        for run_id in set(run_ids) - set(chain.from_iterable(there)):
            files.forget(self.artifact_uri(run_id))


def _add_all(session: "Session", model: Any, rows: Iterable[Row]) -> None:
    """Insert rows that hold all columns of a model, in its order.

    SQLAlchemy writes the statement, and the driver takes the rows as they come: a dictionary for each of a run's 300
    rows would cost half as much again as everything else in the transaction.
    """
    from sqlalchemy import insert

    connection = session.connection()
    driver: Any = connection.connection
    if connection.dialect.name == "postgresql":
        columns = ", ".join(model.__table__.columns.keys())
        with driver.cursor() as cursor, cursor.copy(f"COPY {model.__tablename__} ({columns}) FROM STDIN") as copy:
            for row in rows:
                copy.write_row(row)
    else:
        driver.cursor().executemany(str(insert(model).compile(dialect=connection.dialect)), rows)


def _tag_rows(run_id: str, name: str, tags: Mapping[str, str]) -> list[Row]:
    return [(key, value, run_id) for key, value in {**tags, "mlflow.runName": name}.items()]


def _metric_rows(run_id: str, record: RunRecord) -> Iterator[Iterable[Row]]:
    for key, curve in record.curves.items():
        yield zip(
            repeat(key),
            curve.values.tolist(),
            repeat(record.end_ms),
            curve.steps.tolist(),
            repeat(NOT_NAN),
            repeat(run_id),
        )  # fmt: skip
    yield [(key, float(value), record.end_ms, record.step, NOT_NAN, run_id) for key, value in record.metrics.items()]


def _latest_rows(run_id: str, record: RunRecord) -> Iterator[Row]:
    for key, curve in record.curves.items():
        if curve.steps.size:
            yield key, float(curve.values[-1]), record.end_ms, int(curve.steps[-1]), NOT_NAN, run_id
    for key, value in record.metrics.items():
        yield key, float(value), record.end_ms, record.step, NOT_NAN, run_id
