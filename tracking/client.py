"""MLflow's own client, and what it raises."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from tracking.addresses import is_server
from tracking.disk import explain
from tracking.errors import RESUME, LoginRefusedError, StoreUnreachableError, TrackingError, without_secrets

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import Run

RUNS_A_PAGE = 5000

_LOGIN = (401, 403)
_WANTS_LOGIN = (
    "the tracking server {uri} refuses the login ({status}): "
    "set MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD, or MLFLOW_TRACKING_TOKEN"
)


def mlflow_client(uri: str) -> "MlflowClient":
    """MLflow's client for a store (imports MLflow, which takes seconds)."""
    with mlflow_errors(uri):
        from mlflow import MlflowClient

        return MlflowClient(tracking_uri=uri, registry_uri=uri)


def search(
    client: "MlflowClient",
    experiments: list[str],
    matching: str,
    at_once: int = RUNS_A_PAGE,
    *,
    oldest_first: bool = False,
) -> "Iterator[Run]":
    """Ask for all runs of experiments, given by id, that a filter in MLflow's language finds, page by page."""
    order = [f"attributes.start_time {'ASC' if oldest_first else 'DESC'}"]
    page = client.search_runs(experiments, matching, max_results=at_once, order_by=order)
    yield from page
    while page.token:
        page = client.search_runs(experiments, matching, max_results=at_once, order_by=order, page_token=page.token)
        yield from page


@contextmanager
def mlflow_errors(uri: str) -> Iterator[None]:
    """Turn what MLflow raises into a `TrackingError` that names the store."""
    from mlflow.exceptions import MlflowException
    from requests import RequestException
    from sqlalchemy.exc import SQLAlchemyError

    remote, uri = is_server(uri), without_secrets(uri)
    try:
        yield
    except MlflowException as error:
        status = error.get_http_status_code()  # type: ignore[no-untyped-call]
        message = without_secrets(" ".join(error.message.split()))
        if "out-of-date database schema" in message:
            raise TrackingError(
                f"the store {uri} was made by another version of MLflow. Back it up, then: mlflow db upgrade {uri}"
            ) from error
        if remote and status in _LOGIN:
            raise LoginRefusedError(_WANTS_LOGIN.format(uri=uri, status=status)) from error
        if remote and status >= 500:
            # A failed connection is told at length and in terms of the libraries involved.
            detail = "" if "failed with exception" in message else f": {message[:500]}"
            raise StoreUnreachableError(f"the tracking server {uri} does not answer{detail}") from error
        raise TrackingError(f"the store {uri} refused: {message[:500]}. {RESUME}") from error
    except RequestException as error:
        status = 503 if error.response is None else error.response.status_code
        if status in _LOGIN:
            raise LoginRefusedError(_WANTS_LOGIN.format(uri=uri, status=status)) from error
        if status >= 500:
            raise StoreUnreachableError(
                f"the tracking server {uri} does not answer: {without_secrets(str(error))}"
            ) from error
        raise TrackingError(f"the tracking server {uri} refused: {without_secrets(str(error))}. {RESUME}") from error
    except SQLAlchemyError as error:
        detail = without_secrets(str(getattr(error, "orig", error)))
        raise TrackingError(f"the store {uri} refused: {detail[:500]}. {RESUME}") from error
    except OSError as error:
        raise explain(error, uri) from error
