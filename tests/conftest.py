"""What tests of more than one package need: patience, a store, and a server that is known to answer."""

import gc
import os
import urllib.request
from collections.abc import Callable, Iterator
from multiprocessing.process import BaseProcess
from pathlib import Path
from unittest import mock

import pytest
from filelock import FileLock
from hypothesis import settings

from tracking.addresses import sqlite_uri
from tracking.creation import make_schema
from tracking.database import SqliteDatabase

# A shared machine may be slow; how slow is no property of the code.
settings.register_profile("untimed", deadline=None)
settings.load_profile("untimed")

gc.set_threshold(50_000)  # as the commands do: much is imported, and stays


def pytest_collection_finish() -> None:
    """Let nobody who collects garbage, as statsmodels does at each call, look at all that has been imported."""
    gc.freeze()


WaitForServer = Callable[[BaseProcess, int], None]


@pytest.fixture(autouse=True)
def environment_of_its_own() -> Iterator[None]:
    """What a test changes in the environment ends with it; `mlflow.set_tracking_uri` changes it too."""
    with mock.patch.dict(os.environ):
        os.environ.pop("MLFLOW_TRACKING_URI", None)
        yield


@pytest.fixture(scope="session")
def empty_store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One SQLite store for all processes of the tests; copying it saves the seconds of a schema migration."""
    folder = tmp_path_factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        folder = folder.parent
    path = folder / "mlflow.db"
    with FileLock(folder / "mlflow.db.lock"):
        if not path.exists():
            make_schema(SqliteDatabase(sqlite_uri(path)))
    return path


@pytest.fixture(scope="session")
def wait_for_server() -> WaitForServer:
    """Wait until an MLflow server answers at a port; its own log says so before it listens."""

    def wait(process: BaseProcess, port: int) -> None:
        while not _answers(port):
            process.join(timeout=0.1)
            assert process.is_alive(), "the server ended"

    return wait


def _answers(port: int) -> bool:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/health", timeout=5) as answer:
            return bool(answer.status == 200)
    except OSError:
        return False
