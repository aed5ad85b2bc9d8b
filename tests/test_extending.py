"""The examples of docs/extending.md, written into a copy of the checkout and used as a user would."""

import os
import re
import shutil
import tomllib
from collections.abc import Callable
from pathlib import Path

import forked
import pandas as pd
import pytest
from mlflow import MlflowClient

CHECKOUT = Path(__file__).resolve().parent.parent
PACKAGES = ("analysis", "conf", "experiments", "hydra_plugins", "nn_core", "tracking")
PAGE = (CHECKOUT / "docs" / "extending.md").read_text()
EXAMPLES = dict(re.findall(r"^```\w+\n# (\S+\.\w+)\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL))
EXAMPLES |= {"conf/study/majority_2013.yaml": re.findall(r"^```yaml\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)[0]}
OUTSIDE = {"softsign.py", "pyproject.toml"}

Run = Callable[..., str]

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")  # inside MLflow and what it is built on


@pytest.fixture(scope="module")
def checkout(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the checkout with the examples in it, and beside it the installed package of somebody else."""
    root = tmp_path_factory.mktemp("checkout")
    for package in PACKAGES:
        shutil.copytree(CHECKOUT / package, root / package, ignore=shutil.ignore_patterns("__pycache__"))
    for path, text in EXAMPLES.items():
        if path not in OUTSIDE:
            (root / path).write_text(text)
    theirs = tmp_path_factory.mktemp("site")
    (theirs / "softsign.py").write_text(EXAMPLES["softsign.py"])
    (theirs / "softsign-1.0.dist-info").mkdir()
    (theirs / "softsign-1.0.dist-info" / "METADATA").write_text("Metadata-Version: 2.1\nName: softsign\nVersion: 1.0\n")
    groups = tomllib.loads(EXAMPLES["pyproject.toml"])["project"]["entry-points"]
    ((group, modules),) = groups.items()
    entries = [f"[{group}]", *(f"{name} = {module}" for name, module in modules.items())]
    (theirs / "softsign-1.0.dist-info" / "entry_points.txt").write_text("\n".join(entries))
    (root / "site").symlink_to(theirs)
    return root


@pytest.fixture(scope="module")
def run(checkout: Path, tmp_path_factory: pytest.TempPathFactory) -> Run:
    """Run a command of the copy in a folder of the user's; returns what it printed."""
    folder = tmp_path_factory.mktemp("work")
    environment = {key: value for key, value in os.environ.items() if not key.startswith("MLFLOW_")}
    environment["PYTHONPATH"] = f"{checkout}:{checkout / 'site'}"

    def command(*arguments: str, code: int = 0) -> str:
        done = forked.run("-m", *arguments, folder=folder, environment=environment)
        assert done.returncode == code, done.stdout + done.stderr
        return done.stdout + done.stderr

    command.folder = folder  # type: ignore[attr-defined]
    return command


@pytest.fixture(scope="module")
def runs(run: Run) -> Callable[[str], pd.DataFrame]:
    """What MLflow tells of an experiment's finished trainings."""

    def found(experiment: str) -> pd.DataFrame:
        client = MlflowClient(f"sqlite:///{run.folder}/mlflow.db")
        its_id = client.get_experiment_by_name(experiment).experiment_id
        matching = client.search_runs([its_id], "tags.config_hash LIKE '%' AND attributes.status = 'FINISHED'")
        return pd.DataFrame([{**one.data.params, **one.data.metrics, "id": one.info.run_id} for one in matching])

    return found


def test_a_study_of_a_new_task_with_a_new_optimizer_is_swept_tracked_and_drawn(run, runs):
    printed = run("experiments.train", "+study=majority_2013")
    assert "10 jobs, 10 finished" in printed
    assert "no compiled twin" not in printed
    table = runs("majority")
    assert set(table["task"]) == {"majority"}
    assert set(table["optimizer"]) == {"nesterov"}
    assert set(table["task.bits"]) == {"3"}
    assert set(table["optimizer.momentum"]) == {"0.9"}
    assert table["converged"].sum() == 10
    assert "10 already finished" in run("experiments.train", "+study=majority_2013")

    assert "errors" in run("analysis.figures", "sweep=latest", "only=[errors,predictions]", "bins=5")
    (drawn,) = run.folder.glob("figures/*/errors*.csv")
    assert pd.read_csv(drawn)["max_error"].between(0, 0.4).all()
    assert "majority" in run("analysis.report", "sweep=latest") or next(run.folder.glob("figures/*/report.html"))


def test_the_new_optimizers_twin_does_what_its_reference_does(run, runs):
    for engine in ("numpy", "numba"):
        settings = ("lr=0.3", "optimizer=nesterov", "epochs=200", "trials=30", f"experiment={engine}")
        run("experiments.train", *settings, f"engine={engine}")
    (reference,), (twin,) = (runs(engine).to_dict("records") for engine in ("numpy", "numba"))
    assert twin["convergence_rate"] == reference["convergence_rate"]
    assert twin["loss/q50"] == pytest.approx(reference["loss/q50"], rel=1e-9)


def test_new_parts_are_checked_and_explained_like_ours(run):
    refused = run("experiments.train", "optimizer=nesterov", "optimizer.momentum=-1", code=1)
    assert "optimizer.momentum=-1.0: valid is a finite number, 0 or above" in refused
    refused = run("experiments.train", "task=majority", "task.bits=0", "lr=0", code=1)
    assert "task.bits=0: valid is a whole number from 1 to 12" in refused
    assert "lr=0.0: valid is" in refused
    assert "is an option of" in run("experiments.train", "optimizer.momentum=0.5", code=1)
    shown = run("experiments.train", "--help")
    assert re.search(r"^optimizer: .*nesterov", shown, re.MULTILINE)
    assert re.search(r"^task: .*majority", shown, re.MULTILINE)
    assert re.search(r"activation: .*softsign", shown)
    assert "name: majority" in run("experiments.train", "task=majority", "--cfg", "job")


def test_a_part_of_another_package_is_used_like_ours(run, runs):
    settings = ("activation=softsign", "task.target_low=-1", "epochs=1500", "lr=0.1", "trials=20", "experiment=theirs")
    printed = run("experiments.train", *settings)
    assert "activation=softsign: no compiled twin, so the slower NumPy reference trains" in printed
    (table,) = runs("theirs").to_dict("records")
    assert table["activation"] == "softsign"
    assert table["convergence_rate"] > 0.5
    refused = run("experiments.train", *settings, "engine=numba", code=1)
    assert "engine=numba with activation=softsign: valid is engine=auto or engine=numpy" in refused
    refused = run("experiments.train", "activation=softsine", code=1)
    assert "did you mean softsign?" in refused


def test_a_package_that_cannot_be_imported_is_named(run, checkout):
    module = checkout / "site" / "softsign.py"
    whole = module.read_text()
    module.write_text("import no_such_library\n")
    try:
        told = run("experiments.train", "lr=1", code=1)
    finally:
        module.write_text(whole)
    assert "softsign, which brings parts of softsign, cannot be imported (ModuleNotFoundError: No module" in told
    assert "Traceback" not in told


def test_no_value_of_a_configuration_is_imported(run, checkout):
    (checkout / "site" / "trap.py").write_text("raise SystemExit('imported')\n")
    for value in ("trap", "trap:Part", "trap.Part"):
        assert "imported" not in run("experiments.train", f"activation={value}", code=1)
