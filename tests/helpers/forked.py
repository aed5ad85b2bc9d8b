"""``python -m MODULE`` or ``python -c CODE`` in a process that is forked from one that has imported the libraries.

It saves each of a hundred commands the two seconds that importing MLflow, Hydra and Numba takes. Nothing of this
project is imported beforehand.
"""

import atexit
import multiprocessing
import os
import runpy
import signal
import sys
import threading
import traceback
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from importlib import import_module, invalidate_caches
from importlib.util import find_spec
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from pathlib import Path
from subprocess import CompletedProcess
from types import ModuleType
from typing import TextIO

STORE = "mlflow.store.tracking.sqlalchemy_store"
LIBRARIES = ["hydra.main", STORE, "numba", "pandas", "pyarrow.parquet", "scipy.stats"]

Stream = Connection | Path | None

_context = multiprocessing.get_context("forkserver")
_context.set_forkserver_preload(LIBRARIES)


def start(
    *arguments: str,
    folder: Path | None = None,
    environment: Mapping[str, str] | None = None,
    stdin: Stream = None,
    stdout: Stream = None,
    stderr: Stream = None,
) -> BaseProcess:
    """Start Python with the arguments of its command line, in a session of its own, so that all of it can be killed.

    Folder and environment are those of the test unless others are given. What no stream is given for is read from and
    printed to nowhere, but errors, which go where the rest goes.
    """
    inherited = dict(os.environ if environment is None else environment)
    process = _context.Process(target=_main, args=(arguments, folder or Path.cwd(), inherited, (stdin, stdout, stderr)))
    process.start()
    for end in {stdin, stdout, stderr}:
        if isinstance(end, Connection):
            end.close()
    return process


def run(
    *arguments: str, folder: Path | None = None, environment: Mapping[str, str] | None = None
) -> "CompletedProcess[str]":
    """Run Python to its end; returns its exit code and what it printed."""
    with ThreadPoolExecutor() as readers:
        (out, stdout), (err, stderr) = _context.Pipe(duplex=False), _context.Pipe(duplex=False)
        process = start(*arguments, folder=folder, environment=environment, stdout=stdout, stderr=stderr)
        try:
            printed, complained = readers.map(_read, (out, err))
        finally:
            end(process)
    assert process.exitcode is not None
    return CompletedProcess(arguments, process.exitcode, printed, complained)


@contextmanager
def conversation(
    *arguments: str, folder: Path | None = None, environment: Mapping[str, str] | None = None
) -> Iterator[tuple[BaseProcess, TextIO, TextIO]]:
    """Start Python, with the other ends of what it reads and of what it prints; it is killed in the end."""
    (stdin, read), (printed, stdout) = _context.Pipe(duplex=False), _context.Pipe(duplex=False)
    process = start(*arguments, folder=folder, environment=environment, stdin=stdin, stdout=stdout)
    try:
        with _opened(printed, "r") as said, _opened(read, "w") as heard:
            yield process, heard, said
    finally:
        end(process)


def end(process: BaseProcess) -> None:
    """Kill what a process started, and itself, unless they have ended."""
    with suppress(ProcessLookupError):
        os.killpg(process.pid or 0, signal.SIGKILL)
    process.kill()  # it may have had no time to begin a session
    process.join()


def _read(end: Connection) -> str:
    with _opened(end, "r") as stream:
        return stream.read()


def _opened(end: Connection, mode: str) -> TextIO:
    with end:
        return os.fdopen(os.dup(end.fileno()), mode, buffering=1)


def _main(
    arguments: Sequence[str], folder: Path, environment: Mapping[str, str], streams: tuple[Stream, Stream, Stream]
) -> None:
    os.setsid()
    os.chdir(folder)
    os.environ.clear()
    os.environ.update(environment)
    stdin, stdout, stderr = streams
    os.dup2(_descriptor(stdin, os.O_RDONLY), 0)
    os.dup2(_descriptor(stdout, os.O_WRONLY | os.O_CREAT | os.O_APPEND), 1)
    os.dup2(_descriptor(stderr, os.O_WRONLY | os.O_CREAT | os.O_APPEND) if stderr else 1, 2)
    sys.stdin = os.fdopen(0)  # in place of the one that multiprocessing has closed
    option, what, *rest = arguments
    sys.argv = [what if option == "-m" else option, *rest]
    sys.orig_argv = [sys.executable, *arguments]
    sys.path.insert(0, "")
    if added := environment.get("PYTHONPATH"):
        sys.path[1:1] = added.split(os.pathsep)
        sys.modules.pop("sitecustomize", None)
        invalidate_caches()
        if find_spec("sitecustomize"):
            import_module("sitecustomize")
    code = _exit_code_of(option, what)
    threading._shutdown()  # type: ignore[attr-defined]
    atexit._run_exitfuncs()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)


def _descriptor(stream: Stream, flags: int) -> int:
    return stream.fileno() if isinstance(stream, Connection) else os.open(stream or os.devnull, flags)


def _exit_code_of(option: str, what: str) -> int:
    try:
        if option == "-m":
            runpy.run_module(what, run_name="__main__", alter_sys=True)
        else:
            sys.modules["__main__"] = ModuleType("__main__")
            exec(what, sys.modules["__main__"].__dict__)
    except SystemExit as ended:
        if isinstance(ended.code, str):
            print(ended.code, file=sys.stderr)
            return 1
        return ended.code or 0
    except BaseException:
        traceback.print_exc()
        return 1
    return 0
