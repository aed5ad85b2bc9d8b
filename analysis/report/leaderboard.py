"""What came of each condition, side by side: the table that the answer's rates rest on, sorted by a click."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from analysis.statistics import best_restarts, convergence_rates, median_times

COLUMNS = {
    "at_end": ("criterion met at the end", "%"),
    "estimate": ("converged at some pass", "%"),
    "median": ("median epochs to converge", "epochs"),
    "ert": ("ERT at the cut-off", "epochs"),
}
"""What is estimated, what it is called and its unit; each has an interval, in columns that end in _low and _high."""


def conditions(longest: pd.DataFrame, by: Sequence[str]) -> pd.DataFrame:
    """Rates, median epochs and ERT of each condition at its longest cut-off, with 95% intervals; best first.

    Columns: `by`, those of `COLUMNS` with their ends, n. What holds at the end decides, then the median.
    """
    rates = convergence_rates(longest, by).rename(columns={"low": "estimate_low", "high": "estimate_high"})
    medians, costs = median_times(longest, by), best_restarts(longest, by)  # conditions in the same order
    table = rates.drop(columns="converged").assign(
        **{f"median{end}": medians[of] for end, of in (("", "estimate"), ("_low", "low"), ("_high", "high"))},
        **{f"ert{end}": costs[f"at_cutoff{end}"] for end in ("", "_low", "_high")},
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
