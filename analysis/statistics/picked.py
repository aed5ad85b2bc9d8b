"""Conditions picked after the fact, the best or the worst: intervals that hold for all conditions at once.

An interval that misses the truth in one condition of twenty misses it far more often in the best of fifteen, for what
looks best was lucky. At the level 1 - 0.05 / m the intervals of m conditions all hold together in 95 of 100 sweeps,
whatever the conditions have in common (Bonferroni), so the one picked does, however it was picked. They are wide: fresh
seeds tell more.

ERT at a fixed cut-off has them too. For the least ERT over cut-offs there is nothing of the kind: times with heavy
tails make the mean of the few that look best so much too low that no level mends it.
"""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from analysis.statistics.conditions import by_condition
from analysis.statistics.survival import median_times
from nn_core.statistics import exact_interval, expected_running_time, median_interval, running_time_interval

_ERROR = 0.05


def rates_at_once(rates: pd.DataFrame) -> pd.DataFrame:
    """The rows of `convergence_rates` with intervals that hold for all of them at once; a single row as it is.

    They are Clopper and Pearson's, which keep their promise at such a level also near 0 and 100%.
    """
    if len(rates) == 1:
        return rates
    confidence = 1 - _ERROR / len(rates)
    low, high = exact_interval(rates["converged"], rates["n"], confidence)
    known = rates["at_end"].notna()
    ends = exact_interval((rates["at_end"].where(known, 0.0) * rates["n"]).round(), rates["n"], confidence)
    at_end_low, at_end_high = (np.where(known, end, np.nan) for end in ends)
    return rates.assign(low=low, high=high, at_end_low=at_end_low, at_end_high=at_end_high)


def medians_at_once(trials: pd.DataFrame, by: Sequence[str]) -> pd.DataFrame:
    """`median_times` with intervals that hold for all conditions at once; of a single condition, as they are.

    Their ends are two of the times, which ranks alone decide, so they hold whatever the distribution. Where the
    cut-offs of a condition's trials differ, the intervals look no further than the shortest.
    """
    medians = median_times(trials, by)
    if len(medians) == 1:
        return medians

    def interval(members: pd.DataFrame) -> dict[str, float]:
        cutoff = float(members["epochs"].min())
        times = members["epochs_to_converge"].to_numpy(np.float64)
        low, high = median_interval(np.where(times <= cutoff, times, np.inf), 1 - _ERROR / len(medians))
        return {"low": min(max(low, 0.0), cutoff), "high": high}

    found = by_condition(trials, by, interval)  # the same conditions in the same order
    return medians.assign(low=found["low"], high=found["high"])


def costs_at_once(trials: pd.DataFrame, by: Sequence[str]) -> pd.DataFrame:
    """ERT at the cut-off that trials were trained to, by condition, with intervals that hold for all at once.

    Columns: `by`, estimate, low, high (``inf`` without a success). Conditions are in the order of `median_times`.
    """
    conditions = len(trials[list(by)].drop_duplicates()) if by else 1
    confidence = 1 - _ERROR / conditions

    def cost(members: pd.DataFrame) -> dict[str, float]:
        times, cutoff = members["epochs_to_converge"].to_numpy(np.float64), int(members["epochs"].min())
        low, high = running_time_interval(times, cutoff, confidence)
        return {"estimate": float(expected_running_time(times, cutoff)), "low": float(low), "high": float(high)}

    return by_condition(trials, by, cost)
