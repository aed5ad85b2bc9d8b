"""Command line: ``python -m analysis.figures sweep=latest [x=lr hue=hidden col=epochs] [only=...]``."""

import sys
from collections.abc import Sequence

from analysis.options import FigureOptions, OptionError, parse, usage

PURPOSE = "Draw the comparison figures of a sweep into figures/<sweep>/ and attach them to its parent run."


def main(arguments: Sequence[str]) -> int:
    """Run the command; returns its exit code."""
    if {"-h", "--help"} & set(arguments):
        print(usage(FigureOptions, "python -m analysis.figures", PURPOSE))
        return 0
    try:
        options = parse(FigureOptions, arguments)
    except OptionError as error:
        print(error, file=sys.stderr)
        return 2
    # Only now, because MLflow and matplotlib take seconds to import.
    from analysis.figures.draw import draw_all
    from analysis.loading import SelectionError
    from analysis.store import StoreError

    try:
        draw_all(options)
    except (SelectionError, StoreError) as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
