import logging
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from hydra import initialize_config_dir
from hydra.core.config_loader import ConfigLoader
from hydra.core.global_hydra import GlobalHydra

from experiments import config, jobs, train
from experiments.jobs import Job
from nn_core import GradientDescent, Tolerance, Uniform, Xor


@pytest.fixture(scope="module")
def loader() -> Iterator[ConfigLoader]:
    """Hydra's, over the folder that users get."""
    config.register()
    GlobalHydra.instance().clear()
    with initialize_config_dir(str(config.CONF), version_base="1.3"):
        found = GlobalHydra.instance().config_loader()
        GlobalHydra.instance().clear()  # the command line, run in this process, wants it clear
        yield found


Expand = Callable[..., list[Job]]


@pytest.fixture(scope="module")
def expand(loader: ConfigLoader) -> Expand:
    def expanded(*arguments: str, of_hydra: Sequence[str] = (), most: int = 10_000) -> list[Job]:
        return jobs.expand(loader, "train", of_hydra, arguments, most)

    return expanded


MakeJob = Callable[..., Job]


@pytest.fixture(scope="session")
def make_job() -> MakeJob:
    """A job that trains in no time, unless told otherwise."""

    def made(**changes: Any) -> Job:
        usual = {
            "task": Xor(),
            "init": Uniform(),
            "optimizer": GradientDescent(),
            "criterion": Tolerance(),
            "epochs": 30,
            "engine": "numpy",
        }
        return Job((), config.Config(**{**usual, **changes}))

    return made


@dataclass(frozen=True)
class Answer:
    """What a command line gave."""

    code: int
    out: str
    err: str


CommandLine = Callable[..., Answer]


@pytest.fixture
def train_here(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Iterator[CommandLine]:
    """``python -m experiments.train``, in this process and an empty folder."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level

    def run(*arguments: str) -> Answer:
        GlobalHydra.instance().clear()
        monkeypatch.setattr(sys, "argv", ["train.py", *arguments])
        capsys.readouterr()
        try:
            train.main()
            code = 0
        except SystemExit as stop:  # what the interpreter makes of it
            if isinstance(stop.code, str):
                print(stop.code, file=sys.stderr)
            code = stop.code if isinstance(stop.code, int) else int(stop.code is not None)
        finally:
            for handler in set(root.handlers) - set(handlers):
                handler.close()
            root.handlers, root.level = handlers[:], level
        captured = capsys.readouterr()
        return Answer(code, captured.out, captured.err)

    yield run
    GlobalHydra.instance().clear()


@pytest.fixture
def traces() -> Callable[[Path], list[str]]:
    """What a folder holds that only a tracked run would leave there."""

    def found(folder: Path) -> list[str]:
        return sorted({path.name for path in folder.iterdir()} - {"outputs", "multirun"})

    return found
