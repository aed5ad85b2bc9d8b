"""Sweeps from Python are those of the command line, as often as one likes, and leave nothing in this process."""

import logging
import os
import signal
from pathlib import Path

import pytest
from hydra.core.global_hydra import GlobalHydra

from experiments import SweepError, sweep
from tracking.store import open_reader

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")  # inside MLflow and what it is built on


def test_a_sweep_from_python_is_that_of_the_command_line(
    empty_store: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "other.db").write_bytes(empty_store.read_bytes())
    uri = f"sqlite:///{tmp_path / 'other.db'}"
    before = dict(os.environ), list(logging.root.handlers), signal.getsignal(signal.SIGINT)
    with pytest.raises(SweepError, match=r"lr=-1.0: valid is a finite number above 0") as refused:
        sweep("lr=-1", "hidden=2", uri=uri)
    assert refused.value.run_id == ""
    assert open_reader(uri).sweeps() == []

    run_id = sweep("lr=0.1,0.5", "seed=range(3)", "epochs=20", "engine=numpy", uri=uri)
    assert "6 jobs, 6 finished" in capsys.readouterr().out
    (parent,) = open_reader(uri).sweeps()
    assert parent.run_id == run_id
    assert parent.status == "FINISHED"
    assert parent.name == "lr=0.1,0.5 seed=range(3) epochs=20 engine=numpy"
    assert parent.tags["command"].endswith("-m experiments.train -m lr=0.1,0.5 'seed=range(3)' epochs=20 engine=numpy")
    assert not (tmp_path / "mlflow.db").exists()
    assert (dict(os.environ), list(logging.root.handlers), signal.getsignal(signal.SIGINT)) == before
    assert not GlobalHydra.instance().is_initialized()
