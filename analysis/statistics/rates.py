"""Convergence rates, at any pass and at the end."""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from analysis.statistics.conditions import by_condition
from nn_core.statistics import wilson_interval


def convergence_rates(trials: pd.DataFrame, by: Sequence[str]) -> pd.DataFrame:
    """Fraction of trials that converged, at any pass and at the end, with their Wilson intervals, by condition.

    Columns: `by`, estimate, low, high, converged, n; at_end, at_end_low, at_end_high (NaN where that is not known of
    every trial).
    """

    def count(members: pd.DataFrame) -> dict[str, float]:
        at_end = members["converged_at_end"].sum(skipna=False)
        return {"converged": int(members["converged"].sum()), "n": len(members), "at_end": at_end}

    counts = by_condition(trials, by, count)
    n, at_end = counts["n"], counts["at_end"].astype("Float64").to_numpy(np.float64, na_value=np.nan)
    low, high = wilson_interval(counts["converged"], n)
    end_low, end_high = (np.where(np.isnan(at_end), np.nan, e) for e in wilson_interval(np.nan_to_num(at_end), n))
    rates = counts.assign(estimate=counts["converged"] / n, low=low, high=high)
    rates = rates.assign(at_end=at_end / n, at_end_low=end_low, at_end_high=end_high)
    return rates[[*by, "estimate", "low", "high", "converged", "n", "at_end", "at_end_low", "at_end_high"]]


def unlearned(rates: pd.DataFrame) -> "pd.Series[bool]":
    """In which rows of `convergence_rates` fewer trials hold at the end than converged, by more than the intervals."""
    return rates["at_end_high"] < rates["low"]
