"""How many seeds a difference needs, from a finished pilot sweep."""

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray
from scipy.special import ndtri

from nn_core.statistics import wilson_interval


def seeds_for_pairs(
    discordant: ArrayLike, difference: float, power: float = 0.8, level: float = 0.05
) -> NDArray[np.float64]:
    """Seeds at which McNemar's test finds a difference of two rates on the same initial weights.

    Parameters
    ----------
    discordant
        Fraction of pairs in which only one of the two converged. It cannot be less than the difference, which
        takes its place then.
    difference
        Of the two convergence rates, in (0, 1].
    power
        Probability of finding it.
    level
        Two-sided level of the test.

    References
    ----------
    R. Connor, "Sample size for testing differences in proportions for the paired-sample design", Biometrics 43
    (1987) 207-211; O. Miettinen, Biometrics 24 (1968) 339-352.

    Examples
    --------
    >>> seeds_for_pairs(0.3, 0.1).tolist()
    [234.0]
    """
    if not (0 < difference <= 1 and 0 < power < 1 and 0 < level < 1):
        raise ValueError(f"difference={difference} must lie in (0, 1], power={power} and level={level} in (0, 1)")
    psi = np.maximum(np.atleast_1d(np.asarray(discordant, np.float64)), difference)
    z_level, z_power = ndtri(1 - level / 2), ndtri(power)
    spread = z_level * np.sqrt(psi) + z_power * np.sqrt(psi - difference**2)
    seeds: NDArray[np.float64] = np.ceil((spread / difference) ** 2)
    return seeds


def seeds_needed(comparisons: pd.DataFrame, difference: float, power: float = 0.8, level: float = 0.05) -> pd.DataFrame:
    """Seeds that each comparison of a pilot would need to find a difference.

    The pilot tells how often only one of two conditions converges from the same weights; the upper end of that
    fraction's interval gives the number to plan with.

    Parameters
    ----------
    comparisons : pandas.DataFrame
        From `paired_rates` on the pilot.
    difference, power, level
        As for `seeds_for_pairs`.

    Returns
    -------
    pandas.DataFrame
        The conditions and pairs, discordant (fraction), estimate and high (seeds, at the pilot's fraction and at
        the upper end of its 95% interval), n (the pilot's pairs).
    """
    one_only = comparisons["only_first"] + comparisons["only_second"]
    _, upper = wilson_interval(one_only, comparisons["n"])
    labels = comparisons.loc[:, :"second"]
    return labels.assign(
        discordant=one_only / comparisons["n"],
        estimate=seeds_for_pairs(one_only / comparisons["n"], difference, power, level),
        high=seeds_for_pairs(upper, difference, power, level),
        n=comparisons["n"],
    )
