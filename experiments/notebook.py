"""Sweeps from Python: what the command line does, for a notebook."""

import os
import signal
import socket
import subprocess
import sys
from collections import deque
from collections.abc import Iterable

_LINES_OF_AN_ERROR = 20


class SweepError(Exception):
    """A sweep that could not be run, or did not finish whole; the message is what it said last.

    `run_id` is the sweep as far as it came, or empty if it was refused before anything was made.
    """

    def __init__(self, message: str, run_id: str = "") -> None:
        super().__init__(message)
        self.run_id = run_id


def sweep(*overrides: str, uri: str | None = None) -> str:
    """Run the sweep ``python -m experiments.train -m OVERRIDES...``, and return its id.

    It runs as that very command, in a process of its own: with the same checks, launchers and traces in MLflow, and
    with nothing left of it in this one. What it says is printed as it says it. An interrupt lets the runs in hand be
    written, as Ctrl-C does, and is raised again then.

    Parameters
    ----------
    overrides
        as on the command line, without a shell's quotes: ``sweep("lr=0.1,0.5", "seed=range(25)")``
    uri
        tracking store; by default ``MLFLOW_TRACKING_URI``, or ``mlflow.db`` in the current folder

    Returns
    -------
    str
        run id of the sweep's parent, which `analysis.load` takes; empty if nothing was to be made (``dry_run=true``)

    Raises
    ------
    SweepError
        if the sweep is refused, fails, or has jobs that failed
    """
    from tracking.addresses import VARIABLE
    from tracking.provenance import process_identity

    said: deque[str] = deque(maxlen=_LINES_OF_AN_ERROR)
    surroundings = os.environ | ({VARIABLE: uri} if uri else {}) | {"PYTHONUNBUFFERED": "1"}
    command = [sys.executable, "-m", "experiments.train", "-m", *overrides]
    # In a process group of its own, it hears of an interrupt once, from here, and not from the terminal as well.
    with subprocess.Popen(  # noqa: S603 (the overrides go to Hydra, and to no shell)
        command, env=surroundings, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        text=True, encoding="utf-8", errors="replace", process_group=0,
    ) as process:  # fmt: skip
        assert process.stdout is not None
        made_by = {"host": socket.gethostname(), "pid": str(process.pid)}
        made_by["process"] = process_identity(process.pid) or "unknown"
        try:
            _repeat(process.stdout, said)
        except KeyboardInterrupt:
            process.send_signal(signal.SIGINT)
            try:
                _repeat(process.stdout, said)
            except KeyboardInterrupt:
                process.send_signal(signal.SIGINT)  # stops at once
            raise
    run_id = _made_by(made_by, uri)
    if process.returncode:
        raise SweepError("".join(said).strip() or f"it ended with exit code {process.returncode}", run_id)
    return run_id


def _repeat(lines: Iterable[str], said: deque[str]) -> None:
    for line in lines:
        print(line, end="", flush=True)
        said.append(line)


def _made_by(tags: dict[str, str], uri: str | None) -> str:
    """The newest sweep of a process, or nothing."""
    from tracking.errors import TrackingError
    from tracking.store import open_reader

    try:
        sweeps = open_reader(uri).sweeps()
    except TrackingError:  # there is no store: it was refused, and has said why
        return ""
    return next((run.run_id for run in sweeps[::-1] if tags.items() <= run.tags.items()), "")
