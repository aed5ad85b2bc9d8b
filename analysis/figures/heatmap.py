"""Convergence rate over two axes."""

import matplotlib as mpl
import numpy as np
import seaborn as sns

from analysis.figures.drawing import Drawing, NotApplicableError
from analysis.figures.panels import color_bar, finish, label_outer, panel_grid, spread
from analysis.figures.style import text_width
from analysis.figures.view import View
from analysis.levels import axis_name, level_names, levels
from analysis.statistics import convergence_rates


def heatmap(view: View) -> Drawing:
    """The same as colour over x and hue, with n in the cells: where."""
    layout, style = view.layout, view.style
    if layout.hue is None:
        raise NotApplicableError("a heatmap needs two varied parameters")
    x, y = str(layout.x), layout.hue
    rates = convergence_rates(view.trials, layout.conditions)
    columns, rows = level_names(levels(rates[x]), 18), level_names(levels(rates[y])[::-1], 18)
    cell = 0.24 if max(len(rows), len(columns)) > 6 else 0.36
    figure, panels = panel_grid(
        rates, layout.panels, style, width=max(2.0, 0.9 + cell * len(columns)), height=0.75 + cell * len(rows)
    )
    colors = mpl.colormaps["cividis"].with_extremes(bad="#e6e6e6")
    cell_width = panels[0].width * 0.95 / len(columns)
    room = cell_width / (style.font / 72)  # in multiples of the font size
    longest = max(text_width(name, 0.875 * style.font) for name in columns.values())
    crowded = longest + 0.4 * style.font / 72 > cell_width
    if crowded:
        figure.set_figheight(figure.get_figheight() + len({panel.place[0] for panel in panels}) * longest)
    for panel in panels:
        here = panel.of(rates)
        values, counts = (
            here.pivot(index=y, columns=x, values=value).reindex(index=list(rows), columns=list(columns))
            for value in ("estimate", "n")
        )
        shown = values.map(lambda v: "" if np.isnan(v) else f"{100 * v:.0f}%")
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
        " (95% Wilson intervals in the table).",
        view.trials,
    )
    finish(figure, style, caption)
    return Drawing("heatmap", "Convergence rate over two axes", caption, figure, rates, rates)
