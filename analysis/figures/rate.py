"""Convergence rate, with intervals."""

import numpy as np
from matplotlib.colors import to_rgba

from analysis.figures.drawing import Drawing
from analysis.figures.hues import Hues
from analysis.figures.panels import finish, label_outer, panel_grid, spread
from analysis.figures.scales import Scale
from analysis.figures.view import View
from analysis.levels import axis_name, levels, parameter_name
from analysis.statistics import convergence_rates


def rate(view: View) -> Drawing:
    """Fraction of trials that converged against x, by hue, with 95% Wilson intervals: how often."""
    layout, style = view.layout, view.style
    x = str(layout.x)
    rates = convergence_rates(view.trials, layout.conditions)
    hues = Hues.of(rates, layout.hue)
    scale = Scale.of(levels(rates[x]))
    crowd = len(hues) * len(scale.positions)
    width = max(2.2, 0.5 + 0.033 * crowd)
    figure, panels = panel_grid(
        rates, layout.panels, style, width=width, height=1.7 if crowd < 60 else 2.1, sharey=True
    )
    # Names have room between them; beside a number a point would seem to belong to another one.
    step = min(0.7 / len(hues), 0.12) if scale.by_name else 0.1 / len(hues)
    for panel in panels:
        # Side by side, so that equal rates and their intervals do not hide each other.
        for i, (look, rows) in enumerate(hues.split(panel.of(rates))):
            at = np.array([scale.positions[level] for level in rows[x]]) + (i - (len(hues) - 1) / 2) * step
            panel.ax.plot(
                at, rows["estimate"], color=look.color, linestyle=look.linestyle, linewidth=0.09 * style.font,
                marker=look.marker, markerfacecolor=to_rgba(look.color, 0.4), markeredgewidth=0.06 * style.font,
            )  # fmt: skip
            # Above the markers, which would hide the intervals at 0 and 1.
            panel.ax.vlines(at, rows["low"], rows["high"], color=look.color, linewidth=0.13 * style.font, zorder=3)
        scale.label(panel.ax, panel.width, style.font)
        panel.ax.set_ylim(-0.04, 1.04)
        panel.ax.set_yticks([0, 0.25, 0.5, 0.75, 1], ["0", "", "0.5", "", "1"])
        panel.ax.grid(visible=False, axis="x")
    label_outer(panels, axis_name(x), "convergence rate")
    beside = f" Points beside each other belong to the same {parameter_name(x)}."
    caption = view.caption(
        f"Fraction of trials that converged, with 95% Wilson intervals; n = {spread(rates['n'])} trials a point."
        f"{beside if len(hues) > 1 else ''}",
        view.trials,
    )
    finish(figure, style, caption, hues)
    return Drawing("rate", "Convergence rate", caption, figure, rates, rates)
