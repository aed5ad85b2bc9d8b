"""Command line: ``python -m analysis.figures sweep=latest [x=lr hue=hidden col=epochs] [only=...]``."""

import sys
from collections.abc import Sequence
from dataclasses import dataclass

from analysis.command import Selection, names, run, suggestion, word
from analysis.figures.catalog import FIGURES, listing, with_figure_options
from analysis.figures.sizes import STYLES
from tracking.terminal import printing

PURPOSE = "Draw the comparison figures of a sweep into figures/<sweep>/ and attach them to its parent run."


@with_figure_options
@dataclass
class FigureOptions(Selection):
    """Arguments of ``python -m analysis.figures``."""

    only: list[str] = names("figures to draw, as [rate,loss]; all by default")
    style: str = word(" or ".join(STYLES), "paper")

    def problems(self) -> list[str]:
        """What is wrong with these values, as far as can be told without the data."""
        found = super().problems() + [
            f"only={name}: no such figure{suggestion(name, FIGURES)}; valid are {', '.join(FIGURES)}"
            for name in self.only
            if name not in FIGURES
        ]
        if self.style not in STYLES:
            found.append(f"style={self.style}: valid are {', '.join(STYLES)}")
        return found


def main(arguments: Sequence[str]) -> int:
    """Run the command; returns its exit code."""
    return run(FigureOptions, "analysis.figures", f"{PURPOSE}\n\n{listing()}", arguments, _draw)


def _draw(options: FigureOptions) -> None:
    from analysis.figures.view import View

    view = View.of(options, options.style)

    from analysis.figures.drawing import Drawing, attach, folder_of, save
    from analysis.figures.style import applied

    folder, paths = folder_of(view), []
    for name in options.only or FIGURES:
        drawing = FIGURES[name].draw(view)
        if isinstance(drawing, Drawing):
            with applied(view.style):
                saved = save(drawing, folder)
            print(f"{name:<12} {saved[0]}")
            paths += saved
        else:
            print(f"{name:<12} skipped: {drawing}")
    attach(view, paths)


if __name__ == "__main__":
    with printing():
        code = main(sys.argv[1:])
    sys.exit(code)
