"""The best conditions of a sweep, run again on fresh seeds."""

from collections.abc import Callable
from pathlib import Path

import pytest
from hydra.core.global_hydra import GlobalHydra

from experiments import confirm, sweeps
from tracking.store import Store, open_store

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")  # inside MLflow and what it is built on


@pytest.fixture
def store(train_here: Callable, empty_store: Path, tmp_path: Path) -> Store:
    (tmp_path / "mlflow.db").write_bytes(empty_store.read_bytes())
    # The slowest rate cannot win; tanh with two hidden units unlearns.
    swept = ("lr=0.01,1,2", "optimizer=momentum", "hidden=[4,2],4", "seed=5,7", "epochs=400", "engine=numpy")
    assert train_here("-m", *swept).code == 0
    GlobalHydra.instance().clear()
    return open_store("xor")


def test_the_best_are_run_again_on_seeds_that_had_no_part(
    store: Store, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    (sweep,) = store.reader.sweeps()
    assert confirm.main(["best=2", "by=median", "seed=range(10,13)"]) == 0
    printed = capsys.readouterr().out
    first, second = store.reader.sweeps()
    assert first.run_id == sweep.run_id
    assert second.tags["confirms"] == sweep.run_id
    assert second.tags["engine"] == "numpy"
    made = store.reader.client.search_runs([store.experiment_id], f"tags.sweep_id = '{second.run_id}'")
    trained = [run for run in made if "lr" in run.data.params and "seed" in run.data.params]
    assert sorted(run.data.params["seed"] for run in trained) == ["10", "10", "11", "11", "12", "12"]
    assert "0.01" not in {run.data.params["lr"] for run in trained}
    assert {run.data.params["optimizer"] for run in trained} == {"momentum"}
    assert sweep.run_id in printed

    # What is the latest is the sweep, so that doing so again confirms the sweep and not what confirms it.
    assert sweeps.main(["best", "n=1"]) == 0
    assert sweep.run_id in capsys.readouterr().out
    assert confirm.main(["best=2", "by=median", "seed=range(10,13)"]) == 0
    assert store.reader.sweeps()[-1].tags["confirms"] == sweep.run_id
    assert store.reader.sweeps()[-1].metrics["reused"] == 6


def test_what_cannot_be_confirmed_makes_no_run(store: Store, capsys: pytest.CaptureFixture[str]) -> None:
    for arguments, told in {
        ("best=0", "by=speed", "seeds=4", "sweep"): (
            "best=0: valid is a whole number from 1 on",
            "by=speed: valid is one of ert, median, rate, final_loss",
            "seeds=4: no such key, did you mean seed?",
            "sweep: no such key, did you mean sweep?",
        ),
        ("seed=range(7,9)",): ("seed=range(7,9): valid are seeds that the sweep does not have; it has 7",),
        ("seed=-1",): ("seed=-1: valid is a whole number from 0 to 2^62",),
        ("sweep=nothing",): ("no run 'nothing'",),
    }.items():
        assert confirm.main([*arguments]) == 1
        answer = capsys.readouterr().err
        assert all(line in answer for line in told), answer
    assert len(store.reader.sweeps()) == 1
