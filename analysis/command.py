"""What the commands of this package have in common: arguments, what is checked when, and how errors end them."""

import atexit
import gc
import sys
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from analysis.options import OptionError, Options, parse, usage

if TYPE_CHECKING:
    from analysis.selecting import Selected


def run(
    schema: type[Options],
    module: str,
    purpose: str,
    arguments: Sequence[str],
    work: "Callable[[Selected, Options], object]",
) -> int:
    """Do a command's work on what its arguments select; returns its exit code.

    Parameters
    ----------
    schema : type
        Its options.
    module, purpose : str
        For ``--help``.
    arguments : sequence of str
        From the command line.
    work : callable
        Imports what draws: that takes seconds, and by now everything the user named has been found.
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
    from analysis.loading import SelectionError
    from analysis.selecting import select
    from analysis.store import StoreError, readable

    try:
        with readable():
            work(select(options), options)
    except (SelectionError, StoreError) as error:
        print(error, file=sys.stderr)
        return 1
    return 0
