"""What figures are made of: panels, legend and room for the caption."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Colormap, Normalize
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import FixedFormatter

from analysis.figures.drawing import NotApplicableError
from analysis.figures.hues import Hues
from analysis.figures.sizes import Style
from analysis.figures.style import text_width, wrapped
from analysis.levels import (
    assignment,
    assignments,
    axis_name,
    level_names,
    levels,
    listed,
    names_by_axis,
    parameter_name,
)


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
        for axis, level in self.condition.items():
            frame = frame[frame[axis] == level]
        return frame


def panel_grid(
    frame: pd.DataFrame,
    axes: Sequence[str],
    style: Style,
    *,
    width: float = 1.65,
    height: float = 1.45,
    square: bool = False,
    stacked: bool = False,
    same_y: str | None = None,
    **subplots: Any,
) -> tuple[Figure, list[Panel]]:
    """Make a figure with one panel for each combination of levels of the columns `axes` that occurs in a frame.

    The last of several axes makes columns, the others rows. A single one wraps at the edge of the page, unless its
    panels are to be `stacked`. In a paper a panel has this `height`, and this `width` in inches or more; it widens
    to fill the page if it need not be `square`, as high as wide. Where the columns of a grid do not fit, they
    shrink a little, and then the figure is wider than a page. Panels that share their level of the column `same_y`
    have the same vertical axis. ``Figure.subplots`` takes the rest.

    On somebody else's axes a single panel can be drawn; `NotApplicableError` says so if there are more.
    """
    found = frame[list(axes)].drop_duplicates().sort_values(list(axes)) if axes else None
    conditions: list[dict[str, Any]] = [{}] if found is None else found.to_dict("records")  # type: ignore[assignment]
    if style.ax is not None:
        return _on_axes(style.ax, axes, conditions)
    beside = 0.3 * style.scale  # what a title is narrower than its column
    narrowest = max(0.7 * width * style.scale, _longest_fact(names_by_axis(frame, axes, 12), style.font) + beside)
    page = style.page
    if len(axes) > 1 or stacked:
        lines = list(dict.fromkeys(tuple(condition[a] for a in axes[:-1]) for condition in conditions))
        columns_of = [] if stacked else levels(frame[axes[-1]])
        places = [
            (i, 0) if stacked else (lines.index(tuple(c[a] for a in axes[:-1])), columns_of.index(c[axes[-1]]))
            for i, c in enumerate(conditions)
        ]
        rows, columns = (1 + max(place[i] for place in places) for i in (0, 1))
        page = page if style.figsize else max(page, columns * narrowest)
    else:
        fit = max(1, int(page / max(width * style.scale, narrowest)))
        rows = math.ceil(len(conditions) / fit)
        columns = math.ceil(len(conditions) / rows)
        places = [divmod(i, columns) for i in range(len(conditions))]
    if columns == 1 and max(width * style.scale, narrowest) <= style.column:
        page = style.column
    elif square and not style.figsize:
        page = min(page, max(style.column, (columns * width + 0.5) * style.scale))
    room = page / columns - beside
    titles, size = _titles(frame, axes, conditions, room, style.font)
    side = page / columns if square else height * style.scale
    tall = rows * (side + max(title.count("\n") + 1 for title in titles) * 1.3 * style.font / 72)
    figure = empty_figure(page, tall, style)
    grid = figure.subplots(rows, columns, squeeze=False, **subplots)
    panels = []
    for condition, title, place in zip(conditions, titles, places, strict=True):
        grid[place].set_title(title, fontsize=size)
        panels.append(Panel(grid[place], condition, place, page / columns - 0.6 * style.scale))
    if same_y is not None:
        _share_y(panels, same_y)
    used = {panel.place for panel in panels}
    for place in np.ndindex(rows, columns):
        if place not in used:
            grid[place].set_visible(False)
        elif (place[0] + 1, place[1]) not in used:
            grid[place].xaxis.set_tick_params(labelbottom=True)  # the lowest of its column
    return figure, panels


def _on_axes(ax: Axes, axes: Sequence[str], conditions: Sequence[dict[str, Any]]) -> tuple[Figure, list[Panel]]:
    """The one panel that somebody else's axes are."""
    if len(conditions) > 1:
        which = listed([parameter_name(axis) for axis in axes])
        raise NotApplicableError(
            f"{which} would make {len(conditions)} panels, and axes hold one: choose levels with where(...)"
        )
    figure = ax.get_figure(root=True)
    assert figure is not None
    return figure, [Panel(ax, conditions[0], (0, 0), ax.get_window_extent().width / figure.dpi)]


def heighten(figure: Figure, inches: float, style: Style) -> None:
    """Make a figure higher for what it has to say, unless it is somebody else's."""
    if style.ax is None:
        figure.set_figheight(figure.get_figheight() + inches)


def _share_y(panels: Sequence[Panel], axis: str) -> None:
    """Give panels of one level of an axis one vertical scale, written once a row."""
    first: dict[Any, Panel] = {}
    for panel in panels:
        model = first.setdefault(panel.condition[axis], panel)
        if model is not panel:
            panel.ax.sharey(model.ax)
        rowmates = [p.condition[axis] for p in panels if p.place[0] == panel.place[0]]
        panel.ax.yaxis.set_tick_params(labelleft=len(set(rowmates)) > 1)


def _longest_fact(names: Mapping[str, Mapping[Any, str]], size: float) -> float:
    """Width in inches of the longest of all assignments."""
    facts = (assignment(axis, name) for axis, of_levels in names.items() for name in of_levels.values())
    return max((text_width(fact, size) for fact in facts), default=0.0)


def _titles(
    frame: pd.DataFrame, axes: Sequence[str], conditions: Sequence[Mapping[str, Any]], room: float, size: float
) -> tuple[list[str], float]:
    """What panels are called, in lines that break between facts and never within one, and the size of the font.

    Names of levels are shortened until a fact has room on a line; if that is not enough, letters shrink.
    """
    for longest in (40, 30, 24, 18, 12):
        names = names_by_axis(frame, axes, longest)
        widest = _longest_fact(names, size)
        if widest <= room:
            break
    size *= min(1.0, room / widest) if widest else 1.0
    facts = [assignments(condition, names) for condition in conditions]
    fits = all(text_width(", ".join(these), size) <= room for these in facts)
    return [(", " if fits else ",\n").join(these) for these in facts], size


def empty_figure(width: float, height: float, style: Style) -> Figure:
    """Make a figure that lays itself out, with a margin at its edges."""
    if style.ax is not None:
        raise NotApplicableError("this figure has many parts, and does not fit onto axes")
    figure = plt.figure(figsize=(width, height), layout="constrained")
    figure.get_layout_engine().set(h_pad=0.6 * style.font / 72)  # type: ignore[union-attr, call-arg]
    return figure


def color_bar(
    figure: Figure, axes: Sequence[Axes], colors: Colormap, name: str, ticks: Sequence[str], **bar: Any
) -> None:
    """Explain a colour scale beside all these axes, with names for its low end, middle and high end."""
    scale = ScalarMappable(Normalize(0, 1), colors)
    drawn = figure.colorbar(scale, ax=axes, ticks=[0, 0.5, 1], label=name, format=FixedFormatter(ticks), **bar)
    drawn.outline.set_visible(False)


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
    hues: Hues | None = None,
    *,
    line: bool = True,
    markers: bool = True,
    extra: Sequence[Line2D] = (),
) -> None:
    """Add the legend above and the caption below, and make room for both; somebody else's axes get the legend alone."""
    width = figure.get_figwidth()
    axis, looks = (hues.axis, hues.looks) if hues and len(hues) > 1 else (None, {})
    handles = []
    for level, name in level_names(list(looks), 24).items():
        look = looks[level]
        shown: dict[str, Any] = {"marker": look.marker if markers else "", "linestyle": look.linestyle if line else ""}
        handles.append(Line2D([], [], color=look.color, label=" " + name, **shown))
    handles += extra
    if style.ax is not None:
        if handles:
            style.ax.legend(handles=handles, title=axis_name(axis) if axis else None)
        return
    above = 0.0
    if handles:
        title = wrapped(axis_name(axis), 0.95 * width, 0.875 * style.font) if axis else None
        longest = max(text_width(str(handle.get_label()), 0.875 * style.font) for handle in handles)
        fit = max(1, min(len(handles), int((width - 0.2) / (longest + 4.5 * style.font / 72))))
        columns = math.ceil(len(handles) / math.ceil(len(handles) / fit))
        figure.legend(handles=handles, loc="outside upper center", ncols=columns, title=title)
        above = (math.ceil(len(handles) / columns) + (title is not None) + 0.5) * 1.3 * style.font / 72
    size = 0.75 * style.font
    text = wrapped(caption, 0.94 * width, size)
    figure.supxlabel(text, x=0.01, ha="left", fontsize=size, color="#555555", linespacing=1.25)
    below = (text.count("\n") + 1) * 1.3 * size / 72
    heighten(figure, above + below + 0.1 + 1.2 * style.font / 72, style)
    if style.figsize:
        figure.set_size_inches(style.figsize)
