"""One run, as MLflow keeps it and as MLflow is to know it: pure data.

What is to be written is checked when made, so that nothing a store would refuse gets that far.
"""

import posixpath
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from types import MappingProxyType
from typing import Literal

import numpy as np
from numpy.typing import NDArray

LONGEST_KEY = 250
LONGEST_PARAM = 6000
LONGEST_TAG = 8000
LONGEST_NAME = 250
"""MLflow's limits, in characters."""

_KEY = re.compile(r"[/\w.\- :]+")


@dataclass(frozen=True, eq=False)
class Curve:
    """A metric over time.

    Attributes
    ----------
    steps : int64 array of shape (points,)
        Epochs, strictly increasing.
    values : float64 array of shape (points,)
        The metric after that many epochs; finite.

    Raises
    ------
    ValueError
        For anything else.
    """

    steps: NDArray[np.int64]
    values: NDArray[np.float64]

    def __post_init__(self) -> None:
        if self.steps.ndim != 1 or self.steps.shape != self.values.shape:
            raise ValueError(f"a curve needs a value per step, not {self.values.shape} for {self.steps.shape}")
        if self.steps.dtype != np.int64 or self.values.dtype != np.float64:
            raise ValueError(f"a curve is of int64 and float64, not {self.steps.dtype} and {self.values.dtype}")
        if (self.steps[1:] <= self.steps[:-1]).any():
            raise ValueError("the steps of a curve must increase")
        if not np.isfinite(self.values).all():
            raise ValueError("a curve must be finite: leave out what is not, MLflow cannot store it")


@dataclass(frozen=True, slots=True)
class Run:
    """A run as it is read: everything but its curves and artifacts.

    Attributes
    ----------
    run_id, experiment_id, name, status : str
        The status is MLflow's: RUNNING, FINISHED, FAILED, KILLED.
    start_ms : int
        Milliseconds since 1970.
    end_ms : int or None
        None while it is under way.
    artifact_uri : str
    params, tags : dict of str to str
    metrics : dict of str to float
        Their latest values.
    """

    run_id: str
    experiment_id: str
    name: str
    status: str
    start_ms: int
    end_ms: int | None
    artifact_uri: str
    params: dict[str, str] = field(default_factory=dict)
    metrics: dict[str, float] = field(default_factory=dict)
    tags: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of a run that trains something, in short: what is read of many runs at once.

    Attributes
    ----------
    run_id, config_hash, status : str
    sweep_id : str or None
        The sweep that made it; None for a single run.
    trials : int
    converged : float or None
        Share of its trials that converged.
    epochs_to_converge : float or None
        Of several trials the median; None if that is infinite.
    final_loss, max_error : float or None
        Of a single trial.
    """

    run_id: str
    config_hash: str
    status: str
    sweep_id: str | None = None
    trials: int = 1
    converged: float | None = None
    epochs_to_converge: float | None = None
    final_loss: float | None = None
    max_error: float | None = None


@dataclass(frozen=True, eq=False)
class RunRecord:
    """A run that is over, as it is to be written: everything MLflow is to know of it.

    Attributes
    ----------
    name : str
        For people, such as ``lr=0.5 hidden=4 seed=3``; cut to MLflow's 250 characters.
    params : mapping of str to str
    metrics : mapping of str to float
        Single, finite numbers, logged at `step`.
    step : int
        Epochs trained.
    curves : mapping of str to Curve
        Metrics over time, under other names than those of `metrics`.
    tags : mapping of str to str
    artifacts : mapping of str to bytes
        Content by plain file name.
    start_ms, end_ms : int
        Milliseconds since 1970. `end_ms` is also the timestamp of every metric, so that writing a run
        again writes the same rows.
    status : {"FINISHED", "FAILED", "KILLED"}

    Raises
    ------
    ValueError
        If MLflow would refuse, cut or distort any of it.
    """

    name: str
    params: Mapping[str, str]
    metrics: Mapping[str, float]
    step: int
    curves: Mapping[str, Curve]
    tags: Mapping[str, str]
    artifacts: Mapping[str, bytes]
    start_ms: int
    end_ms: int
    status: Literal["FINISHED", "FAILED", "KILLED"] = "FINISHED"

    def __post_init__(self) -> None:
        object.__setattr__(self, "name", short_name(self.name))
        check_params(self.params)
        check_metrics(self.metrics)
        for key in self.curves:
            check_key(key)
        if both := self.metrics.keys() & self.curves.keys():
            raise ValueError(f"a number and a curve cannot share the name {sorted(both)[0]!r}")
        check_tags(self.tags)
        check_artifacts(self.artifacts)


@dataclass(frozen=True)
class RunUpdate:
    """What a run that is under way, the parent of a sweep, has to add.

    Attributes
    ----------
    metrics : mapping of str to float
        Finite, logged at step 0.
    tags : mapping of str to str
        New ones, or new values.
    artifacts : mapping of str to bytes
        Content by plain file name; replaces a file of that name.
    status : {"FINISHED", "FAILED", "KILLED"}, optional
        Given when the run ends here.
    """

    metrics: Mapping[str, float] = field(default_factory=lambda: MappingProxyType({}))
    tags: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    artifacts: Mapping[str, bytes] = field(default_factory=lambda: MappingProxyType({}))
    status: Literal["FINISHED", "FAILED", "KILLED"] | None = None

    def __post_init__(self) -> None:
        check_metrics(self.metrics)
        check_tags(self.tags)
        check_artifacts(self.artifacts)


def short_name(name: str) -> str:
    """Cut a run name to what MLflow's table holds."""
    return name if len(name) <= LONGEST_NAME else f"{name[: LONGEST_NAME - 1]}…"


@lru_cache(maxsize=4096)
def check_key(key: str) -> None:
    """Refuse the name of a param, metric or tag that MLflow would refuse."""
    if len(key) > LONGEST_KEY or not _KEY.fullmatch(key):
        raise ValueError(
            f"{key[:80]!r} cannot name a param, metric or tag: 1 to {LONGEST_KEY} letters, digits, "
            "underscores, dashes, dots, colons, spaces and slashes can"
        )
    if posixpath.normpath(key) != key or key.startswith(("/", "..")) or key == ".":
        raise ValueError(f"{key!r} cannot name a param, metric or tag: read as a path, it means another one")


def check_params(params: Mapping[str, str]) -> None:
    """Refuse params that MLflow would refuse or cut."""
    for key, value in params.items():
        check_key(key)
        if len(value) > LONGEST_PARAM:
            raise ValueError(
                f"param {key} has {len(value)} characters, and MLflow keeps {LONGEST_PARAM}: "
                "the run could not be repeated from what it kept"
            )


def check_metrics(metrics: Mapping[str, float]) -> None:
    """Refuse metrics that MLflow would refuse or distort."""
    for key, value in metrics.items():
        check_key(key)
        if not np.isfinite(value):
            raise ValueError(f"metric {key} is {value}: MLflow cannot store it, so leave it out")


def check_tags(tags: Mapping[str, str]) -> None:
    """Refuse tags that MLflow would refuse or cut."""
    for key, value in tags.items():
        check_key(key)
        if len(value) > LONGEST_TAG:
            raise ValueError(f"tag {key} has {len(value)} characters, and MLflow keeps {LONGEST_TAG}")


def check_artifacts(artifacts: Mapping[str, bytes]) -> None:
    """Refuse file names that lead out of the run's folder."""
    for name in artifacts:
        if not name or name in {".", ".."} or re.search(r"[/\\\0]", name):
            raise ValueError(f"{name!r} is no plain file name")
