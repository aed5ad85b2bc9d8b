"""How large figures are, for each use of them."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Style:
    """Sizes for one use of a figure."""

    font: float  # points
    column: float  # width of a figure with one panel, inches
    page: float  # with several

    @property
    def scale(self) -> float:
        """How much larger text is than in a paper; panels grow with it."""
        return self.font / 8


STYLES = {"paper": Style(font=8, column=3.5, page=7.0), "talk": Style(font=16, column=7.0, page=13.0)}
