"""Names that try to be more than names, through the command line into a real store."""

import re
import shlex
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from mlflow import MlflowClient

from experiments import sweeps

HARMLESS = [
    "../../x",
    "/etc/x",
    "a/b",
    "..",
    "C:\\x",
    "%2e%2e%2f",
    "'; DROP TABLE runs;--",
    "<script>alert(1)</script>",
    "|a|b|",
    "`a` [b](javascript:c)",
    "été 😀",
    "--help",
    "$(touch x)",
    "${lr}",
    "null",
    "x" * 250,
]
REFUSED = ["a\nb", "\x1b[2J", "\u202egnihton", "x" * 500, " "]


@pytest.fixture
def folder(empty_store: Path, tmp_path: Path) -> Path:
    shutil.copy(empty_store, tmp_path)
    return tmp_path


def overrides(name: str) -> list[str]:
    return shlex.split(sweeps.repeat_command({"epochs": "2"}, experiment=name, engine="numpy"))[3:]


@pytest.mark.parametrize("name", HARMLESS)
def test_a_name_is_only_a_name(
    folder: Path, train_here: Callable, capsys: pytest.CaptureFixture[str], name: str
) -> None:
    around = {*folder.parent.iterdir()}
    for arguments in (["-m", "seed=0,1", "hidden=2,[2,2]"], ["seed=2"]):
        answer = train_here(*arguments, *overrides(name))
        assert answer.code == 0, answer
        assert "Traceback" not in answer.out + answer.err
    client = MlflowClient(f"sqlite:///{folder}/mlflow.db")
    experiment = client.get_experiment_by_name(name)
    assert Path(experiment.artifact_location) == folder / "mlartifacts" / experiment.experiment_id
    runs = client.search_runs([experiment.experiment_id])
    assert [run.info.status for run in runs] == ["FINISHED"] * 8  # two of them conditions
    for run in runs:
        place = Path(run.info.artifact_uri)
        assert place == folder / "mlartifacts" / experiment.experiment_id / run.info.run_id / "artifacts"
        assert {file.path for file in client.list_artifacts(run.info.run_id)} == {path.name for path in place.iterdir()}
        assert len([*place.iterdir()]) >= (1 if run.data.tags.get("kind") == "condition" else 2)
    assert {path.name for path in folder.iterdir()} == {"mlflow.db", "mlartifacts", "multirun", "outputs"}
    assert {*folder.parent.iterdir()} == around
    (parent,) = (run for run in runs if run.data.tags.get("kind") == "sweep")
    assert overrides(name)[1] in parent.info.run_name or parent.info.run_name.endswith("…")
    counts, nothing, *table = parent.data.tags["mlflow.note.content"].partition("\n\n")[2].splitlines()
    assert (counts, nothing) == ("4 jobs, 4 finished, 0 reused, 0 failed", "")
    assert [len(re.findall(r"(?<!\\)\|", line)) for line in table] == [7] * 4
    capsys.readouterr()
    assert (
        sweeps.main(["status"]) == sweeps.main(["show", "latest"]) == sweeps.main(["show", parent.info.run_name]) == 0
    )
    assert name in capsys.readouterr().out


@pytest.mark.parametrize("name", REFUSED)
def test_a_name_that_could_not_be_shown_is_refused(folder: Path, train_here: Callable, name: str) -> None:
    for arguments in (["-m", "seed=0,1"], []):
        answer = train_here(*arguments, *overrides(name))
        assert answer.code == 1
        assert answer.err.startswith("experiment='")
        assert "valid is a name of 1 to 250 printable characters, not all blank" in answer.err
        assert {path.name for path in folder.iterdir()} <= {"mlflow.db", "outputs"}
    assert len(MlflowClient(f"sqlite:///{folder}/mlflow.db").search_experiments()) == 1
