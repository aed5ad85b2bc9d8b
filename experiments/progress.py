"""Progress of long work: a bar on a terminal, elsewhere a line twice a minute."""

import os
import sys
from threading import RLock
from typing import Any, NoReturn

from tqdm import tqdm

tqdm.set_lock(RLock())  # its own is shared by processes, and those that are killed would leak it


def bar(total: int, unit: str, **options: Any) -> "tqdm[NoReturn]":
    """Make a progress bar on standard error, to be used as a context; `options` are tqdm's."""
    if not sys.stderr.isatty():
        options |= {"delay": 30, "mininterval": 30, "maxinterval": 60, "ncols": 80}
    elif all(os.get_terminal_size(sys.stderr.fileno())):
        options["dynamic_ncols"] = True
    else:  # a terminal that does not know its size; tqdm would think that nothing fits
        options |= {"ncols": 80, "nrows": 24}
    return tqdm(total=total, unit=unit, **options)
