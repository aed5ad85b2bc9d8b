"""Rebuilding from its parameters what a run trained: its task and its trained network."""

import io
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from nn_core import Activation, Task, forward
from tracking import names
from tracking.reader import Reader
from tracking.record import Run

Array = NDArray[np.float64]


def task_of(trial: "pd.Series[Any]") -> Task:
    """The task of a trial.

    Raises
    ------
    PartError
        If there is no such task.
    """
    return Task.from_params(dict(trial))


def weights_of(reader: Reader, run: Run, trial: int) -> list[Array]:
    """Final weights from a run's ``weights.npz``, layer by layer, shapes (units below [+ 1], units above).

    Parameters
    ----------
    reader
        Of the store that holds the run.
    run
    trial
        Which of its networks, if it has several.

    Raises
    ------
    FileNotFoundError
        If the run has no such file.
    TrackingError
        If it cannot be read.
    """
    content = reader.artifact(run, names.WEIGHTS)
    if content is None:
        raise FileNotFoundError(f"there is no {names.WEIGHTS}")
    with np.load(io.BytesIO(content)) as file:
        layers = [file[f"weights{i + 1}"] for i in range(len(file.files))]
    return [W[trial] if W.ndim == 3 else W for W in layers]


def answers(trial: "pd.Series[Any]", weights: list[Array], inputs: Array) -> Array:
    """What a trained network answers to inputs of shape (patterns, inputs); shape (patterns, outputs)."""
    bias: Any = trial.get("bias")
    known = not isinstance(bias, str) and pd.notna(bias)
    activation = Activation.from_params(dict(trial))
    shortcuts = str(trial.get("shortcuts")).lower() == "true"
    return forward(weights, inputs, activation, float(bias) if known else None, shortcuts)[-1]
