"""Statistics condition by condition, and p-values of many conditions together."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray


def by_condition(
    trials: pd.DataFrame, by: Sequence[str], summary: Callable[[pd.DataFrame], pd.DataFrame | Mapping[str, Any]]
) -> pd.DataFrame:
    """Sum up the trials of each condition, a combination of values of the columns `by`, in the order of their levels.

    `summary` makes of them a row, as a mapping, or a frame of rows. What comes back are the columns `by`, with the
    types they have in `trials`, and those of the summaries. Without `by` all trials are of one condition.
    """
    parts = []
    for values, members in trials.groupby(list(by), observed=True) if by else [((), trials)]:
        rows = summary(members)
        rows = rows if isinstance(rows, pd.DataFrame) else pd.DataFrame([rows])
        condition: dict[str, Any] = dict(zip(by, values, strict=True))
        parts.append(rows.assign(**condition))
    whole = pd.concat(parts, ignore_index=True)
    return whole[[*by, *whole.columns.drop(list(by))]].astype({axis: trials[axis].dtype for axis in by})


def holm(p: ArrayLike) -> NDArray[np.float64]:
    """Adjust p-values, shape (tests,), so that all of them together are wrong no more often than one alone.

    S. Holm, "A simple sequentially rejective multiple test procedure", Scand. J. Statist. 6 (1979) 65-70.

    Examples
    --------
    >>> holm([0.01, 0.04, 0.03]).round(3).tolist()
    [0.03, 0.06, 0.06]
    """
    values = np.asarray(p, np.float64)
    order = np.argsort(values)
    stepped = np.maximum.accumulate(values[order] * (values.size - np.arange(values.size)))
    return np.minimum(stepped, 1.0)[np.argsort(order)]
