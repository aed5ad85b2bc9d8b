"""Runs written through MLflow's public client: any store, one run at a time, with the fewest calls."""

import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from experiments.tracking.errors import RESUME, StoreUnreachableError, TrackingError
from experiments.tracking.record import RunRecord, RunUpdate, short_name

if TYPE_CHECKING:
    from mlflow import MlflowClient


@contextmanager
def mlflow_errors(uri: str) -> Iterator[None]:
    """Turn what MLflow raises into a `TrackingError` that names the store."""
    from mlflow.exceptions import MlflowException

    try:
        yield
    except MlflowException as error:
        if "out-of-date database schema" in error.message:
            raise TrackingError(
                f"the store {uri} was made by another version of MLflow. Back it up, then: mlflow db upgrade {uri}"
            ) from error
        status = error.get_http_status_code()  # type: ignore[no-untyped-call]
        if uri.startswith("http") and status >= 500:
            raise StoreUnreachableError(f"the tracking server {uri} does not answer: {error.message[:500]}") from error
        raise TrackingError(f"the store {uri} refused: {error.message[:500]}. {RESUME}") from error


@dataclass(frozen=True)
class ClientWriter:
    """Writes runs of one experiment through a client.

    Attributes
    ----------
    client : MlflowClient
    uri : str
        The tracking URI, for messages.
    experiment_id : str
    tags : mapping of str to str
        Tags of every run, unless it brings its own.
    """

    client: "MlflowClient"
    uri: str
    experiment_id: str
    tags: Mapping[str, str]

    def start(self, name: str, tags: Mapping[str, str], start_ms: int) -> str:
        """Create a run that is under way, and return its id."""
        with mlflow_errors(self.uri):
            run = self.client.create_run(
                self.experiment_id, start_time=start_ms, tags={**self.tags, **tags}, run_name=short_name(name)
            )
        return str(run.info.run_id)

    def fill(self, run_id: str, record: RunRecord) -> None:
        """Log all of a started run and end it; doing so again changes nothing."""
        from mlflow.entities import Metric, Param

        metrics = [
            Metric(key, value, record.end_ms, step)
            for key, curve in record.curves.items()
            for step, value in zip(curve.steps.tolist(), curve.values.tolist(), strict=True)
        ]
        metrics += [Metric(key, float(value), record.end_ms, record.step) for key, value in record.metrics.items()]
        with mlflow_errors(self.uri):
            self.client.log_batch(run_id, metrics, [Param(key, value) for key, value in record.params.items()])
            self._log_artifacts(run_id, record.artifacts)
            self.client.set_terminated(run_id, record.status, record.end_ms)

    def update(self, run_id: str, update: RunUpdate, now_ms: int) -> None:
        """Add to a run that is under way, and end it if the update says so."""
        from mlflow.entities import Metric, RunTag

        metrics = [Metric(key, float(value), now_ms, 0) for key, value in update.metrics.items()]
        with mlflow_errors(self.uri):
            self.client.log_batch(run_id, metrics, tags=[RunTag(key, value) for key, value in update.tags.items()])
            self._log_artifacts(run_id, update.artifacts)
            if update.status:
                self.client.set_terminated(run_id, update.status, now_ms)

    def _log_artifacts(self, run_id: str, artifacts: Mapping[str, bytes]) -> None:
        if not artifacts:
            return
        with tempfile.TemporaryDirectory() as folder:
            for name, content in artifacts.items():
                (Path(folder) / name).write_bytes(content)
            self.client.log_artifacts(run_id, folder)
