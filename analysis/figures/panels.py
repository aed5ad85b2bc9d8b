"""What figures are made of: panels, legend and room for the caption."""

import math
from collections.abc import Sequence
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

from analysis.figures.hues import Hues
from analysis.figures.sizes import Style
from analysis.figures.style import text_width, wrapped
from analysis.levels import assignments, axis_name, level_names, names_by_axis


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
    **subplots: Any,
) -> tuple[Figure, list[Panel]]:
    """Make a figure with one panel for each combination of levels of the columns `axes` that occurs in a frame.

    Of two axes, the first makes rows and the second columns where the page is wide enough; else panels wrap. In a
    paper a panel has this `height`, and at least this `width`, in inches; it widens to fill the page if it need not
    be `square`. ``Figure.subplots`` takes the rest.
    """
    names = names_by_axis(frame, axes)
    rank = {axis: {level: i for i, level in enumerate(names[axis])} for axis in axes}
    found = frame[list(axes)].drop_duplicates().sort_values(list(axes)) if axes else None
    conditions: list[dict[str, Any]] = [{}] if found is None else found.to_dict("records")  # type: ignore[assignment]
    fit = max(1, int(style.page / (width * style.scale)))
    rows = math.ceil(len(conditions) / fit)
    columns = math.ceil(len(conditions) / rows)
    by_rows = len(axes) == 2 and len(rank[axes[1]]) <= fit
    if by_rows:
        rows, columns = (len(rank[axis]) for axis in axes)
    page = style.column if len(conditions) == 1 and width * style.scale <= style.column else style.page
    if square:
        page = min(style.page, max(style.column, (columns * width + 0.5) * style.scale))
    room = page / columns - 0.3 * style.scale
    titles = [wrapped(", ".join(assignments(condition, names)), room, style.font) for condition in conditions]
    lines = max(title.count("\n") for title in titles)
    tall = rows * (height * style.scale + lines * 1.3 * style.font / 72)
    figure = empty_figure(page, tall, style)
    grid = figure.subplots(rows, columns, squeeze=False, **subplots)
    panels = []
    for i, (condition, title) in enumerate(zip(conditions, titles, strict=True)):
        place = divmod(i, columns)
        if by_rows:
            place = (rank[axes[0]][condition[axes[0]]], rank[axes[1]][condition[axes[1]]])
        grid[place].set_title(title)
        panels.append(Panel(grid[place], condition, place, page / columns - 0.6 * style.scale))
    used = {panel.place for panel in panels}
    for place in np.ndindex(rows, columns):
        if place not in used:
            grid[place].set_visible(False)
        elif (place[0] + 1, place[1]) not in used:
            grid[place].xaxis.set_tick_params(labelbottom=True)  # the lowest of its column
    return figure, panels


def empty_figure(width: float, height: float, style: Style) -> Figure:
    """Make a figure that lays itself out, with a margin at its edges."""
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
    """Add the legend above and the caption below, and make room for both."""
    width = figure.get_figwidth()
    axis, looks = (hues.axis, hues.looks) if hues and len(hues) > 1 else (None, {})
    handles = []
    for level, name in level_names(list(looks), 24).items():
        look = looks[level]
        shown: dict[str, Any] = {"marker": look.marker if markers else "", "linestyle": look.linestyle if line else ""}
        handles.append(Line2D([], [], color=look.color, label=" " + name, **shown))
    handles += extra
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
    figure.set_figheight(figure.get_figheight() + above + below + 0.1 + 1.2 * style.font / 72)
    if style.figsize:
        figure.set_size_inches(style.figsize)
