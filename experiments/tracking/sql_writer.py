"""Runs written straight into MLflow's tables, many in one transaction: all of a run, or nothing of it.

Through MLflow's client a run costs a dozen transactions. Here a chunk of finished runs is one, and what it leaves
is, row for row, what the client would have left. The rows go in by the database's own driver: importing MLflow's
SQLAlchemy models takes longer than everything else that a single run does (docs/benchmarks.md has the figures), so
the tables are compared with what this module knows instead (`database.differences`), and a test compares that with the
models.
"""

import os
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain, repeat
from typing import Any

from experiments.tracking import files
from experiments.tracking.database import PostgresDatabase, SqliteDatabase, Transaction
from experiments.tracking.errors import TrackingError
from experiments.tracking.record import RunRecord, RunUpdate, short_name

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
        try:
            for record, run_id in zip(records, run_ids, strict=True):
                files.save(self.artifact_uri(run_id), record.artifacts)
            with self.database.transaction() as transaction:
                self._require_active(transaction)
                marks = ", ".join("?" * len(run_ids))
                there = set(
                    chain.from_iterable(
                        transaction.execute(f"SELECT run_uuid FROM runs WHERE run_uuid IN ({marks})", run_ids)  # noqa: S608
                    )
                )
                self._insert(transaction, [pair for pair in zip(run_ids, records, strict=True) if pair[0] not in there])
        except BaseException:
            self._clean_up(run_ids)
            raise

    def start(self, name: str, tags: Mapping[str, str], start_ms: int) -> str:
        """Create a run that is under way, and return its id."""
        (run_id,) = new_run_ids(1)
        name = short_name(name)
        all_tags = {**self.tags, **tags}
        with self.database.transaction() as transaction:
            self._require_active(transaction)
            transaction.insert("runs", [self._run_row(run_id, name, all_tags, "RUNNING", start_ms, None)])
            transaction.insert("tags", _tag_rows(run_id, name, all_tags))
        return run_id

    def update(self, run_id: str, update: RunUpdate, now_ms: int) -> None:
        """Add to a run that is under way, and end it if the update says so."""
        ((artifact_uri,),) = self.database.query("SELECT artifact_uri FROM runs WHERE run_uuid = ?", (run_id,))
        files.save(artifact_uri, update.artifacts)
        with self.database.transaction() as transaction:
            for key, value in update.tags.items():
                transaction.execute(
                    "INSERT INTO tags (key, value, run_uuid) VALUES (?, ?, ?) "
                    "ON CONFLICT (key, run_uuid) DO UPDATE SET value = excluded.value",
                    (key, value, run_id),
                )
            for key, number in update.metrics.items():
                row = (key, float(number), now_ms, 0, False, run_id)
                transaction.execute(
                    "INSERT INTO metrics (key, value, timestamp, step, is_nan, run_uuid) "
                    "VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING",
                    row,
                )
                transaction.execute(
                    "INSERT INTO latest_metrics (key, value, timestamp, step, is_nan, run_uuid) "
                    "VALUES (?, ?, ?, ?, ?, ?) "
                    "ON CONFLICT (key, run_uuid) DO UPDATE SET value = excluded.value, timestamp = excluded.timestamp",
                    row,
                )
            if update.status:
                transaction.execute(
                    "UPDATE runs SET status = ?, end_time = ? WHERE run_uuid = ?", (update.status, now_ms, run_id)
                )

    def tag_experiment(self, key: str, value: str) -> None:
        """Set a tag of the experiment."""
        with self.database.transaction() as transaction:
            transaction.execute(
                "INSERT INTO experiment_tags (key, value, experiment_id) VALUES (?, ?, ?) "
                "ON CONFLICT (key, experiment_id) DO UPDATE SET value = excluded.value",
                (key, value, int(self.experiment_id)),
            )

    def _require_active(self, transaction: Transaction) -> None:
        found = transaction.execute(
            "SELECT lifecycle_stage FROM experiments WHERE experiment_id = ?", (int(self.experiment_id),)
        )
        if found != [("active",)]:
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

    def _insert(self, transaction: Transaction, runs: Sequence[tuple[str, RunRecord]]) -> None:
        tags = {run_id: {**self.tags, **record.tags} for run_id, record in runs}
        transaction.insert(
            "runs",
            [self._run_row(i, r.name, tags[i], r.status, r.start_ms, r.end_ms) for i, r in runs],
        )
        transaction.insert("params", chain.from_iterable(zip(r.params, r.params.values(), repeat(i)) for i, r in runs))
        transaction.insert("tags", chain.from_iterable(_tag_rows(i, r.name, tags[i]) for i, r in runs))
        transaction.insert("metrics", chain.from_iterable(chain.from_iterable(_metric_rows(i, r) for i, r in runs)))
        transaction.insert("latest_metrics", chain.from_iterable(_latest_rows(i, r) for i, r in runs))

    def _clean_up(self, run_ids: Sequence[str]) -> None:
        """Remove the files of runs that are not in the database; leave everything if it does not answer."""
        marks = ", ".join("?" * len(run_ids))
        try:
            there = self.database.query(f"SELECT run_uuid FROM runs WHERE run_uuid IN ({marks})", run_ids)  # noqa: S608
        except TrackingError:
            return
        for run_id in set(run_ids) - set(chain.from_iterable(there)):
            files.forget(self.artifact_uri(run_id))


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
