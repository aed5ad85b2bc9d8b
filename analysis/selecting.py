"""From options to what is drawn: data loaded, levels chosen, axes laid out."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd

from analysis.axes import Layout, lay_out, level_name, levels
from analysis.loading import Data, SelectionError, load
from analysis.options import Selection
from analysis.store import Store, open_store


@dataclass(frozen=True)
class Selected:
    """What is to be drawn.

    Attributes
    ----------
    options : Selection
    store : Store
        For artifacts.
    data : Data
        All that was loaded.
    trials : pandas.DataFrame
        The trials of `data` that ``where`` keeps.
    where : dict
        The levels it chose, by parameter.
    layout : Layout
    """

    options: Selection
    store: Store
    data: Data
    trials: pd.DataFrame
    where: dict[str, list[Any]]
    layout: Layout


def select(options: Selection) -> Selected:
    """Load what the options name, and lay out its axes. Needs no library for drawing, whose import takes seconds.

    Raises
    ------
    StoreError, SelectionError
        If the store cannot be read; if something named does not exist, with what does.
    """
    store = open_store()
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
    if not problems and trials.empty:
        problems.append("no trial has all the levels chosen by where")
    elif not problems:
        problems += _problems_of_runs(options.runs, trials["run_id"])
    if problems:
        raise SelectionError("\n".join(problems))
    trials = trials.reset_index(drop=True)
    return Selected(options, store, data, trials, chosen, lay_out(trials, data.parameters, options.axes))


def _problems_of_runs(names: Sequence[str], run_ids: "pd.Series[str]") -> list[str]:
    found = []
    for name in names:
        matches = run_ids[run_ids.str.startswith(name)].unique()
        if len(matches) == 0:
            found.append(f"runs={name}: no run of this selection has an id that begins so; one is {run_ids.iloc[0]}")
        elif len(matches) > 1:
            found.append(
                f"runs={name}: {len(matches):,} runs of this selection have ids that begin so; give more of it"
            )
    return found


def _canonical(value: Any) -> Any:
    """A level such that those a user would call the same are equal: 1 and 1.0, [8,4] and "[8, 4]", null and NaN."""
    if isinstance(value, list | str):
        return str(value).replace(" ", "").replace("'", "")
    return "none" if pd.isna(value) else float(value)
