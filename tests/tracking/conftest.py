"""Records to write, real stores to write them to, and everything that MLflow tells of a run."""

import json
import os
import shutil
import socket
import subprocess
import tempfile
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

import forked
import numpy as np
import pytest

from tracking.record import Curve, RunRecord

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
            "mlflow.note.content": "[itself](#/experiments/{experiment_id}/runs/{run_id})",
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


@pytest.fixture
def sqlite_folder(empty_folder: Path, empty_store: Path) -> Path:
    """Work in a folder with an empty SQLite store."""
    (empty_folder / "mlflow.db").write_bytes(empty_store.read_bytes())
    return empty_folder


class Wire:
    """Connects to a server, and can be cut: connections are refused then, and open ones end.

    Or the server answers, as one whose login has expired.
    """

    expired = False

    def __init__(self, port: int) -> None:
        self._server_port = port
        self._open: list[socket.socket] = []
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = int(self._listener.getsockname()[1])
        self.uri = f"http://127.0.0.1:{self.port}"
        self.mend()

    def mend(self) -> None:
        if self._listener.fileno() < 0:
            self._listener = socket.create_server(("127.0.0.1", self.port))
        threading.Thread(target=self._accept, args=(self._listener,), daemon=True).start()

    def cut(self) -> None:
        for connection in (self._listener, *self._open):
            with suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
            connection.close()
        self._open.clear()

    def expire(self) -> None:
        self.cut()
        self.expired = True
        self.mend()

    def renew(self) -> None:
        self.cut()
        self.expired = False
        self.mend()

    def _accept(self, listener: socket.socket) -> None:
        with suppress(OSError):
            while True:
                here, _ = listener.accept()
                if self.expired:
                    here.recv(65536)
                    here.sendall(b"HTTP/1.1 401 Unauthorized\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
                    here.close()
                    continue
                there = socket.create_connection(("127.0.0.1", self._server_port))
                self._open += [here, there]
                for source, sink in ((here, there), (there, here)):
                    threading.Thread(target=self._pass_on, args=(source, sink), daemon=True).start()

    @staticmethod
    def _pass_on(source: socket.socket, sink: socket.socket) -> None:
        with suppress(OSError):
            while content := source.recv(65536):
                sink.sendall(content)
        for connection in (source, sink):
            with suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
            connection.close()


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@dataclass(frozen=True)
class Server:
    """A real tracking server on this machine."""

    folder: Path
    port: int


@pytest.fixture(scope="session")
def tracking_server(
    tmp_path_factory: pytest.TempPathFactory,
    empty_store: Path,
    wait_for_server: Callable[[BaseProcess, int], None],
) -> Iterator[Server]:
    """Run one tracking server for all tests."""
    folder = tmp_path_factory.mktemp("server")
    (folder / "mlflow.db").write_bytes(empty_store.read_bytes())
    port = free_port()
    command = ["-m", "mlflow", "server", "--host", "127.0.0.1", "--port", str(port), "--workers", "1"]
    command += [
        "--backend-store-uri",
        f"sqlite:///{folder}/mlflow.db",
        "--artifacts-destination",
        f"{folder}/artifacts",
    ]
    environment = {key: value for key, value in os.environ.items() if key != "MLFLOW_TRACKING_URI"}
    environment["MLFLOW_SERVER_ENABLE_JOB_EXECUTION"] = "false"
    process = forked.start(*command, folder=folder, environment=environment, stdout=folder / "server.log")
    try:
        wait_for_server(process, port)
        yield Server(folder, port)
    finally:
        forked.end(process)


@pytest.fixture
def wire(tracking_server: Server, monkeypatch: pytest.MonkeyPatch) -> Iterator[Wire]:
    """Make the server the store, over a wire that can be cut, and let nobody wait for it."""
    wire = Wire(tracking_server.port)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", wire.uri)
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    yield wire
    wire.cut()


@dataclass
class Postgres:
    """A real PostgreSQL server on this machine, which can be stopped and started."""

    folder: Path
    binaries: Path

    def uri(self, database: str) -> str:
        return f"postgresql+psycopg://postgres@/{database}?host={self.folder}"

    def run(self, program: str, *arguments: str) -> None:
        # PostgreSQL refuses to be run by root.
        account = {"user": "postgres", "group": "postgres", "extra_groups": []} if os.getuid() == 0 else {}
        subprocess.run(
            [str(self.binaries / program), *arguments], check=True, capture_output=True, cwd=self.folder, **account
        )

    def start(self) -> None:
        options = f"-k {self.folder} -c listen_addresses= -c fsync=off"
        self.run("pg_ctl", "-D", "data", "-w", "-l", str(self.folder / "log"), "-o", options, "start")

    def stop(self) -> None:
        self.run("pg_ctl", "-D", "data", "-w", "-m", "immediate", "stop")


@pytest.fixture(scope="session")
def postgres() -> Iterator[Postgres]:
    """Run one PostgreSQL server for all tests."""
    installed = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
    binary = shutil.which("initdb") or str(installed[-1])
    folder = Path(tempfile.mkdtemp(prefix="pg"))  # pytest's own folders are too deep for a socket, and not for others
    postgres = Postgres(folder, Path(binary).resolve().parent)
    if os.getuid() == 0:
        shutil.chown(folder, "postgres", "postgres")
    try:
        postgres.run("initdb", "-D", "data", "-U", "postgres", "-A", "trust", "-E", "UTF8", "--no-sync")
        postgres.start()
        yield postgres
        postgres.stop()
    finally:
        shutil.rmtree(folder)


@pytest.fixture
def postgres_database(
    postgres: Postgres, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch, empty_folder: Path
) -> str:
    """Make an empty database, and make it the store."""
    name = f"t{abs(hash(request.node.nodeid))}"
    postgres.run("createdb", "-h", str(postgres.folder), "-U", "postgres", name)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", postgres.uri(name))
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "1")
    return postgres.uri(name)
