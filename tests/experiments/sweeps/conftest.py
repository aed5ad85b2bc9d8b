"""Sweeps launched as a user launches them, and read back through MLflow's own client."""

import contextlib
import csv
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from functools import cached_property
from multiprocessing.process import BaseProcess
from pathlib import Path
from textwrap import dedent, indent
from typing import Any

import forked
import pytest
from mlflow import MlflowClient
from mlflow.entities import Run

from tracking.store import open_store

PATIENCE_S = 120
"""How long anything may take; nothing does."""

OF_THIS_RUN = {"sweep_id", "mlflow.parentRunId", "mlflow.note.content"}
"""Tags in which equal runs of different sweeps differ."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Leave the deprecations inside MLflow and what it is built on to their makers."""
    here = Path(__file__).parent
    for item in items:
        if here in item.path.parents:
            item.add_marker(pytest.mark.filterwarnings("ignore::DeprecationWarning"))


_SITECUSTOMIZE = """
import functools, importlib.abc, importlib.util, os, signal, sys

def interrupt(number=signal.SIGINT):
    os.kill(os.getpid(), number)

def before(owner, name, action):
    original = getattr(owner, name)
    @functools.wraps(original)
    def changed(*arguments, **options):
        action(*arguments, **options)
        return original(*arguments, **options)
    setattr(owner, name, changed)

def change(module):
{change}

class Saboteur(importlib.abc.MetaPathFinder):
    def find_spec(self, name, path, target=None):
        if name != {module!r}:
            return None
        sys.meta_path.remove(self)
        spec = importlib.util.find_spec(name)
        execute = spec.loader.exec_module
        def exec_module(module):
            execute(module)
            change(module)
        spec.loader.exec_module = exec_module
        return spec

sys.meta_path.insert(0, Saboteur())
"""


def _inherited() -> dict[str, str]:
    return {key: value for key, value in os.environ.items() if not key.startswith(("MLFLOW_", "HYDRA_"))}


class Folder:
    """A folder that somebody works in."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.started: dict[subprocess.Popen[str], Path] = {}
        self.forked: dict[BaseProcess, Path] = {}

    def start(self, *arguments: str, **environment: str) -> subprocess.Popen[str]:
        """Start ``python -m experiments.train``, in a session of its own, so that a test can be its terminal."""
        output = self.path.with_name(
            f"{self.path.name}-output-{len(self.started)}"
        )  # a pipe that nobody reads fills up
        with output.open("w") as stream:
            process = subprocess.Popen(
                [sys.executable, "-m", "experiments.train", *arguments],
                cwd=self.path,
                env={**_inherited(), **environment},
                stdin=subprocess.DEVNULL,
                stdout=stream,
                stderr=stream,
                text=True,
                start_new_session=True,
            )
        self.started[process] = output
        return process

    def finish(self, process: subprocess.Popen[str], code: int = 0) -> str:
        """Wait until a program ends; returns what it printed."""
        process.wait(timeout=PATIENCE_S)
        output = self.started[process].read_text()
        assert process.returncode == code, output
        return output

    def train(self, *arguments: str, code: int = 0, **environment: str) -> str:
        """Run ``python -m experiments.train`` to its end; returns what it printed."""
        return self.joined(self.fork(*arguments, **environment), code)

    def joined(self, process: BaseProcess, code: int = 0) -> str:
        """Wait until a program that was forked ends; returns what it printed."""
        process.join(timeout=PATIENCE_S)
        printed = self.forked[process].read_text()
        assert process.exitcode == code, printed
        return printed

    def fork(self, *arguments: str, **environment: str) -> BaseProcess:
        """Start ``python -m experiments.train`` in less time than `start`; see `forked`."""
        output = self.path.with_name(f"{self.path.name}-forked-{len(self.forked)}")
        process = forked.start(
            "-m", "experiments.train", *arguments,
            folder=self.path, environment={**_inherited(), **environment}, stdout=output,
        )  # fmt: skip
        self.forked[process] = output
        return process

    def sabotage(self, module: str, change: str) -> dict[str, str]:
        """Return the environment of a program in which a module is changed as soon as it has been imported.

        Parameters
        ----------
        module : str
        change : str
            Statements; ``interrupt()`` is a Ctrl-C, ``before(owner, name, action)`` has something done before each
            call of a function, which the action is told the arguments of.
        """
        folder = self.path.with_name(f"{self.path.name}-sabotage")
        folder.mkdir(exist_ok=True)
        (folder / "sitecustomize.py").write_text(
            _SITECUSTOMIZE.format(module=module, change=indent(dedent(change), "    "))
        )
        return {"PYTHONPATH": str(folder)}

    def stop(self) -> None:
        """Leave nothing behind that still runs."""
        for process in self.forked:
            forked.end(process)
        for process in self.started:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()

    @cached_property
    def client(self) -> MlflowClient:
        """MLflow's client for the folder's store."""
        return MlflowClient(f"sqlite:///{self.path}/mlflow.db")

    def runs(self, matching: str = "", experiment: str = "xor") -> list[Run]:
        """All runs of an experiment that match, but those of conditions, in the order in which they were made."""
        found = self.client.get_experiment_by_name(experiment)
        if found is None:
            return []
        order = ["attributes.start_time ASC", "attributes.run_id ASC"]
        found_runs = self.client.search_runs([found.experiment_id], matching, max_results=50_000, order_by=order)
        return [run for run in found_runs if run.data.tags.get("kind") != "condition"]

    def sweeps(self, experiment: str = "xor") -> list[Run]:
        """The parent runs."""
        return self.runs("tags.kind = 'sweep'", experiment)

    def children(self, sweep: Run) -> list[Run]:
        """The runs that a sweep made."""
        return self.runs(
            f"tags.sweep_id = '{sweep.info.run_id}' AND tags.kind = 'trial'",
            self.client.get_experiment(sweep.info.experiment_id).name,
        )

    def conditions(self, sweep: Run) -> list[Run]:
        """The runs of a sweep that say what the trials of a condition say together."""
        matching = f"tags.sweep_id = '{sweep.info.run_id}' AND tags.kind = 'condition'"
        return list(self.client.search_runs([sweep.info.experiment_id], matching, order_by=["metrics.rank"]))

    def artifacts(self, run: Run) -> dict[str, bytes]:
        """Content of all of a run's files."""
        names = [file.path for file in self.client.list_artifacts(run.info.run_id)]
        if not names:
            return {}
        folder = Path(self.client.download_artifacts(run.info.run_id, ""))
        return {name: (folder / name).read_bytes() for name in names}

    def jobs(self, sweep: Run) -> list[dict[str, str]]:
        """The table of a sweep's jobs."""
        return list(csv.DictReader(self.artifacts(sweep)["jobs.csv"].decode().splitlines()))

    def content(self, run: Run) -> dict[str, Any]:
        """All that MLflow tells of a run, but when, where and for which sweep it was made."""
        histories = {key: self.client.get_metric_history(run.info.run_id, key) for key in run.data.metrics}
        return {
            "name": run.info.run_name,
            "status": run.info.status,
            "params": run.data.params,
            "metrics": {key: [(point.step, point.value) for point in points] for key, points in histories.items()},
            "tags": {key: value for key, value in run.data.tags.items() if key not in OF_THIS_RUN},
            "artifacts": self.artifacts(run),
        }

    def contents(self, sweep: Run) -> dict[str, dict[str, Any]]:
        """The content of all runs that a sweep made, by their configuration."""
        children = self.children(sweep)
        found = {run.data.tags["config_hash"]: self.content(run) for run in children}
        assert len(found) == len(children)
        return found


@pytest.fixture(scope="module")
def new_folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[], Folder]]:
    """Make an empty folder."""
    made: list[Folder] = []

    def make() -> Folder:
        made.append(Folder(tmp_path_factory.mktemp("folder")))
        return made[-1]

    yield make
    for folder in made:
        folder.stop()


@pytest.fixture(scope="module")
def folder_with_store(new_folder: Callable[[], Folder], empty_store: Path) -> Callable[[], Folder]:
    """Make a folder that has a store already."""

    def make() -> Folder:
        folder = new_folder()
        shutil.copy(empty_store, folder.path)
        with contextlib.chdir(folder.path):
            open_store("xor")
        return folder

    return make
