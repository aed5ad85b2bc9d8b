"""Ctrl-C and SIGTERM: what is being written is finished, what is being trained is not insisted on.

Signals belong to the process, and so does the state here. While `listening`, a signal raises `Interrupted` wherever the
program is, except in stretches that are `held`: those go on to their end, and the signal takes effect there.
"""

import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from threading import Event, Thread
from types import FrameType

STOPPING = [getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name)]


class Interrupted(BaseException):
    """The user asked to stop. Not an `Exception`: nothing on the way up may take it for a failed job."""


class SweepStopped(BaseException):
    """The sweep is not to go on. Not an `Exception`, or a launcher would carry on."""


@dataclass
class _Stretch:
    message: str
    signals: int = 0


_came: list[int] = []  # signals, the first of which counts
_stretches: list[_Stretch] = []  # held ones that we are in, the innermost last


def end_silently() -> None:
    """Let Ctrl-C kill this process where it does not listen, instead of having Python print a traceback."""
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        signal.signal(signal.SIGINT, signal.SIG_DFL)


@contextmanager
def listening() -> Iterator[None]:
    """Turn signals into `Interrupted`."""
    # Who starts a program in the background, or under nohup, may have it ignore some signals. That is respected.
    before = {number: signal.getsignal(number) for number in STOPPING}
    heard = {number: handler for number, handler in before.items() if handler is not signal.SIG_IGN}
    _came.clear()
    for number in heard:
        signal.signal(number, _on_signal)
    try:
        yield
    finally:
        for number, handler in heard.items():
            signal.signal(number, handler)


@contextmanager
def held(message: str = "") -> Iterator[None]:
    """Hold signals back until the end of this stretch, where the first takes effect; a second does so at once.

    The user is told the message when the first comes. At the end of an inner stretch the outer one holds it, too.
    """
    _stretches.append(_Stretch(message))
    try:
        yield
    finally:
        stretch = _stretches.pop()
    for _ in range(stretch.signals):
        _take_effect()


@contextmanager
def not_for_children() -> Iterator[None]:
    """Keep signals from the processes started in this stretch: to stop those is for this process.

    A terminal sends Ctrl-C to all of a program's processes, and schedulers do so with SIGTERM.
    """
    from multiprocessing import resource_tracker

    from joblib.externals.loky.backend import resource_tracker as resource_tracker_of_joblib

    # These helper processes, when started, would unblock the signals again.
    resource_tracker.ensure_running()
    resource_tracker_of_joblib.ensure_running()
    ear = Event()
    Thread(target=ear.wait, daemon=True).start()  # hears signals in place of this thread, from which children inherit
    signal.pthread_sigmask(signal.SIG_BLOCK, STOPPING)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_UNBLOCK, STOPPING)
        ear.set()


def check() -> None:
    """Stop here if a signal came, even if it is held; a good place to stop is no place to miss."""
    if _came:
        raise Interrupted


def exit_code() -> int:
    """What a shell expects of a program that a signal ended: 130 for Ctrl-C, 143 for SIGTERM."""
    return 128 + _came[0] if _came else 0


def _on_signal(number: int, _frame: FrameType | None) -> None:
    _came.append(number)
    _take_effect()


def _take_effect() -> None:
    if not _stretches:
        raise Interrupted
    stretch = _stretches[-1]
    stretch.signals += 1
    if stretch.signals > 1:
        raise Interrupted
    if stretch.message:
        # Not by logging or print: the signal may have come in the middle of either.
        with suppress(OSError):
            os.write(2, f"\n{stretch.message}\n".encode())
