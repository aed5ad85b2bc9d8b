"""What a person sees: the MLflow UI that ``sweeps ui`` opens, in a real browser."""

import html
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

pytestmark = [
    pytest.mark.services,
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),  # inside MLflow and what it is built on
]

QUIET = [
    "--headless=new",
    "--no-sandbox",
    "--disable-gpu",
    "--no-first-run",
    "--disable-quic",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("swept")
    sweep = ["-m", "experiments.train", "-m", "lr=0.5,2.0", "seed=0,1", "epochs=2000"]
    subprocess.run([sys.executable, *sweep], cwd=folder, check=True, capture_output=True, timeout=120)
    return folder


@pytest.fixture(scope="module")
def link(folder: Path) -> Iterator[str]:
    """The address that the command prints, once its server has said that it is up."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    server = subprocess.Popen(
        [sys.executable, "-m", "experiments.sweeps", "ui", "--port", str(port)],
        cwd=folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )
    assert server.stdout is not None
    address = ""
    for line in server.stdout:
        if found := re.search(r"http://\S+#\S+", line):
            address = found[0]
        if "Application startup complete" in line:
            break
    assert address, "the server ended without having said where it is"
    yield address
    os.killpg(server.pid, signal.SIGTERM)
    server.stdout.close()
    server.wait(30)


def page(address: str, profile: Path) -> str:
    """The page's text once its scripts have run, as a browser holds it."""
    browser = shutil.which("chromium") or shutil.which("google-chrome")
    assert browser, "these tests need Chromium"
    dump = [browser, *QUIET, f"--user-data-dir={profile}", "--window-size=1800,1200", "--virtual-time-budget=30000"]
    done = subprocess.run([*dump, "--dump-dom", address], capture_output=True, text=True, timeout=150, check=True)
    return html.unescape(re.sub(r"<[^>]+>", " ", done.stdout))


def test_the_link_shows_the_sweep_s_runs_and_their_curves(link: str, tmp_path: Path) -> None:
    text = page(link, tmp_path)
    for name in (
        "lr=0.5 hidden=4 seed=0",
        "lr=0.5 hidden=4 seed=1",
        "lr=2.0 hidden=4 seed=0",
        "lr=2.0 hidden=4 seed=1",
    ):
        assert name in text, f"{name} is not on the page: {text[:2000]}"
    assert "4 matching runs" in re.sub(r"\s+", " ", text)
    assert "loss" in text
    assert "prediction/0-1-1" in text


def test_the_parent_says_what_came_of_the_sweep(link: str, folder: Path, tmp_path: Path) -> None:
    from mlflow import MlflowClient

    client = MlflowClient(f"sqlite:///{folder / 'mlflow.db'}")
    experiment = client.get_experiment_by_name("xor")
    assert experiment is not None
    (parent,) = client.search_runs([experiment.experiment_id], "tags.kind = 'sweep'")
    base = link.split("#")[0]
    text = page(f"{base}#/experiments/{experiment.experiment_id}/runs/{parent.info.run_id}", tmp_path)
    assert "95% interval" in text, text[:2000]
