"""A report that a person would read: ``python -m analysis.report sweep=latest``."""

import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from analysis import command
from analysis.options import Selection

if TYPE_CHECKING:
    from analysis.selecting import Selected

PURPOSE = "Write one self-contained HTML report of a sweep into figures/<sweep>/ and attach it to its parent run."


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

    def problems(self) -> list[str]:
        """What is wrong with these values."""
        wrong = [] if 0 < self.difference < 1 else [f"difference={self.difference:g}: it must lie between 0 and 1"]
        return super().problems() + wrong


def main(arguments: Sequence[str]) -> int:
    """Run the command; returns its exit code."""

    def write(selected: "Selected", options: ReportOptions) -> None:
        from analysis.figures.draw import attach, open_view
        from analysis.page import page, repeated

        view, folder = open_view(selected, "paper")
        path = folder / "report.html"
        text = page(view, options.difference, repeated(view.data, options, arguments))
        path.write_text(text, "utf-8", newline="\n")
        attach(view, [path])
        print(path)

    return command.run(ReportOptions, "analysis.report", PURPOSE, arguments, write)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
