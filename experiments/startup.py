"""The start of a command, most of which is importing what it is built on."""

import atexit
import gc


def collect_garbage_seldom() -> None:
    """Halve the time that imports take.

    They make hundreds of thousands of objects that stay to the end. Python, left to itself, looks for garbage among
    them after every 700 new ones, and once more when the program ends.
    """
    gc.set_threshold(50_000)
    atexit.register(gc.freeze)
