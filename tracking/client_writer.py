"""Runs written through MLflow's public client: any store, one run at a time, with the fewest calls."""

import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from tracking.errors import RESUME, StoreUnreachableError, TrackingError, explain_os, without_password
from tracking.record import RunRecord, RunUpdate, short_name

if TYPE_CHECKING:
    from mlflow import MlflowClient


@contextmanager
def mlflow_errors(uri: str) -> Iterator[None]:
    """Turn what MLflow raises into a `TrackingError` that names the store."""
    from mlflow.exceptions import MlflowException
    from requests import RequestException
    from sqlalchemy.exc import SQLAlchemyError

    remote, uri = uri.startswith(("http://", "https://")), without_password(uri)
    try:
        yield
    except MlflowException as error:
        status = error.get_http_status_code()  # type: ignore[no-untyped-call]
        message = without_password(" ".join(error.message.split()))
        if "out-of-date database schema" in message:
            raise TrackingError(
                f"the store {uri} was made by another version of MLflow. Back it up, then: mlflow db upgrade {uri}"
            ) from error
        if remote and status >= 500:
            # A failed connection is told at length and in terms of the libraries involved.
            detail = "" if "failed with exception" in message else f": {message[:500]}"
            raise StoreUnreachableError(f"the tracking server {uri} does not answer{detail}") from error
        raise TrackingError(f"the store {uri} refused: {message[:500]}. {RESUME}") from error
    except RequestException as error:
        status = 503 if error.response is None else error.response.status_code
        if status >= 500:
            raise StoreUnreachableError(
                f"the tracking server {uri} does not answer: {without_password(str(error))}"
            ) from error
        raise TrackingError(f"the tracking server {uri} refused: {without_password(str(error))}. {RESUME}") from error
    except SQLAlchemyError as error:
        detail = without_password(str(getattr(error, "orig", error)))
        raise TrackingError(f"the store {uri} refused: {detail[:500]}. {RESUME}") from error
    except OSError as error:
        raise explain_os(error, uri) from error


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

    def complete(self, run_id: str, record: RunRecord, spool_id: str) -> None:
        """Store a run that was kept on disk, going on from whatever of it an earlier attempt has stored.

        Parameters
        ----------
        run_id : str
            The run that was begun for it; empty if there is none.
        record : RunRecord
        spool_id : str
            Tags the run if it has to be created, so that the next attempt finds it.
        """
        tags = {**record.tags, "spool_id": spool_id}
        with mlflow_errors(self.uri):
            begun = self.client.search_runs(
                [self.experiment_id], f"attributes.run_id = '{run_id}'" if run_id else f"tags.spool_id = '{spool_id}'"
            )
        if not begun:
            self.fill(self.start(record.name, tags, record.start_ms), record)
        elif begun[0].info.status != record.status:
            self.fill(begun[0].info.run_id, record)

    def update(self, run_id: str, update: RunUpdate, now_ms: int) -> None:
        """Add to a run that is under way, and end it if the update says so."""
        from mlflow.entities import Metric, RunTag

        metrics = [Metric(key, float(value), now_ms, 0) for key, value in update.metrics.items()]
        with mlflow_errors(self.uri):
            self.client.log_batch(run_id, metrics, tags=[RunTag(key, value) for key, value in update.tags.items()])
            self._log_artifacts(run_id, update.artifacts)
            if update.status:
                self.client.set_terminated(run_id, update.status, now_ms)

    def tag_experiment(self, key: str, value: str) -> None:
        """Set a tag of the experiment."""
        with mlflow_errors(self.uri):
            self.client.set_experiment_tag(self.experiment_id, key, value)

    def _log_artifacts(self, run_id: str, artifacts: Mapping[str, bytes]) -> None:
        if not artifacts:
            return
        with tempfile.TemporaryDirectory() as folder:
            for name, content in artifacts.items():
                (Path(folder) / name).write_bytes(content)
            self.client.log_artifacts(run_id, folder)
