"""A report that a person would read: ``python -m analysis.report sweep=latest``."""

import sys
from collections.abc import Sequence
from dataclasses import dataclass, field

from analysis.options import OptionError, Selection, parse, usage

PURPOSE = "Write one self-contained HTML report of a sweep into figures/<sweep>/ and attach it to its parent run."


@dataclass
class ReportOptions(Selection):
    """Arguments of ``python -m analysis.report``."""

    difference: float = field(
        default=0.1, metadata={"help": "of convergence rates: how many seeds would it take to find it?"}
    )


def main(arguments: Sequence[str]) -> int:
    """Run the command; returns its exit code."""
    if {"-h", "--help"} & set(arguments):
        print(usage(ReportOptions, "python -m analysis.report", PURPOSE))
        return 0
    try:
        options = parse(ReportOptions, arguments)
    except OptionError as error:
        print(error, file=sys.stderr)
        return 2
    # Only now, because MLflow and matplotlib take seconds to import.
    from analysis.figures.draw import attach, open_view
    from analysis.loading import SelectionError
    from analysis.page import page
    from analysis.store import StoreError

    try:
        view, folder = open_view(options, "paper")
        path = folder / "report.html"
        path.write_text(page(view, options.difference), "utf-8", newline="\n")
        attach(view, [path])
    except (SelectionError, StoreError) as error:
        print(error, file=sys.stderr)
        return 1
    print(path)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
