"""Records to write, real stores to write them to, and everything that MLflow tells of a run."""

import json
import os
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from experiments.tracking.creation import make_schema, sqlite_uri
from experiments.tracking.database import SqliteDatabase
from experiments.tracking.record import Curve, RunRecord

LOGGED_TABLE = json.dumps([{"path": "predictions.json", "type": "table"}])


def make_record(seed: int, **changes: Any) -> RunRecord:
    rng = np.random.default_rng(seed)
    steps = np.unique(np.round(10 ** (np.arange(160) / 40))).astype(np.int64)
    table = {"columns": ["pattern", "target", "prediction"], "data": [["0-1-1", 1.0, rng.random()]]}
    fields: dict[str, Any] = {
        "name": f"lr=0.5 hidden=4 seed={seed}",
        "params": {"lr": "0.5", "hidden": "[8,4]", "seed": str(seed), "init.low": "0.0", "bias": "null"},
        "metrics": {"final_loss": rng.random(), "converged": 1.0, "prediction/0-1-1": rng.random()},
        "step": int(steps[-1]),
        "curves": {"loss": Curve(np.append(np.int64(0), steps), rng.random(len(steps) + 1))},
        "tags": {
            "sweep_id": "a" * 32,
            "mlflow.parentRunId": "a" * 32,
            "config_hash": f"{seed:032x}",
            "mlflow.loggedArtifacts": LOGGED_TABLE,
        },
        "artifacts": {
            "predictions.json": json.dumps(table).encode(),
            "weights.npz": rng.bytes(700),
            "config.yaml": b"lr: 0.5\n",
        },
        "start_ms": 1_700_000_000_000 + seed,
        "end_ms": 1_700_000_009_000,
    }
    return RunRecord(**{**fields, **changes})


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Leave the deprecations inside MLflow and what it is built on to their makers."""
    here = Path(__file__).parent
    for item in items:
        if here in item.path.parents:
            item.add_marker(pytest.mark.filterwarnings("ignore::DeprecationWarning"))


@pytest.fixture
def record() -> Callable[..., RunRecord]:
    """Make a record of a run with a given seed, some of its fields changed."""
    return make_record


@pytest.fixture(autouse=True)
def empty_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Work in an empty folder, with no tracking server set."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    return tmp_path


@pytest.fixture(scope="session")
def sqlite_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Make one empty SQLite store; copying it saves every test the seconds of a schema migration."""
    path = tmp_path_factory.mktemp("template") / "mlflow.db"
    make_schema(sqlite_uri(path), SqliteDatabase(path))
    return path


@pytest.fixture
def sqlite_folder(empty_folder: Path, sqlite_template: Path) -> Path:
    """Work in a folder with an empty SQLite store."""
    (empty_folder / "mlflow.db").write_bytes(sqlite_template.read_bytes())
    return empty_folder


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class Server:
    """A real tracking server on this machine, which can be killed and started again."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.port = free_port()
        self.uri = f"http://127.0.0.1:{self.port}"
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        command = [sys.executable, "-m", "mlflow", "server", "--host", "127.0.0.1", "--port", str(self.port)]
        command += ["--backend-store-uri", f"sqlite:///{self.folder}/mlflow.db", "--workers", "1"]
        command += ["--artifacts-destination", f"{self.folder}/artifacts"]
        with (self.folder / "server.log").open("ab") as log:
            environment = {k: v for k, v in os.environ.items() if k != "MLFLOW_TRACKING_URI"}
            self.process = subprocess.Popen(
                command, cwd=self.folder, stdout=log, stderr=log, start_new_session=True, env=environment
            )
        deadline = time.monotonic() + 90
        while time.monotonic() < deadline:
            with suppress(OSError), urllib.request.urlopen(f"{self.uri}/health", timeout=2) as answer:
                if answer.status == 200:
                    return
            time.sleep(0.1)
        raise AssertionError((self.folder / "server.log").read_text())

    def kill(self) -> None:
        if self.process is not None:
            with suppress(ProcessLookupError):
                os.killpg(self.process.pid, 9)
            self.process.wait()
            self.process = None


@pytest.fixture(scope="session")
def shared_server(tmp_path_factory: pytest.TempPathFactory, sqlite_template: Path) -> Iterator[Server]:
    """Run one tracking server for all tests that do not kill it."""
    folder = tmp_path_factory.mktemp("server")
    (folder / "mlflow.db").write_bytes(sqlite_template.read_bytes())
    server = Server(folder)
    with ExitStack() as cleanup:
        cleanup.callback(server.kill)
        server.start()
        yield server
