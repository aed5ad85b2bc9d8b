"""Which of two conditions is sooner, from the same initial weights."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
from scipy.stats import binomtest

from analysis.statistics.conditions import by_condition
from analysis.statistics.multiplicity import holm


def paired_speeds(matched: pd.DataFrame, by: Sequence[str]) -> pd.DataFrame:
    """Count the pairs in which either side converged sooner, and test whether they are equally likely.

    A side that failed took longer than any that converged. Pairs without a winner, in which both failed or both
    needed the same number of epochs, are left out of the test.

    Parameters
    ----------
    matched : pandas.DataFrame
        What `pairs` returns: the columns epochs_first and epochs_second, ``inf`` for failures.
    by : sequence of str
        Columns that make a condition.

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
        decided = first + second
        p = float(binomtest(second, decided, 0.5).pvalue) if decided else 1.0
        neither = len(members) - decided
        return {"first_sooner": first, "second_sooner": second, "neither_sooner": neither, "p_sooner": p}

    table = by_condition(matched, by, count)
    return table.assign(p_sooner_holm=holm(np.asarray(table["p_sooner"])))
