"""What a run is: the configuration schema, and the options of its groups.

`conf/train.yaml` lies over these dataclasses. Hydra checks names and types against them; what remains to be checked,
ranges and settings that contradict each other, is `experiments.validation`'s.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field, fields
from difflib import get_close_matches
from typing import Any

from hydra.core.config_store import ConfigStore
from omegaconf import MISSING, DictConfig, OmegaConf


@dataclass(frozen=True)
class BitsCoded:
    """Values that encode a task's bits."""

    low: float = 0.0
    high: float = 1.0
    target_low: float = 0.0
    target_high: float = 1.0


@dataclass(frozen=True)
class Xor(BitsCoded):
    """XOR with a constant third input."""


@dataclass(frozen=True)
class Parity(BitsCoded):
    """Parity of `bits` inputs; 2 is XOR with two inputs."""

    bits: int = 2


@dataclass(frozen=True)
class Encoder(BitsCoded):
    """`width` one-hot patterns to be reproduced; the hidden layer is their code."""

    width: int = 8


@dataclass(frozen=True)
class UniformInit:
    """Initial weights uniform on [low, high)."""

    low: float = 0.0
    high: float = 1.0


@dataclass(frozen=True)
class NormalInit:
    """Initial weights normal with mean 0."""

    std: float = 1.0


@dataclass(frozen=True)
class XavierInit:
    """Initial weights uniform on +-sqrt(6 / (fan_in + fan_out))."""


@dataclass(frozen=True)
class FixedInit:
    """Given initial weights, unit by unit: a unit's incoming weights, then its bias."""

    weights: list[float] = MISSING


@dataclass(frozen=True)
class GradientDescentOptimizer:
    """Plain gradient descent."""


@dataclass(frozen=True)
class MomentumOptimizer:
    """Gradient descent with momentum."""

    momentum: float = 0.9
    scaled: bool = False


@dataclass(frozen=True)
class QuickpropOptimizer:
    """Fahlman's quickprop; its epsilon is lr."""

    mu: float = 1.75
    split_by_fan_in: bool = False


@dataclass(frozen=True)
class ToleranceCriterion:
    """Every output strictly within `tolerance` of its target."""

    tolerance: float = 0.4


@dataclass(frozen=True)
class MseCriterion:
    """Mean squared error strictly below `below`."""

    below: float = 0.01


@dataclass(frozen=True)
class Record:
    """How densely the loss curve is kept."""

    per_decade: int = 80


GROUPS: dict[str, dict[str, type]] = {
    "task": {"xor": Xor, "parity": Parity, "encoder": Encoder},
    "init": {"uniform": UniformInit, "normal": NormalInit, "xavier": XavierInit, "fixed": FixedInit},
    "optimizer": {
        "gradient_descent": GradientDescentOptimizer,
        "momentum": MomentumOptimizer,
        "quickprop": QuickpropOptimizer,
    },
    "criterion": {"tolerance": ToleranceCriterion, "mse": MseCriterion},
}
"""Options of every configuration group, by the name a user types."""


@dataclass(frozen=True)
class Config:
    """One run. The meaning of each key stands beside it in `conf/train.yaml`."""

    lr: float = 0.1
    seed: int = 0
    hidden: Any = 4  # an int or a list of ints, a union that OmegaConf does not have
    epochs: int = 10000
    trials: int = 1
    experiment: str = "xor"
    task: Any = MISSING
    activation: str = "sigmoid"
    derivative_offset: float = 0.0
    bias: float | None = None
    init: Any = MISSING
    loss: str = "sse"
    weight_decay: float = 0.0
    optimizer: Any = MISSING
    update: str = "batch"
    criterion: Any = MISSING
    stop_when_converged: bool = False
    record: Record = field(default_factory=Record)
    engine: str = "numba"
    resume: bool = True
    dry_run: bool = False
    fail_fast: bool = False


def hidden_layers(hidden: Any) -> tuple[int, ...]:
    """Widths of the hidden layers: ``4`` and ``[4]`` are the same network."""
    return tuple(hidden) if isinstance(hidden, list | tuple) else (hidden,)


def register() -> None:
    """Make schema and group options known to Hydra."""
    store = ConfigStore.instance()
    store.store(name="train_schema", node=_writable(Config), provider="experiments")
    for group, options in GROUPS.items():
        for name, schema in options.items():
            store.store(group=group, name=name, node=_writable(schema), provider="experiments")


def _writable(schema: type) -> Any:
    """Give a frozen dataclass as a node that Hydra may compose into: OmegaConf takes frozen for read-only."""
    node = OmegaConf.structured(schema)
    OmegaConf.set_readonly(node, False)
    for key in node:
        child = node._get_node(key)
        if isinstance(child, DictConfig):
            OmegaConf.set_readonly(child, False)
    return node


def known_keys(composed: DictConfig) -> list[str]:
    """All keys of a configuration, dotted, groups and their options alike."""
    keys: list[str] = []

    def walk(node: DictConfig, prefix: str) -> None:
        for key in map(str, node):
            keys.append(f"{prefix}{key}")
            child = node._get_node(key)
            if isinstance(child, DictConfig) and not child._is_none():
                walk(child, f"{prefix}{key}.")

    walk(composed, "")
    return keys


def all_keys() -> list[str]:
    """All keys that any configuration may have, dotted."""
    options = [
        f"{group}.{entry.name}" for group in GROUPS for schema in GROUPS[group].values() for entry in fields(schema)
    ]
    return [*(entry.name for entry in fields(Config)), "record.per_decade", *dict.fromkeys(options)]


def remedy(key: str, known: Iterable[str]) -> str:
    """Say what may have been meant by a key that is not among those known."""
    known = list(known)
    group, _, option = key.partition(".")
    owners = [
        name for name, schema in GROUPS.get(group, {}).items() if option in {entry.name for entry in fields(schema)}
    ]
    if owners:
        return f"{key} is an option of {' and '.join(f'{group}={name}' for name in owners)}"
    if close := get_close_matches(key, known, n=1):
        return f"did you mean {close[0]}?"
    return f"valid keys are {', '.join(known)}"


def what_is_wrong(error: Exception) -> str:
    """Say, in one line, what OmegaConf found wrong with a value, and, for wrong types, what would be valid."""
    told = str(error).partition("\n")[0]
    valid = next((valid for words, valid in _VALID_TYPES.items() if words in told), None)
    return f"{told}; valid is {valid}" if valid else told


_VALID_TYPES = {
    "could not be converted to Float": "a number",
    "could not be converted to Integer": "a whole number, written in digits alone",
    "is not a valid bool": "true or false",
}
