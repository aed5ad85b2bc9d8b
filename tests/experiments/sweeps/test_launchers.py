"""All launchers leave the same runs behind."""

from collections.abc import Callable
from typing import Any

import pytest

ARGUMENTS = ("-m", "--config-dir", "mine", "+study=one,three", "lr=0.5,5", "epochs=60,150")
STUDIES = {"one": "seed: 7", "three": "trials: 3\nseed: 10\nhidden: [3,2]"}
LAUNCHERS = {
    "ensemble": (),
    "basic": ("hydra/launcher=basic", "hydra.job.chdir=true"),
    "joblib": ("hydra/launcher=joblib", "hydra.launcher.n_jobs=2"),
}


@pytest.fixture(scope="module")
def sweeps(new_folder: Callable, folder_with_store: Callable) -> dict[str, Any]:
    """The same sweep by every launcher; joblib has to start without a store."""
    found = {}
    for launcher, how in LAUNCHERS.items():
        folder = new_folder() if launcher == "joblib" else folder_with_store()
        (folder.path / "mine" / "study").mkdir(parents=True)
        for name, content in STUDIES.items():
            (folder.path / "mine" / "study" / f"{name}.yaml").write_text(f"# @package _global_\n{content}\n")
        output = folder.train(*ARGUMENTS, *how)
        assert "Traceback" not in output
        (parent,) = folder.sweeps()
        found[launcher] = folder, parent, folder.contents(parent)
    return found


@pytest.mark.parametrize("launcher", ["basic", "joblib"])
def test_runs_are_those_of_the_ensemble_launcher(sweeps: dict[str, Any], launcher: str) -> None:
    _, _, wanted = sweeps["ensemble"]
    _, _, found = sweeps[launcher]
    assert len(wanted) == 8
    assert found.keys() == wanted.keys()
    for config_hash, content in wanted.items():
        assert found[config_hash] == content


@pytest.mark.parametrize("launcher", LAUNCHERS)
def test_parents_are_alike(sweeps: dict[str, Any], launcher: str) -> None:
    folder, parent, _ = sweeps[launcher]
    assert parent.info.status == "FINISHED"
    assert (parent.data.tags["launcher"], parent.data.tags["engine"]) == (launcher, "numba")
    assert parent.data.metrics == sweeps["ensemble"][1].data.metrics
    said = [run.data.tags["mlflow.note.content"].partition("\n\n") for run in (parent, sweeps["ensemble"][1])]
    assert said[0][2] == said[1][2]  # after links with ids
    ours, theirs = folder.jobs(parent), sweeps["ensemble"][0].jobs(sweeps["ensemble"][1])
    without_id = [{key: row[key] for key in row if key != "run_id"} for row in ours]
    assert without_id == [{key: row[key] for key in row if key != "run_id"} for row in theirs]


@pytest.mark.parametrize("launcher", LAUNCHERS)
def test_one_store_in_the_folder_where_the_sweep_was_launched(sweeps: dict[str, Any], launcher: str) -> None:
    folder, _, _ = sweeps[launcher]
    assert [path.parent for path in folder.path.rglob("mlflow.db")] == [folder.path]
    assert [path.parent for path in folder.path.rglob("mlartifacts")] == [folder.path]


def test_another_sweeper_s_jobs_are_refused(folder_with_store: Callable) -> None:
    folder = folder_with_store()
    output = folder.train("-m", "seed=0,1", "hydra/sweeper=basic", code=1)
    assert "hydra/launcher=ensemble: valid is basic or joblib with a sweeper other than atlas" in output
    assert "Traceback" not in output
    assert folder.runs() == []
