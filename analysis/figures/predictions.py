"""What the trained networks answer."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pandas as pd
import seaborn as sns
from matplotlib.lines import Line2D

from analysis.figures.drawing import Drawing, NotApplicableError
from analysis.figures.hues import Hues
from analysis.figures.panels import finish, label_outer, panel_grid, spread
from analysis.figures.style import INK
from analysis.figures.view import View
from analysis.statistics import by_condition, prediction_quantiles
from analysis.trials import tasks_of


def predictions(view: View) -> Drawing:
    """Final predictions by input pattern and hue, each group from its lowest to its highest."""
    layout, style = view.layout, view.style
    if not any(str(c).startswith("prediction/") for c in view.trials):
        raise NotApplicableError("predictions are kept for tasks with one output and up to 16 patterns")
    layout = replace(layout, x=None).with_panel(*([layout.x] if layout.x else []))
    table = prediction_quantiles(view.trials, layout.conditions)
    patterns = sorted(table["pattern"].unique(), key=lambda p: (p.count("-"), p))
    hues = Hues.of(table, layout.hue, style.palette)
    slot = 0.85 / len(hues)
    width = max(1.65, 0.45 + 0.06 * len(patterns) * len(hues))
    figure, panels = panel_grid(
        table, layout.panels, style, stacked=layout.stacked, width=width, sharex=True, sharey=True
    )
    for panel in panels:
        for p, target in _targets(panel.of(view.trials), patterns):
            panel.ax.hlines(target, p - 0.46, p + 0.46, color=INK, linewidth=0.1 * style.font, zorder=1)
        for i, (look, rows) in enumerate(hues.split(panel.of(table))):
            if rows.empty:
                continue
            centre = rows["pattern"].map(patterns.index) + (i - (len(hues) - 1) / 2) * slot
            sns.scatterplot(
                x=centre + (rows["quantile"] - 0.5) * slot * 0.85, y=rows["estimate"], ax=panel.ax, color=look.color,
                marker=look.marker, s=(0.28 * style.font) ** 2, linewidth=0, zorder=2, legend=False,
            )  # fmt: skip
        panel.ax.set_xlim(-0.6, len(patterns) - 0.4)
        crowded = max(map(len, patterns)) * 0.5 * style.font / 72 > panel.width / len(patterns)
        panel.ax.set_xticks(np.arange(len(patterns)), patterns, rotation=90 if crowded else 0)
        panel.ax.grid(visible=False, axis="x")
    label_outer(panels, "input pattern", "prediction")
    shown = table.groupby(["pattern", *layout.conditions], observed=True)["quantile"].size().max()
    thinned = f"; each dot stands for 1/{shown} of them" if table["n"].max() > shown else ""
    caption = view.caption(
        f"Final predictions, lowest to highest from left to right in each group of n = {spread(table['n'])} "
        f"trials{thinned}. Lines: targets.",
        view.trials,
    )
    target_line = Line2D([], [], color=INK, linewidth=0.1 * style.font, label=" target")
    finish(figure, style, caption, hues, line=False, extra=[target_line])
    quartiles = _quartiles(view.trials, layout.conditions)
    return Drawing("predictions", "Final predictions", caption, figure, table, quartiles)


def _targets(trials: pd.DataFrame, patterns: Sequence[str]) -> set[tuple[int, float]]:
    """Place and target of each pattern of each task among these trials."""
    return {
        (patterns.index(name), float(target))
        for task in tasks_of(trials)
        if task.targets.shape[1] == 1
        for name, target in zip(task.pattern_names, task.targets[:, 0], strict=True)
        if name in patterns
    }


def _quartiles(trials: pd.DataFrame, by: Sequence[str]) -> pd.DataFrame:
    """Median and quartiles of the final predictions, by condition and pattern."""
    every = prediction_quantiles(trials, by, dots=len(trials))

    def quartiles(members: pd.DataFrame) -> dict[str, float]:
        q25, median, q75 = members["estimate"].quantile([0.25, 0.5, 0.75])
        return {"q25": q25, "median": median, "q75": q75, "n": len(members)}

    return by_condition(every, [*by, "pattern"], quartiles)
