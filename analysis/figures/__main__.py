"""Command line: ``python -m analysis.figures sweep=latest [x=lr hue=hidden col=epochs] [only=...]``."""

import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING

from analysis import command
from analysis.options import FigureOptions

if TYPE_CHECKING:
    from analysis.selecting import Selected

PURPOSE = "Draw the comparison figures of a sweep into figures/<sweep>/ and attach them to its parent run."


def main(arguments: Sequence[str]) -> int:
    """Run the command; returns its exit code."""
    return command.run(FigureOptions, "analysis.figures", PURPOSE, arguments, _draw)


def _draw(selected: "Selected", options: FigureOptions) -> None:
    from analysis.figures.draw import draw_all

    draw_all(selected, options)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
