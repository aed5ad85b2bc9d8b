"""Loss curves: the median trial and the band in which most trials lie."""

from dataclasses import replace

import numpy as np

from analysis.axes import Layout
from analysis.figures.drawing import Drawing, NotApplicableError
from analysis.figures.hues import Hues
from analysis.figures.panels import finish, label_outer, panel_grid, spread
from analysis.figures.scales import log_axis
from analysis.figures.style import FAINT
from analysis.figures.view import View
from analysis.levels import levels
from analysis.statistics import loss_bands, median_final_losses

_LEAST = 1e-16  # of a loss of order one, what is less is rounding


def loss(view: View) -> Drawing:
    """Median loss and the 10th to 90th percentile of the trials against the epoch, by hue."""
    style, trials = view.style, view.longest
    layout = (
        _by_kind(view.layout) if "loss" in trials and len(levels(trials["loss"])) > 1 else view.layout.along_epochs()
    )
    kind = "loss" if "loss" in layout.panels else None
    bands = loss_bands(trials, view.data.curves, layout.conditions)
    drawn = bands[bands["epoch"] > 0].replace([np.inf], np.nan)
    positive = drawn[["low", "high"]].where(drawn[["low", "high"]] > 0)
    if bands.empty:
        raise NotApplicableError("no run holds a loss curve that can be pooled with its condition's others")
    if positive.isna().all(axis=None):
        raise NotApplicableError("no loss is above 0 and finite, so none can be drawn on a logarithmic axis")
    hues = Hues.of(bands, layout.hue, style.palette)
    figure, panels = panel_grid(
        bands, layout.panels, style, stacked=layout.stacked, sharex=True, sharey=kind is None, same_y=kind
    )
    log_axis(panels[0].ax, "x", 1, float(drawn["epoch"].max()))
    for panel in panels:
        values = positive[drawn[kind] == panel.condition[kind]] if kind else positive
        if not values.isna().all(axis=None):
            low, high = max(np.nanmin(values), _LEAST), max(np.nanmax(values), 10 * _LEAST)
            log_axis(panel.ax, "y", low / 1.5, high * 1.5)
    for panel in panels:
        here = panel.of(drawn)
        for cutoff in levels(panel.of(view.trials)["epochs"])[:-1]:
            panel.ax.axvline(cutoff, color=FAINT, linewidth=0.08 * style.font, linestyle=":")
        hues.bands(panel.ax, here, "epoch")
        hues.lines(panel.ax, here, "epoch", "estimate")
    label_outer(panels, "epoch", "loss")
    diverged = int(trials["diverged"].notna().sum())
    caption = view.caption(
        "Median loss and the band from the 10th to the 90th percentile, at each epoch by itself, of "
        f"n = {spread(bands['n'])} trials a curve, each trial at its longest cut-off"
        + (" (dotted: shorter cut-offs)." if len(levels(view.trials["epochs"])) > 1 else ".")
        + (" Losses of different kinds have axes of their own." if kind else "")
        + (f" Losses below {_LEAST:g} lie below the axis." if np.nanmin(positive) < _LEAST else "")
        + (f" {diverged} diverged trials count as infinite." if diverged else ""),
        trials,
    )
    finish(figure, style, caption, hues, markers=False)
    final = median_final_losses(trials, layout.conditions).rename(columns={"estimate": "median_final_loss"})
    return Drawing("loss", "Loss curves", caption, figure, bands, final)


def _by_kind(layout: Layout) -> Layout:
    """Panels for each kind of loss, as they have no common scale; colours that losses had go to what was along x."""
    rest = layout if layout.x != "loss" else replace(layout, x=None)
    rest = replace(rest, hue=rest.x, x=None) if rest.hue == "loss" else rest
    rest = rest.along_epochs()
    return replace(rest, panels=("loss", *(axis for axis in rest.panels if axis != "loss")), stacked=False)
