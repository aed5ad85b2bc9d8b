"""Scales of axes: where numbers and levels lie, and how their ticks are written."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import FixedFormatter, FixedLocator, NullLocator

from analysis.figures.style import text_width
from analysis.levels import NONE, is_number, level_name, level_names

_MARGIN = 0.6  # beyond the first and last level, in multiples of the smallest distance
_LINE = 1.15  # of an upright name, in multiples of the font size
_MOST_APART = 16  # the smallest distance fits as often into the whole, or names would have no room


def power(exponent: int) -> str:
    """A power of ten, as in 10⁻³."""
    return "10" + str(exponent).translate(str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹"))


def log_axis(ax: Axes, which: str, low: float, high: float, never: float | None = None) -> None:
    """Make an axis logarithmic from `low` to `high`, with ticks at powers of ten, or at 1, 2, 5 if there are few.

    At `never`, if given, stand the trials that did not converge.
    """
    exponents = np.arange(math.ceil(math.log10(low) - 1e-9), math.floor(math.log10(high) + 1e-9) + 1)
    ticks = {float(10.0**e): power(int(e)) for e in exponents[:: math.ceil(len(exponents) / 5) or 1]}
    if len(ticks) < 2:
        decades = range(math.floor(math.log10(low)), math.ceil(math.log10(high)))
        finer = [m * 10.0**e for e in decades for m in (1, 2, 5)]
        ticks = {tick: level_name(float(f"{tick:.6g}")) for tick in finer if low <= tick <= high}
    if never is not None:
        ticks = {tick: name for tick, name in ticks.items() if tick < never / 4} | {never: "never"}
    ax.set(**{f"{which}scale": "log", f"{which}lim": (low, high)})
    axis = ax.xaxis if which == "x" else ax.yaxis
    axis.set_major_locator(FixedLocator(list(ticks)))
    axis.set_major_formatter(FixedFormatter(list(ticks.values())))
    axis.set_minor_locator(NullLocator())  # the powers in the labels say it, and small ticks take long to draw


@dataclass(frozen=True)
class Scale:
    """Where the levels of a parameter lie along an axis.

    Numbers lie at their values or, when they span much, at their logarithms; names, and numbers that would lie on
    top of each other, are spaced evenly.
    """

    positions: dict[Any, float]
    by_name: bool = False

    @classmethod
    def of(cls, levels: Sequence[Any]) -> "Scale":
        """Choose positions for these levels; the smallest distance between two is 1."""
        by_name = not all(map(is_number, levels))
        even = cls({level: float(i) for i, level in enumerate(levels)}, by_name)
        if len(levels) < 2 or by_name or NONE in levels:
            return even
        values = np.array(levels, np.float64)
        if values.min() > 0 and values.max() / 8 >= values.min():
            values = np.log10(values)
        gaps = np.diff(values)
        close = gaps.min() < (values[-1] - values[0]) / _MOST_APART
        return even if close else cls(dict(zip(levels, (values / gaps.min()).tolist(), strict=True)))

    @property
    def span(self) -> float:
        """From edge to edge, with a margin beyond the first and the last level."""
        positions = list(self.positions.values())
        return positions[-1] - positions[0] + 2 * _MARGIN

    def width(self, font: float) -> float:
        """Inches in which every level has room for its name, if that stands upright."""
        return self.span * _LINE * font / 72

    def label(self, ax: Axes, width: float, font: float) -> None:
        """Put ticks at the levels along x with their names, which stand upright if `width` inches are too few."""
        names = list(level_names(list(self.positions), 18).values())
        positions = list(self.positions.values())
        ax.set(xticks=positions, xlim=(positions[0] - _MARGIN, positions[-1] + _MARGIN))
        room = np.diff(positions) * width / self.span
        widths = np.array([text_width(name, 0.875 * font) for name in names])
        crowded = bool(np.any((widths[1:] + widths[:-1]) / 2 + 0.5 * font / 72 > room))
        ax.set_xticks(positions, names, rotation=90 if crowded else 0)
