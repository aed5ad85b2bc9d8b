"""The ways in which tracking fails, and how to say so without giving a secret away."""

import os
import re

RESUME = "Nothing is lost: launch the same command again, and it goes on from the runs already stored."

_ADDRESS = re.compile(r"(\s*(?:- )?(?:\S+?(?:=|: ))?[\"']?\w[\w+.-]*://)(?!/)([^/@:]*:(?!\d+(?:[/?#]|$)).*@)")
"""An address that is all there is, or all of an option's value: its password may hold spaces and ``@``."""

_CREDENTIALS = re.compile(r"(?<=:)(/{0,2})[^/\s]\S*@")

_NAMES = (
    r"[\w.]*(?:passw(?:or)?d|passphrase|pwd|token|secret|credentials?|api_?key|access_?key|private_?key|signature)\w*"
)
_OPTIONS = re.compile(rf"({_NAMES}(?:=|%3d))(?:\"[^\"\n]*\"|'[^'\n]*'|\S*?(?=&|;|%3b|\s|'|\"|$))", re.IGNORECASE)
_YAML = re.compile(rf"^(\s*{_NAMES}: +).+$", re.IGNORECASE | re.MULTILINE)
_SECRET_VARIABLES = ("MLFLOW_TRACKING_PASSWORD", "MLFLOW_TRACKING_TOKEN")


class TrackingError(Exception):
    """The store cannot be used; the message says why and what to do, and what was stored before is intact."""


class StoreUnreachableError(TrackingError):
    """The tracking server or database does not answer, and may do so later."""


class LoginRefusedError(StoreUnreachableError):
    """The tracking server wants another login, or a new one: until then it may as well be away."""


class UnreadableFileError(TrackingError):
    """A file of a run is damaged or cannot be read; the message names both."""


class FilterError(TrackingError):
    """MLflow does not understand a filter; the message is MLflow's."""


def without_secrets(text: str) -> str:
    """Return a text, or an address, without what looks like a user with a password or like a token.

    So everything is shown and stored that a user typed, or that a library has to say.
    """
    known = [os.environ.get(name, "") for name in _SECRET_VARIABLES]
    if address := _ADDRESS.match(os.environ.get("MLFLOW_TRACKING_URI", "")):
        # SQLAlchemy takes what follows the first @ for the host, and the driver says so.
        known += [address[2], address[2].partition("@")[2]]
    for secret in known:
        if len(secret) > 3 or secret.endswith("@"):  # others would be found everywhere
            text = text.replace(secret, "" if secret.endswith("@") else "***")
    text = "\n".join(_ADDRESS.sub(r"\1", line, count=1) if _ADDRESS.match(line) else line for line in text.split("\n"))
    return _OPTIONS.sub(r"\1***", _YAML.sub(r"\1***", _CREDENTIALS.sub(r"\1", text)))
