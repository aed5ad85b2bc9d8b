"""Where compiled code is kept, and by what name: Numba's cache on disk, which is also found where nothing is ours."""

import hashlib
import os
import shutil
import stat
import tempfile
from atexit import register
from collections.abc import Callable
from contextlib import suppress
from functools import lru_cache
from pathlib import Path
from typing import Any

from numba import config
from numba.core.caching import CompileResultCacheImpl

from nn_core.compiled.lanes import LANES


@lru_cache
def _sources() -> list[bytes]:
    return [path.read_bytes() for path in sorted(Path(__file__).parent.glob("*.py"))]


def stamped(function: Callable[..., Any], *facts: object) -> Any:
    """Name a function after all it is made of, this package and `facts`: Numba looks for changes in its file only."""
    _find_room(function)
    digest = hashlib.sha256(repr((LANES, _sources(), facts)).encode())
    function.__qualname__ = f"{function.__name__}-{digest.hexdigest()[:16]}"
    return function


def _find_room(function: Callable[..., Any]) -> None:
    """Keep code in a temporary folder where neither the package's own nor the user's home can be written to."""
    find: Any = CompileResultCacheImpl
    try:
        find(function)
    except RuntimeError:
        os.environ["NUMBA_CACHE_DIR"] = str(private_folder())  # so that processes that we start keep it there, too
        reload: Any = config.reload_config
        reload()


def private_folder() -> Path:
    """Make, or find, a temporary folder that nobody else can write to: what lies in it is run."""
    folder = Path(tempfile.gettempdir(), f"convergence-atlas-{os.getuid()}")
    with suppress(FileExistsError):
        folder.mkdir(mode=0o700)
    found = folder.lstat()
    if not (stat.S_ISDIR(found.st_mode) and found.st_uid == os.getuid() and stat.S_IMODE(found.st_mode) == 0o700):
        folder = Path(tempfile.mkdtemp())  # somebody else took the name: without it, nothing is kept for long
        register(shutil.rmtree, folder, ignore_errors=True)
    return folder
