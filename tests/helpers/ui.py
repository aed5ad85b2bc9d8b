"""MLflow's UI, as ``python -m experiments.sweeps ui`` opens it."""

import itertools
import os
import signal
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from multiprocessing.process import BaseProcess
from pathlib import Path

import forked


@contextmanager
def opened_ui(folder: Path, wait_for_server: Callable[[BaseProcess, int], None]) -> Iterator[str]:
    """Run the UI, yield the link it printed once it answers, and end it as Ctrl-C would."""
    with socket.socket() as free:  # not the default, which another test's server may be about to take
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = ("-m", "experiments.sweeps", "ui", "--port", str(port))
    with forked.conversation(*command, folder=folder) as (process, _, said):
        link = next(line.strip() for line in said if "http://127.0.0.1:" in line)
        started = (line for line in said if "Application startup complete" in line)
        assert len(list(itertools.islice(started, 2))) == 2  # workers; one of them may not listen yet
        wait_for_server(process, port)
        yield link
        assert process.pid is not None
        os.killpg(process.pid, signal.SIGINT)
        assert "Traceback" not in said.read()
