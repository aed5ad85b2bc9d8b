"""Runs written straight into MLflow's tables, many in one transaction: all of a run, or nothing of it.

Through MLflow's client a run costs a dozen transactions. Here a chunk of finished runs is one, through MLflow's own
SQLAlchemy models, and what it leaves is, row for row, what the client would have left.
"""

import os
import shutil
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from itertools import chain, repeat
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tracking import artifacts
from tracking.database import Database, chunks, models
from tracking.errors import StoreUnreachableError, TrackingError
from tracking.record import RunRecord, RunUpdate, now_ms, short_name

if TYPE_CHECKING:
    from sqlalchemy import Connection
    from sqlalchemy.orm import Session

ABANDONED_AFTER_S = 3600.0
"""Files without a run are left alone for so long: it may be about to be committed."""

NOT_NAN = 0
"""Not ``False``, which Python's SQLite driver takes three times as long to pass on."""

Row = tuple[Any, ...]


def new_run_ids(count: int) -> list[str]:
    """Make run ids, in ascending order.

    They look like MLflow's (32 hexadecimal digits) but begin with the time. All indexes of MLflow's tables contain the
    run id: with ids in order they grow at one end, and the ten-thousandth run costs as much as the first.
    """
    now = now_ms()
    return sorted(f"{now:012x}{os.urandom(10).hex()}" for _ in range(count))


@dataclass(frozen=True)
class SqlWriter:
    """Writes runs of one experiment into a database whose tables, and MLflow's models of them, are known.

    `artifact_location` is the experiment's; `tags` are those of every run, unless it brings its own.
    """

    database: Database
    experiment_id: str
    artifact_location: str
    tags: Mapping[str, str]

    runs_at_once = 256

    def begin(self, records: Sequence[RunRecord]) -> list[str]:
        """Choose ids for runs that `write` is to write."""
        return new_run_ids(len(records))

    def write(self, records: Sequence[RunRecord], run_ids: Sequence[str]) -> None:
        """Write finished runs, artifacts first, then all rows in one transaction.

        A server that does not answer is asked again with growing pauses, as often as MLflow's client would.
        """
        for attempt in range(int(os.environ["MLFLOW_HTTP_REQUEST_MAX_RETRIES"])):
            try:
                self._write(records, run_ids)
            except StoreUnreachableError:
                time.sleep(2**attempt)
            else:
                return
        self._write(records, run_ids)

    def complete(self, record: RunRecord, run_id: str, spool_id: str) -> None:
        """Store a run that was kept on disk, under the id that was chosen for it, or else that of its file.

        Its last transaction may have gone through without an answer, hence the same id again.
        """
        self._write([record], [run_id or spool_id])

    def start(self, name: str, tags: Mapping[str, str], start_ms: int) -> str:
        """Create a run that is under way, and return its id."""
        (run_id,) = new_run_ids(1)
        name = short_name(name)
        all_tags = {**self.tags, **tags}
        with self.database.transaction() as session:
            self._require_active(session)
            _add_all(session, models().SqlRun, [self._run_row(run_id, name, all_tags, "RUNNING", start_ms, None)])
            _add_all(session, models().SqlTag, _tag_rows(run_id, name, all_tags))
        return run_id

    def update(self, run_id: str, update: RunUpdate, at_ms: int) -> None:
        """Add to a run that is under way, and end it if the update says so."""
        artifacts.save(self.database.uri, self._artifact_uri(run_id), update.artifacts)
        with self.database.transaction() as session:
            for key, text in update.tags.items():
                session.merge(models().SqlTag(run_uuid=run_id, key=key, value=text))
            for key, number in update.metrics.items():
                values = {"run_uuid": run_id, "key": key, "value": float(number), "timestamp": at_ms, "step": 0}
                session.merge(models().SqlMetric(**values, is_nan=False))
                session.merge(models().SqlLatestMetric(**values, is_nan=False))
            if update.status:
                run = session.get_one(models().SqlRun, run_id)
                run.status, run.end_time = update.status, at_ms

    def tag_experiment(self, key: str, value: str) -> None:
        """Set a tag of the experiment."""
        with self.database.transaction() as session:
            session.merge(models().SqlExperimentTag(experiment_id=int(self.experiment_id), key=key, value=value))

    def remove_abandoned_files(self) -> int:
        """Remove artifacts whose run was never committed, because its process was killed just then; count the runs."""
        folder = artifacts.local_folder(self.artifact_location)
        if folder is None or not folder.is_dir():
            return 0
        old = {path.name: path for path in folder.iterdir() if _is_old(path)}
        with self.database.reading() as connection:
            abandoned = old.keys() - _there(connection, list(old))
        for run_id in abandoned:
            shutil.rmtree(old[run_id], ignore_errors=True)
        return len(abandoned)

    def analyze(self) -> None:
        """Keep queries fast after many runs were added."""
        self.database.analyze()

    def _write(self, records: Sequence[RunRecord], run_ids: Sequence[str]) -> None:
        """Write finished runs; those whose id is already there are left alone."""
        try:
            for record, run_id in zip(records, run_ids, strict=True):
                artifacts.save(self.database.uri, self._artifact_uri(run_id), record.artifacts)
            with self.database.transaction() as session:
                self._require_active(session)
                there = _there(session.connection(), run_ids)
                self._insert(session, [pair for pair in zip(run_ids, records, strict=True) if pair[0] not in there])
        except BaseException:
            self._clean_up(run_ids)
            raise

    def _artifact_uri(self, run_id: str) -> str:
        """Where a run keeps its artifacts."""
        return f"{self.artifact_location.rstrip('/')}/{run_id}/artifacts"

    def _require_active(self, session: "Session") -> None:
        experiment = session.get(models().SqlExperiment, int(self.experiment_id))
        if experiment is None or experiment.lifecycle_stage != "active":
            raise TrackingError(
                f"experiment {self.experiment_id} has been deleted; bring it back with "
                f"`mlflow experiments restore --experiment-id {self.experiment_id}`, or choose another one"
            )

    def _run_row(
        self, run_id: str, name: str, tags: Mapping[str, str], status: str, start_ms: int, end_ms: int | None
    ) -> Row:
        user = tags.get("mlflow.user", "unknown")
        uri = self._artifact_uri(run_id)
        return (
            run_id, name, "UNKNOWN", "", "", user, status, start_ms,
            end_ms, None, "", "active", uri, int(self.experiment_id),
        )  # fmt: skip

    def _insert(self, session: "Session", runs: Sequence[tuple[str, RunRecord]]) -> None:
        tags = {run_id: {**self.tags, **record.placed(self.experiment_id, run_id)} for run_id, record in runs}
        many = chain.from_iterable
        rows = [self._run_row(i, r.name, tags[i], r.status, r.start_ms, r.end_ms) for i, r in runs]
        _add_all(session, models().SqlRun, rows)
        _add_all(session, models().SqlParam, many(zip(r.params, r.params.values(), repeat(i)) for i, r in runs))
        _add_all(session, models().SqlTag, many(_tag_rows(i, r.name, tags[i]) for i, r in runs))
        _add_all(session, models().SqlMetric, many(many(_metric_rows(i, r) for i, r in runs)))
        _add_all(session, models().SqlLatestMetric, many(_latest_rows(i, r) for i, r in runs))

    def _clean_up(self, run_ids: Sequence[str]) -> None:
        """Remove the files of runs that are not in the database; leave everything if it does not answer."""
        with suppress(TrackingError), self.database.reading() as connection:
            for run_id in set(run_ids) - _there(connection, run_ids):
                artifacts.forget(self._artifact_uri(run_id))


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


def _there(connection: "Connection", run_ids: Sequence[str]) -> set[str]:
    """Which of these runs the database holds."""
    from sqlalchemy import select

    there = models().SqlRun.run_uuid
    return {run_id for ids in chunks(run_ids) for run_id in connection.scalars(select(there).where(there.in_(ids)))}


def _tag_rows(run_id: str, name: str, tags: Mapping[str, str]) -> list[Row]:
    return [(key, value, run_id) for key, value in {**tags, "mlflow.runName": name}.items()]


def _metric_rows(run_id: str, record: RunRecord) -> Iterator[Iterable[Row]]:
    for key, curve in record.curves.items():
        values, steps = curve.values.tolist(), curve.steps.tolist()
        yield zip(repeat(key), values, repeat(record.end_ms), steps, repeat(NOT_NAN), repeat(run_id))
    yield [(key, float(value), record.end_ms, record.step, NOT_NAN, run_id) for key, value in record.metrics.items()]


def _latest_rows(run_id: str, record: RunRecord) -> Iterator[Row]:
    for key, curve in record.curves.items():
        if curve.steps.size:
            yield key, float(curve.values[-1]), record.end_ms, int(curve.steps[-1]), NOT_NAN, run_id
    for key, value in record.metrics.items():
        yield key, float(value), record.end_ms, record.step, NOT_NAN, run_id


def _is_old(path: Path) -> bool:
    """Whether a folder was made for a run here, long ago: `new_run_ids` begin with the time."""
    try:
        made_s = int(path.name[:12], 16) / 1000
        written_s = path.stat().st_mtime
    except (ValueError, OSError):
        return False
    return len(path.name) == 32 and abs(made_s - written_s) < 60 and time.time() - written_s > ABANDONED_AFTER_S
