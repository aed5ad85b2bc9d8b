"""What a success costs, against the cut-off at which a trial is abandoned for a new one."""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from analysis.figures.drawing import Drawing, NotApplicableError
from analysis.figures.hues import Hues
from analysis.figures.panels import finish, label_outer, panel_grid, spread
from analysis.figures.scales import log_axis
from analysis.figures.view import View
from analysis.levels import assignments, listed, names_by_axis
from analysis.statistics import best_restarts, running_times


def ert(view: View) -> Drawing:
    """Expected running time against the cut-off, its minimum marked: when to give up on a trial and begin anew."""
    layout, style = view.layout.along_epochs(), view.style
    trials = view.longest
    if not trials["converged"].any():
        raise NotApplicableError("no trial converged, so no number of epochs buys a success")
    costs = running_times(trials, layout.conditions)
    best = best_restarts(trials, layout.conditions)
    hues = Hues.of(trials, layout.hue, style.palette)
    figure, panels = panel_grid(trials, layout.panels, style, stacked=layout.stacked, sharex=True, sharey=True)
    drawn = costs[np.isfinite(costs["estimate"])]
    top = drawn["estimate"].max() * 1.6
    drawn = drawn.assign(high=drawn["high"].clip(upper=top * 10))
    log_axis(panels[0].ax, "x", max(drawn["cutoff"].min(), 1) * 0.8, drawn["cutoff"].max() * 1.25)
    log_axis(panels[0].ax, "y", max(drawn["estimate"].min(), 1) / 1.8, top)
    for panel in panels:
        hues.bands(panel.ax, panel.of(drawn), "cutoff")
        hues.lines(panel.ax, panel.of(drawn), "cutoff", "estimate", linewidth=0.13 * style.font)
        for look, rows in hues.split(panel.of(best)):
            panel.ax.plot(
                rows["cutoff"], rows["estimate"], look.marker, color=look.color, markersize=0.62 * style.font,
                markeredgecolor="white", markeredgewidth=0.08 * style.font, zorder=5,
            )  # fmt: skip
    label_outer(panels, "cut-off (epochs)", "epochs per success")
    caption = view.caption(
        "Expected running time: epochs spent by all trials over successes, if each trial is abandoned at the cut-off "
        f"and another one begun; n = {spread(costs['n'])} trials a curve, bands of 95% intervals at each cut-off by "
        "itself. Marked: the best restart, which is picked on the same trials, so its cost is understated and has no "
        f"interval.{_without_line(best, layout.conditions)}{view.sharing}",
        trials,
    )
    finish(figure, style, caption, hues)
    return Drawing("ert", "Expected running time", caption, figure, costs, _table(best))


def _without_line(best: pd.DataFrame, conditions: Sequence[str]) -> str:
    """Which conditions have no line, as a sentence that names six of them."""
    none, names = best[best["converged"] == 0], names_by_axis(best, conditions)
    which = [f"({', '.join(assignments(row, names))})" for _, row in none.head(6).iterrows()]
    more = [f"{len(none) - 6} more"] if len(none) > 6 else []
    return f" No line, because no trial converged: {listed([*which, *more])}." if which else ""


def _table(best: pd.DataFrame) -> pd.DataFrame:
    """Whole epochs; nothing where no success was seen, for then no cut-off is the best one."""
    table = best.rename(columns={"cutoff": "best_cutoff", "estimate": "least_ert"})
    epochs = ["best_cutoff", "least_ert", "at_cutoff", "at_cutoff_low", "at_cutoff_high", "without_restart"]
    table[epochs] = table[epochs].round().astype("Float64")
    table.loc[table["converged"] == 0, epochs[:2]] = pd.NA
    return table
