"""Which of two conditions is sooner, from the same initial weights."""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from analysis.statistics.conditions import by_condition
from analysis.statistics.multiplicity import holm
from analysis.statistics.rates import mcnemar


def paired_speeds(matched: pd.DataFrame, by: Sequence[str]) -> pd.DataFrame:
    """Count the pairs in which either side converged sooner, and test whether they are equally likely.

    A side that failed took longer than any that converged. Pairs without a winner, in which both failed or both
    needed the same number of epochs, are left out of the test.

    `matched` is what `pairs` returns: the columns epochs_first and epochs_second, ``inf`` for failures.

    Returns
    -------
    pandas.DataFrame
        `by`, first_sooner, second_sooner, neither_sooner, p_sooner (two-sided exact sign test; 1 without any
        winner), p_sooner_holm (over all rows).

    References
    ----------
    W. Conover, "Practical Nonparametric Statistics" (1999), 3.4: the sign test.
    """

    def count(members: pd.DataFrame) -> dict[str, float]:
        first = int((members["epochs_first"] < members["epochs_second"]).sum())
        second = int((members["epochs_second"] < members["epochs_first"]).sum())
        neither = len(members) - first - second
        p = mcnemar(first, second)  # the pairs with a winner are the discordant ones
        return {"first_sooner": first, "second_sooner": second, "neither_sooner": neither, "p_sooner": p}

    table = by_condition(matched, by, count)
    return table.assign(p_sooner_holm=holm(np.asarray(table["p_sooner"])))
