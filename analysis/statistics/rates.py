"""Convergence rates."""

from collections.abc import Sequence

import pandas as pd

from analysis.statistics.conditions import by_condition
from nn_core.statistics import wilson_interval


def convergence_rates(trials: pd.DataFrame, by: Sequence[str]) -> pd.DataFrame:
    """Fraction of trials that converged, with its Wilson interval, by condition.

    Columns: `by`, estimate, low, high, converged, n.
    """
    counts = by_condition(trials, by, lambda members: {"converged": int(members["converged"].sum()), "n": len(members)})
    low, high = wilson_interval(counts["converged"], counts["n"])
    rates = counts.assign(estimate=counts["converged"] / counts["n"], low=low, high=high)
    return rates[[*by, "estimate", "low", "high", "converged", "n"]]
