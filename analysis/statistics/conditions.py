"""Splitting trials into conditions."""

from collections.abc import Iterator, Sequence
from typing import Any

import pandas as pd


def conditions(trials: pd.DataFrame, by: Sequence[str]) -> Iterator[tuple[dict[str, Any], pd.DataFrame]]:
    """Each combination of values of the columns `by` with its trials, in the order of the levels."""
    if not by:
        yield {}, trials
        return
    for values, members in trials.groupby(list(by), observed=True):
        yield dict(zip(by, values, strict=True)), members


def tidy(rows: pd.DataFrame | Sequence[dict[str, Any]], trials: pd.DataFrame, by: Sequence[str]) -> pd.DataFrame:
    """Rows by condition as a frame whose columns `by` have the types of the trials they came from."""
    frame = pd.DataFrame(rows)
    return frame.astype({axis: trials[axis].dtype for axis in by if axis in frame})
