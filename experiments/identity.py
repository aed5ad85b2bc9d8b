"""What a configuration is called: its overrides, its hash, a name that a person can read.

A run's params are the configuration as the overrides that reproduce it. What does not change the result (where it is
tracked, which engine computes it, how the sweep is driven) is not part of it.
"""

import hashlib
import json
from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any

from experiments.config import Config, all_keys, declared, entries, hidden_layers
from tracking import names

NOT_PART_OF_A_RUN = frozenset({"experiment", "engine", "resume", "dry_run", "fail_fast"})

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


def params(config: Config) -> dict[str, str]:
    """Flatten a configuration into MLflow params, which are also the overrides that repeat the run."""
    flat = {
        key: literal(value)
        for key, entry, value in entries(config)
        if key not in NOT_PART_OF_A_RUN and not entry.metadata.get("shorthand")
    }
    layers = hidden_layers(config.hidden)
    return {**flat, "hidden": literal(layers[0] if len(layers) == 1 else layers)}


@cache
def _joined_later() -> dict[tuple[str, str], str]:
    """Default values of the keys that runs were made without: by key and, for options, the part they belong to."""
    return {(key, part): literal(entry.default) for key, part, entry in declared() if entry.metadata.get("later")}


def in_order(flat: Mapping[str, str]) -> dict[str, str]:
    """Put params into the order in which `params` lists them, which no store keeps."""
    order = {key: place for place, key in enumerate(all_keys())}
    last = len(order)
    return dict(sorted(flat.items(), key=lambda i: (order.get(i[0].partition(".")[0], last), order.get(i[0], last))))


def config_hash(flat: Mapping[str, str]) -> str:
    """Hash params; 16 hexadecimal digits. Equal for configurations that are the same run, however they were written.

    A key that is newer than some runs counts only where it has another value than its default, which is how those runs
    were made.
    """
    joined_later = _joined_later()
    counted = {
        key: value
        for key, value in flat.items()
        if joined_later.get((key, flat.get(key.partition(".")[0], "") if "." in key else "")) != value
    }
    canonical = json.dumps(counted, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(canonical.encode()).hexdigest()[:16]


def condition_hash(flat: Mapping[str, str]) -> str:
    """Hash params as far as they are a condition: equal for runs that differ in nothing but their seeds."""
    return config_hash({key: value for key, value in flat.items() if key not in names.NO_CONDITION})


def run_name(flat: Mapping[str, str], keys: Sequence[str] = ()) -> str:
    """Name a run by the values of the keys that tell it from its siblings: ``lr=0.5 hidden=4 seed=3``."""
    shown = dict.fromkeys(key for key in ("lr", "hidden", "seed", *keys) if key in flat)
    return " ".join(f"{key}={flat[key]}" for key in sorted(shown, key=lambda key: _ORDER.get(key, 5)))
