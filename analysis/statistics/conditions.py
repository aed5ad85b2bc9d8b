"""Statistics condition by condition."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import pandas as pd


def by_condition(
    trials: pd.DataFrame, by: Sequence[str], summary: Callable[[pd.DataFrame], pd.DataFrame | Mapping[str, Any]]
) -> pd.DataFrame:
    """Sum up the trials of each condition, a combination of values of the columns `by`, in the order of their levels.

    `summary` makes of them a row, as a mapping, or a frame of rows. What comes back are the columns `by`, with the
    types they have in `trials`, and those of the summaries. Without `by` all trials are of one condition.
    """
    groups = trials.groupby(list(by), observed=True) if by else [((), trials)]
    parts = []
    for values, members in groups:
        rows = summary(members)
        rows = rows if isinstance(rows, pd.DataFrame) else pd.DataFrame([rows])
        condition: dict[str, Any] = dict(zip(by, values, strict=True))
        parts.append(rows.assign(**condition))
    whole = pd.concat(parts, ignore_index=True)
    return whole[[*by, *whole.columns.drop(list(by))]].astype({axis: trials[axis].dtype for axis in by})
