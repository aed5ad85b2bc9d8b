"""What tests of more than one package need: patience, and a server that is known to answer."""

import gc
import os
import subprocess
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Any
from unittest import mock

import pytest
from hypothesis import settings

# A shared machine may be slow; how slow is no property of the code.
settings.register_profile("untimed", deadline=None)
settings.load_profile("untimed")

gc.set_threshold(50_000)  # as the commands do: much is imported, and stays

WaitForServer = Callable[["subprocess.Popen[Any]", int], None]


@pytest.fixture(autouse=True)
def environment_of_its_own() -> Iterator[None]:
    """What a test changes in the environment ends with it; `mlflow.set_tracking_uri` changes it too."""
    with mock.patch.dict(os.environ):
        os.environ.pop("MLFLOW_TRACKING_URI", None)
        yield


@pytest.fixture(scope="session")
def wait_for_server() -> WaitForServer:
    """Wait until an MLflow server answers at a port; its own log says so before it listens."""

    def wait(process: "subprocess.Popen[Any]", port: int) -> None:
        while not _answers(port):
            with suppress(subprocess.TimeoutExpired):
                process.wait(timeout=0.1)
            assert process.poll() is None, "the server ended"

    return wait


def _answers(port: int) -> bool:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/health", timeout=5) as answer:
            return bool(answer.status == 200)
    except OSError:
        return False
