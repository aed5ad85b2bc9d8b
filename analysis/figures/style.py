"""The house style: fonts, sizes, and text that fits."""

from collections.abc import Sequence
from contextlib import AbstractContextManager
from typing import Any

import matplotlib as mpl
from matplotlib.font_manager import FontProperties
from matplotlib.textpath import text_to_path

from analysis.figures.sizes import HOUSE_FONT, Style

INK = "#222222"
FAINT = "#8a8a8a"
SINGLE = "#0b5fa5"


def applied(style: Style) -> AbstractContextManager[None]:
    """Draw and save within the house style, the same bytes for the same data."""
    font = style.font
    values: dict[tuple[Any, ...], Any] = {
        ("font.family",): list(dict.fromkeys([style.family, HOUSE_FONT])),  # the second has most letters
        ("font.size", "axes.titlesize", "axes.labelsize"): font,
        ("xtick.labelsize", "ytick.labelsize", "legend.fontsize", "legend.title_fontsize"): 0.875 * font,
        ("legend.handlelength",): 3.4,
        ("legend.columnspacing",): 1.2,
        ("legend.handletextpad",): 0.4,
        ("legend.borderaxespad",): 0.6,
        ("legend.borderpad",): 0.1,
        ("axes.edgecolor", "axes.labelcolor", "text.color", "xtick.color", "ytick.color"): INK,
        ("axes.linewidth", "xtick.major.width", "ytick.major.width"): 0.08 * font,
        ("xtick.major.size", "ytick.major.size"): 0.35 * font,
        ("axes.spines.top", "axes.spines.right", "legend.frameon"): False,
        ("axes.grid", "axes.axisbelow", "axes.unicode_minus"): True,
        ("grid.color",): "#e4e4e4",
        ("grid.linewidth",): 0.07 * font,
        ("lines.linewidth",): 0.16 * font,
        ("lines.markersize",): 0.5 * font,
        ("figure.facecolor",): "white",
        ("figure.dpi",): 100,
        ("savefig.dpi",): style.dpi,
        ("text.parse_math",): False,  # a dollar sign in somebody's name is a dollar sign
        ("svg.hashsalt",): "convergence-atlas",
        ("svg.fonttype",): "path",
        ("pdf.fonttype",): 42,  # TrueType: journals refuse Type 3
    }
    return mpl.rc_context({setting: value for settings, value in values.items() for setting in settings})


def text_width(text: str, size: float) -> float:
    """Width of one line of text in inches, in a font of `size` points."""
    return float(text_to_path.get_text_width_height_descent(text, FontProperties(size=size), False)[0]) / 72


def filled(facts: Sequence[str], width: float, size: float) -> str:
    """Facts divided by commas, in lines of at most `width` inches that break between facts, never within one."""
    lines: list[str] = []
    for fact in facts:
        joined = f"{lines[-1]}, {fact}" if lines else ""
        if joined and text_width(joined + ",", size) <= width:
            lines[-1] = joined
        else:
            lines.append(fact)
    return ",\n".join(lines)


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
