"""Two conditions seed by seed: the same initial weights under both."""

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import seaborn as sns
from matplotlib.figure import Figure
from numpy.typing import ArrayLike, NDArray

from analysis.figures.drawing import Drawing, NotApplicableError
from analysis.figures.panels import Panel, finish, heighten, label_outer, panel_grid, spread
from analysis.figures.scales import log_axis
from analysis.figures.sizes import Style
from analysis.figures.style import FAINT, SINGLE, filled, text_width, wrapped
from analysis.figures.view import View
from analysis.levels import assignment, is_number, level_name, level_names, levels, listed, parameter_name
from analysis.loading import SelectionError
from analysis.statistics import paired_rates, paired_speeds, pairs

_MOST_DOTS = 400


def paired(view: View, *, pair: tuple[Any, Any] | tuple[()] = ()) -> Drawing:
    """Epochs to converge under one condition against those under another, a dot a seed; above, what differs.

    Parameters
    ----------
    pair
        two levels of x are compared, as in pair=[0.1,0.5]; by default the lowest and the highest
    """
    style, trials = view.style, view.longest
    layout = view.layout.along_epochs()
    axis = "sweep" if "sweep" in layout.conditions else (view.layout.x or "")
    if axis not in layout.conditions or len(levels(trials[axis])) < 2:
        raise NotApplicableError("a paired comparison needs two levels of the parameter along x")
    whole = replace(view.layout, x=None, hue=None).with_panel(*filter(None, [view.layout.x, view.layout.hue]))
    by = [a for a in whole.panels if a not in (axis, "epochs")]
    present = levels(trials[axis])
    first, second = _chosen(pair, axis, present)
    matched = pairs(trials, axis, first, second, by)
    if matched.empty:
        compared = f"{parameter_name(axis)} {level_name(first)} and {level_name(second)}"
        apart = [a for a in by if not set.intersection(*(set(trials[a][trials[axis] == s]) for s in (first, second)))]
        if apart and not pairs(trials, axis, first, second, []).empty:
            raise NotApplicableError(f"trials with {compared} differ in {listed(apart)} as well")
        raise NotApplicableError(f"no two trials with {compared} began from the same weights")
    rates = paired_rates(trials, axis, [(first, second)], by)
    tests = pd.concat([rates, paired_speeds(matched, by).drop(columns=by)], axis=1)
    figure, panels = panel_grid(matched, by, style, width=2.0, height=2.2, square=True, sharex=True, sharey=True)
    cutoff = float(matched["cutoff"].max())
    never = cutoff * 3
    epochs = matched[["epochs_first", "epochs_second"]].to_numpy()
    finite = epochs[np.isfinite(epochs)]
    low = max(1.0, float(finite.min()) / 1.5) if finite.size else cutoff / 100
    name_of = level_names(present, 24)
    names = [name_of[first], name_of[second]]
    sides = [assignment(axis, name) for name in names]
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
    room = 0.85 * panels[0].width
    label_outer(panels, *(wrapped(filled(["epochs", side], room, style.font), room, style.font) for side in sides))
    _write_above(figure, panels, [_results(panel.of(tests), sides[1]) for panel in panels], style)
    thinned = f" At most {_MOST_DOTS} dots a panel." if len(matched) > _MOST_DOTS * len(panels) else ""
    over = f"Holm over the {len(tests)} panels" if len(tests) > 1 else ""
    caption = view.caption(
        f"Epochs to converge with first {sides[0]} and second {sides[1]} from the same initial weights, one dot a "
        f"seed, n = {spread(tests['n'])} pairs a panel; below the diagonal the second is sooner.{thinned}"
        f"{_left_out(pair, axis, present, name_of, names)} Above: convergence rate of the second minus that of the "
        f"first with 95% interval (Bonett-Price), and McNemar's exact test{f' ({over})' if over else ''}; median "
        "epochs, failures counted, and the second's over the first's with 95% interval (bootstrap over pairs); in how "
        "many of the pairs with a winner the second was sooner, a failure being later than any success and pairs "
        f"without winner left out, and the exact sign test{f' ({over})' if over else ''}.",
        trials,
    )
    finish(figure, style, caption)
    table = tests.rename(columns={"estimate": "rate_difference", "p": "p_rate", "p_holm": "p_rate_holm"})
    return Drawing("paired", "Paired comparison", caption, figure, matched, table)


def _write_above(figure: Figure, panels: Sequence[Panel], results: Sequence[Sequence[str]], style: Style) -> None:
    """Put the results under each panel's title in lines that break between them, and make the figure higher by these.

    Where the longest has no room on a line, the letters shrink.
    """
    room = panels[0].width
    titles = [panel.ax.get_title() for panel in panels]
    size = 0.875 * style.font
    longest = max(text_width(line, size) for text in (*titles, *itertools.chain(*results)) for line in text.split("\n"))
    size *= min(1.0, room / longest)
    texts = [
        "\n".join(filter(None, [title, filled(facts, room, size)]))
        for title, facts in zip(titles, results, strict=True)
    ]
    for panel, text in zip(panels, texts, strict=True):
        panel.ax.set_title(text, fontsize=size)
    added = max(text.count("\n") for text in texts) - max(title.count("\n") for title in titles)
    rows, last = len({panel.place[0] for panel in panels}), panels[-1].ax.get_xlabel().count("\n")
    heighten(figure, (rows * added * 1.4 * size + 2 + last * 1.3 * style.font) / 72, style)


def _results(tests: pd.DataFrame, second: str) -> list[str]:
    """Results in words, a fact each: of the rates, of the median epochs, and of who was sooner."""
    test = tests.to_dict("records")[0]
    points = [f"{round(100 * test[c]) + 0:+d}" for c in ("estimate", "low", "high")]
    decided = test["first_sooner"] + test["second_sooner"]
    return [
        f"convergence rate: {points[0]} points [{points[1]}, {points[2]}]",
        f"McNemar {_p(test['p_holm'])}",
        *_ratio(test),
        f"{second} sooner in {test['second_sooner']} of {decided} pairs",
        f"sign test {_p(test['p_sooner_holm'])}",
    ]


def _ratio(test: Mapping[Any, float]) -> list[str]:
    """Both medians, and how many times the first the second is: with its interval, or what is left of that."""
    if np.isnan(test["ratio"]):
        return ["more than half fail under both"]
    first, second = ("none" if np.isinf(m) else f"{m:,.0f}" for m in (test["median_first"], test["median_second"]))
    low, high = test["ratio_low"], test["ratio_high"]
    ends = [f"{end:.2g}" if 0 < end < np.inf else "no limit" for end in (low, high)]
    medians = f"median {first} to {second} epochs"
    if 0 < test["ratio"] < np.inf:
        return [medians, f"{test['ratio']:.2g} times [{ends[0]}, {ends[1]}]"]
    limits = ((f"at least {low:.2g} times", low), (f"at most {high:.2g} times", high))
    return [medians, *(text for text, end in limits if 0 < end < np.inf)]


def _p(value: float) -> str:
    return "p < 0.001" if value < 0.001 else f"p = {value:.2g}"


def _left_out(
    pair: Sequence[object], axis: str, present: Sequence[object], name_of: Mapping[object, str], names: Sequence[str]
) -> str:
    """Which levels are compared and which are not, as a sentence."""
    others = [name for name in name_of.values() if name not in names]
    how = "the lowest and the highest" if all(map(is_number, present)) else "the first and the last by name"
    if pair or axis == "sweep":
        how = "the two chosen" if pair else "the first and the last"
    shown = [*others[:8], *([f"{len(others) - 8} more"] if len(others) > 8 else [])]
    return f" Of {parameter_name(axis)}, {how} are compared; left out: {listed(shown)}." if others else ""


def _chosen(pair: Sequence[object], axis: str, present: list[object]) -> tuple[object, object]:
    """The pair asked for; otherwise the lowest and the highest level, a choice that the outcome has no part in."""
    if not pair:
        return present[0], present[-1]
    by_name = {level_name(level): level for level in present}
    missing = [level_name(level) for level in pair if level_name(level) not in by_name]
    if missing:
        raise SelectionError(f"pair={', '.join(missing)}: the levels of {axis} are {', '.join(by_name)}")
    return by_name[level_name(pair[0])], by_name[level_name(pair[1])]


def _jittered(epochs: ArrayLike, never: float, low: float, seed: int) -> NDArray[np.float64]:
    """Failures in a strip beyond the cut-off, spread a little so that many of them look like many."""
    values = np.asarray(epochs, np.float64)
    strip = never * np.exp(np.random.default_rng(seed).uniform(-0.35, 0.35, len(values)))
    return np.where(np.isfinite(values), values.clip(min=low), strip)
