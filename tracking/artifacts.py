"""Artifacts of a run: small files, given and returned as bytes."""

import os
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlparse

from tracking import disk
from tracking.addresses import is_server
from tracking.client import mlflow_errors
from tracking.errors import TrackingError, UnreadableFileError

if TYPE_CHECKING:
    from mlflow.store.artifact.artifact_repo import ArtifactRepository


def local_folder(artifact_uri: str) -> Path | None:
    """Folder that an artifact URI names; None if it names something behind a service."""
    parsed = urlparse(artifact_uri)
    if parsed.scheme == "file":
        return Path(unquote(parsed.path))
    return None if parsed.scheme else Path(unquote(artifact_uri))


def require_writable(artifact_uri: str) -> None:
    """Make sure that artifacts can be written, as far as they go to a folder; raises `TrackingError` if not."""
    folder = local_folder(artifact_uri)
    if folder is not None:
        disk.require_writable_folder(folder)


def save(tracking_uri: str, artifact_uri: str, artifacts: Mapping[str, bytes]) -> None:
    """Write artifacts where a run keeps them: a local folder, or whatever MLflow has an artifact repository for.

    A file's name may begin with that of a folder, ``figures/rate.png``. In a folder, a file that is there already is
    replaced whole or not at all. Raises `TrackingError` if they cannot be written.
    """
    if not artifacts:
        return
    folder = local_folder(artifact_uri)
    if folder is not None:
        _write(folder, artifacts)
        return
    with tempfile.TemporaryDirectory() as draft, _repository(tracking_uri, artifact_uri) as repository:
        _write(Path(draft), artifacts)
        repository.log_artifacts(draft)  # type: ignore[no-untyped-call]


def read(tracking_uri: str, artifact_uri: str, name: str) -> bytes | None:
    """Read an artifact of a run; None if it has no such file. Raises `TrackingError` if it cannot be read."""
    folder = local_folder(artifact_uri)
    if folder is not None:
        try:
            return (folder / name).read_bytes()
        except FileNotFoundError:
            return None
        except OSError as error:
            raise UnreadableFileError(f"{folder / name} cannot be read: {error.strerror or error}") from error
    with tempfile.TemporaryDirectory() as downloads, _repository(tracking_uri, artifact_uri) as repository:
        above = name.rpartition("/")[0] or None
        if name not in {entry.path for entry in repository.list_artifacts(above)}:
            return None
        return Path(repository.download_artifacts(name, downloads)).read_bytes()  # type: ignore[no-untyped-call]


def forget(artifact_uri: str) -> None:
    """Remove the folder of a run that did not come to be, as far as possible."""
    folder = local_folder(artifact_uri)
    if folder is not None:
        shutil.rmtree(folder.parent, ignore_errors=True)


def _write(folder: Path, artifacts: Mapping[str, bytes]) -> None:
    with disk.explained(folder):
        folder.mkdir(parents=True, exist_ok=True)
        for name, content in artifacts.items():
            path = folder / name
            if "/" in name:
                path.parent.mkdir(exist_ok=True)
            if not path.exists():
                path.write_bytes(content)
                continue
            draft = path.with_name(f".{path.name}.{os.getpid()}")
            try:
                draft.write_bytes(content)
                draft.replace(path)
            finally:
                draft.unlink(missing_ok=True)


@contextmanager
def _repository(tracking_uri: str, artifact_uri: str) -> "Iterator[ArtifactRepository]":
    if artifact_uri.startswith("mlflow-artifacts:") and not is_server(tracking_uri):
        raise TrackingError(
            f"this experiment keeps its artifacts behind a tracking server ({artifact_uri}): "
            "set MLFLOW_TRACKING_URI to the server's address, or choose another experiment"
        )
    with mlflow_errors(tracking_uri):
        from mlflow.store.artifact.artifact_repository_registry import get_artifact_repository

        yield get_artifact_repository(artifact_uri, tracking_uri=tracking_uri)
