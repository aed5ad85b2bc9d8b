"""One run, as MLflow keeps it and as MLflow is to know it: pure data.

What is to be written is checked when made, so that nothing a store would refuse gets that far.
"""

import posixpath
import re
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from tracking import names

LONGEST_KEY = 250
LONGEST_PARAM = 6000
LONGEST_TAG = 8000
LONGEST_NAME = 250
"""MLflow's limits, in characters."""

_YEAR_9999_MS = 253_370_764_800_000

Ending = Literal["FINISHED", "FAILED", "KILLED"]

_KEY = re.compile(r"[/\w.\- :]+")


@dataclass(frozen=True, eq=False)
class Curve:
    """A metric over time: arrays of shape (points,); raises `ValueError` for anything else."""

    steps: NDArray[np.int64]  # epochs, strictly increasing
    values: NDArray[np.float64]  # the metric after that many epochs; finite

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
    """A run as it is read: everything but its curves and artifacts. Times are in milliseconds since 1970."""

    run_id: str
    experiment_id: str
    name: str
    status: str  # MLflow's: RUNNING, FINISHED, FAILED, KILLED
    start_ms: int
    end_ms: int | None  # None while it is under way
    artifact_uri: str
    params: dict[str, str] = field(default_factory=dict)
    metrics: dict[str, float] = field(default_factory=dict)  # their latest values
    tags: dict[str, str] = field(default_factory=dict)

    @classmethod
    def read(cls, *values: Any) -> "Run":
        """Make one of the values that a store has, which may be anything where others have written, too."""
        run_id, experiment_id, *texts, start_ms, end_ms, artifact_uri = values
        name, status = (text or "" for text in texts)
        start_ms, end_ms = (
            ms if isinstance(ms, int) and 0 <= ms < _YEAR_9999_MS else None for ms in (start_ms, end_ms)
        )
        return cls(run_id, str(experiment_id), name, status, start_ms or 0, end_ms, artifact_uri or "")


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of a run that trains something, in short: what is read of many runs at once."""

    run_id: str
    config_hash: str
    status: str
    sweep_id: str | None = None  # None for a single run
    trials: int = 1
    converged: float | None = None  # share of its trials
    converged_at_end: float | None = None  # likewise; None also if the run is older than that metric
    epochs_to_converge: float | None = None  # of several trials the median; None if that is infinite
    final_loss: float | None = None  # like the next, of a single trial
    max_error: float | None = None


@dataclass(frozen=True, eq=False)
class RunRecord:
    """A run that is over, as it is to be written: everything MLflow is to know of it.

    Times are in milliseconds since 1970. `end_ms` is also the timestamp of every metric, so that writing a run again
    writes the same rows. Raises `ValueError` if MLflow would refuse, cut or distort any of it.
    """

    name: str  # for people, such as ``lr=0.5 hidden=4 seed=3``; cut to MLflow's 250 characters
    params: Mapping[str, str]
    metrics: Mapping[str, float]  # single, finite numbers, logged at `step`
    step: int  # epochs trained
    curves: Mapping[str, Curve]  # under other names than those of `metrics`
    tags: Mapping[str, str]
    artifacts: Mapping[str, bytes]  # content by plain file name
    start_ms: int
    end_ms: int
    status: Ending = "FINISHED"

    def __post_init__(self) -> None:
        object.__setattr__(self, "name", short_name(self.name))
        for key, value in self.params.items():
            check_key(key)
            if len(value) > LONGEST_PARAM:
                raise ValueError(
                    f"param {key} has {len(value)} characters, and MLflow keeps {LONGEST_PARAM}: "
                    "the run could not be repeated from what it kept"
                )
        for key in self.curves:
            check_key(key)
        if both := self.metrics.keys() & self.curves.keys():
            raise ValueError(f"a number and a curve cannot share the name {sorted(both)[0]!r}")
        _check(self)

    def placed(self, experiment_id: str, run_id: str) -> dict[str, str]:
        """Its tags, where it is known where it is kept: its description has links."""
        tags = dict(self.tags)
        if note := tags.get(names.NOTE):
            tags[names.NOTE] = note.replace(names.OWN_EXPERIMENT, experiment_id).replace(names.OWN_RUN, run_id)
        return tags


@dataclass(frozen=True)
class RunUpdate:
    """What a run that is under way, the parent of a sweep, has to add: what is new, or replaces what has its name."""

    metrics: Mapping[str, float] = field(default_factory=dict)  # finite, logged at step 0
    tags: Mapping[str, str] = field(default_factory=dict)
    artifacts: Mapping[str, bytes] = field(default_factory=dict)  # content by plain file name
    status: Ending | None = None  # given when the run ends here

    def __post_init__(self) -> None:
        _check(self)


def now_ms() -> int:
    """The time as MLflow keeps it: milliseconds since 1970."""
    return time.time_ns() // 1_000_000


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


def _check(content: RunRecord | RunUpdate) -> None:
    """Refuse metrics and tags that MLflow would refuse, cut or distort, and files that lead out of the run's folder."""
    for key, number in content.metrics.items():
        check_key(key)
        if not np.isfinite(number):
            raise ValueError(f"metric {key} is {number}: MLflow cannot store it, so leave it out")
    for key, value in content.tags.items():
        check_key(key)
        if len(value) > LONGEST_TAG:
            raise ValueError(f"tag {key} has {len(value)} characters, and MLflow keeps {LONGEST_TAG}")
    for name in content.artifacts:
        if not name or name in {".", ".."} or re.search(r"[/\\\0]", name):
            raise ValueError(f"{name!r} is no plain file name")
