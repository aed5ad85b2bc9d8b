"""Runs written through MLflow's public client: any store, one run at a time, with the fewest calls."""

import tempfile
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from tracking import names
from tracking.client import mlflow_client, mlflow_errors
from tracking.errors import StoreUnreachableError, TrackingError
from tracking.record import RunRecord, RunUpdate, now_ms, short_name

if TYPE_CHECKING:
    from mlflow import MlflowClient


@dataclass(frozen=True)
class ClientWriter:
    """Writes runs of one experiment through a client; what is said of `SqlWriter` holds of it."""

    uri: str
    experiment_id: str
    tags: Mapping[str, str]

    runs_at_once = 1

    @cached_property
    def client(self) -> "MlflowClient":
        """MLflow's own (imports MLflow, which takes seconds)."""
        return mlflow_client(self.uri)

    def begin(self, records: Sequence[RunRecord]) -> list[str]:
        """Create runs that `write` is to fill, and return their ids."""
        return [self.start(record.name, _known(record), record.start_ms) for record in records]

    def write(self, records: Sequence[RunRecord], run_ids: Sequence[str]) -> None:
        """Fill the runs that were begun, and end them; one that cannot be filled is ended as KILLED."""
        for record, run_id in zip(records, run_ids, strict=True):
            try:
                self._fill(run_id, record)
            except StoreUnreachableError:
                raise  # it will be filled later
            except BaseException:
                with suppress(TrackingError):
                    self.update(run_id, RunUpdate(status="KILLED"), now_ms())
                raise

    def start(self, name: str, tags: Mapping[str, str], start_ms: int) -> str:
        with mlflow_errors(self.uri):
            run = self.client.create_run(
                self.experiment_id, start_time=start_ms, tags={**self.tags, **tags}, run_name=short_name(name)
            )
        return str(run.info.run_id)

    def _fill(self, run_id: str, record: RunRecord) -> None:
        """Log all of a started run and end it; doing so again changes nothing."""
        from mlflow.entities import Metric, Param, RunTag

        placed = {key: value for key, value in record.placed(self.experiment_id, run_id).items() if key == names.NOTE}
        metrics = [
            Metric(key, value, record.end_ms, step)
            for key, curve in record.curves.items()
            for step, value in zip(curve.steps.tolist(), curve.values.tolist(), strict=True)
        ]
        metrics += [Metric(key, float(value), record.end_ms, record.step) for key, value in record.metrics.items()]
        with mlflow_errors(self.uri):
            params = [Param(key, value) for key, value in record.params.items()]
            self.client.log_batch(run_id, metrics, params, [RunTag(key, value) for key, value in placed.items()])
            self._log_artifacts(run_id, record.artifacts)
            self.client.set_terminated(run_id, record.status, record.end_ms)

    def complete(self, record: RunRecord, run_id: str, spool_id: str) -> None:
        """Store a run that was kept on disk, going on from whatever of it an earlier attempt has stored.

        If no run was begun for it, one is, with its `spool_id` as a tag by which the next attempt finds it.
        """
        tags = {**_known(record), names.SPOOL_ID: spool_id}
        with mlflow_errors(self.uri):
            begun = self.client.search_runs(
                [self.experiment_id],
                f"attributes.run_id = '{run_id}'" if run_id else f"tags.{names.SPOOL_ID} = '{spool_id}'",
            )
        if not begun:
            self._fill(self.start(record.name, tags, record.start_ms), record)
        elif begun[0].info.status != record.status:
            self._fill(begun[0].info.run_id, record)

    def update(self, run_id: str, update: RunUpdate, at_ms: int) -> None:
        from mlflow.entities import Metric, RunTag

        metrics = [Metric(key, float(value), at_ms, 0) for key, value in update.metrics.items()]
        with mlflow_errors(self.uri):
            self.client.log_batch(run_id, metrics, tags=[RunTag(key, value) for key, value in update.tags.items()])
            self._log_artifacts(run_id, update.artifacts)
            if update.status:
                self.client.set_terminated(run_id, update.status, at_ms)

    def tag_experiment(self, key: str, value: str) -> None:
        with mlflow_errors(self.uri):
            self.client.set_experiment_tag(self.experiment_id, key, value)

    def remove_abandoned_files(self) -> int:
        """Nothing: MLflow creates a run before its files."""
        return 0

    def analyze(self) -> None:
        """Nothing: whoever keeps the store looks after it."""

    def _log_artifacts(self, run_id: str, artifacts: Mapping[str, bytes]) -> None:
        if not artifacts:
            return
        with tempfile.TemporaryDirectory() as folder:
            for name, content in artifacts.items():
                (Path(folder) / name).write_bytes(content)
            self.client.log_artifacts(run_id, folder)


def _known(record: RunRecord) -> dict[str, str]:
    """The tags of a run that is not there yet: all but its description, which names it."""
    return {key: value for key, value in record.tags.items() if key != names.NOTE}
