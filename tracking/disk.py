"""Folders and files that can be written to or not, and what the operating system's errors mean to a user."""

import errno
import tempfile
from pathlib import Path

from tracking.errors import RESUME, TrackingError


def try_to_write(folder: Path) -> None:
    """Find out whether something can be written below a folder, which need not exist yet, and leave no trace of it.

    Raises
    ------
    OSError
        If not.
    """
    while not folder.exists():
        folder = folder.parent
    with tempfile.TemporaryFile(dir=folder):
        pass


def require_writable(folder: Path) -> None:
    """Make sure that a folder can be written to, which need not exist yet.

    Raises
    ------
    TrackingError
        If not.
    """
    try:
        try_to_write(folder)
    except OSError as error:
        raise explain_os(error, folder) from error


def require_writable_file(path: Path) -> None:
    """Make sure that a file can be written to, and the folder around it.

    Raises
    ------
    TrackingError
        If not.
    """
    try:
        with path.open("ab"):
            try_to_write(path.parent)
    except OSError as error:
        raise explain_os(error, path) from error


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
