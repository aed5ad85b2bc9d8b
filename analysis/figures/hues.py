"""Levels told apart: by colour, marker and dashes."""

import itertools
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import matplotlib as mpl
import numpy as np
import pandas as pd
import seaborn as sns
from matplotlib.axes import Axes

from analysis.figures.style import SINGLE
from analysis.levels import is_number, levels

_MARKERS = ("o", "s", "^", "D", "v", "P", "X", "<", ">", "p", "h", "*")
_LINESTYLES = ("-", (0, (4, 1.6)), (0, (1, 1.2)), (0, (6, 1.4, 1, 1.4)), (0, (9, 2)), (0, (3, 1.2, 1, 1.2, 1, 1.2)))


@dataclass(frozen=True)
class Look:
    """How one level is drawn, in matplotlib's terms."""

    color: Any
    marker: str
    linestyle: Any


@dataclass(frozen=True)
class Hues:
    """The looks of a parameter's levels; without a parameter, one look for everything."""

    axis: str | None
    looks: dict[Any, Look]

    @classmethod
    def of(cls, frame: pd.DataFrame, axis: str | None, palette: str = "") -> "Hues":
        """Choose looks for the levels in a frame: a light-to-dark scale for numbers, distinct hues for names.

        Both are safe for the colour-blind, and no level is told by its colour alone. A `palette` of seaborn's takes
        the place of both.
        """
        found = levels(frame[axis]) if axis else [None]
        if palette:
            colors: Any = sns.color_palette(palette, len(found))
        elif len(found) == 1:
            colors = [SINGLE]
        elif all(map(is_number, found)) or len(found) > 8:
            brightest = 0.72 if len(found) <= 5 else 0.88
            colors = [mpl.colormaps["viridis"](v) for v in np.linspace(0, brightest, len(found))]
        else:
            colors = sns.color_palette("colorblind", len(found))
        looks = map(Look, colors, itertools.cycle(_MARKERS), itertools.cycle(_LINESTYLES))
        return cls(axis, dict(zip(found, looks, strict=False)))

    def __len__(self) -> int:
        """How many levels there are to tell apart."""
        return len(self.looks)

    def split(self, frame: pd.DataFrame) -> Iterator[tuple[Look, pd.DataFrame]]:
        """Each look with the rows of its level, of which there may be none."""
        for level, look in self.looks.items():
            yield look, frame if self.axis is None else frame[frame[self.axis] == level]

    def bands(self, ax: Axes, frame: pd.DataFrame, x: str) -> None:
        """Shade between the columns low and high, for each level."""
        for look, rows in self.split(frame):
            ax.fill_between(rows[x], rows["low"], rows["high"], color=look.color, alpha=0.15, linewidth=0)

    def lines(self, ax: Axes, frame: pd.DataFrame, x: str, y: str, **style: Any) -> None:
        """Draw one line for each level, from a frame that holds its points."""
        for look, rows in self.split(frame):
            if len(rows):
                style |= {"color": look.color, "linestyle": look.linestyle, "estimator": None, "errorbar": None}
                sns.lineplot(data=rows, x=x, y=y, legend=False, ax=ax, **style)
