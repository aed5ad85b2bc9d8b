"""What a configuration is called: its overrides, its hash, a name that a person can read.

A run's params are the configuration as the overrides that reproduce it. What does not change the result (where it is
tracked, which engine computes it, how the sweep is driven) is not part of it.
"""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import fields, is_dataclass
from functools import cache
from typing import Any

from experiments.config import GROUPS, Config, all_keys, hidden_layers

NOT_PART_OF_A_RUN = frozenset({"experiment", "engine", "resume", "dry_run", "fail_fast"})

CHOICES: dict[type, str] = {schema: name for options in GROUPS.values() for name, schema in options.items()}
"""The name a user types for a group's option, by its dataclass."""

_KEYS = [entry.name for entry in fields(Config) if entry.name not in NOT_PART_OF_A_RUN]

_ORDER = {"lr": 0, "hidden": 1, "epochs": 2, "trials": 8, "seed": 9}  # in names: the seed last, other keys between


def literal(value: Any) -> str:
    """Write a value as Hydra's override grammar reads it: ``null``, ``true``, ``[4,3]``, ``0.1``."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, list | tuple):
        return f"[{','.join(literal(v) for v in value)}]"
    if isinstance(value, float):
        return str(value + 0.0)  # -0.0 is 0.0
    return str(value)


def _canonical(key: str, value: Any) -> Any:
    if key == "hidden":
        layers = hidden_layers(value)
        return layers[0] if len(layers) == 1 else list(layers)
    return value


@cache
def _options(key: str, schema: type) -> tuple[tuple[str, str], ...]:
    """Options of a nested configuration: dotted keys, and names. Asked for several times a job, so remembered."""
    return tuple((f"{key}.{entry.name}", entry.name) for entry in fields(schema))


def params(config: Config) -> dict[str, str]:
    """Flatten a configuration into MLflow params, which are also the overrides that repeat the run."""
    flat: dict[str, str] = {}
    for key in _KEYS:
        value = getattr(config, key)
        if not is_dataclass(value):
            flat[key] = literal(_canonical(key, value))
            continue
        if key in GROUPS:
            flat[key] = CHOICES[type(value)]
        schema: type = type(value)
        for dotted, option in _options(key, schema):
            flat[dotted] = literal(getattr(value, option))
    return flat


def in_order(flat: Mapping[str, str]) -> dict[str, str]:
    """Put params into the order in which `params` lists them, which no store keeps."""
    order = {key: place for place, key in enumerate(all_keys())}
    return dict(sorted(flat.items(), key=lambda item: (order[item[0].partition(".")[0]], order[item[0]])))


def config_hash(flat: Mapping[str, str]) -> str:
    """Hash params; 16 hexadecimal digits. Equal for configurations that are the same run, however they were written."""
    canonical = json.dumps(flat, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(canonical.encode()).hexdigest()[:16]


def run_name(flat: Mapping[str, str], keys: Sequence[str] = ()) -> str:
    """Name a run by the values of the keys that tell it from its siblings: ``lr=0.5 hidden=4 seed=3``."""
    shown = [key for key in (*("lr", "hidden", "seed"), *keys) if key in flat]
    shown = sorted(dict.fromkeys(shown), key=lambda key: _ORDER.get(key, 5))
    return " ".join(f"{key}={flat[key]}" for key in shown)
