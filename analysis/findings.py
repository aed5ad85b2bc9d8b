"""The answer in three sentences, computed from the data."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from analysis.axes import Layout, level_name, levels
from analysis.statistics import best_restarts, convergence_rates, median_times


def question(layout: Layout, tasks: Sequence[str]) -> str:
    """What the sweep asks, from what it varied."""
    names = {"lr": "learning rates", "hidden": "hidden widths", "epochs": "cut-offs", "sweep": "of these settings"}
    asked = [names.get(axis, f"values of {axis}") for axis in sorted(layout.conditions, key=_everyday)]
    listed = " and ".join([", ".join(asked[:-1]), asked[-1]] if len(asked) > 1 else asked)
    return f"At which {listed} does backpropagation learn {' and '.join(tasks)}, and how fast?"


def findings(trials: pd.DataFrame, longest: pd.DataFrame, layout: Layout) -> list[str]:
    """Three sentences: how often, by when, at what cost.

    Parameters
    ----------
    trials, longest : pandas.DataFrame
        All trials, and each network once at its longest cut-off.
    layout : Layout
        Its conditions are compared.
    """
    by = layout.along_epochs().conditions
    return [_how_often(longest, by), _by_when(trials, longest), _at_what_cost(longest, by)]


def _how_often(longest: pd.DataFrame, by: Sequence[str]) -> str:
    rates = convergence_rates(longest, by)
    total = convergence_rates(longest, []).iloc[0]
    seeds = longest["seed"].nunique()
    text = (
        f"Of {total['n']:,.0f} networks ({len(rates):,} {_plural(len(rates), 'condition')}, {seeds:,} "
        f"{_plural(seeds, 'seed')}), {total['converged']:,.0f} converged within {_cutoffs(longest)} epochs"
    )
    worst, best = rates.iloc[rates["estimate"].argmin()], rates.iloc[rates["estimate"].argmax()]
    if worst["estimate"] == best["estimate"]:
        return f"{text}: {_rate(total)}{' in every condition' if len(rates) > 1 else ''}."
    return f"{text}: from {_rate(worst)} with {_condition(worst, by)} to {_rate(best)} with {_condition(best, by)}."


def _by_when(trials: pd.DataFrame, longest: pd.DataFrame) -> str:
    cutoffs = levels(trials["epochs"])
    if len(cutoffs) > 1:
        everywhere = longest[longest["epochs"] == cutoffs[-1]]
        shares = [100 * float((everywhere["epochs_to_converge"] <= c).mean()) for c in cutoffs]
        first, *later = [f"{share:.0f}%" for share in shares]
        steps = "".join(f", {share} after {level_name(c)}" for share, c in zip(later, cutoffs[1:], strict=True))
        return (
            "The answer depends on the cut-off: of the networks trained longest, "
            f"{first} had converged after {level_name(cutoffs[0])} epochs{steps}."
        )
    median = median_times(longest, []).iloc[0]
    if np.isinf(median["estimate"]):
        return (
            f"Fewer than half of the networks converged within {_cutoffs(longest)} epochs, so there is no median time."
        )
    return (
        f"Half of all networks had converged after {median['estimate']:,.0f} epochs "
        f"(95% interval {_end(median['low'])} to {_end(median['high'])}), failures counted."
    )


def _at_what_cost(longest: pd.DataFrame, by: Sequence[str]) -> str:
    costs = best_restarts(longest, by)
    costs = costs[np.isfinite(costs["estimate"])]
    if costs.empty:
        return "No network converged, so no number of epochs buys a success here."
    least = costs.iloc[costs["estimate"].argmin()]
    where = f" with {_condition(least, by)}" if by else ""
    cost = f"{least['estimate']:,.0f} epochs (95% interval {_end(least['low'])} to {_end(least['high'])})"
    if least["converged"] == least["n"] and least["without_restart"] <= 1.01 * least["estimate"]:
        return f"A success is cheapest{where}: {cost}; every trial converges there, so giving up early gains nothing."
    without = (
        "waiting for every trial would never end, because some fail"
        if np.isinf(least["without_restart"])
        else f"waiting for every trial costs {least['without_restart']:,.0f}"
    )
    return (
        f"A success is cheapest{where}: {cost} if a trial is abandoned after {least['cutoff']:,.0f} epochs and another "
        f"one begun; {without}."
    )


def _everyday(axis: str) -> tuple[int, str]:
    order = ("lr", "hidden", "epochs")
    return (order.index(axis) if axis in order else len(order), axis)


def _plural(count: int, noun: str) -> str:
    return noun if count == 1 else f"{noun}s"


def _cutoffs(trials: pd.DataFrame) -> str:
    cutoffs = levels(trials["epochs"])
    return level_name(cutoffs[0]) if len(cutoffs) == 1 else f"{level_name(cutoffs[0])} to {level_name(cutoffs[-1])}"


def _rate(row: "pd.Series[Any]") -> str:
    return f"{100 * row['estimate']:.0f}% ({100 * row['low']:.0f} to {100 * row['high']:.0f}%)"


def _condition(row: "pd.Series[Any]", by: Sequence[str]) -> str:
    return ", ".join(f"{axis} = {level_name(row[axis])}" for axis in sorted(by, key=_everyday))


def _end(value: float) -> str:
    return "no limit" if np.isinf(value) else f"{value:,.0f}"
