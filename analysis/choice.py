"""Some of the trials: those with levels that a user names."""

from collections.abc import Mapping
from typing import Any

import pandas as pd

from analysis.levels import level_name, levels
from analysis.loading import Data


def chosen_levels(data: Data, wanted: Mapping[str, Any]) -> tuple[dict[str, list[Any]], list[str]]:
    """The levels chosen, one or a list for a parameter, as they are in the data, and what is wrong with the choice."""
    chosen, problems = {}, []
    for axis, value in wanted.items():
        named = value if isinstance(value, list) else [value]
        if axis not in (*data.parameters, "sweep", "seed"):
            problems.append(f"where.{axis}: not a parameter of these runs; valid are {', '.join(data.parameters)}")
            continue
        found = {_canonical(level): level for level in levels(data.trials[axis])}
        missing = [str(level) for level in named if _canonical(level) not in found]
        if missing:
            present = ", ".join(level_name(level) for level in found.values())
            problems.append(f"where.{axis}={', '.join(missing)}: the runs have {present}")
        else:
            chosen[axis] = [found[_canonical(level)] for level in named]
    return chosen, problems


def having(trials: pd.DataFrame, chosen: Mapping[str, list[Any]]) -> pd.DataFrame:
    """The trials that have one of the levels chosen of every parameter."""
    for axis, kept in chosen.items():
        trials = trials[trials[axis].isin(kept)]
    return trials


def _canonical(value: Any) -> str | float:
    """A level such that those a user would call the same are equal: 1 and 1.0, [8,4] and "[8, 4]", null and none."""
    text = level_name(value) if value is None or isinstance(value, bool) else str(value)
    try:
        return float(text)
    except ValueError:
        return text.replace(" ", "").replace("'", "")
