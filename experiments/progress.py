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
        return tqdm(
            total=total, unit=unit, **options | {"delay": 30, "mininterval": 30, "maxinterval": 60, "ncols": 80}
        )
    size = os.get_terminal_size(sys.stderr.fileno())
    if not size.columns or not size.lines:  # of a terminal that does not know, tqdm would think that nothing fits
        return tqdm(total=total, unit=unit, ncols=80, nrows=24, **options)
    return tqdm(total=total, unit=unit, dynamic_ncols=True, **options)
