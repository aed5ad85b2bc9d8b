"""Rebuilding from its parameters what a run trained: its task and its trained network."""

from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from analysis.loading import download
from nn_core import Activation, Task, forward

Array = NDArray[np.float64]


def task_of(trial: "pd.Series[Any]") -> Task:
    """The task of a trial.

    Raises
    ------
    PartError
        If there is no such task.
    """
    return Task.from_params(dict(trial))


def weights_of(artifact_uri: str, trial: int) -> list[Array]:
    """Final weights from a run's ``weights.npz``, layer by layer, shapes (units below [+ 1], units above).

    Parameters
    ----------
    artifact_uri
        Of the run.
    trial
        Which of its networks, if it has several.
    """
    with np.load(download(f"{artifact_uri}/weights.npz")) as file:
        layers = [file[f"weights{i + 1}"] for i in range(len(file.files))]
    return [W[trial] if W.ndim == 3 else W for W in layers]


def answers(trial: "pd.Series[Any]", weights: list[Array], inputs: Array) -> Array:
    """What a trained network answers to inputs of shape (patterns, inputs); shape (patterns, outputs)."""
    bias: Any = trial.get("bias")
    known = not isinstance(bias, str) and pd.notna(bias)
    activation = Activation.from_params(dict(trial))
    shortcuts = str(trial.get("shortcuts")).lower() == "true"
    return forward(weights, inputs, activation, float(bias) if known else None, shortcuts)[-1]
