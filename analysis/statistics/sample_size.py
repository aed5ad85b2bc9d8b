"""How many seeds it takes to tell two convergence rates apart, by the exact test that then compares them."""

import math
from functools import lru_cache

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray
from scipy.special import ndtri
from scipy.stats import binom

from nn_core.statistics import wilson_interval

_LEVEL, _POWER = 0.05, 0.8


def mcnemar_power(pairs: ArrayLike, discordant: float, difference: float) -> NDArray[np.float64]:
    """Probability that McNemar's exact test finds a difference at the 5% level, for each number of pairs, shape (n,).

    A pair is discordant, only one of the two having converged, with the probability `discordant`; of the discordant
    ones (1 + difference / discordant) / 2 favour the better side. So the number of discordant pairs is binomial, and
    given it so is that of the favourable ones, which the test compares with a fair coin's.

    Examples
    --------
    Six discordant pairs on one side are the fewest that the test rejects: 2 / 2^6 < 0.05 < 2 / 2^5.

    >>> mcnemar_power([5, 6, 7], 1.0, 1.0).tolist()
    [0.0, 1.0, 1.0]
    """
    n = np.asarray(pairs, np.int64)
    # Counts beyond these have probabilities below 1e-10.
    counts = np.arange(binom.ppf(1e-10, n.min(), discordant), binom.isf(1e-10, n.max(), discordant) + 1)
    most = binom.ppf(_LEVEL / 2, counts, 0.5) - 1  # on the rarer side, if the test is to reject
    better = (discordant + difference) / (2 * discordant)
    rejected = binom.cdf(most, counts, better) + binom.sf(counts - most - 1, counts, better)
    power: NDArray[np.float64] = binom.pmf(counts, n[:, np.newaxis], discordant) @ rejected
    return power


def seeds_for_pairs(discordant: ArrayLike, difference: float) -> NDArray[np.float64]:
    """Seeds from which on McNemar's exact test (5% level) finds a difference of rates with a power of 80% or more.

    `discordant` is the fraction of pairs, on the same initial weights, in which only one of the two converged. It
    cannot be less than the `difference`, in (0, 1], of their convergence rates, which takes its place then. The power
    of an exact test rises like a saw, so with a few more seeds it may be less again: not so from this number on.

    Examples
    --------
    >>> seeds_for_pairs(0.3, 0.1).tolist()
    [249.0]
    """
    if not 0 < difference <= 1:
        raise ValueError(f"difference={difference} must lie in (0, 1]")
    psi = np.maximum(np.atleast_1d(np.asarray(discordant, np.float64)), difference)
    return np.array([float(_least_pairs(float(fraction), difference)) for fraction in psi])


@lru_cache(maxsize=1024)
def _least_pairs(psi: float, difference: float) -> int:
    """The least number of pairs from which on the power stays at 80%.

    The normal approximation (R. Connor, Biometrics 43 (1987) 207-211) is a few pairs short and tells where to look.
    """
    spread = ndtri(1 - _LEVEL / 2) * math.sqrt(psi) + ndtri(_POWER) * math.sqrt(psi - difference**2)
    about = (spread / difference) ** 2
    low = max(1, int(about - 3 * math.sqrt(about) - 30))
    high = int(about + 6 * math.sqrt(about) + 4 / difference + 60)
    if psi < 1 and about * psi * (1 - psi) > 100:  # the number of discordant pairs varies enough to blunt the saw
        while low < high:
            middle = (low + high) // 2
            if mcnemar_power([middle], psi, difference)[0] < _POWER:
                low = middle + 1
            else:
                high = middle
        return low
    short = np.flatnonzero(mcnemar_power(np.arange(low, high + 1), psi, difference) < _POWER)
    return low + int(short.max(initial=-1)) + 1


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
