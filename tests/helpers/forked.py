"""``python -m MODULE`` in a process that is forked from one that has imported the libraries already.

It saves each of a hundred commands the two seconds that importing MLflow, Hydra and Numba takes. Nothing of this
project is imported beforehand.
"""

import atexit
import multiprocessing
import os
import runpy
import sys
import threading
import traceback
from collections.abc import Mapping, Sequence
from importlib import import_module, invalidate_caches
from multiprocessing.process import BaseProcess
from pathlib import Path

LIBRARIES = ["hydra.main", "mlflow.store.tracking.dbmodels.models", "numba", "pandas", "pyarrow.parquet"]

_context = multiprocessing.get_context("forkserver")
_context.set_forkserver_preload(LIBRARIES)


def start(
    module: str, arguments: Sequence[str], folder: Path, environment: Mapping[str, str], output: Path
) -> BaseProcess:
    """Start a module, what it prints going to a file; in a session of its own, so that all it starts can be killed."""
    process = _context.Process(target=_main, args=(module, arguments, folder, dict(environment), output))
    process.start()
    return process


def _main(module: str, arguments: Sequence[str], folder: Path, environment: Mapping[str, str], output: Path) -> None:
    os.setsid()
    os.chdir(folder)
    os.environ.clear()
    os.environ.update(environment)
    for stream, path, flags in ((0, os.devnull, os.O_RDONLY), (1, output, os.O_WRONLY | os.O_CREAT | os.O_APPEND)):
        os.dup2(os.open(path, flags), stream)
    os.dup2(1, 2)
    sys.argv = [module, *arguments]
    sys.orig_argv = [sys.executable, "-m", module, *arguments]
    sys.path.insert(0, "")
    if added := environment.get("PYTHONPATH"):
        sys.path.insert(1, added)
        sys.modules.pop("sitecustomize", None)
        invalidate_caches()
        import_module("sitecustomize")
    code = _exit_code_of(module)
    threading._shutdown()  # type: ignore[attr-defined]
    atexit._run_exitfuncs()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)


def _exit_code_of(module: str) -> int:
    try:
        runpy.run_module(module, run_name="__main__", alter_sys=True)
    except SystemExit as ended:
        if isinstance(ended.code, str):
            print(ended.code, file=sys.stderr)
            return 1
        return ended.code or 0
    except BaseException:
        traceback.print_exc()
        return 1
    return 0
