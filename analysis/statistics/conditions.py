"""Splitting trials into conditions."""

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import pandas as pd

from analysis.levels import levels


def conditions(trials: pd.DataFrame, by: Sequence[str]) -> Iterator[tuple[dict[str, Any], pd.DataFrame]]:
    """Each combination of values of the columns `by` with its trials, in the natural order of the levels."""
    if not by:
        yield {}, trials
        return
    ranks = []
    for axis in by:
        rank = {level: i for i, level in enumerate(levels(trials[axis]))}
        # NaN, the level of what does not apply, comes first, but cannot be looked up.
        ranks.append(trials[axis].astype(object).map(rank).fillna(0).to_numpy(np.int64))
    for _, members in trials.groupby(ranks, sort=True):
        yield {axis: members[axis].iloc[0] for axis in by}, members


def tidy(rows: pd.DataFrame | Sequence[dict[str, Any]], trials: pd.DataFrame, by: Sequence[str]) -> pd.DataFrame:
    """Rows by condition as a frame whose columns `by` have the types of the trials they came from."""
    frame = pd.DataFrame(rows)
    return frame.astype({axis: trials[axis].dtype for axis in by if axis in frame})
