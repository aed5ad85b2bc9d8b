"""Which of two levels converges sooner, by the test that their seeds allow."""

import itertools
from collections.abc import Sequence

import numpy as np
import pandas as pd

from analysis.levels import levels
from analysis.statistics.conditions import by_condition, holm
from analysis.statistics.paired import initial_weights, mcnemar
from analysis.statistics.survival import logrank

SIGN, LOGRANK = "sign test", "log-rank"


def speed_tests(trials: pd.DataFrame, axis: str, by: Sequence[str]) -> pd.DataFrame:
    """Compare the epochs to converge of every two levels of `axis`, within each condition.

    Levels that share their initial weights are not independent: the log-rank test, which takes them to be, then
    hardly ever finds anything. They are compared pair by pair by the exact sign test, a failure being later than any
    success, which is also what the log-rank test becomes when it is stratified by pairs. Levels that share none are
    compared by the log-rank test; so are those that share less than half of the smaller one's, without the shared ones.

    Each network counts once, at its longest cut-off.

    Columns: `by`, first, second, test (``sign test`` or ``log-rank``), p (two-sided), p_holm (over all rows), n_first,
    n_second (trials that the test compares; of pairs both are the number of pairs).
    """
    columns = ["first", "second", "test", "p", "n_first", "n_second"]
    numbered = trials.assign(weights=initial_weights(trials))

    def compare(members: pd.DataFrame) -> pd.DataFrame:
        values = ["epochs_to_converge", "epochs"]
        table = members.pivot_table(index="weights", columns=axis, values=values, aggfunc="first", observed=True)
        epochs, cutoffs = (table[value].astype(float) for value in values)
        rows = []
        for first, second in itertools.combinations(levels(members[axis]), 2):
            one, other = (epochs[level].to_numpy() for level in (first, second))
            cutoff = np.minimum(cutoffs[first], cutoffs[second]).to_numpy()  # NaN unless both have these weights
            shared = table.index[~np.isnan(cutoff)]
            a, b = (members[members[axis] == level] for level in (first, second))
            if 2 * len(shared) >= min(len(a), len(b)):
                first_sooner, second_sooner = (one < other) & (one <= cutoff), (other < one) & (other <= cutoff)
                p = mcnemar(int(first_sooner.sum()), int(second_sooner.sum()))
                rows.append([first, second, SIGN, p, len(shared), len(shared)])
            else:
                a, b = (side[~side["weights"].isin(shared)] for side in (a, b))
                rows.append([first, second, LOGRANK, logrank(a, b)[1], len(a), len(b)])
        return pd.DataFrame(rows, columns=columns)

    table = by_condition(numbered, by, compare)
    table.insert(len(by) + 4, "p_holm", holm(table["p"]))
    return table


def share_weights(trials: pd.DataFrame, axis: str, by: Sequence[str]) -> bool:
    """Whether, within a condition, trials under different levels of `axis` began from the same weights."""
    numbered = trials.assign(weights=initial_weights(trials))
    return bool(numbered.drop_duplicates([*by, "weights", axis]).duplicated([*by, "weights"]).any())
