"""Sweeps for the tests: really trained, and tracked through MLflow's public client in the documented layout."""

import itertools
import os
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from nn_core import Uniform, Xor, layer_fans
from nn_core.optimizers import GradientDescent
from nn_core.results import results
from nn_core.training import Training, advance, start

os.environ["MLFLOW_DISABLE_TELEMETRY"] = "true"

DEFAULTS = {
    "lr": "0.1",
    "seed": "0",
    "hidden": "4",
    "epochs": "10000",
    "trials": "1",
    "task": "xor",
    "task.low": "0.0",
    "task.high": "1.0",
    "task.target_low": "0.0",
    "task.target_high": "1.0",
    "activation": "sigmoid",
    "derivative_offset": "0.0",
    "bias": "null",
    "init": "uniform",
    "init.low": "-1.0",
    "init.high": "1.0",
    "loss": "sse",
    "weight_decay": "0.0",
    "optimizer": "gradient_descent",
    "update": "batch",
    "criterion": "tolerance",
    "criterion.tolerance": "0.4",
    "stop_when_converged": "false",
    "record.per_decade": "10",
}


def pytest_collection_modifyitems(items):
    """MLflow itself calls what SQLAlchemy, Pydantic and others deprecate; that is not for us to mend."""
    here = Path(__file__).parent
    for item in items:
        if here in item.path.parents:
            item.add_marker(pytest.mark.filterwarnings("ignore::DeprecationWarning"))


def train(lrs, widths, cutoffs, seeds):
    """Train every combination; yields (lr, hidden, epochs, seed, result)."""
    task = Xor()
    for hidden in widths:
        members = list(itertools.product(lrs, seeds))
        drawn = [
            Uniform(-1.0, 1.0).matrices(layer_fans((3, hidden, 1), None), np.random.default_rng(seed))
            for _, seed in members
        ]
        weights = [np.stack(layer) for layer in zip(*drawn, strict=True)]
        state = start(Training(task, per_decade=10), GradientDescent(np.array([lr for lr, _ in members])), weights)
        for epochs in sorted(cutoffs):
            state = advance(state, epochs)
            for (lr, seed), result in zip(members, results(state), strict=True):
                yield lr, hidden, epochs, seed, result


@dataclass
class Sweeps:
    """Writes sweeps into one store."""

    client: object
    root: Path
    experiment: str = "xor"

    def start(self, name, tags=()):
        from mlflow.entities import Experiment

        found = self.client.get_experiment_by_name(self.experiment)
        assert found is None or isinstance(found, Experiment)
        experiment_id = found.experiment_id if found else self.client.create_experiment(self.experiment)
        tags = {"kind": "sweep", "git_commit": "0123456789abcdef", "git_dirty": "false", **dict(tags)}
        return self.client.create_run(experiment_id, run_name=name, tags=tags)

    def run(self, parent, lr, hidden, epochs, seed, result, **changed):
        """Log one run as the runner does; returns its row of jobs.csv."""
        from mlflow.entities import Metric, Param, RunTag

        params = DEFAULTS | {"lr": str(lr), "hidden": str(hidden), "epochs": str(epochs), "seed": str(seed)}
        params |= {key.replace("__", "."): str(value) for key, value in changed.items()}
        config_hash = "-".join(f"{k}{v}" for k, v in sorted(params.items()))[:200] + str(hash(tuple(params.items())))
        run = self.client.create_run(
            parent.info.experiment_id,
            run_name=f"lr={lr} hidden={hidden} seed={seed}",
            tags={"mlflow.parentRunId": parent.info.run_id, "sweep_id": parent.info.run_id},
        )
        metrics = [
            Metric("loss", float(loss), 1, int(epoch))
            for epoch, loss in zip(result.loss_epochs, result.losses, strict=True)
        ]
        single = {
            "final_loss": result.final_loss,
            "max_error": result.max_error,
            "converged": float(result.converged),
        }
        if result.converged:
            single["epochs_to_converge"] = result.epochs_to_converge
        for pattern, value in zip(Xor().pattern_names, result.predictions[:, 0], strict=True):
            single[f"prediction/{pattern}"] = value
        metrics += [Metric(key, float(value), 1, result.epochs) for key, value in single.items()]
        tags = [RunTag("config_hash", config_hash)]
        if result.diverged_at is not None:
            tags.append(RunTag("diverged", str(result.diverged_at)))
        self.client.log_batch(
            run.info.run_id, metrics=metrics, params=[Param(k, v) for k, v in params.items()], tags=tags
        )
        weights = self.root / "weights.npz"
        np.savez(weights, **{f"weights{i + 1}": W for i, W in enumerate(result.weights)})
        self.client.log_artifact(run.info.run_id, str(weights))
        self.client.set_terminated(run.info.run_id, "FINISHED")
        return {"config_hash": config_hash, "overrides": "", "run_id": run.info.run_id, "origin": "new"}

    def finish(self, parent, rows, status="FINISHED"):
        """Write the parent's table of jobs and close it; returns its run id."""
        table = pd.DataFrame(rows, columns=["config_hash", "overrides", "run_id", "origin"])
        table.insert(0, "job", range(len(table)))
        path = self.root / "jobs.csv"
        table.to_csv(path, index=False)
        self.client.log_artifact(parent.info.run_id, str(path))
        self.client.set_terminated(parent.info.run_id, status)
        return parent.info.run_id

    def write(self, name, lrs, widths, cutoffs, seeds, **changed):
        """Write a whole sweep; returns its run id."""
        parent = self.start(name)
        rows = [self.run(parent, *trained, **changed) for trained in train(lrs, widths, cutoffs, seeds)]
        return self.finish(parent, rows)


@pytest.fixture
def sweeps(empty_store, tmp_path, monkeypatch):
    """An empty store in an empty current folder."""
    return open_sweeps(empty_store, tmp_path, monkeypatch)


def open_sweeps(empty_store, folder, monkeypatch):
    from mlflow import MlflowClient

    (folder / "mlflow.db").write_bytes(empty_store.read_bytes())
    monkeypatch.chdir(folder)
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    return Sweeps(MlflowClient(f"sqlite:///{folder / 'mlflow.db'}"), folder)


@pytest.fixture(scope="session")
def demo(empty_store, tmp_path_factory):
    """A folder with one sweep, lr 0.5, 2, 8 x hidden 2, 3 x epochs 100, 1000 x 6 seeds; returns it and the sweep."""
    folder = tmp_path_factory.mktemp("demo")
    with pytest.MonkeyPatch.context() as monkeypatch:
        sweeps = open_sweeps(empty_store, folder, monkeypatch)
        run_id = sweeps.write("a small sweep", [0.5, 2.0, 8.0], [2, 3], [100, 1000], range(6))
    return folder, run_id


@pytest.fixture
def make_trials():
    """Trials of one condition from their epochs to converge (inf for failures), as loading would give them."""

    def make(times, cutoff=100, **columns):
        times = np.asarray(times, float)
        frame = pd.DataFrame(
            {
                "sweep": "",
                "run_id": [f"run{i}" for i in range(len(times))],
                "trial": 0,
                "seed": np.arange(len(times)),
                "lr": 0.1,
                "hidden": 4,
                "epochs": cutoff,
                "task": "xor",
                "bias": "none",
                "init": "uniform",
                "epochs_to_converge": times,
                "converged": np.isfinite(times),
                "converged_at_end": pd.array(np.isfinite(times), "boolean"),
                "final_loss": np.where(np.isfinite(times), 0.01, 1.0),
                "diverged": np.nan,
            }
        )
        return frame.assign(**columns)

    return make


@pytest.fixture(name="train")
def train_fixture():
    """Train every combination of learning rates, widths, cut-offs and seeds."""
    return train


@pytest.fixture
def retrain():
    """The trainings behind `demo`, once more."""
    return lambda: train([0.5, 2.0, 8.0], [2, 3], [100, 1000], range(6))


@pytest.fixture(scope="session")
def trained():
    """A few short trainings."""
    return list(train([0.5, 2.0], [2], [50], range(3)))
