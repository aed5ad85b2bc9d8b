"""What a success costs: expected running time (ERT) against the cut-off, and the best restart.

All functions take each network once, at its longest cut-off.
"""

from collections.abc import Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from analysis.statistics.conditions import by_condition
from analysis.statistics.resampling import percentile_interval, resamples
from nn_core.statistics import expected_running_time

Array = NDArray[np.float64]


def _resampled_ert(times: Array, counts: Array, cutoffs: Array) -> Array:
    """ERT of every resample, shape (resamples, cut-offs)."""
    spent = counts @ np.minimum(times[:, np.newaxis], cutoffs)
    successes = counts @ (times[:, np.newaxis] <= cutoffs)
    ert: Array = np.divide(spent, successes, out=np.full(spent.shape, np.inf), where=successes > 0)
    return ert


def _cutoffs(times: Array, longest: int, most: int) -> Array:
    """Cut-offs worth looking at: between two successes ERT only grows, so it is least where some trial converged."""
    events = np.unique(np.append(times[times <= longest], longest))
    if len(events) <= most:
        return events
    return np.unique(events[np.linspace(0, len(events) - 1, most).round().astype(int)])


def running_times(trials: pd.DataFrame, by: Sequence[str], resampled: int = 1000) -> pd.DataFrame:
    """ERT against the cut-off, by condition, with a bootstrap percentile interval at each cut-off by itself.

    Columns: `by`, cutoff, estimate, low, high (``inf`` where a resample has no success), converged, n. A condition
    without any success has one row, at its cut-off.
    """

    def curve(members: pd.DataFrame) -> pd.DataFrame:
        times = members["epochs_to_converge"].to_numpy(np.float64)
        cutoffs = _cutoffs(times, int(members["epochs"].min()), 120)
        low, high = percentile_interval(_resampled_ert(times, resamples(len(times), resampled), cutoffs))
        ert = expected_running_time(times, cutoffs)
        converged = np.searchsorted(np.sort(times), cutoffs, side="right")
        curve = {"cutoff": cutoffs.astype(np.int64), "estimate": ert, "low": low, "high": high}
        return pd.DataFrame(curve | {"converged": converged, "n": len(times)})

    return by_condition(trials, by, curve)


def best_restarts(trials: pd.DataFrame, by: Sequence[str], resampled: int = 1000) -> pd.DataFrame:
    """The cut-off at which abandoning a trial and beginning another costs least, by condition.

    The interval is of the least ERT, minimised anew in every resample. Minimising over the same data makes the
    estimate a little too good; with few trials read it as a lower bound.

    Columns: `by`, cutoff (the best restart), estimate, low, high (epochs per success with it), at_cutoff (ERT when a
    trial is only abandoned at the cut-off it was trained to), without_restart (mean epochs to converge, ``inf`` if any
    trial failed: the cost of waiting for ever), converged, n.
    """

    def best(members: pd.DataFrame) -> dict[str, float]:
        times = members["epochs_to_converge"].to_numpy(np.float64)
        longest = int(members["epochs"].min())
        cutoffs, coarse = (_cutoffs(times, longest, most) for most in (len(times) + 1, 200))
        ert = expected_running_time(times, cutoffs)
        low, high = percentile_interval(_resampled_ert(times, resamples(len(times), resampled), coarse).min(axis=1))
        least = {"cutoff": int(cutoffs[ert.argmin()]), "estimate": ert.min(), "low": float(low), "high": float(high)}
        others = {"at_cutoff": ert[-1], "without_restart": times.mean()}
        return least | others | {"converged": int(np.isfinite(times).sum()), "n": len(times)}

    return by_condition(trials, by, best)
