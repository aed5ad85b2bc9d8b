"""What a success costs: expected running time (ERT) against the cut-off, and the best restart.

All functions take each network once, at its longest cut-off.
"""

from collections.abc import Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from analysis.statistics.conditions import by_condition
from nn_core.statistics import expected_running_time, running_time_interval

Array = NDArray[np.float64]


def _cutoffs(times: Array, longest: int, most: int) -> Array:
    """Cut-offs worth looking at: between two successes ERT only grows, so it is least where some trial converged."""
    events = np.unique(np.append(times[times <= longest], longest))
    if len(events) <= most:
        return events
    return np.unique(events[np.linspace(0, len(events) - 1, most).round().astype(int)])


def running_times(trials: pd.DataFrame, by: Sequence[str]) -> pd.DataFrame:
    """ERT against the cut-off, by condition, with the interval of `running_time_interval` at each cut-off by itself.

    Columns: `by`, cutoff, estimate, low, high (``inf`` without a success), converged, n. A condition without any
    success has one row, at its cut-off.
    """

    def curve(members: pd.DataFrame) -> pd.DataFrame:
        times = members["epochs_to_converge"].to_numpy(np.float64)
        cutoffs = _cutoffs(times, int(members["epochs"].min()), 120)
        ert, (low, high) = expected_running_time(times, cutoffs), running_time_interval(times, cutoffs)
        converged = np.searchsorted(np.sort(times), cutoffs, side="right")
        curve = {"cutoff": cutoffs.astype(np.int64), "estimate": ert, "low": low, "high": high}
        return pd.DataFrame(curve | {"converged": converged, "n": len(times)})

    return by_condition(trials, by, curve)


def best_restarts(trials: pd.DataFrame, by: Sequence[str]) -> pd.DataFrame:
    """The cut-off at which abandoning a trial and beginning another costs least, by condition.

    There is no interval. The cut-off is picked for its low cost on the trials that tell the cost, so the least ERT is
    lower than what fresh trials will cost; where times have heavy tails (most trials quick, some very slow) no
    bootstrap or corrected level makes up for that, and 95% intervals hold the truth in half to two thirds of all cases.
    Fresh seeds, at a cut-off fixed before, do.

    Columns: `by`, cutoff (the best restart), estimate (epochs per success with it), at_cutoff (ERT when a trial is
    only abandoned at the cut-off it was trained to), at_cutoff_low, at_cutoff_high (its 95% interval, for nothing is
    picked there), without_restart (mean epochs to converge, ``inf`` if any trial failed: the cost of waiting for
    ever), converged, n.
    """

    def best(members: pd.DataFrame) -> dict[str, float]:
        times = members["epochs_to_converge"].to_numpy(np.float64)
        cutoffs = _cutoffs(times, int(members["epochs"].min()), len(times) + 1)
        ert = expected_running_time(times, cutoffs)
        low, high = running_time_interval(times, cutoffs[-1])
        least = {"cutoff": int(cutoffs[ert.argmin()]), "estimate": ert.min()}
        others = {"at_cutoff": ert[-1], "at_cutoff_low": float(low), "at_cutoff_high": float(high)}
        counts = {"converged": int(np.isfinite(times).sum()), "n": len(times)}
        return least | others | {"without_restart": times.mean()} | counts

    return by_condition(trials, by, best)
