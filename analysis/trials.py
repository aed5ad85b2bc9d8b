"""What a trial trained, rebuilt from its parameters: its task, the shapes of its weights, the trained network."""

import io
import json
import zlib
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, TypeAlias
from zipfile import BadZipFile

import numpy as np
from numpy.typing import NDArray

from analysis.levels import NONE
from nn_core import Activation, Fans, Task, forward, layer_fans
from tracking import names
from tracking.errors import UnreadableFileError
from tracking.reader import Reader
from tracking.record import Run

if TYPE_CHECKING:
    import pandas as pd

Array = NDArray[np.float64]
Trial: TypeAlias = "Mapping[str, Any] | pd.Series[Any]"


def task_of(trial: Trial) -> Task:
    """The task of a trial; raises `PartError` if there is no such task here."""
    return Task.from_params(dict(trial))


def tasks_of(trials: "pd.DataFrame") -> list[Task]:
    """The different tasks among trials."""
    definition = [c for c in trials if c == "task" or str(c).startswith("task.")]
    return [task_of(trial) for _, trial in trials.drop_duplicates(definition).iterrows()]


def fans_of(trial: Trial) -> list[Fans]:
    """What each weight matrix of a trial joins; with seed and initializer, that decides its initial weights."""
    inputs, outputs = task_of(trial).sizes
    hidden = json.loads(str(trial["hidden"]))
    widths = hidden if isinstance(hidden, list) else [hidden]
    return layer_fans((inputs, *widths, outputs), _bias(trial), _has_shortcuts(trial))


def weights_of(reader: Reader, run: Run, trial: Trial) -> list[Array]:
    """Final weights of a trial of a run, layer by layer, shapes (units below [+ 1], units above).

    Raises `UnreadableFileError` if the run's ``weights.npz`` is missing, damaged, or of another network.
    """
    content = reader.artifact(run, names.WEIGHTS)
    shapes = [layer.shape for layer in fans_of(trial)]
    try:
        with np.load(io.BytesIO(content or b"")) as file:
            layers = [np.asarray(file[f"weights{i + 1}"], np.float64) for i in range(len(shapes))]
        layers = [W[int(trial["trial"])] if W.ndim == 3 else W for W in layers]
        if [W.shape for W in layers] != shapes:
            raise ValueError("it is of another network")
    # What a damaged archive raises depends on where it is damaged.
    except (OSError, EOFError, ValueError, LookupError, TypeError, BadZipFile, zlib.error) as error:
        why = "it is missing" if content is None else str(error)
        raise UnreadableFileError(f"{names.WEIGHTS} of run {run.run_id} cannot be read ({why})") from error
    return layers


def answers(trial: Trial, weights: list[Array], inputs: Array) -> Array:
    """What a trained network answers to inputs of shape (patterns, inputs); shape (patterns, outputs)."""
    activation = Activation.from_params(dict(trial))
    with np.errstate(over="ignore", invalid="ignore"):  # a diverged network's weights are finite, if only just
        return forward(weights, inputs, activation, _bias(trial), _has_shortcuts(trial))[-1]


def _bias(trial: Trial) -> float | None:
    bias = trial.get("bias", NONE)
    return None if bias == NONE else float(bias)


def _has_shortcuts(trial: Trial) -> bool:
    return str(trial.get("shortcuts")).lower() == "true"
