"""Convergence rate, with intervals."""

from analysis.axes import levels
from analysis.figures.drawing import Drawing, View, finish, hues, label_outer, lines, of_hue, panel_grid, spread
from analysis.figures.style import Scale, axis_name
from analysis.statistics import convergence_rates


def draw(view: View) -> Drawing:
    """Convergence rate against x, by hue, one panel for each further condition."""
    layout, style = view.layout, view.style
    x = str(layout.x)
    rates = convergence_rates(view.trials, layout.conditions)
    look_of = hues(rates, layout.hue)
    scale = Scale.of(levels(rates[x]))
    crowd = len(look_of) * len(scale.levels)
    width = max(2.2, 0.5 + 0.033 * crowd)
    figure, panels = panel_grid(
        rates, layout.panels, style, width=width, height=1.7 if crowd < 60 else 2.1, sharey=True
    )
    for panel in panels:
        here = panel.of(rates).copy()
        # Side by side, so that equal rates and their intervals do not hide each other.
        step = min(0.7 / len(look_of), 0.12)
        here["at"] = here[x].astype(object).map(lambda value: scale[value]).astype(float)
        for i, level in enumerate(look_of):
            here.loc[of_hue(here, layout.hue, level).index, "at"] += (i - (len(look_of) - 1) / 2) * step
        for level, look in look_of.items():
            rows = of_hue(here, layout.hue, level)
            panel.ax.vlines(rows["at"], rows["low"], rows["high"], color=look.color, linewidth=0.11 * style.font)
        lines(
            panel.ax, here, "at", "estimate", layout.hue, look_of, markers=True, alpha=0.95,
            linewidth=0.09 * style.font, markeredgecolor="white", markeredgewidth=0.03 * style.font,
        )  # fmt: skip
        scale.label(panel.ax, "x", panel.width, style.font)
        panel.ax.set_ylim(-0.04, 1.04)
        panel.ax.set_yticks([0, 0.25, 0.5, 0.75, 1], ["0", "", "0.5", "", "1"])
        panel.ax.grid(visible=False, axis="x")
    label_outer(panels, axis_name(x), "convergence rate")
    caption = view.caption(
        f"Fraction of trials that converged, with 95% Wilson intervals; n = {spread(rates['n'])} trials a point.",
        view.trials,
    )
    finish(figure, style, caption, layout.hue, look_of)
    return Drawing("rate", "Convergence rate", caption, figure, rates, rates)
