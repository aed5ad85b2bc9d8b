"""How figures look in each use of them: sizes, and what a user chose instead."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from matplotlib.axes import Axes

HOUSE_FONT = "DejaVu Sans"  # comes with matplotlib: the same on every machine


@dataclass(frozen=True)
class Style:
    """Sizes for one use of a figure, its font and its colours."""

    font: float  # points
    column: float  # width of a figure with one panel, inches
    page: float  # with several
    dpi: float  # of a PNG
    family: str = HOUSE_FONT
    figsize: tuple[float, float] | None = None  # inches, instead of what the content needs
    palette: str = ""  # seaborn's name for the colours of levels, instead of what suits their number
    ax: "Axes | None" = None  # somebody else's axes, to be drawn on without a caption, instead of a figure of its own

    @property
    def scale(self) -> float:
        """How much larger text is than in a paper; panels grow with it."""
        return self.font / 8

    def chosen(self, font: Sequence[str], figsize: Sequence[float], dpi: int | None, palette: str) -> "Style":
        """The same with a user's choices: a family, a size in points or both; inches; a resolution; a palette."""
        sizes = [float(word) for word in font if is_size(word)]
        families = [word for word in font if not is_size(word)]
        style = replace(self, dpi=dpi or self.dpi, palette=palette)
        style = replace(style, font=sizes[0]) if sizes else style
        style = replace(style, family=families[0]) if families else style
        if not figsize:
            return style
        width, height = map(float, figsize)
        return replace(style, figsize=(width, height), column=width, page=width)


def is_size(word: str) -> bool:
    """Whether a word about fonts is a size in points."""
    try:
        return float(word) == float(word)
    except ValueError:
        return False


STYLES = {"paper": Style(font=8, column=3.5, page=7.0, dpi=250), "talk": Style(font=16, column=7.0, page=13.0, dpi=125)}
"""The house style: fonts, sizes, and text that fits."""
