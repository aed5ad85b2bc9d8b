"""Ctrl-C and SIGTERM: the first lets the chunk in hand be finished, the second does not."""

import logging
import signal
from types import FrameType, TracebackType
from typing import Self

log = logging.getLogger(__name__)


class Interrupted(BaseException):
    """The user asked to stop. Not an `Exception`: nothing on the way up may take it for a failed job."""


class Interruption:
    """Context in which SIGINT and SIGTERM are counted instead of killing.

    Parameters
    ----------
    finish_what : str or None
        What is still finished after the first signal; None to stop at once.

    Attributes
    ----------
    signal : int or None
        The first signal that came.
    """

    def __init__(self, finish_what: str | None) -> None:
        self._finish_what = finish_what
        self.signal: int | None = None

    def __enter__(self) -> Self:
        self._before = {number: signal.signal(number, self._on_signal) for number in (signal.SIGINT, signal.SIGTERM)}
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)

    @property
    def exit_code(self) -> int:
        """What a shell expects of a program that a signal ended: 130 for Ctrl-C, 143 for SIGTERM."""
        return 0 if self.signal is None else 128 + self.signal

    def check(self) -> None:
        """Stop here if a signal came.

        Raises
        ------
        Interrupted
        """
        if self.signal is not None:
            raise Interrupted

    def _on_signal(self, number: int, frame: FrameType | None) -> None:
        if self.signal is not None:
            raise Interrupted
        self.signal = number
        if self._finish_what is None:
            raise Interrupted
        log.warning("Stopping after %s; once more to stop at once.", self._finish_what)
