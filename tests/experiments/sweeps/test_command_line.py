"""The command line as Hydra's users know it: one run, help, completion, and Hydra's own options."""

import os
import pty
import re
import select
import subprocess
import sys
import termios
import time
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

FAST = ("engine=numpy", "epochs=20")


@pytest.fixture(scope="module")
def folder(folder_with_store: Callable) -> "Folder":  # noqa: F821
    return folder_with_store()


def test_one_run_prints_its_predictions_beside_the_expected_values(folder) -> None:
    output = folder.train("epochs=3000", "lr=0.5")
    (run,) = folder.runs("params.epochs = '3000'")
    table = [line.split() for line in output.splitlines() if re.match(r"\s*\d-\d-\d ", line)]
    assert [(name, float(expected)) for name, expected, _ in table] == [
        ("0-0-1", 0.0), ("0-1-1", 1.0), ("1-0-1", 1.0), ("1-1-1", 0.0),
    ]  # fmt: skip
    for name, expected, predicted in table:
        assert float(predicted) == pytest.approx(run.data.metrics[f"prediction/{name}"], abs=5e-5)
        assert abs(float(predicted) - float(expected)) < 0.4
    assert run.info.run_id in output
    assert run.data.metrics["converged"] == 1
    assert f"{run.data.metrics['epochs_to_converge']:.0f} epochs" in output


def test_a_single_run_says_where_it_comes_from(folder) -> None:
    folder.train(*FAST, "seed=77")
    (run,) = folder.runs("params.seed = '77'")
    assert run.data.tags["command"] == "python -m experiments.train engine=numpy epochs=20 seed=77"
    assert run.data.tags["engine"] == "numpy"
    assert len(run.data.tags["git_commit"]) == 40
    assert "sweep_id" not in run.data.tags
    assert "mlflow.parentRunId" not in run.data.tags
    assert run.info.run_name == "lr=0.1 hidden=4 seed=77"


def test_a_single_run_always_runs(folder) -> None:
    for _ in range(2):
        folder.train(*FAST, "seed=78", "hydra.job.chdir=true")
    assert len(folder.runs("params.seed = '78'")) == 2
    assert [path.parent for path in folder.path.rglob("mlflow.db")] == [folder.path]


@pytest.mark.parametrize(
    ("arguments", "jobs"),
    [
        (("-m",), 1),
        (("seed=range(102,104)", "hydra.mode=MULTIRUN"), 2),
        (("-m", "seed=104", "hidden=[2,3],[4]", "lr=choice(0.1,0.2,0.3)", "hydra.job.chdir=true"), 6),
        (("--multirun", "seed=107", "optimizer=gradient_descent,momentum", "init=glob(*,exclude=fixed)"), 6),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else None,
)
def test_sweeps(folder, arguments: tuple[str, ...], jobs: int) -> None:
    folder.train(*arguments, *FAST)
    sweep = folder.sweeps()[-1]
    assert len(folder.jobs(sweep)) == jobs == len(folder.children(sweep))
    assert sweep.info.status == "FINISHED"


def test_the_folder_that_hydra_is_told(folder) -> None:
    for seed in (200, 201):
        folder.train("-m", *FAST, f"seed={seed}", "hydra.sweep.dir=out/here")
    assert {path.name for path in (folder.path / "out" / "here").iterdir()} == {
        "multirun.yaml", "jobs.csv", "train.log",
    }  # fmt: skip
    log = (folder.path / "out" / "here" / "train.log").read_text()
    assert log.count("1 job: 1 to do") == 2


def test_studies_of_different_experiments_are_sweeps_of_their_own(folder) -> None:
    (folder.path / "mine" / "study").mkdir(parents=True)
    for name in ("one", "two"):
        content = f"# @package _global_\nexperiment: {name}\nhydra:\n  sweeper:\n    params:\n      seed: range(3)\n"
        (folder.path / "mine" / "study" / f"{name}.yaml").write_text(content)
    folder.train("-m", "--config-dir", "mine", *FAST, "+study=one,two")
    for name in ("one", "two"):
        (sweep,) = folder.sweeps(name)
        assert len(folder.children(sweep)) == len(folder.jobs(sweep)) == 3


def test_hydra_s_own_options(folder, tmp_path: Path) -> None:
    shown = yaml.safe_load(folder.train("lr=0.7", "--cfg", "job", "--resolve"))
    assert shown["lr"] == 0.7
    values = {"low": 0.0, "high": 1.0, "target_low": 0.0, "target_high": 1.0}
    assert shown["task"] == {"name": "xor", **values, "coding": "unit"}
    assert "AtlasSweeper" in folder.train("--cfg", "hydra", "--package", "hydra.sweeper")
    assert "EnsembleLauncher" in folder.train("--info", "plugins")
    usage = folder.train("--help")
    assert "optimizer: adam, gradient_descent, momentum, quickprop, rprop" in usage


def test_a_pickle_is_not_read(folder, tmp_path: Path) -> None:
    output = folder.train("--experimental-rerun", str(tmp_path / "config.pickle"), code=1)
    assert output.startswith("--experimental-rerun is not supported")


@pytest.mark.parametrize("arguments", [["experiments.train", "--help"], ["experiments.sweeps", "status"]])
def test_a_reader_that_leaves_ends_the_command_quietly(folder, arguments: list[str]) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    command = [sys.executable, "-m", *arguments]
    done = subprocess.run(command, cwd=folder.path, stdout=writing, stderr=subprocess.PIPE, check=False)
    os.close(writing)
    assert (done.returncode, done.stderr) == (141, b"")


def complete(line: str) -> set[str]:
    done = subprocess.run(
        [sys.executable, "-m", "experiments.train", "-sc", "query=bash"],
        env={**os.environ, "COMP_LINE": line}, capture_output=True, text=True, check=True,
    )  # fmt: skip
    return set(done.stdout.split())


def test_completion_knows_keys_groups_and_studies() -> None:
    assert complete("python -m experiments.train hid") == {"hidden="}
    assert complete(".venv/bin/python3 -m experiments.train -m lr=0.1 optimizer=momentum optimizer.") == {
        "optimizer.momentum=", "optimizer.scaled=",
    }  # fmt: skip
    assert complete("python -m experiments.train lr=1 engine=") == {"engine=auto", "engine=numba", "engine=numpy"}
    assert complete("python -m experiments.train -m activation=s") >= {"activation=sigmoid", "activation=tanh"}
    assert complete("python -m experiments.train dry_run=") == {"dry_run=true", "dry_run=false"}
    studies = {path.stem for path in (Path(__file__).parents[3] / "conf" / "study").glob("*.yaml")}
    assert complete("python -m experiments.train +study=") == {f"+study={name}" for name in studies}


def test_the_tab_key(folder) -> None:
    """In an interactive bash, on a terminal."""
    pid, terminal = pty.fork()
    if pid == 0:
        os.chdir(folder.path)
        os.environ |= {"PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}", "PS1": "$ ", "TERM": "dumb"}
        os.execvp("bash", ["bash", "--norc", "--noprofile", "-i"])
    try:
        os.write(terminal, b'eval "$(python -m experiments.train -sc install=bash)"; echo rea""dy\n')
        read_until(terminal, "ready")
        os.write(terminal, b"python -m experiments.train optimizer=mo\thid\t")
        read_until(terminal, "experiments.train optimizer=momentumhid")
        os.write(terminal, b"\x15python -m experiments.train lr=0.1 hid\t")
        read_until(terminal, "lr=0.1 hidden=")
    finally:
        os.kill(pid, 9)
        os.waitpid(pid, 0)
        os.close(terminal)


def read_until(terminal: int, wanted: str) -> None:
    seen, deadline = "", time.monotonic() + 60
    while wanted not in seen.replace("\r", ""):
        readable, _, _ = select.select([terminal], [], [], max(0.0, deadline - time.monotonic()))
        assert readable, seen
        seen += os.read(terminal, 4096).decode()


def test_the_progress_bar_and_the_log_share_a_terminal(folder) -> None:
    """The log's lines stay whole, and what is left on the screen ends with the bar complete."""
    speak_up = """
    import logging
    before(module, "start", lambda configs: logging.getLogger("nn_core").warning("compiling"))
    """
    changed = folder.sabotage("experiments.ensemble", speak_up)
    pid, terminal = pty.fork()
    if pid == 0:
        os.chdir(folder.path)
        os.environ |= changed
        arguments = ["-m", "experiments.train", "-m", *FAST, "seed=range(300,303)", "hidden=2,3"]
        os.execv(sys.executable, [sys.executable, *arguments])
    termios.tcsetwinsize(terminal, (24, 120))
    seen = b""
    try:
        while chunk := os.read(terminal, 4096):
            seen += chunk
    except OSError:  # how a terminal says that nobody is left at its other end
        pass
    os.close(terminal)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
    lines = re.split(r"[\r\n]+", re.sub(r"\x1b\[[0-9;]*[A-Za-z]", "", seen.decode()))
    logged = [line for line in lines if "compiling" in line]
    assert len(logged) == 2
    assert all(re.fullmatch(r"\[[^]]+\]\[nn_core\]\[WARNING\] - compiling", line.strip()) for line in logged)
    bars = [line for line in lines if "run/s" in line]
    assert bars
    assert "6/6" in bars[-1]
    (log,) = (path for path in folder.path.glob("multirun/*/*/train.log") if "compiling" in path.read_text())
    assert log.read_text().count("compiling") == 2
    assert "run/s" not in log.read_text()
