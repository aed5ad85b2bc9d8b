"""Artifacts of a run: small files, given as bytes."""

import shutil
import tempfile
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import unquote, urlparse

from tracking.errors import TrackingError, explain_os


def local_folder(artifact_uri: str) -> Path | None:
    """Folder that an artifact URI names; None if it names something behind a service."""
    parsed = urlparse(artifact_uri)
    if parsed.scheme == "file":
        return Path(unquote(parsed.path))
    return None if parsed.scheme else Path(unquote(artifact_uri))


def try_to_write(folder: Path) -> None:
    """Find out whether something can be written below a folder, which need not exist yet, and leave no trace of it.

    Raises
    ------
    OSError
        If not.
    """
    while not folder.exists():
        folder = folder.parent
    with tempfile.TemporaryFile(dir=folder):
        pass


def require_writable(artifact_uri: str) -> None:
    """Make sure that artifacts can be written, as far as they go to a folder.

    Raises
    ------
    TrackingError
        If they cannot.
    """
    folder = local_folder(artifact_uri)
    if folder is not None:
        try:
            try_to_write(folder)
        except OSError as error:
            raise explain_os(error, folder) from error


def save(artifact_uri: str, artifacts: Mapping[str, bytes]) -> None:
    """Write artifacts where a run keeps them.

    Parameters
    ----------
    artifact_uri : str
        A local folder, or whatever MLflow has an artifact repository for.
    artifacts : mapping of str to bytes
        Content by plain file name.

    Raises
    ------
    TrackingError
        If they cannot be written.
    """
    if not artifacts:
        return
    folder = local_folder(artifact_uri)
    if folder is None:
        _upload(artifact_uri, artifacts)
        return
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for name, content in artifacts.items():
            (folder / name).write_bytes(content)
    except OSError as error:
        raise explain_os(error, folder) from error


def forget(artifact_uri: str) -> None:
    """Remove the folder of a run that did not come to be, as far as possible."""
    folder = local_folder(artifact_uri)
    if folder is not None:
        shutil.rmtree(folder.parent, ignore_errors=True)


def _upload(artifact_uri: str, artifacts: Mapping[str, bytes]) -> None:
    if artifact_uri.startswith("mlflow-artifacts:"):
        raise TrackingError(
            f"this experiment keeps its artifacts behind a tracking server ({artifact_uri}): "
            "set MLFLOW_TRACKING_URI to the server's address, or choose another experiment"
        )
    from mlflow.store.artifact.artifact_repository_registry import get_artifact_repository

    with tempfile.TemporaryDirectory() as folder:
        for name, content in artifacts.items():
            (Path(folder) / name).write_bytes(content)
        get_artifact_repository(artifact_uri).log_artifacts(folder)  # type: ignore[no-untyped-call]
