"""What of a configuration goes no further: no value becomes code, no secret is kept, though Hydra does both."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from unittest import mock

from hydra._internal.config_loader_impl import ConfigLoaderImpl
from hydra.core.hydra_config import HydraConfig
from hydra.errors import CompactHydraException
from omegaconf import DictConfig, ListConfig
from omegaconf.errors import OmegaConfBaseException

from tracking.errors import without_secrets

VARIABLE = "HYDRA_INSTANTIATE_ALLOWLIST_OVERRIDE"
"""Hydra's own: full names, divided by colons. Here they are all that may be named, not exceptions from what may not."""

_OF_PLUGINS = {"hydra.launcher._target_", "hydra.sweeper._target_"}
"""Hydra takes nothing here but the plugins that are installed."""

_OF_LOGGING = {
    "logging.FileHandler",
    "logging.Formatter",
    "logging.NullHandler",
    "logging.StreamHandler",
    "logging.handlers.RotatingFileHandler",
    "logging.handlers.TimedRotatingFileHandler",
    "colorlog.ColoredFormatter",
    "ext://sys.stderr",
    "ext://sys.stdout",
}

_KNOWN_LATER = ("${hydra.runtime.output_dir}", "${hydra.runtime.cwd}")
"""Beginnings of values that are paths, whatever they turn out to be."""


@contextmanager
def only_in_known_code() -> Iterator[None]:
    """Have Hydra refuse, of whatever it composes, what names code that is neither its own nor in `VARIABLE`.

    Hydra imports and calls such things at once, so that nobody else would see them in time.
    """
    load = ConfigLoaderImpl.load_configuration

    def load_and_check(loader: ConfigLoaderImpl, *arguments: Any, **options: Any) -> DictConfig:
        config = load(loader, *arguments, **options)
        if named := find_code(config):
            rule = (
                f"a configuration may name code only if the environment variable {VARIABLE}=NAME:NAME... names it too"
            )
            raise CompactHydraException("\n".join(f"{problem}: {rule}" for problem in named))
        return config

    with mock.patch.object(ConfigLoaderImpl, "load_configuration", load_and_check):
        yield


def hide_secrets() -> None:
    """Mask what looks like a secret in the files that Hydra has written about the present job."""
    hydra = HydraConfig.get()
    for path in (Path(hydra.runtime.output_dir) / (hydra.output_subdir or "")).glob("*.yaml"):
        text = path.read_text("utf-8")
        if (shown := without_secrets(text)) != text:
            path.write_text(shown, "utf-8")


def find_code(config: DictConfig) -> list[str]:
    """Say which values below ``hydra`` name code that is not known, as ``key=value``."""
    known = _OF_LOGGING | set(os.environ.get(VARIABLE, "").split(":"))
    named = []
    for key, value in _leaves(config.hydra, "hydra"):
        above, _, last = key.rpartition(".")
        of_logging = above.startswith(("hydra.job_logging", "hydra.hydra_logging"))
        names_code = last == "_target_" or (
            of_logging
            and (last in {"()", "class", "queue", "listener"} or value.startswith(("ext://", "cfg://", "${")))
        )
        if names_code and key not in _OF_PLUGINS and value not in known and not value.startswith(_KNOWN_LATER):
            named.append(f"{key}={value}")
    return named


def _leaves(node: Any, above: str) -> Iterator[tuple[str, str]]:
    """All values below a node, as text, with their dotted keys; what cannot be resolved yet as it is written."""
    if node._is_none() or node._is_missing():
        return
    for key in range(len(node)) if isinstance(node, ListConfig) else node:
        try:
            value = node[key]
        except OmegaConfBaseException:
            value = node._get_node(key)._value()
        if isinstance(value, DictConfig | ListConfig):
            yield from _leaves(value, f"{above}.{key}")
        else:
            yield f"{above}.{key}", str(value)
