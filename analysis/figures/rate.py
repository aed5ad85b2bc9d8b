"""Convergence rate, with intervals, and as colour over two axes."""

import matplotlib as mpl
import numpy as np
import pandas as pd
import seaborn as sns
from matplotlib.colors import to_rgba

from analysis.figures.drawing import Drawing, NotApplicableError
from analysis.figures.hues import Hues
from analysis.figures.panels import color_bar, finish, heighten, label_outer, panel_grid, spread
from analysis.figures.scales import Scale
from analysis.figures.style import text_width
from analysis.figures.view import View
from analysis.levels import axis_name, level_names, levels, parameter_name
from analysis.loading import counted
from analysis.statistics import convergence_rates, unlearned


def rate(view: View) -> Drawing:
    """Fraction of trials that converged against x, by hue, with 95% Wilson intervals: how often."""
    layout, style = view.layout, view.style
    x = str(layout.x)
    rates = convergence_rates(view.trials, layout.conditions)
    hues = Hues.of(rates, layout.hue, style.palette)
    scale = Scale.of(levels(rates[x]))
    crowd = len(hues) * len(scale.positions)
    width = max(2.2, 0.5 + 0.033 * crowd, scale.width(style.font) / style.scale + 0.6)
    figure, panels = panel_grid(
        rates, layout.panels, style, stacked=layout.stacked, width=width, height=1.7 if crowd < 60 else 2.1, sharey=True
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
            if (fewer := unlearned(rows)).any():
                panel.ax.plot(
                    at[fewer], rows["at_end"][fewer], color=look.color, linestyle="none", marker=look.marker,
                    markerfacecolor="white", markeredgewidth=0.06 * style.font,
                )  # fmt: skip
                ends = rows.loc[fewer, ["at_end_low", "at_end_high"]].to_numpy().T
                panel.ax.vlines(at[fewer], *ends, color=look.color, linewidth=0.06 * style.font, zorder=3)
        scale.label(panel.ax, panel.width, style.font)
        panel.ax.set_ylim(-0.04, 1.04)
        panel.ax.set_yticks([0, 0.25, 0.5, 0.75, 1], ["0", "", "0.5", "", "1"])
        panel.ax.grid(visible=False, axis="x")
    label_outer(panels, axis_name(x), "convergence rate")
    beside = f" Points beside each other belong to the same {parameter_name(x)}."
    caption = view.caption(
        "Fraction of trials that converged, each with its 95% Wilson interval; "
        f"n = {spread(rates['n'])} trials a point."
        f"{beside if len(hues) > 1 else ''}{_at_end(rates, 'open symbols')}{view.sharing}",
        view.trials,
    )
    finish(figure, style, caption, hues)
    return Drawing("rate", "Convergence rate", caption, figure, rates, rates)


def _at_end(rates: pd.DataFrame, marked: str) -> str:
    """What became of convergence at the end, as a sentence."""
    if rates["at_end"].isna().any():
        return ""
    fewer = int(unlearned(rates).sum())
    if not fewer:
        return " At the cut-off nowhere fewer meet the criterion by more than the intervals."
    return f" At the cut-off fewer meet the criterion in {fewer} of {counted(len(rates), 'condition')}: {marked}."


def _percents(rates: pd.DataFrame) -> "pd.Series[str]":
    """Rates in words, with an arrow where fewer trials meet the criterion at the end."""
    return (100 * rates["estimate"]).map("{:.0f}%".format) + unlearned(rates).map({True: "↓", False: ""})


def heatmap(view: View) -> Drawing:
    """The same as colour over x and hue, with n in the cells: where."""
    layout, style = view.layout, view.style
    x, y = str(layout.x), layout.hue
    if y is None:
        raise NotApplicableError("a heatmap needs two varied parameters")
    rates = convergence_rates(view.trials, layout.conditions)
    columns, rows = level_names(levels(rates[x]), 18), level_names(levels(rates[y])[::-1], 18)
    cell = 0.24 if max(len(rows), len(columns)) > 6 else 0.36
    figure, panels = panel_grid(
        rates,
        layout.panels,
        style,
        stacked=layout.stacked,
        width=max(2.0, 0.9 + cell * len(columns)),
        height=0.75 + cell * len(rows),
    )
    colors = mpl.colormaps["cividis"].with_extremes(bad="#e6e6e6")
    cell_width = panels[0].width * 0.95 / len(columns)
    room = cell_width / (style.font / 72)  # in multiples of the font size
    longest = max(text_width(name, 0.875 * style.font) for name in columns.values())
    crowded = longest + 0.4 * style.font / 72 > cell_width
    if crowded:
        heighten(figure, len({panel.place[0] for panel in panels}) * longest, style)
    marked = rates.assign(percent=_percents(rates))
    for panel in panels:
        here = panel.of(marked)
        values, counts, shown = (
            here.pivot(index=y, columns=x, values=value).reindex(index=list(rows), columns=list(columns))  # noqa: PD010
            for value in ("estimate", "n", "percent")
        )
        shown = shown.fillna("")
        if cell > 0.3 and room > 4:
            shown += counts.map(lambda n: "" if np.isnan(n) else f"\nn = {n:,.0f}")
        words = {"fontsize": style.font * min(0.875, room / 3.1), "linespacing": 1.1}
        annotated = {"annot": shown if room > 2.2 else False, "annot_kws": words, "fmt": ""}
        lines = {"linewidths": 0.06 * style.font, "linecolor": "white"}
        sns.heatmap(values, ax=panel.ax, cmap=colors, vmin=0, vmax=1, cbar=False, **annotated, **lines)
        panel.ax.set_xticks(np.arange(len(columns)) + 0.5, list(columns.values()), rotation=90 if crowded else 0)
        panel.ax.set_yticks(np.arange(len(rows)) + 0.5, list(rows.values()), rotation=0)
        panel.ax.tick_params(length=0)
        panel.ax.grid(visible=False)
    label_outer(panels, axis_name(x), axis_name(y))
    beside = [panel.ax for panel in panels]
    color_bar(figure, beside, colors, "converged (%)", ["0", "50", "100"], aspect=12, pad=0.015, fraction=0.05)
    caption = view.caption(
        f"Percentage of trials that converged; n = {spread(rates['n'])} trials a cell"
        f" (95% Wilson intervals, each by itself, in the table).{_at_end(rates, 'arrows, and column at_end')}",
        view.trials,
    )
    finish(figure, style, caption)
    return Drawing("heatmap", "Convergence rate over two axes", caption, figure, rates, rates)
