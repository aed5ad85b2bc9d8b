"""What figures look at, and how: runs chosen and loaded, axes laid out, the caption that says so."""

from collections import defaultdict
from dataclasses import dataclass, fields, replace
from functools import cached_property
from typing import Any

import pandas as pd

from analysis.axes import Layout, lay_out
from analysis.choice import chosen_levels, having
from analysis.command import Selection
from analysis.figures.sizes import Style
from analysis.levels import assignment, level_name, level_names, levels, listed, parameter_name, plain
from analysis.loading import Data, SelectionError, keep_longest, load
from analysis.statistics import share_weights
from nn_core import parts
from tracking.reader import Reader
from tracking.store import open_reader

RunId = str
"""As an option of a figure: a run's id or its beginning, found among the selected runs before anything is drawn."""


@dataclass(frozen=True)
class View:
    """Everything a figure is drawn from: what was loaded, its trials those that the user chose, and how to show it.

    `selection` are the user's words, `where` the levels chosen by parameter; `store` is for artifacts.
    """

    store: Reader
    data: Data
    layout: Layout
    selection: Selection
    where: dict[str, list[Any]]
    style: Style

    @classmethod
    def of(cls, selection: Selection, style: Style) -> "View":
        """Load what is selected, and lay out its axes. Needs no library for drawing, whose import takes seconds.

        Raises `TrackingError` if the store cannot be read, and `SelectionError` if something named does not exist.
        """
        store = open_reader()
        data = load(store, selection.sweeps, selection.names_of_compared, selection.filter)
        where, problems = chosen_levels(data, selection.where)
        trials = having(data.trials, where)
        if not problems and trials.empty:
            problems.append("no trial has all the levels chosen by where")
        elif not problems:
            problems += _unknown_runs(selection, trials["run_id"])
        if problems:
            raise SelectionError("\n".join(problems))
        data = replace(data, trials=trials.reset_index(drop=True))
        layout = lay_out(data.trials, data.parameters, selection.axes)
        return cls(store, data, layout, selection, where, style)

    @property
    def trials(self) -> pd.DataFrame:
        """The trials chosen, one row each."""
        return self.data.trials

    @cached_property
    def longest(self) -> pd.DataFrame:
        """Each network once, at its longest cut-off."""
        return keep_longest(self.trials, self.data.parameters)

    @property
    def sharing(self) -> str:
        """Which levels are not independent, as a sentence; empty if all are."""
        axes = [axis for axis in self.layout.conditions if axis != "epochs"]
        others = {axis: [other for other in self.layout.conditions if other != axis] for axis in axes}
        shared = [parameter_name(axis) for axis in axes if share_weights(self.trials, axis, others[axis])]
        if not shared:
            return ""
        return (
            f" Levels of {listed(shared)} share their initial weights: whether intervals overlap is no test of their "
            "difference, a paired comparison is."
        )

    def caption(self, text: str, trials: pd.DataFrame) -> str:
        """Complete a caption with what every figure must say: criterion, cut-off, selection, sweep, commit."""
        cutoffs = listed([level_name(c) for c in levels(trials["epochs"])])
        chosen = [
            assignment(axis, listed([*level_names(kept, 40).values()], "or")) for axis, kept in self.where.items()
        ]
        parts = [text.strip(), criterion(trials), f"Cut-off {cutoffs} epochs."]
        parts += [self.layout.warning] if self.layout.warning else []
        parts += [f"Only {'; '.join(chosen)}."] if chosen else []
        parts += [f"Runs where {plain(self.data.run_filter, 120)}."] if self.data.run_filter else []
        for sweep in self.data.sweeps:
            whole = "" if sweep.loaded == sweep.jobs else f", {sweep.loaded} of {sweep.jobs} jobs {sweep.what}"
            commit = f", commit {plain(sweep.commit)}" if sweep.commit else ""
            name = f"{plain(sweep.label)}: sweep" if sweep.label else "Sweep"
            parts.append(f"{name} {sweep.short_id}{commit}{whole}.")
        return " ".join(parts)


def criterion(trials: pd.DataFrame) -> str:
    """When a trial counts as converged, as a sentence."""
    asked = []
    for name, members in trials.groupby("criterion", observed=True) if "criterion" in trials else ():
        asks: str = getattr(parts("criterion").get(str(name)), "asks", "")  # of a part that is not here, only its name
        options = [key for key in map(str, members) if key.startswith("criterion.")]
        limits = {key.partition(".")[2]: " or ".join(map(level_name, levels(members[key]))) for key in options}
        held = "" if limits.get("hold", "1") == "1" else f" at {limits['hold']} passes in a row"
        asked.append((asks.format_map(defaultdict(lambda: "?", limits)) or f"criterion {level_name(name)}") + held)
    return f"Converged, at the first such pass: {'; or '.join(asked)}." if asked else ""


def _unknown_runs(selection: Selection, run_ids: "pd.Series[str]") -> list[str]:
    """What is wrong with the runs that options of figures name."""
    found = []
    for option in (f.name for f in fields(selection) if f.metadata.get("run_ids")):
        for name in getattr(selection, option):
            matches = run_ids[run_ids.str.startswith(name)].nunique()
            several = f"{matches:,} runs of this selection have ids that begin so; give more of it"
            none = f"no run of this selection has an id that begins so; one is {run_ids.iloc[0]}"
            if matches != 1:
                found.append(f"{option}={name}: {several if matches else none}")
    return found
