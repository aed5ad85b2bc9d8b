"""Two conditions seed by seed: the same initial weights under both."""

import numpy as np
import seaborn as sns
from numpy.typing import ArrayLike, NDArray

from analysis.axes import level_name, levels
from analysis.figures.drawing import Drawing, NotApplicableError, View, finish, label_outer, panel_grid, spread
from analysis.figures.style import FAINT, SINGLE, log_axis, plain
from analysis.loading import SelectionError
from analysis.statistics import paired_rates, pairs

_MOST_DOTS = 400


def draw(view: View) -> Drawing:
    """Epochs to converge under one condition against those under another, one dot a seed."""
    style, trials = view.style, view.longest
    layout = view.layout.along_epochs()
    axis = "sweep" if "sweep" in layout.conditions else (view.layout.x or "")
    if axis not in layout.conditions or len(levels(trials[axis])) < 2:
        raise NotApplicableError("a paired comparison needs two levels of the parameter along x")
    by = [a for a in layout.conditions if a != axis]
    first, second = _chosen(view, axis, levels(trials[axis]))
    matched = pairs(trials, axis, first, second, by)
    if matched.empty:
        raise NotApplicableError(
            f"no two trials with {plain(axis)} {level_name(first)} and {level_name(second)} began from the same weights"
        )
    tests = paired_rates(trials, axis, [(first, second)], by)
    figure, panels = panel_grid(matched, by, style, width=2.0, height=2.6, square=True, sharex=True, sharey=True)
    cutoff = float(matched["cutoff"].max())
    never = cutoff * 3
    sides = matched[["epochs_first", "epochs_second"]]
    finite = sides.to_numpy()[np.isfinite(sides)]
    low = max(1.0, float(finite.min()) / 1.5) if finite.size else cutoff / 100
    names = [f"{plain(level_name(level), 16)}" for level in (first, second)]
    for which in ("x", "y"):
        log_axis(panels[0].ax, which, low, never * 1.6, never)
    for panel in panels:
        here = panel.of(matched)
        dots = here.iloc[np.linspace(0, len(here) - 1, min(len(here), _MOST_DOTS)).astype(int)]
        panel.ax.axline((low, low), (never, never), color=FAINT, linewidth=0.08 * style.font, zorder=1)
        for line in (panel.ax.axvline, panel.ax.axhline):
            line(cutoff * 1.5, color=FAINT, linewidth=0.08 * style.font, linestyle=":", zorder=1)
        sns.scatterplot(
            x=_jittered(dots["epochs_first"], never, low, 0), y=_jittered(dots["epochs_second"], never, low, 1),
            ax=panel.ax, color=SINGLE, s=(0.42 * style.font) ** 2, alpha=0.6, linewidth=0, legend=False,
        )  # fmt: skip
        panel.ax.set_box_aspect(1)
        test = panel.of(tests).iloc[0]
        points = [f"{round(100 * test[c]) + 0:+d}" for c in ("estimate", "low", "high")]
        result = f"{points[0]} points [{points[1]}, {points[2]}]"
        p = "p < 0.001" if test["p_holm"] < 0.001 else f"p = {test['p_holm']:.2g}"
        title = panel.ax.get_title()
        panel.ax.set_title("\n".join([title, result, p] if title else [result, p]), fontsize=style.font * 0.875)
    label_outer(panels, f"epochs, {plain(axis)} = {names[0]}", f"epochs, {plain(axis)} = {names[1]}")
    thinned = f" At most {_MOST_DOTS} dots a panel." if len(matched) > _MOST_DOTS * len(panels) else ""
    caption = view.caption(
        f"Epochs to converge with {plain(axis)} = {names[0]} and {names[1]} from the same initial weights, one dot "
        f"a seed, n = {spread(tests['n'])} pairs a panel; below the diagonal the second is faster.{thinned} Above: "
        "difference of the convergence rates with 95% interval (Bonett-Price) and p-value (McNemar, exact"
        f"{f'; Holm over the {len(tests)} panels' if len(tests) > 1 else ''}).",
        trials,
    )
    finish(figure, style, caption)
    return Drawing("paired", "Paired comparison", caption, figure, matched, tests)


def _chosen(view: View, axis: str, present: list[object]) -> tuple[object, object]:
    """The pair asked for; otherwise the lowest and the highest level, a choice that the outcome has no part in."""
    if not view.pair:
        return present[0], present[-1]
    by_name = {level_name(level): level for level in present}
    missing = [level_name(level) for level in view.pair if level_name(level) not in by_name]
    if missing:
        raise SelectionError(f"pair={', '.join(missing)}: the levels of {axis} are {', '.join(by_name)}")
    return by_name[level_name(view.pair[0])], by_name[level_name(view.pair[1])]


def _jittered(epochs: ArrayLike, never: float, low: float, seed: int) -> NDArray[np.float64]:
    """Failures in a strip beyond the cut-off, spread a little so that many of them look like many."""
    values = np.asarray(epochs, np.float64)
    strip = never * np.exp(np.random.default_rng(seed).uniform(-0.35, 0.35, len(values)))
    return np.where(np.isfinite(values), values.clip(min=low), strip)
