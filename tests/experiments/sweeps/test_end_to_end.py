"""What a sweep leaves behind, launched from no store at all in an empty folder."""

import io
import json
import shlex
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import mlflow
import numpy as np
import pytest
import yaml
from mlflow.entities import Run
from scipy.stats import binomtest

ARGUMENTS = ("-m", "lr=0.5,5", "hidden=2,4", "epochs=100,1500", "seed=range(2)")
PATTERNS = np.array([[0, 0, 1], [0, 1, 1], [1, 0, 1], [1, 1, 1]])
TARGETS = np.array([[0], [1], [1], [0]])
NAMES = ["0-0-1", "0-1-1", "1-0-1", "1-1-1"]


@dataclass
class Launched:
    folder: "Folder"  # noqa: F821
    elsewhere: Path
    output: str
    parent: Run
    children: list[Run]


@pytest.fixture(scope="module")
def launched(new_folder: Callable, tmp_path_factory: pytest.TempPathFactory) -> Launched:
    folder, elsewhere = new_folder(), tmp_path_factory.mktemp("home")
    output = folder.train(*ARGUMENTS, HOME=str(elsewhere), TMPDIR=str(elsewhere), XDG_CACHE_HOME=str(elsewhere))
    (parent,) = folder.sweeps()
    return Launched(folder, elsewhere, output, parent, folder.children(parent))


def test_every_combination_is_a_finished_run_under_the_parent(launched: Launched) -> None:
    wanted = {
        (lr, hidden, epochs, seed)
        for lr in ("0.5", "5.0")
        for hidden in ("2", "4")
        for epochs in ("100", "1500")
        for seed in ("0", "1")
    }
    found = [tuple(run.data.params[key] for key in ("lr", "hidden", "epochs", "seed")) for run in launched.children]
    assert sorted(found) == sorted(wanted)
    for run in launched.children:
        lr, hidden, epochs, seed = (run.data.params[key] for key in ("lr", "hidden", "epochs", "seed"))
        assert run.info.status == "FINISHED"
        assert run.data.tags["mlflow.parentRunId"] == run.data.tags["sweep_id"] == launched.parent.info.run_id
        assert run.info.run_name == f"lr={lr} hidden={hidden} epochs={epochs} seed={seed}"


def test_params_are_the_whole_configuration(launched: Launched) -> None:
    (run,) = (run for run in launched.children if run.info.run_name == "lr=5.0 hidden=4 epochs=1500 seed=1")
    assert run.data.params == {
        "lr": "5.0", "seed": "1", "hidden": "4", "epochs": "1500", "trials": "1",
        "task": "xor", "task.low": "0.0", "task.high": "1.0", "task.target_low": "0.0", "task.target_high": "1.0",
        "activation": "sigmoid", "derivative_offset": "0.0", "bias": "null", "shortcuts": "false",
        "init": "uniform", "init.low": "0.0", "init.high": "1.0",
        "loss": "sse", "weight_decay": "0.0", "optimizer": "gradient_descent", "update": "batch", "order_seed": "0",
        "criterion": "tolerance", "criterion.hold": "1", "criterion.tolerance": "0.4", "stop_when_converged": "false",
        "record.per_decade": "80",
    }  # fmt: skip


def test_params_pasted_back_are_the_same_run(launched: Launched, folder_with_store: Callable) -> None:
    (run,) = (run for run in launched.children if run.info.run_name == "lr=5.0 hidden=4 epochs=1500 seed=1")
    folder = folder_with_store()
    folder.train(*(f"{key}={value}" for key, value in run.data.params.items()))
    (again,) = folder.runs()
    there, here = launched.folder.content(run), folder.content(again)
    assert here["metrics"] == there["metrics"]
    assert here["params"] == there["params"]
    assert here["tags"]["config_hash"] == there["tags"]["config_hash"]
    assert {name: here["artifacts"][name] for name in there["artifacts"]} == there["artifacts"]


def test_curves_tables_and_weights_agree(launched: Launched) -> None:
    mlflow.set_tracking_uri(
        f"sqlite:///{launched.folder.path}/mlflow.db"
    )  # load_table looks there, whatever the client
    client = mlflow.MlflowClient()
    for run in launched.children:
        content = launched.folder.content(run)
        cutoff = int(run.data.params["epochs"])
        metrics = {key: dict(points) for key, points in content["metrics"].items()}

        grid = {round(10 ** (k / 80)) for k in range(80 * 4)}
        assert [step for step, _ in content["metrics"]["loss"]] == sorted(
            {0, cutoff} | {step for step in grid if step <= cutoff}
        )
        with np.load(io.BytesIO(content["artifacts"]["weights.npz"])) as weights:
            W1, W2 = weights["weights1"], weights["weights2"]
        outputs = 1 / (1 + np.exp(-(1 / (1 + np.exp(-PATTERNS @ W1))) @ W2))
        errors = np.abs(TARGETS - outputs)
        assert metrics["loss"][cutoff] == metrics["final_loss"][cutoff] == pytest.approx((errors**2).sum(), rel=1e-12)
        assert metrics["max_error"][cutoff] == pytest.approx(errors.max(), rel=1e-12)
        for name, output in zip(NAMES, outputs[:, 0], strict=True):
            assert metrics[f"prediction/{name}"][cutoff] == pytest.approx(output, rel=1e-12)
        assert metrics["converged"][cutoff] == float("epochs_to_converge" in metrics)
        assert metrics["converged_at_end"][cutoff] == float(errors.max() < 0.4)
        assert metrics["lost_at_end"][cutoff] == float("epochs_to_converge" in metrics and errors.max() >= 0.4)

        assert json.loads(run.data.tags["mlflow.loggedArtifacts"]) == [{"path": "predictions.json", "type": "table"}]
        table = client.load_table(run.info.experiment_id, "predictions.json", run_ids=[run.info.run_id])
        assert table["pattern"].tolist() == NAMES
        assert table["inputs"].tolist() == PATTERNS.tolist()
        assert table["target"].tolist() == TARGETS[:, 0].tolist()
        predictions = [metrics[f"prediction/{name}"][cutoff] for name in NAMES]
        assert table["prediction"].tolist() == pytest.approx(predictions, rel=1e-14)  # pandas reads JSON that closely
        assert [row[-1] for row in json.loads(content["artifacts"]["predictions.json"])["data"]] == predictions

        resolved = yaml.safe_load(content["artifacts"]["config.yaml"])
        assert (resolved["lr"], resolved["epochs"]) == (float(run.data.params["lr"]), cutoff)
        assert set(content["artifacts"]) == {"predictions.json", "weights.npz", "config.yaml"}


def test_the_longer_cutoff_continues_the_shorter(launched: Launched) -> None:
    loss = {run.info.run_name: dict(launched.folder.content(run)["metrics"]["loss"]) for run in launched.children}
    for name, curve in loss.items():
        if " epochs=100 " in name:
            longer = loss[name.replace("epochs=100 ", "epochs=1500 ")]
            assert curve == pytest.approx({step: longer[step] for step in curve}, rel=1e-14)


def test_parent_says_what_came_of_it(launched: Launched) -> None:
    parent, folder = launched.parent, launched.folder
    assert parent.info.status == "FINISHED"
    assert parent.info.run_name == "lr=0.5,5 hidden=2,4 epochs=100,1500 seed=range(2)"
    assert {key: parent.data.metrics[key] for key in ("jobs", "finished", "reused", "failed")} == {
        "jobs": 16, "finished": 16, "reused": 0, "failed": 0,
    }  # fmt: skip
    note = parent.data.tags["mlflow.note.content"]
    for lr in ("0.5", "5.0"):
        for hidden in ("2", "4"):
            for epochs in ("100", "1500"):
                params = {"lr": lr, "hidden": hidden, "epochs": epochs}
                runs = [run for run in launched.children if params.items() <= run.data.params.items()]
                converged = [run.data.metrics["converged"] for run in runs]
                at_end = [run.data.metrics["converged_at_end"] for run in runs]
                interval = binomtest(int(sum(converged)), 2).proportion_ci(method="wilson")
                cells = [lr, hidden, epochs, f"{sum(converged):.0f}", "2", f"{np.mean(converged):.2f}"]
                cells += [f"{interval.low:.2f} to {interval.high:.2f}", f"{np.mean(at_end):.2f}"]
                assert cells in [[cell.strip() for cell in line.strip("|").split("|")] for line in note.splitlines()]
                assert note.splitlines()[4] in launched.output
    assert sum(run.data.metrics["converged"] for run in launched.children) > 0

    multirun = yaml.safe_load(folder.artifacts(parent)["multirun.yaml"])
    assert multirun["hydra"]["overrides"]["task"] == list(ARGUMENTS[1:])


def test_table_of_jobs(launched: Launched) -> None:
    rows = launched.folder.jobs(launched.parent)
    by_id = {run.info.run_id: run for run in launched.children}
    assert [row["job"] for row in rows] == [str(number) for number in range(16)]
    assert {row["run_id"] for row in rows} == set(by_id)
    for row in rows:
        run = by_id[row["run_id"]]
        assert row["origin"] == "new"
        assert row["config_hash"] == run.data.tags["config_hash"]
        given = dict(override.split("=") for override in shlex.split(row["overrides"]))
        assert {key: float(value) for key, value in given.items()} == {
            key: float(run.data.params[key]) for key in given
        }
        assert list(given) == ["lr", "hidden", "epochs", "seed"]


def test_parent_says_where_it_comes_from(launched: Launched) -> None:
    tags = launched.parent.data.tags
    assert tags["kind"] == "sweep"
    assert tags["command"] == shlex.join(["python", "-m", "experiments.train", *ARGUMENTS])
    assert (tags["engine"], tags["launcher"]) == ("numba", "ensemble")
    assert len(tags["git_commit"]) == 40
    assert tags["git_dirty"] in {"true", "false"}
    assert ("git_diff.patch" in launched.folder.artifacts(launched.parent)) == (tags["git_dirty"] == "true")
    assert f"numpy {np.__version__}" in tags["versions"]
    assert f"mlflow {mlflow.__version__}" in tags["versions"]
    assert tags["machine"]
    assert tags["host"]
    assert int(tags["pid"]) > 0


def test_the_folder_holds_store_artifacts_and_one_folder_of_the_sweep(launched: Launched) -> None:
    folder = launched.folder.path
    assert {path.name for path in folder.iterdir()} == {"mlflow.db", "mlartifacts", "multirun"}
    (day,) = (folder / "multirun").iterdir()
    (sweep,) = day.iterdir()
    assert {path.name for path in sweep.iterdir()} == {"multirun.yaml", "jobs.csv", "train.log"}
    assert (sweep / "jobs.csv").read_bytes() == launched.folder.artifacts(launched.parent)["jobs.csv"]
    log = (sweep / "train.log").read_text()
    assert "16 jobs: 16 to do" in log
    assert "16 jobs, 16 finished, 0 reused, 0 failed" in log


def test_nothing_is_written_elsewhere(launched: Launched) -> None:
    assert list(launched.elsewhere.iterdir()) == []


def test_the_end_says_where_to_look(launched: Launched) -> None:
    assert "python -m experiments.sweeps ui" in launched.output
    assert "python -m analysis.figures sweep=latest" in launched.output
    assert "Traceback" not in launched.output
    assert "Warning" not in launched.output
