"""Loss curves: the median trial and the band in which most trials lie."""

import numpy as np

from analysis.figures.drawing import Drawing, NotApplicableError
from analysis.figures.hues import Hues
from analysis.figures.panels import finish, label_outer, panel_grid, spread
from analysis.figures.scales import log_axis
from analysis.figures.style import FAINT
from analysis.figures.view import View
from analysis.levels import levels
from analysis.statistics import loss_bands, median_final_losses


def loss(view: View) -> Drawing:
    """Median loss and the 10th to 90th percentile of the trials against the epoch, by hue."""
    layout, style = view.layout.along_epochs(), view.style
    trials = view.longest
    bands = loss_bands(trials, view.data.curves, layout.conditions)
    drawn = bands[bands["epoch"] > 0].replace([np.inf], np.nan)
    positive = drawn[["low", "high"]].where(drawn[["low", "high"]] > 0)
    if bands.empty:
        raise NotApplicableError("no run holds a loss curve that can be pooled with its condition's others")
    if positive.isna().all(axis=None):
        raise NotApplicableError("no loss is above 0 and finite, so none can be drawn on a logarithmic axis")
    hues = Hues.of(bands, layout.hue, style.palette)
    figure, panels = panel_grid(bands, layout.panels, style, sharex=True, sharey=True)
    log_axis(panels[0].ax, "x", 1, float(drawn["epoch"].max()))
    log_axis(panels[0].ax, "y", np.nanmin(positive) / 1.5, np.nanmax(positive) * 1.5)
    for panel in panels:
        here = panel.of(drawn)
        for cutoff in levels(panel.of(view.trials)["epochs"])[:-1]:
            panel.ax.axvline(cutoff, color=FAINT, linewidth=0.08 * style.font, linestyle=":")
        hues.bands(panel.ax, here, "epoch")
        hues.lines(panel.ax, here, "epoch", "estimate")
    label_outer(panels, "epoch", "loss")
    diverged = int(trials["diverged"].notna().sum())
    caption = view.caption(
        f"Median loss and the band from the 10th to the 90th percentile of n = {spread(bands['n'])} trials a curve, "
        "each trial at its longest cut-off"
        + (" (dotted: shorter cut-offs)." if len(levels(view.trials["epochs"])) > 1 else ".")
        + (f" {diverged} diverged trials count as infinite." if diverged else ""),
        trials,
    )
    finish(figure, style, caption, hues, markers=False)
    final = median_final_losses(trials, layout.conditions).rename(columns={"estimate": "median_final_loss"})
    return Drawing("loss", "Loss curves", caption, figure, bands, final)
