"""What came of each condition, side by side: the table that the answer's rates rest on, sorted by a click."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from analysis.statistics import convergence_rates, costs_at_once, medians_at_once, rates_at_once

COLUMNS = {
    "at_end": ("criterion met at the end", "%"),
    "estimate": ("converged at some pass", "%"),
    "median": ("median epochs to converge", "epochs"),
    "ert": ("ERT at the cut-off", "epochs"),
}
"""What is estimated, what it is called and its unit; each has an interval, in columns that end in _low and _high."""


def conditions(longest: pd.DataFrame, by: Sequence[str]) -> pd.DataFrame:
    """Rates, median epochs and ERT of each condition at its longest cut-off, with 95% intervals for all at once.

    The best come first, and whoever picks one has an interval that knows it.
    Columns: `by`, those of `COLUMNS` with their ends, n. What holds at the end decides, then the median.
    """
    rates = rates_at_once(convergence_rates(longest, by))
    others = {"median": medians_at_once(longest, by), "ert": costs_at_once(longest, by)}  # conditions in the same order
    ends = (("", "estimate"), ("_low", "low"), ("_high", "high"))
    table = rates.rename(columns={"low": "estimate_low", "high": "estimate_high"}).assign(
        **{f"{name}{end}": frame[of] for name, frame in others.items() for end, of in ends}
    )
    first = np.where(table["at_end"].isna(), table["estimate"], table["at_end"])
    best = table.assign(_first=-first).sort_values(["_first", "median"], kind="stable")
    columns = [f"{name}{end}" for name in COLUMNS for end in ("", "_low", "_high")]
    return best[[*by, *columns, "n"]].reset_index(drop=True)


def shown(row: "pd.Series[Any]", name: str) -> str:
    """An estimate with its interval in words."""
    value, low, high = (row[f"{name}{end}"] for end in ("", "_low", "_high"))
    if np.isnan(value):
        return "unknown"
    if COLUMNS[name][1] == "%":
        return f"{100 * value:.0f}% ({100 * low:.0f} to {100 * high:.0f}%)"
    return f"{_epochs(value, 'none')} ({_epochs(low)} to {_epochs(high)})" if np.isfinite(low) else "none"


def _epochs(value: float, infinite: str = "no limit") -> str:
    return f"{value:,.0f}" if np.isfinite(value) else infinite
