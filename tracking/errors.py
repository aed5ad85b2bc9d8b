"""The two ways in which tracking fails, and what the operating system's and the databases' errors mean to a user."""

import errno
import re
import sqlite3
from pathlib import Path

RESUME = "Nothing is lost: launch the same command again, and it goes on from the runs already stored."

_CREDENTIALS = re.compile(r"(?<=:)(/{0,2})[^/\s]\S*@")
_SECRET_OPTIONS = re.compile(r"((?:pass\w*|pwd|token)(?:=|%3d))\S*?(?=&|;|%3b|\s|$)", re.IGNORECASE)


class TrackingError(Exception):
    """The store cannot be used; the message says why and what to do, and what was stored before is intact."""


class StoreUnreachableError(TrackingError):
    """The tracking server or database does not answer, and may do so later."""


def without_password(text: str) -> str:
    """Return a URI, or a text that contains some, without users and passwords, to be shown and stored."""
    return _SECRET_OPTIONS.sub(r"\1***", _CREDENTIALS.sub(r"\1", text))


def explain_os(error: OSError, path: Path | str) -> TrackingError:
    """Say what a failed file operation at or below `path` means."""
    match error.errno:
        case errno.ENOSPC | errno.EDQUOT | errno.EFBIG:
            return TrackingError(f"no space left for {path}: free some. {RESUME}")
        case errno.EROFS | errno.EACCES | errno.EPERM:
            return TrackingError(
                f"{path} cannot be written to. Mend its permissions or work in another folder. {RESUME}"
            )
    return TrackingError(f"writing to {path} failed ({error.strerror or error}). {RESUME}")


def explain_sqlite(error: sqlite3.Error, path: Path) -> TrackingError:
    """Say what an error of SQLite means for the store at `path`."""
    code = (getattr(error, "sqlite_errorcode", None) or 0) & 0xFF
    if code in {sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED}:
        return TrackingError(f"{path} stays locked by another program. Let it finish or end it. {RESUME}")
    if code == sqlite3.SQLITE_FULL:
        return TrackingError(f"no space left for {path}: free some. {RESUME}")
    if code in {sqlite3.SQLITE_READONLY, sqlite3.SQLITE_PERM, sqlite3.SQLITE_CANTOPEN}:
        return TrackingError(f"{path} cannot be written to. Mend its permissions or work in another folder. {RESUME}")
    if code in {sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_CORRUPT}:
        return TrackingError(f"{path} is no SQLite database, or a damaged one. Restore it, or move it away.")
    if code == sqlite3.SQLITE_IOERR:
        return TrackingError(f"reading or writing {path} failed ({error}): is the disk full, or failing? {RESUME}")
    return TrackingError(f"the database {path} refused: {error}. {RESUME}")
