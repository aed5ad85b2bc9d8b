"""What the commands of this package have in common: arguments, what is checked when, and how errors end them."""

import atexit
import gc
import os
import sys
from collections.abc import Callable, Sequence

from analysis.options import OptionError, Options, parse, usage


def run(
    schema: type[Options], module: str, purpose: str, arguments: Sequence[str], work: Callable[[Options], object]
) -> int:
    """Do a command's work with its options, an instance of `schema`; returns its exit code.

    Work finds everything that the options name before it imports what draws, which takes seconds.
    """
    command = f"python -m {module}"
    if {"-h", "--help"} & set(arguments):
        print(usage(schema, command, purpose))
        return 0
    try:
        options = parse(schema, arguments)
    except OptionError as error:
        print(error, file=sys.stderr)
        return 2
    # What is imported now stays to the end; to look for garbage among it takes as long as importing it.
    gc.set_threshold(50_000)
    atexit.register(gc.freeze)
    os.environ["MPLBACKEND"] = "Agg"  # figures go to files, also where there is a screen
    from analysis.loading import SelectionError
    from tracking.errors import TrackingError

    try:
        work(options)
    except (SelectionError, TrackingError) as error:
        print(error, file=sys.stderr)
        return 1
    return 0
