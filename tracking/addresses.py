"""The tracking URI: read, judged before anything is made, asked whether anyone answers, shown without its password."""

import os
import ssl
import urllib.error
import urllib.request
from http.client import HTTPException
from importlib.metadata import entry_points
from importlib.util import find_spec
from pathlib import Path
from urllib.parse import unquote, urlsplit

from tracking.disk import try_to_write
from tracking.errors import StoreUnreachableError, TrackingError, without_secrets

VARIABLE = "MLFLOW_TRACKING_URI"

VALID = (
    "valid is sqlite:///FILE, postgresql+psycopg://USER:PASSWORD@HOST/DATABASE, http://HOST:PORT of a tracking server, "
    "or nothing, which means mlflow.db in the current folder"
)


def tracking_uri(given: str | None = None) -> str:
    """Return a tracking URI as it is used from here on; raises `TrackingError` if no store can be there.

    By default it is ``MLFLOW_TRACKING_URI``, or if that is not set ``mlflow.db`` in the current folder, as in MLflow.
    """
    given = given or os.environ.get(VARIABLE)
    if not given:
        return sqlite_uri(current_folder() / "mlflow.db")
    if problem := _problem(given):
        raise TrackingError(f"{describe(given)}: {problem}; {VALID}")
    path = sqlite_path(given)
    return given if path is None else sqlite_uri(path)


def current_folder() -> Path:
    """Return the current folder; raises `TrackingError` if it is gone, or has a name that MLflow cannot keep."""
    try:
        folder = Path.cwd()
        str(folder).encode()
    except FileNotFoundError as error:
        raise TrackingError("the current folder has been removed: work in another one") from error
    except UnicodeEncodeError as error:
        shown = os.fsencode(error.object).decode(errors="backslashreplace")
        raise TrackingError(
            f"{shown}: the name of this folder is not UTF-8, and MLflow keeps text: rename it"
        ) from error
    return folder


def describe(uri: str) -> str:
    """Name a store in a message to whoever chose it: by the variable that did so, if it is set."""
    return f"{VARIABLE}={without_secrets(os.environ[VARIABLE])}" if os.environ.get(VARIABLE) else without_secrets(uri)


def sqlite_path(uri: str) -> Path | None:
    """Path of the file that a tracking URI such as ``sqlite:///mlflow.db`` names; None if it names something else."""
    for prefix in ("sqlite:///", "sqlite+pysqlite:///"):
        if uri.startswith(prefix) and "?" not in uri:
            return Path(unquote(uri.removeprefix(prefix))).absolute()
    return None


def sqlite_uri(path: Path) -> str:
    """Tracking URI of a SQLite file."""
    return f"sqlite:///{str(path).replace('%', '%25').replace('?', '%3F')}"


def is_server(uri: str) -> bool:
    """Whether a tracking URI is the address of a tracking server."""
    return uri.startswith(("http://", "https://"))


def ping(uri: str) -> None:
    """Ask a tracking server once, with no patience, whether it is there; raises `StoreUnreachableError` if not.

    Who answers, and whether he knows MLflow, its client will find out.
    """
    try:
        with urllib.request.urlopen(f"{without_secrets(uri).rstrip('/')}/health", timeout=5):  # noqa: S310
            return
    except urllib.error.HTTPError as error:
        if error.code < 500:
            return
        reason = str(error)
    except urllib.error.URLError as error:
        if isinstance(error.reason, ssl.SSLError):
            return  # MLflow's client may have been told to trust that certificate
        reason = str(error.reason)
    except (OSError, HTTPException, ValueError) as error:
        reason = str(error)
    raise StoreUnreachableError(f"no tracking server answers there ({without_secrets(reason.strip())})")


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
