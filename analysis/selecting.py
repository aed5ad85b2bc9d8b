"""From options to what is drawn: data loaded, levels chosen, axes laid out."""

from typing import Any

import pandas as pd

from analysis.axes import level_name, levels
from analysis.loading import Data, SelectionError, load
from analysis.options import Selection
from analysis.store import Store


def select(store: Store, options: Selection) -> tuple[Data, pd.DataFrame, dict[str, list[Any]]]:
    """Load what the options name; returns the data, the trials that `where` keeps, and its levels by parameter.

    Raises
    ------
    SelectionError
        If something named does not exist, with what does.
    """
    labels = options.labels
    if options.compare and not labels:
        labels = [str(i + 1) for i in range(len(options.compare))]
    data = load(store, options.sweeps, labels if options.compare else (), options.filter)
    trials, problems, chosen = data.trials, [], {}
    for axis, value in options.where.items():
        wanted = value if isinstance(value, list) else [value]
        if axis not in (*data.parameters, "sweep", "seed"):
            problems.append(f"where.{axis}: not a parameter of these runs; valid are {', '.join(data.parameters)}")
            continue
        found = {_canonical(level): level for level in levels(data.trials[axis])}
        missing = [str(w) for w in wanted if _canonical(w) not in found]
        if missing:
            present = ", ".join(level_name(level) for level in found.values())
            problems.append(f"where.{axis}={', '.join(missing)}: the runs have {present}")
            continue
        chosen[axis] = [found[_canonical(w)] for w in wanted]
        trials = trials[trials[axis].map(_canonical).isin([_canonical(w) for w in wanted])]
    if problems:
        raise SelectionError("\n".join(problems))
    if trials.empty:
        raise SelectionError("no trial has all the levels chosen by where")
    return data, trials.reset_index(drop=True), chosen


def _canonical(value: Any) -> Any:
    """A level such that those a user would call the same are equal: 1 and 1.0, [8,4] and "[8, 4]", null and NaN."""
    if isinstance(value, list | str):
        return str(value).replace(" ", "").replace("'", "")
    return "none" if pd.isna(value) else float(value)
