"""Command line: ``python -m analysis.figures sweep=latest [x=lr hue=hidden col=epochs] [only=...]``."""

import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from analysis.command import Selection, names, run, suggestion, word
from analysis.figures.catalog import FIGURES, listing, with_figure_options
from analysis.figures.looks import look_problems
from analysis.figures.sizes import STYLES, Style
from tracking.terminal import printing

PURPOSE = "Draw the comparison figures of a sweep into figures/<sweep>/ and attach them to its parent run."


FORMATS = ("png", "svg", "pdf")
TABLES = ("csv", "md", "tex", "parquet")


@with_figure_options
@dataclass
class FigureOptions(Selection):
    """Arguments of ``python -m analysis.figures``."""

    only: list[str] = names("figures to draw, as [rate,loss]; all by default")
    style: str = word(" or ".join(STYLES), "paper")
    format: list[str] = names(f"files of each figure, some of [{','.join(FORMATS)}]; png and svg by default")
    tables: list[str] = names(
        f"files of its table, some of [{','.join(TABLES)}]: csv and parquet hold what is drawn, md and tex (LaTeX, "
        "booktabs) what a person reads; csv and md by default"
    )
    figsize: list[Any] = field(
        default_factory=list,
        metadata={"help": "width and height of every figure in inches, as [3.5,2.5]; by default what the panels need"},
    )
    font: list[str] = names("family or size in points of the text, or both, as [DejaVu Serif,9]")
    dpi: int | None = field(
        default=None, metadata={"help": "dots per inch of PNG files; 250 by default, 125 for talks"}
    )
    palette: str = word("seaborn's name for the colours of the hue, as Set2 or viridis")

    @property
    def look(self) -> Style:
        """The style with what was chosen instead."""
        return STYLES[self.style].chosen(self.font, self.figsize, self.dpi, self.palette)

    @property
    def endings(self) -> list[str]:
        """Of the files of each figure."""
        return list(dict.fromkeys([*(self.format or FORMATS[:2]), *(self.tables or TABLES[:2])]))

    def problems(self) -> list[str]:
        """What is wrong with these values, as far as can be told without the data."""
        found = super().problems()
        found += [
            f"only={name}: no such figure{suggestion(name, FIGURES)}; valid are {', '.join(FIGURES)}"
            for name in self.only
            if name not in FIGURES
        ]
        for key, given, valid in (
            ("style", [self.style], tuple(STYLES)), ("format", self.format, FORMATS), ("tables", self.tables, TABLES)
        ):  # fmt: skip
            found += [f"{key}={name}: valid are {', '.join(valid)}" for name in given if name not in valid]
        return [*found, *look_problems(self.font, self.figsize, self.dpi, self.palette)]


def main(arguments: Sequence[str]) -> int:
    """Run the command; returns its exit code."""
    return run(FigureOptions, "analysis.figures", f"{PURPOSE}\n\n{listing()}", arguments, _draw)


def _draw(options: FigureOptions) -> None:
    from analysis.figures.view import View

    view = View.of(options, options.look)

    from analysis.figures.drawing import Drawing, NotApplicableError, attach, folder_of, save, variant
    from analysis.figures.style import applied
    from nn_core import PartError

    folder, paths = folder_of(view), []
    for name in options.only or FIGURES:
        style = {} if options.style == "paper" else {"style": options.style}
        drawing = FIGURES[name].draw(view)
        try:
            if not isinstance(drawing, Drawing):
                raise drawing
            with applied(view.style):
                saved = save(drawing, folder, options.endings, variant(view, style | FIGURES[name].chosen(view)))
        except (NotApplicableError, PartError) as reason:
            print(f"{name:<12} skipped: {reason}")
            continue
        print(f"{name:<12} {saved[0]}")
        paths += saved
    attach(view, paths)


if __name__ == "__main__":
    with printing():
        code = main(sys.argv[1:])
    sys.exit(code)
