"""Folders and files that can be written to or not, and what errors of the system and of SQLite mean to a user."""

import errno
import sqlite3
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tracking.errors import RESUME, TrackingError

_NO_SPACE = "no space left for {path}: free some. {RESUME}"
_READ_ONLY = "{path} cannot be written to. Mend its permissions or work in another folder. {RESUME}"
_DAMAGED = "{path} is no SQLite database, or a damaged one. Restore it, or move it away."
_LOCKED = "{path} stays locked by another program. Let it finish or end it. {RESUME}"

_OF_SYSTEM = {
    errno.ENOSPC: _NO_SPACE,
    errno.EDQUOT: _NO_SPACE,
    errno.EFBIG: _NO_SPACE,
    errno.EROFS: _READ_ONLY,
    errno.EACCES: _READ_ONLY,
    errno.EPERM: _READ_ONLY,
}
_OF_SQLITE = {
    sqlite3.SQLITE_FULL: _NO_SPACE,
    sqlite3.SQLITE_READONLY: _READ_ONLY,
    sqlite3.SQLITE_PERM: _READ_ONLY,
    sqlite3.SQLITE_CANTOPEN: _READ_ONLY,
    sqlite3.SQLITE_BUSY: _LOCKED,
    sqlite3.SQLITE_LOCKED: _LOCKED,
    sqlite3.SQLITE_NOTADB: _DAMAGED,
    sqlite3.SQLITE_CORRUPT: _DAMAGED,
    sqlite3.SQLITE_IOERR: "reading or writing {path} failed ({error}): is the disk full, or failing? {RESUME}",
}


def try_to_write(folder: Path) -> None:
    """Write below a folder, which need not exist yet, and leave no trace; raises `OSError` where that fails."""
    while not folder.exists():
        folder = folder.parent
    with tempfile.TemporaryFile(dir=folder):
        pass


def require_writable_folder(folder: Path) -> None:
    """Make sure that a folder, which need not exist yet, can be written to; raises `TrackingError` if not."""
    with explained(folder):
        try_to_write(folder)


def require_writable_file(path: Path) -> None:
    """Make sure that a file, and another one beside it, can be written to; raises `TrackingError` if not."""
    with explained(path), path.open("ab"):
        try_to_write(path.parent)


@contextmanager
def explained(path: Path | str) -> Iterator[None]:
    """Turn what fails at or below a path into a `TrackingError`."""
    try:
        yield
    except (OSError, sqlite3.Error) as error:
        raise explain(error, path) from error


def explain(error: OSError | sqlite3.Error, path: Path | str) -> TrackingError:
    """Say what a failed operation at or below a path means."""
    if isinstance(error, sqlite3.Error):
        code = (getattr(error, "sqlite_errorcode", None) or 0) & 0xFF
        meaning = _OF_SQLITE.get(code, "the database {path} refused: {error}. {RESUME}")
        return TrackingError(meaning.format(path=path, error=error, RESUME=RESUME))
    meaning = _OF_SYSTEM.get(error.errno or 0, "writing to {path} failed ({error}). {RESUME}")
    return TrackingError(meaning.format(path=path, error=error.strerror or error, RESUME=RESUME))
