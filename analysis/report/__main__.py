"""A report that a person would read: ``python -m analysis.report sweep=latest``."""

import re
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field

from analysis.command import Selection, run, word
from analysis.figures.catalog import FIGURES, with_figure_options
from tracking.terminal import printing

PURPOSE = "Write one self-contained HTML report of a sweep into figures/<sweep>/ and attach it to its parent run."


@with_figure_options
@dataclass
class ReportOptions(Selection):
    """Arguments of ``python -m analysis.report``."""

    difference: float = field(
        default=0.1,
        metadata={
            "help": "of two convergence rates, between 0 and 1, by default 0.1: the report ends with the number of "
            "seeds it would take to find it"
        },
    )

    ui: str = word(
        "address of the MLflow UI, where trials lead; by default the tracking server's, or http://127.0.0.1:5000, "
        "where python -m experiments.sweeps ui shows a local store"
    )

    def problems(self) -> list[str]:
        """What is wrong with these values."""
        wrong = [] if 0 < self.difference < 1 else [f"difference={self.difference:g}: it must lie between 0 and 1"]
        if self.ui and not re.fullmatch(r"https?://[\w.~:\[\]/%-]+", self.ui, re.ASCII):
            wrong.append(f"ui={self.ui}: valid is an address such as http://HOST:PORT, without user or query")
        return super().problems() + wrong


def main(arguments: Sequence[str]) -> int:
    """Run the command; returns its exit code."""

    def write(options: ReportOptions) -> None:
        from analysis.figures.sizes import STYLES
        from analysis.figures.view import View

        view = View.of(options, STYLES["paper"])

        from analysis.figures.drawing import attach, folder_of, variant
        from analysis.report.page import command_of, page
        from tracking.disk import explained

        chosen = {key: value for figure in FIGURES.values() for key, value in figure.chosen(view).items()}
        path = folder_of(view) / f"report{variant(view, chosen)}.html"
        text = page(view, options.difference, command_of(view, arguments), options.ui)
        with explained(path):
            path.write_text(text, "utf-8", newline="\n")
        attach(view, [path])
        print(path)

    return run(ReportOptions, "analysis.report", PURPOSE, arguments, write)


if __name__ == "__main__":
    with printing():
        code = main(sys.argv[1:])
    sys.exit(code)
