"""The tracking URI: read, judged before anything is made, and shown without its password."""

import os
from importlib.metadata import entry_points
from importlib.util import find_spec
from pathlib import Path
from urllib.parse import urlsplit

from tracking.database import sqlite_path, sqlite_uri
from tracking.errors import TrackingError, without_password
from tracking.files import try_to_write

VARIABLE = "MLFLOW_TRACKING_URI"

VALID = (
    "valid is sqlite:///FILE, postgresql+psycopg://USER:PASSWORD@HOST/DATABASE, http://HOST:PORT of a tracking server, "
    "or nothing, which means mlflow.db in the current folder"
)


def tracking_uri() -> str:
    """Return ``MLFLOW_TRACKING_URI`` when set, else that of ``mlflow.db`` in the current folder, as MLflow does.

    Raises
    ------
    TrackingError
        If no store can be there.
    """
    given = os.environ.get(VARIABLE)
    if not given:
        return sqlite_uri(Path.cwd() / "mlflow.db")
    if problem := _problem(given):
        raise TrackingError(f"{named(given)}: {problem}; {VALID}")
    path = sqlite_path(given)
    return given if path is None else sqlite_uri(path)


def named(uri: str) -> str:
    """Name a store in a message to whoever chose it: by the variable that did so, if it is set."""
    return f"{VARIABLE}={without_password(os.environ[VARIABLE])}" if os.environ.get(VARIABLE) else without_password(uri)


def _problem(uri: str) -> str | None:
    """Say why there can be no store at a URI, as far as can be told without asking anyone."""
    scheme = uri.partition(":")[0]
    match scheme.split("+")[0]:
        case "sqlite":
            return _problem_of_sqlite(uri)
        case "postgresql" if find_spec("psycopg") is None:
            return "its driver, psycopg, is not installed (pip install 'psycopg[binary]')"
        case "postgresql" | "mysql" | "mssql":
            return _problem_of_driver(uri)
        case "http" | "https":
            return _problem_of_address(uri)
        case "databricks" | "databricks-uc":
            return None
    if scheme in entry_points(group="mlflow.tracking_store").names:
        return None  # a plugin of MLflow's
    return "that is no kind of store that is supported"


def _problem_of_sqlite(uri: str) -> str | None:
    path = sqlite_path(uri)
    if uri == "sqlite://" or (path is not None and path.name == ":memory:"):
        return "such a store is gone when the process ends, name a file"
    if path is None or "\0" in str(path):
        return "that names no file, or has options"
    try:
        if path.exists():
            return None if path.is_file() else f"{path} is no file"
        try_to_write(path.parent)
    except (OSError, ValueError) as error:
        return f"no store can be made in {path.parent} ({getattr(error, 'strerror', error)})"
    return None


def _problem_of_driver(uri: str) -> str | None:
    import sqlalchemy

    try:
        sqlalchemy.make_url(uri).get_dialect().import_dbapi()
    except (sqlalchemy.exc.NoSuchModuleError, ImportError):
        return "the driver of that database is not installed"
    except (sqlalchemy.exc.ArgumentError, ValueError):
        return "that is no address of a database"
    return None


def _problem_of_address(uri: str) -> str | None:
    try:
        parts = urlsplit(uri)
        complete = bool(parts.hostname) and parts.port != 0
    except ValueError:
        complete = False
    return None if complete else "that is no address of a server"
