"""The answer in three sentences, computed from the data."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from analysis.axes import Layout
from analysis.levels import EVERYDAY, level_name, levels, listed, unordered
from analysis.loading import Sweep, counted
from analysis.statistics import (
    best_restarts,
    convergence_rates,
    median_times,
    medians_at_once,
    rates_at_once,
    unlearned,
)

_FEW = 3  # conditions that are named one by one


@dataclass(frozen=True)
class Finding:
    """A sentence, and the tables of the report that hold its numbers.

    A table is named by the figure it belongs to, or is ``conditions`` (what came of each condition at the longest
    cut-off) or ``design`` (the levels of each parameter).
    """

    text: str
    tables: tuple[str, ...]


def question(layout: Layout, tasks: Sequence[str]) -> str:
    """What the sweep asks, from what it varied."""
    names = {"lr": "learning rates", "hidden": "hidden widths", "epochs": "cut-offs"}
    axes = [axis for axis in sorted(layout.conditions, key=_everyday) if axis != "sweep"]
    opening = f"At which {listed([names.get(axis, f'values of {axis}') for axis in axes])}"
    if "sweep" in layout.conditions:
        opening = f"{opening}, and in which of the compared sweeps," if axes else "In which of the compared sweeps"
    return f"{opening} does backpropagation learn {listed(tasks)}, and how fast?"


def findings(
    trials: pd.DataFrame, longest: pd.DataFrame, layout: Layout, sweeps: Sequence[Sweep] = ()
) -> list[Finding]:
    """What was found: how often, by when, at what cost; more if networks unlearn, or parameters varied only together.

    Every number is of one condition of the layout. Pooled over conditions it would depend on which of them the sweep
    happened to hold. `longest` has each network once, at its longest cut-off. Conditions whose networks converge and
    do not stay so are never called the soonest or the cheapest.

    What is picked after the fact, the best or the worst of several conditions, has an interval that holds for all of
    them at once, or none and the word for it, and a command that tries it again, if one of the `sweeps` can be meant.
    """
    by = layout.along_epochs().conditions
    rates = convergence_rates(longest, by)
    lost = unlearned(rates)
    rates = rates_at_once(rates)
    medians = medians_at_once(longest, by)
    confounded = [axis for axis, _ in layout.together]
    found = [Finding(_how_often(longest, rates, by), ("conditions",))]
    found += [Finding(text, ("conditions",)) for text in _what_is_lost(rates[lost], rates, by)]
    if not lost.all():
        among = ""
        if lost.any():
            among = " among those that last"
            trials, longest = (_only(frame, rates[~lost], by) for frame in (trials, longest))
        found.append(Finding(_by_when(trials, longest, medians[~lost], by, among, len(rates)), ("survival", "rate")))
        found.append(Finding(_at_what_cost(longest, by, confounded, among), ("ert",)))
        if len(rates) > 1 and len(sweeps) == 1:
            found.append(Finding(_remedy(sweeps[0], trials), ("ert",)))
    return [*found, Finding(layout.warning, ("design",))] if layout.warning else found


def _remedy(sweep: Sweep, trials: pd.DataFrame) -> str:
    """How to learn what picked conditions are worth: on the first hundred seeds from the next thousand on."""
    first = (int(trials["seed"].max()) // 1000 + 1) * 1000
    return (
        "What is called the fastest, the soonest or the cheapest was picked on the networks that tell its numbers. To "
        f"confirm it on fresh seeds: python -m experiments.confirm sweep={sweep.short_id} best=3 "
        f"'seed=range({first},{first + 100})'"
    )


def _only(trials: pd.DataFrame, conditions: pd.DataFrame, by: Sequence[str]) -> pd.DataFrame:
    """The trials of some conditions."""
    chosen = pd.MultiIndex.from_frame(conditions[list(by)])
    return trials[pd.MultiIndex.from_frame(trials[list(by)]).isin(chosen)]


def _how_often(longest: pd.DataFrame, rates: pd.DataFrame, by: Sequence[str]) -> str:
    """The fraction that meets the criterion at the end; where that is not known, at any pass."""
    known = rates["at_end"].notna().all()
    within = f"meet the criterion at the end ({_cutoffs(longest)} epochs)"
    if known:
        ends = {"estimate": "at_end", "low": "at_end_low", "high": "at_end_high"}
        rates = rates.assign(**{end: rates[column] for end, column in ends.items()})
    else:
        within = f"converged within {_cutoffs(longest)} epochs"
    fewest, most = rates["n"].min(), rates["n"].max()
    networks = f"{fewest:,} to {counted(most, 'network')}" if fewest < most else counted(most, "network")
    if len(rates) == 1:
        row = rates.iloc[0]
        return f"Of {networks}, {row['estimate'] * row['n']:,.0f} {within}: {_rate(rates)}."
    text = f"In {len(rates):,} conditions of {networks} each, the fraction of networks that {within} is"
    best, worst = (rates["estimate"] == end for end in (rates["estimate"].max(), rates["estimate"].min()))
    if best.all():
        return f"{text} {_rate(rates)} everywhere. {_at_once(len(rates))}"
    lowest, highest = (f"{_rate(rates[tied])} {_where(rates[tied], len(rates), by)}" for tied in (worst, best))
    if best.sum() > _FEW and rates["estimate"].max() > 0:
        fastest = _least(median_times(longest, by)[best])  # the same conditions in the same order
        highest += f", fastest {_where(fastest, len(rates), by)}"
    return f"{text} from {lowest} to {highest}. {_at_once(len(rates))}"


def _at_once(conditions: int) -> str:
    """What intervals of picked conditions are, as a sentence."""
    return f"These 95% intervals hold for all {conditions:,} conditions at once, so for whichever is picked."


def _what_is_lost(lost: pd.DataFrame, rates: pd.DataFrame, by: Sequence[str]) -> list[str]:
    """A warning, if there are conditions in which networks converge and do not stay so."""
    if lost.empty:
        return []
    worst = lost.loc[[(lost["estimate"] - lost["at_end"]).idxmax()]]
    at_end = worst[["at_end", "at_end_low", "at_end_high"]].set_axis(["estimate", "low", "high"], axis=1)
    counts = f"{_rate(worst)} had converged at some pass, and {_rate(at_end)} meet the criterion at the end"
    if len(rates) == 1:
        return [f"Converging did not last: {counts}."]
    where = _where(worst, len(rates), by)
    return [f"Converging did not last in {len(lost)} of {len(rates)} conditions; most of all {where}: {counts}."]


def _by_when(
    trials: pd.DataFrame, longest: pd.DataFrame, medians: pd.DataFrame, by: Sequence[str], among: str, conditions: int
) -> str:
    """How many conditions converge by when, and which is the soonest of those that `medians` holds of them all."""
    total = len(medians)
    reached = {
        level_name(cutoff): convergence_rates(trials[trials["epochs"] == cutoff], by)["estimate"]
        for cutoff in levels(trials["epochs"])
    }
    if any(len(rates) < total for rates in reached.values()):  # not every condition has every cut-off
        reached = {_cutoffs(longest): convergence_rates(longest, by)["estimate"]}
    least = _least(medians)
    row = least.iloc[0]
    if np.isinf(row["estimate"]):
        of = "any condition" if total > 1 else "the networks"
        return f"Fewer than half of {of} converged within {_cutoffs(longest)} epochs, so there is no median time."
    interval = f", 95% interval {_end(row['low'])} to {_end(row['high'])}" if len(least) == 1 else ""
    interval += f" for all {conditions:,} conditions at once" if interval and conditions > 1 else ""
    soonest = f"{row['estimate']:,.0f} epochs (median{interval}, failures counted)"
    if total == 1:
        return f"Half of the networks had converged after {soonest}."
    first, *later = ((cutoff, f"{(rates >= 0.5).sum()} of {total}") for cutoff, rates in reached.items())
    counts = [f"In {first[1]} conditions at least half of the networks converged within {first[0]} epochs"]
    counts += [f"in {count} within {cutoff}" for cutoff, count in later]
    return f"{', '.join(counts)}; soonest{among} {_where(least, total, by)}, after {soonest}."


def _at_what_cost(longest: pd.DataFrame, by: Sequence[str], confounded: Sequence[str], among: str) -> str:
    costs = best_restarts(longest, by)
    least = _least(costs)
    row = least.iloc[0]
    if np.isinf(row["estimate"]):
        return "No network converged, so no number of epochs buys a success here."
    where = f" {_where(least, len(costs), by)}" if by else ""
    text = f"A success is cheapest{among}{where}: {row['estimate']:,.0f} epochs"
    interval = f"95% interval {_end(row['at_cutoff_low'])} to {_end(row['at_cutoff_high'])}"
    if len(costs) == 1 and row["estimate"] == row["at_cutoff"]:
        text += f" ({interval})"  # nothing was picked
    if row["converged"] == row["n"] and row["without_restart"] <= 1.01 * row["estimate"]:
        text += "; every trial converges there, so giving up early gains nothing."
    else:
        without = f"costs {row['without_restart']:,.0f}"
        if np.isinf(row["without_restart"]):
            without = "would never end, because some fail"
        text += f" if a trial is abandoned after {row['cutoff']:,.0f} epochs and another one begun; "
        text += f"waiting for every trial {without}."
    if len(costs) > 1:
        return text + _caveat(least, costs, [axis for axis in by if axis not in confounded])
    if row["estimate"] < row["at_cutoff"]:
        text += (
            " That cut-off is picked after the fact, so the cost is understated and has no interval; abandoned at "
            f"{_cutoffs(longest)} epochs, a success costs {row['at_cutoff']:,.0f} ({interval})."
        )
    return text


def _caveat(least: pd.DataFrame, costs: pd.DataFrame, axes: Sequence[str]) -> str:
    """What picking the best of several conditions after the fact does to its numbers, and which axes it ends on."""
    best, tried = unordered(least).iloc[0], unordered(costs)
    numeric = [axis for axis in sorted(axes, key=_everyday) if tried[axis].dtype.kind in "if"]
    ends = {axis: (tried[axis].min(), tried[axis].max()) for axis in numeric if len(least) == 1}
    edges = [
        f"{axis} = {level_name(best[axis])}"
        for axis, (low, high) in ends.items()
        if low < high and best[axis] in (low, high)
    ]
    at = f"{listed(edges)} {'is at the edge' if len(edges) == 1 else 'are at the edges'} of what was tried"
    beyond = f"; {at}, so beyond may be better" if edges else ""
    picked = f"It is the lowest of {len(costs):,} conditions and of all cut-offs, picked after the fact"
    return f" {picked}, so it is understated and has no interval{beyond}."


def _least(rows: pd.DataFrame) -> pd.DataFrame:
    """All rows that share the least estimate."""
    least: pd.DataFrame = rows[rows["estimate"] == rows["estimate"].min()]
    return least


def _everyday(axis: str) -> tuple[int, str]:
    return (EVERYDAY.index(axis) if axis in EVERYDAY else len(EVERYDAY), axis)


def _cutoffs(trials: pd.DataFrame) -> str:
    return listed([level_name(cutoff) for cutoff in levels(trials["epochs"])], "or")


def _rate(rows: pd.DataFrame) -> str:
    row = rows.iloc[0]
    same = len(rows[["low", "high"]].drop_duplicates()) == 1
    return f"{100 * row['estimate']:.0f}%" + (f" ({100 * row['low']:.0f} to {100 * row['high']:.0f}%)" if same else "")


def _where(rows: pd.DataFrame, total: int, by: Sequence[str]) -> str:
    """Which conditions these are: named if they are few, else counted."""
    if len(rows) > _FEW:
        return f"in {len(rows)} of {total} conditions"
    return f"with {' and with '.join(condition_name(row, by) for _, row in rows.iterrows())}"


def condition_name(row: "pd.Series[Any]", by: Sequence[str]) -> str:
    """How a condition is written in a sentence: ``lr = 0.5, hidden = 4``."""
    return ", ".join(f"{axis} = {level_name(row[axis])}" for axis in sorted(by, key=_everyday))


def _end(value: float) -> str:
    return "no limit" if np.isinf(value) else f"{value:,.0f}"
