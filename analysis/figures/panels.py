"""What figures are made of: panels, lines, legend and room for the caption."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import seaborn as sns
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from analysis.figures.sizes import Style
from analysis.figures.style import Look, looks, text_width, wrapped
from analysis.levels import assignment, axis_name, level_names, levels


def spread(n: "pd.Series[int]") -> str:
    """Write the numbers of trials: 25, or 20 to 25."""
    low, high = int(n.min()), int(n.max())
    return f"{low:,}" if low == high else f"{low:,} to {high:,}"


@dataclass(frozen=True)
class Panel:
    """One set of axes, the condition it shows, its row and column, and its width in inches."""

    ax: Axes
    condition: dict[str, Any]
    place: tuple[int, ...]
    width: float

    def of(self, frame: pd.DataFrame) -> pd.DataFrame:
        """The rows of a frame that belong here."""
        keep = np.ones(len(frame), bool)
        for axis, value in self.condition.items():
            column = frame[axis]
            keep &= (column.isna() if pd.isna(value) else column == value).to_numpy()
        return frame[keep]


def panel_grid(
    frame: pd.DataFrame,
    axes: Sequence[str],
    style: Style,
    *,
    width: float = 1.65,
    height: float = 1.45,
    square: bool = False,
    **subplots: Any,
) -> tuple[Figure, list[Panel]]:
    """Make a figure with one panel for each combination of levels that occurs.

    Parameters
    ----------
    frame : pandas.DataFrame
        Has the columns `axes`.
    axes : sequence of str
        Of two, the first makes rows and the second columns where the page is wide enough; else panels wrap.
    width, height : float
        Of a panel, inches in a paper: the least width, and the height.
    square : bool
        Panels do not widen to fill the page.
    **subplots
        Passed to ``Figure.subplots``.
    """
    ranked = {axis: levels(frame[axis]) for axis in axes}
    ordered: list[dict[str, Any]] = [{}]
    if axes:
        found = frame[list(axes)].drop_duplicates().itertuples(index=False)
        ordered = [dict(zip(axes, values, strict=True)) for values in found]
        ordered.sort(key=lambda c: [_rank(ranked[axis], c[axis]) for axis in axes])
    fit = max(1, int(style.page / (width * style.scale)))
    by_rows = len(axes) == 2 and len(ranked[axes[1]]) <= fit
    if by_rows:
        rows, columns = (len(ranked[axis]) for axis in axes)
    else:
        rows = math.ceil(len(ordered) / fit)
        columns = math.ceil(len(ordered) / rows)
    page = style.column if len(ordered) == 1 and width * style.scale <= style.column else style.page
    if square:
        page = min(style.page, max(style.column, (columns * width + 0.5) * style.scale))
    room = page / columns - 0.3 * style.scale
    in_words = describer(frame, axes)
    titles = [wrapped(", ".join(in_words(condition)), room, style.font) for condition in ordered]
    lines = max(title.count("\n") for title in titles)
    tall = rows * (height * style.scale + lines * 1.3 * style.font / 72)
    figure = empty_figure(page, tall, style)
    grid = figure.subplots(rows, columns, squeeze=False, **subplots)
    panels = []
    for i, (condition, title) in enumerate(zip(ordered, titles, strict=True)):
        place = divmod(i, columns)
        if by_rows:
            place = (_rank(ranked[axes[0]], condition[axes[0]]), _rank(ranked[axes[1]], condition[axes[1]]))
        grid[place].set_title(title)
        panels.append(Panel(grid[place], condition, place, page / columns - 0.6 * style.scale))
    used = {panel.place for panel in panels}
    for place in np.ndindex(rows, columns):
        if place not in used:
            grid[place].set_visible(False)
        elif (place[0] + 1, place[1]) not in used:
            grid[place].xaxis.set_tick_params(labelbottom=True)  # the lowest of its column
    return figure, panels


def describer(frame: pd.DataFrame, axes: Sequence[str]) -> Callable[["Mapping[str, Any] | pd.Series[Any]"], list[str]]:
    """How the conditions of a frame are written: a function from a condition to ``["learning rate = 0.1", ...]``."""
    ranked = {axis: levels(frame[axis]) for axis in axes}
    names = {axis: level_names(ranked[axis], 40) for axis in axes}
    return lambda condition: [assignment(axis, names[axis][_rank(ranked[axis], condition[axis])]) for axis in axes]


def empty_figure(width: float, height: float, style: Style) -> Figure:
    """Make a figure that lays itself out, with a margin at its edges."""
    figure = plt.figure(figsize=(width, height), layout="constrained")
    figure.get_layout_engine().set(h_pad=0.6 * style.font / 72)  # type: ignore[union-attr, call-arg]
    return figure


def _rank(ordered: Sequence[Any], value: Any) -> int:
    return next(i for i, v in enumerate(ordered) if v == value or (pd.isna(v) and pd.isna(value)))


def hues(frame: pd.DataFrame, hue: str | None) -> dict[Any, Look]:
    """The look of each level of the hue; without a hue, of everything."""
    return looks(levels(frame[hue]) if hue else [None])


def of_hue(frame: pd.DataFrame, hue: str | None, level: Any) -> pd.DataFrame:
    """The rows of one level of the hue."""
    if hue is None:
        return frame
    return frame[frame[hue].isna() if pd.isna(level) else frame[hue] == level]


def lines(
    ax: Axes, frame: pd.DataFrame, x: str, y: str, hue: str | None, look_of: dict[Any, Look], **style: Any
) -> None:
    """Draw one line for each level of the hue, from a frame that holds its points."""
    parts = [of_hue(frame, hue, level).assign(look=str(i)) for i, level in enumerate(look_of)]
    points = pd.concat(parts, ignore_index=True)
    if points.empty:
        return
    all_looks = {str(i): look for i, look in enumerate(look_of.values())}
    sns.lineplot(
        data=points,
        x=x,
        y=y,
        hue="look",
        style="look",
        palette={name: look.color for name, look in all_looks.items()},
        markers=False,
        dashes={name: look.dashes or "" for name, look in all_looks.items()},
        errorbar=None,
        estimator=None,
        legend=False,
        ax=ax,
        **style,
    )


def label_outer(panels: Sequence[Panel], x: str, y: str) -> None:
    """Name the axes once: below the lowest panel of each column, beside the first of each row."""
    lowest = {panel.place[1]: panel.place for panel in sorted(panels, key=lambda p: p.place)}
    first = {panel.place[0]: panel.place for panel in sorted(panels, key=lambda p: p.place, reverse=True)}
    for panel in panels:
        row, column = panel.place
        size = panel.ax.xaxis.label.get_fontproperties().get_size_in_points()
        panel.ax.set_xlabel(wrapped(x, panel.width + 0.05 * size, size) if panel.place == lowest[column] else "")
        panel.ax.set_ylabel(y if panel.place == first[row] else "")
        if panel.place == first[row]:
            panel.ax.yaxis.set_tick_params(labelleft=True)


def finish(
    figure: Figure,
    style: Style,
    caption: str,
    hue: str | None = None,
    looks_: dict[Any, Look] | None = None,
    *,
    line: bool = True,
    markers: bool = True,
    extra: Sequence[Line2D] = (),
) -> None:
    """Add the legend above and the caption below, and make room for both."""
    width = figure.get_figwidth()
    shown = looks_ if looks_ and hue and len(looks_) > 1 else {}
    entries = [
        Line2D(
            [],
            [],
            color=look.color,
            marker=look.marker if markers else "",
            linestyle=look.linestyle if line else "",
            label=" " + name,
        )
        for name, look in zip(level_names(list(shown), 24), shown.values(), strict=True)
    ]
    above = 0.0
    if entries or extra:
        title = wrapped(axis_name(hue), 0.95 * width, 0.875 * style.font) if hue and entries else None
        handles = [*entries, *extra]
        longest = max(text_width(str(handle.get_label()), 0.875 * style.font) for handle in handles)
        each = longest + 4.5 * style.font / 72
        fit = max(1, min(len(handles), int((width - 0.2) / each)))
        columns = math.ceil(len(handles) / math.ceil(len(handles) / fit))
        figure.legend(
            handles=handles,
            loc="outside upper center",
            ncols=columns,
            title=title,
            handlelength=2.2,
            columnspacing=1.2,
            handletextpad=0.4,
            borderaxespad=0.6,
            borderpad=0.1,
        )
        above = (math.ceil(len(handles) / columns) + (title is not None) + 0.5) * 1.3 * style.font / 72
    size = 0.75 * style.font
    text = wrapped(caption, 0.94 * width, size)
    figure.supxlabel(text, x=0.01, ha="left", fontsize=size, color="#555555", linespacing=1.25)
    below = (text.count("\n") + 1) * 1.3 * size / 72
    figure.set_figheight(figure.get_figheight() + above + below + 0.1 + 1.2 * style.font / 72)
