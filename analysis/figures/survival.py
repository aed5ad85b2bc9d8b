"""Epochs to converge: how many trials have converged by when, and how many are still at it."""

import numpy as np
import pandas as pd
from matplotlib.transforms import ScaledTranslation, blended_transform_factory

from analysis.figures.drawing import Drawing
from analysis.figures.hues import Hues
from analysis.figures.panels import Panel, finish, label_outer, panel_grid, spread
from analysis.figures.scales import log_axis
from analysis.figures.sizes import Style
from analysis.figures.view import View
from analysis.levels import level_names, parameter_name
from analysis.loading import counted
from analysis.statistics import LOGRANK, SIGN, at_risk, median_times, speed_tests, survival_curves

_LINE = 1.12  # height of a line of the numbers at risk, in multiples of the font size


def survival(view: View) -> Drawing:
    """Fraction converged by each epoch (1 - Kaplan-Meier), numbers at risk below: how fast, failures counted."""
    layout, style = view.layout.along_epochs(), view.style
    trials = view.longest
    curves = survival_curves(trials, layout.conditions)
    hues = Hues.of(curves, layout.hue, style.palette)
    table_height = (len(hues) + 0.4) * _LINE * style.font
    figure, panels = panel_grid(
        trials,
        layout.panels,
        style,
        stacked=layout.stacked,
        height=1.45 + table_height / 72 / style.scale,
        sharex=True,
        sharey=True,
    )
    end = float(trials["epochs"].max())
    begin = max(1.0, 10.0 ** np.floor(np.log10(max(1.0, curves.loc[curves["estimate"] > 0, "epoch"].min()))))
    begin = min(begin, end / 10)
    log_axis(panels[0].ax, "x", begin, end)
    for panel in panels:
        panel.ax.xaxis.set_tick_params(labelbottom=True)
        for (look, rows), (_, members) in zip(hues.split(panel.of(curves)), hues.split(panel.of(trials)), strict=True):
            if rows.empty:
                continue
            # From no trial at the left edge to the longest cut-off, past the last event.
            cutoff = members["epochs"].max()
            epochs = np.maximum([begin, *rows["epoch"], cutoff], begin)
            band = [[0.0, *rows[c], rows[c].iloc[-1]] for c in ("estimate", "low", "high")]
            panel.ax.fill_between(epochs, band[1], band[2], step="post", color=look.color, alpha=0.15, linewidth=0)
            panel.ax.step(epochs, band[0], where="post", color=look.color, linestyle=look.linestyle)
        panel.ax.set_ylim(-0.04, 1.04)
        panel.ax.set_yticks([0, 0.5, 1], ["0", "0.5", "1"])
        panel.ax.axhline(0.5, color="#bbbbbb", linewidth=0.06 * style.font, zorder=0)
        first = panel.place[1] == min(other.place[1] for other in panels if other.place[0] == panel.place[0])
        _numbers_at_risk(panel, trials, hues, style, names=first and len(hues) > 1)
        panel.ax.xaxis.labelpad = table_height + 1
    label_outer(panels, "epoch", "fraction converged")
    medians = median_times(trials, layout.conditions)
    caption = view.caption(
        "Fraction of trials converged by each epoch (1 - Kaplan-Meier, 95% intervals at each epoch by itself) of "
        f"n = {spread(medians['n'])} trials a curve, each counted once, at its longest cut-off, where it is censored. "
        "Below each tick: trials at risk there, those that had neither converged nor been cut off before that epoch."
        f"{_tests_sentence(trials, layout.hue, layout.panels)}",
        trials,
    )
    finish(figure, style, caption, hues, markers=False)
    medians = medians.rename(columns={"estimate": "median"})
    return Drawing("survival", "Epochs to converge", caption, figure, curves, medians)


def _numbers_at_risk(panel: Panel, trials: pd.DataFrame, hues: Hues, style: Style, *, names: bool) -> None:
    """Write a small table under the tick labels: a row per level, with or without its name, a column per tick."""
    ax = panel.ax
    ticks = np.asarray(ax.get_xticks())
    size = 0.75 * style.font
    widest = len(f"{len(trials):,}")
    beside = ScaledTranslation(-(0.32 * widest + 0.5) * size / 72, 0, ax.figure.dpi_scale_trans)
    rows = zip(level_names(list(hues.looks), 18).values(), hues.split(panel.of(trials)), strict=True)
    for i, (name, (look, members)) in enumerate(rows):
        down = ScaledTranslation(0, -(1.75 + (i + 0.6) * _LINE) * style.font / 72, ax.figure.dpi_scale_trans)
        at_ticks = blended_transform_factory(ax.transData, ax.transAxes) + down
        if names:
            ax.text(
                0, 0, name, transform=ax.transAxes + down + beside, fontsize=size,
                ha="right", va="center", color=look.color, fontweight="bold",
            )  # fmt: skip
        if members.empty:
            continue
        for tick, count in zip(ticks, at_risk(members, ticks), strict=True):
            ax.text(tick, 0, f"{count:,}", transform=at_ticks, fontsize=size, ha="center", va="center")


def _tests_sentence(trials: pd.DataFrame, hue: str | None, panels: tuple[str, ...]) -> str:
    """How many levels of the hue differ, and by which test."""
    if hue is None or (tests := speed_tests(trials, hue, panels)).empty:
        return ""
    kinds = {
        SIGN: "exact sign test on pairs from the same initial weights, a failure being later than any success",
        LOGRANK: "log-rank between other initial weights",
    }
    used = [text for kind, text in kinds.items() if tests["test"].eq(kind).any()]
    different = int((tests["p_holm"] < 0.05).sum())
    return (
        f" Of {counted(len(tests), 'pair')} of levels of {parameter_name(hue)} within panels, {different} "
        f"{'differs' if different == 1 else 'differ'} ({'; '.join(used)}; p < 0.05 after Holm's correction)."
    )
