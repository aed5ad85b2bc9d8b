"""Convergence rates, and how many seeds it takes to tell two of them apart."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray
from scipy.special import ndtri

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


def seeds_for_pairs(discordant: ArrayLike, difference: float) -> NDArray[np.float64]:
    """Seeds at which McNemar's test (5% level, 80% power) finds a difference of rates on the same initial weights.

    `discordant` is the fraction of pairs in which only one of the two converged. It cannot be less than the
    `difference`, in (0, 1], of their convergence rates, which takes its place then (R. Connor, Biometrics 43 (1987)
    207-211; O. Miettinen, Biometrics 24 (1968) 339-352).

    Examples
    --------
    >>> seeds_for_pairs(0.3, 0.1).tolist()
    [234.0]
    """
    if not 0 < difference <= 1:
        raise ValueError(f"difference={difference} must lie in (0, 1]")
    psi = np.maximum(np.atleast_1d(np.asarray(discordant, np.float64)), difference)
    z_level, z_power = ndtri(0.975), ndtri(0.8)
    spread = z_level * np.sqrt(psi) + z_power * np.sqrt(psi - difference**2)
    seeds: NDArray[np.float64] = np.ceil((spread / difference) ** 2)
    return seeds


def seeds_needed(comparisons: pd.DataFrame, difference: float) -> pd.DataFrame:
    """Seeds that each comparison of a pilot, from `paired_rates`, would need to find a difference.

    The pilot tells how often only one of two conditions converges from the same weights; the upper end of that
    fraction's interval gives the number to plan with.

    Columns: the conditions and pairs, discordant (fraction), estimate and high (seeds, at the pilot's fraction and at
    the upper end of its 95% interval), n (the pilot's pairs).
    """
    one_only = comparisons["only_first"] + comparisons["only_second"]
    _, upper = wilson_interval(one_only, comparisons["n"])
    discordant = one_only / comparisons["n"]
    seeds, safe = seeds_for_pairs(discordant, difference), seeds_for_pairs(upper, difference)
    return comparisons.loc[:, :"second"].assign(discordant=discordant, estimate=seeds, high=safe, n=comparisons["n"])
