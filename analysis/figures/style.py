"""The house style: sizes, fonts, colours, and how numbers and names are written."""

import math
import os
import re
import unicodedata
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import matplotlib as mpl
import numpy as np
import seaborn as sns
from matplotlib.axes import Axes
from matplotlib.font_manager import FontProperties
from matplotlib.textpath import text_to_path
from matplotlib.ticker import FixedFormatter, FixedLocator, NullLocator

from analysis.axes import LABELS, level_name


@dataclass(frozen=True)
class Style:
    """Sizes for one use of a figure.

    Attributes
    ----------
    font : float
        Points.
    column, page : float
        Widths of a figure with one panel and with several, inches.
    """

    font: float
    column: float
    page: float

    @property
    def scale(self) -> float:
        """How much larger text is than in a paper; panels grow with it."""
        return self.font / 8


STYLES = {"paper": Style(font=8, column=3.5, page=7.0), "talk": Style(font=16, column=7.0, page=13.0)}

INK = "#222222"
FAINT = "#8a8a8a"
SINGLE = "#0b5fa5"
MARKERS = ("o", "s", "^", "D", "v", "P", "X", "<", ">", "p", "h", "*")
_DASHES: tuple[tuple[float, ...], ...] = ((), (5, 1.5), (1.5, 1), (5, 1.5, 1.5, 1.5))


@contextmanager
def applied(style: Style) -> Iterator[None]:
    """Draw and save within the house style, the same bytes for the same data."""
    font = style.font
    with mpl.rc_context(
        {
            "font.family": "DejaVu Sans",  # comes with matplotlib: the same on every machine
            "font.size": font,
            "axes.titlesize": font,
            "axes.labelsize": font,
            "xtick.labelsize": font * 0.875,
            "ytick.labelsize": font * 0.875,
            "legend.fontsize": font * 0.875,
            "legend.title_fontsize": font * 0.875,
            "legend.frameon": False,
            "axes.edgecolor": INK,
            "axes.labelcolor": INK,
            "text.color": INK,
            "xtick.color": INK,
            "ytick.color": INK,
            "axes.linewidth": 0.08 * font,
            "axes.spines.top": False,
            "axes.spines.right": False,
            "axes.grid": True,
            "axes.axisbelow": True,
            "grid.color": "#e4e4e4",
            "grid.linewidth": 0.07 * font,
            "lines.linewidth": 0.16 * font,
            "lines.markersize": 0.5 * font,
            "xtick.major.width": 0.08 * font,
            "ytick.major.width": 0.08 * font,
            "xtick.major.size": 0.35 * font,
            "ytick.major.size": 0.35 * font,
            "figure.facecolor": "white",
            "figure.dpi": 100,
            "savefig.dpi": 250 / style.scale,
            "text.parse_math": False,  # a dollar sign in somebody's name is a dollar sign
            "axes.unicode_minus": True,
            "svg.hashsalt": "convergence-atlas",
            "svg.fonttype": "path",
        }
    ):
        yield


@dataclass(frozen=True)
class Look:
    """How one level of the hue is drawn."""

    color: Any
    marker: str
    dashes: tuple[float, ...]

    @property
    def linestyle(self) -> Any:
        """The dashes as matplotlib wants them."""
        return (0, self.dashes) if self.dashes else "-"


def looks(levels: Sequence[Any]) -> dict[Any, Look]:
    """Colours, markers and dashes by level: a light-to-dark scale for numbers, distinct hues for names.

    Both are safe for the colour-blind, and no level is told by its colour alone.
    """
    numeric = all(not isinstance(level, str | bool | np.bool_) for level in levels)
    if len(levels) == 1:
        colors: Sequence[Any] = [SINGLE]
    elif numeric or len(levels) > 8:
        brightest = 0.72 if len(levels) <= 5 else 0.88
        colors = [mpl.colormaps["viridis"](v) for v in np.linspace(0, brightest, len(levels))]
    else:
        colors = sns.color_palette("colorblind", len(levels))
    return {
        level: Look(colors[i], MARKERS[i % len(MARKERS)], _DASHES[i % len(_DASHES)]) for i, level in enumerate(levels)
    }


def plain(text: str, longest: int = 60) -> str:
    """A name from outside as one printable line that is not too long."""
    kept = "".join(c if unicodedata.category(c)[0] != "C" else " " for c in text)
    line = " ".join(kept.split())
    return line if len(line) <= longest else line[: longest - 1] + "…"


def level_names(levels: Sequence[Any], longest: int) -> list[str]:
    """How levels are written beside each other: of at most `longest` characters, and no two alike.

    Of long names that begin alike what differs is kept; if even that is too long, or alike, they are numbered.
    """
    full = [plain(level_name(level), 10_000) for level in levels]
    short = [plain(name, longest) for name in full]
    if len(set(short)) == len(short):
        return short
    # Cut at the separators of lists, or half a number would be left.
    prefix = re.sub(r"[^,;=\[( ]*$", "", _common_beginning(full))
    rests = [name[len(prefix) :] for name in full]
    suffix = re.sub(r"^[^,;\]) ]*", "", _common_beginning([rest[::-1] for rest in rests])[::-1])
    middles = [f"…{rest.removesuffix(suffix)}{'…' if suffix.strip(']) ') else suffix}" for rest in rests]
    if len(set(middles)) == len(middles) and max(map(len, middles)) <= longest:
        return middles
    return [plain(f"({i}) {name}", longest) for i, name in enumerate(full, 1)]


def _common_beginning(names: Sequence[str]) -> str:
    return os.path.commonprefix(names)  # noqa: RUF071 (it works on any text)


def text_width(text: str, size: float) -> float:
    """Width of one line of text in inches, in a font of `size` points."""
    return float(text_to_path.get_text_width_height_descent(text, FontProperties(size=size), False)[0]) / 72


def wrapped(text: str, width: float, size: float) -> str:
    """Break text into lines of at most `width` inches, as measured; of a word longer than that the middle breaks."""
    lines: list[str] = []
    for paragraph in text.split("\n"):
        lines.append("")
        for word in filter(None, paragraph.split(" ")):  # not at no-break spaces
            joined = f"{lines[-1]} {word}".lstrip()
            if text_width(joined, size) <= width:
                lines[-1] = joined
                continue
            if lines[-1]:
                lines.append("")
            for character in word:
                if lines[-1] and text_width(lines[-1] + character, size) > width:
                    lines.append("")
                lines[-1] += character
    return "\n".join(lines)


def axis_name(axis: str) -> str:
    """How a parameter is called along an axis."""
    return LABELS.get(axis, plain(axis))


def parameter_name(axis: str) -> str:
    """How a parameter is called in text: as along an axis, without the unit."""
    return axis_name(axis).partition(" (")[0]


def named(axis: str, name: str) -> str:
    """One level with its parameter, as in ``learning rate = 0.1``."""
    return f"{parameter_name(axis)} = {name}"


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
        finer = (
            m * 10.0**e for e in range(math.floor(math.log10(low)), math.ceil(math.log10(high))) for m in (1, 2, 5)
        )
        ticks = {tick: level_name(float(f"{tick:.6g}")) for tick in finer if low <= tick <= high}
    if never is not None:
        ticks = {tick: name for tick, name in ticks.items() if tick < never / 2} | {never: "never"}
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

    levels: Sequence[Any]
    positions: Sequence[float]
    by_name: bool = False

    @classmethod
    def of(cls, levels: Sequence[Any]) -> "Scale":
        """Choose positions for these levels."""
        by_name = any(isinstance(v, str | bool | np.bool_) for v in levels)
        even = cls(levels, list(range(len(levels))), by_name)
        if len(levels) < 2 or by_name or not all(np.isfinite(v) for v in levels):
            return even
        values = np.array(levels, np.float64)
        if values.min() > 0 and values.max() / values.min() >= 8:
            values = np.log10(values)
        gaps = np.diff(values)
        close = gaps.min() < (values[-1] - values[0]) / 30
        return even if close else cls(levels, (values / gaps.min()).tolist())

    def __getitem__(self, level: Any) -> float:
        """Position of a level; the smallest distance between two is 1."""
        for candidate, position in zip(self.levels, self.positions, strict=True):
            if candidate == level or (candidate != candidate and level != level):
                return position
        raise KeyError(level)

    def label(self, ax: Axes, which: str, width: float, font: float) -> None:
        """Put ticks at the levels, and the names of as many as have room on `width` inches."""
        first, last = self.positions[0], self.positions[-1]
        margin = 0.6
        inches = width / (last - first + 2 * margin)
        names, right = [], -math.inf
        for name, position in zip(level_names(self.levels, 18), self.positions, strict=True):
            half = 0.31 * font / 72 * (len(name) + 1) if which == "x" else 0.6 * font / 72
            fits = position * inches - half >= right
            names.append(name if fits else "")
            right = position * inches + half if fits else right
        ax.set(
            **{
                f"{which}ticks": self.positions,
                f"{which}ticklabels": names,
                f"{which}lim": (first - margin, last + margin),
            }
        )
