"""What a careful user writes without this project: Hydra's basic launcher, a NumPy loop, few MLflow calls a run.

Run by `benchmarks.sweep_speed`; by hand: ``python benchmarks/careful_baseline.py -m seed=range(40)``.
"""

import os
import time
from pathlib import Path
from typing import Any

os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")

import hydra
import numpy as np
from hydra.core.config_store import ConfigStore
from mlflow import MlflowClient
from mlflow.entities import Metric, Param

ConfigStore.instance().store(
    name="baseline", node={"lr": 0.1, "seed": 0, "hidden": 4, "epochs": 10000, "hydra": {"output_subdir": None}}
)

X = np.array([[0.0, 0, 1], [0, 1, 1], [1, 0, 1], [1, 1, 1]])
Y = np.array([[0.0], [1], [1], [0]])


def train(lr: float, seed: int, hidden: int, epochs: int, recorded: set[int]) -> tuple[dict[int, float], Any, Any]:
    rng = np.random.default_rng(seed)
    weights1, weights2 = rng.uniform(size=(3, hidden)), rng.uniform(size=(hidden, 1))
    losses = {}
    for epoch in range(epochs + 1):
        layer1 = 1 / (1 + np.exp(-X @ weights1))
        output = 1 / (1 + np.exp(-layer1 @ weights2))
        if epoch in recorded:
            losses[epoch] = float(((Y - output) ** 2).sum())
        if epoch == epochs:
            break
        delta2 = 2 * (Y - output) * output * (1 - output)
        delta1 = delta2 @ weights2.T * layer1 * (1 - layer1)
        weights2 = weights2 + lr * layer1.T @ delta2
        weights1 = weights1 + lr * X.T @ delta1
    return losses, output, (weights1, weights2)


@hydra.main(config_path=None, config_name="baseline", version_base="1.3")
def main(config: Any) -> None:
    recorded = {0, config.epochs} | {int(e) for e in np.rint(10 ** (np.arange(400) / 80)) if e <= config.epochs}
    losses, output, weights = train(config.lr, config.seed, config.hidden, config.epochs, recorded)
    client = MlflowClient("sqlite:///mlflow.db")
    experiment = client.get_experiment_by_name("baseline")
    experiment_id = experiment.experiment_id if experiment else client.create_experiment("baseline")
    run = client.create_run(experiment_id, run_name=f"lr={config.lr} seed={config.seed}")
    now = int(time.time() * 1000)
    points = [Metric("loss", loss, now, epoch) for epoch, loss in losses.items()]
    points += [Metric(f"prediction/{p}", float(o), now, config.epochs) for p, o in enumerate(output[:, 0])]
    client.log_batch(run.info.run_id, points, [Param(key, str(value)) for key, value in config.items()])
    np.savez("weights.npz", *weights)
    client.log_artifact(run.info.run_id, "weights.npz")
    client.log_table(
        run.info.run_id, {"target": Y[:, 0].tolist(), "prediction": output[:, 0].tolist()}, "predictions.json"
    )
    client.set_terminated(run.info.run_id)
    Path("weights.npz").unlink()


if __name__ == "__main__":
    main()
