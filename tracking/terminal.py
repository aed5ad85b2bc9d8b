"""Standard output and error as they may be: closed, full, left by their reader, or of ASCII only."""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def printing() -> Iterator[None]:
    r"""Let a command print, whatever its output goes to, and read its arguments as UTF-8, whatever the locale says.

    What is closed takes everything and keeps nothing; letters that an encoding lacks are written as ``\xfc``. Where
    its reader has left, as ``| head`` does, the command ends with 141, as a shell expects; where the output is full,
    with a line on standard error and 1.
    """
    for arguments in (sys.argv, sys.orig_argv):
        arguments[:] = [os.fsencode(argument).decode(errors="surrogateescape") for argument in arguments]
    for number, name in ((1, "stdout"), (2, "stderr")):
        stream = getattr(sys, name)
        if stream is None:
            _send_nowhere(number)  # or the next file that is opened would have its number
            setattr(sys, name, os.fdopen(number, "w"))
        elif stream.errors == "strict":
            stream.reconfigure(errors="backslashreplace")
    try:
        try:
            yield
        finally:
            sys.stdout.flush()
    except OSError as error:
        reason = _unwritable()
        if isinstance(error, BrokenPipeError):
            _send_nowhere(2)
        elif reason is None:
            raise
        _send_nowhere(1)  # or Python would complain of what it cannot write at its end
        sys.exit(141 if isinstance(error, BrokenPipeError) else f"the output cannot be written: {reason}")


def printable(text: str) -> str:
    """Escape what would move the cursor or turn the direction of writing."""
    return "".join(c if c.isprintable() else ascii(c)[1:-1] for c in text)


def _send_nowhere(number: int) -> None:
    nowhere = os.open(os.devnull, os.O_WRONLY)
    if nowhere != number:
        os.dup2(nowhere, number)
        os.close(nowhere)


def _unwritable() -> str | None:
    """Why nothing can be written to standard output; None if something can."""
    try:
        os.write(sys.stdout.fileno(), b"\n")
    except OSError as error:
        return error.strerror
    return None
