"""The ways in which tracking fails, and how to say so without giving a password away."""

import re

RESUME = "Nothing is lost: launch the same command again, and it goes on from the runs already stored."

_CREDENTIALS = re.compile(r"(?<=:)(/{0,2})[^/\s]\S*@")
_SECRET_OPTIONS = re.compile(r"((?:pass\w*|pwd|token)(?:=|%3d))\S*?(?=&|;|%3b|\s|$)", re.IGNORECASE)


class TrackingError(Exception):
    """The store cannot be used; the message says why and what to do, and what was stored before is intact."""


class StoreUnreachableError(TrackingError):
    """The tracking server or database does not answer, and may do so later."""


class FilterError(TrackingError):
    """MLflow does not understand a filter; the message is MLflow's."""


def without_password(text: str) -> str:
    """Return a URI, or a text that contains some, without users and passwords, to be shown and stored."""
    return _SECRET_OPTIONS.sub(r"\1***", _CREDENTIALS.sub(r"\1", text))
