"""From configurations to networks: what trains together, and its state before the first epoch."""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from functools import cache

import numpy as np

import nn_core
from experiments.config import Config, condition, hidden_layers, seeds


def start(configs: Sequence[Config]) -> nn_core.State:
    """Put the trials of configurations that `family` calls equal at epoch 0, in the order of the configurations.

    Each trial has its own configuration's learning rate and other numbers.
    """
    conditions = [condition(config) for config in configs]
    weights = [
        nn_core.initial_ensemble(c.initializer, c.fans, seeds(config))
        for c, config in zip(conditions, configs, strict=True)
    ]
    trials = [config.trials for config in configs]
    each = {
        name: np.repeat([float(getattr(config.optimizer, name)) for config in configs], trials)
        for name in configs[0].optimizer.numbers()
    }
    each["learning_rate"] = np.repeat([config.lr for config in configs], trials)
    return nn_core.start(
        conditions[0].training,
        replace(configs[0].optimizer, **each),
        [np.concatenate(matrices) for matrices in zip(*weights, strict=True)],
    )


def engines(configs: Iterable[Config]) -> dict[str, set[str]]:
    """Say which engines train configurations, each with the choices that leave no other engine.

    Returns
    -------
    dict of str to set of str
        Such as ``{"numba": set(), "numpy": {"criterion=gradient_norm"}}``.
    """
    found: dict[str, set[str]] = {}
    for config in configs:
        kinds = (("activation", config.activation), ("loss", config.loss), ("update", config.update))
        lacking = _without_twin((*kinds, ("optimizer", config.optimizer.name), ("criterion", config.criterion.name)))
        engine = ("numpy" if lacking else "numba") if config.engine == "auto" else config.engine
        found.setdefault(engine, set()).update(lacking if config.engine == "auto" else ())
    return found


@cache
def _without_twin(choices: tuple[tuple[str, str], ...]) -> frozenset[str]:
    return frozenset(f"{kind}={name}" for kind, name in choices if nn_core.part(kind, name).twin is None)


def reason(engines: dict[str, set[str]]) -> str:
    """Say why some networks train in the reference, unless that was asked for; empty if none do."""
    lacking = sorted(engines.get("numpy", ()))
    return f"{' and '.join(lacking)}: no compiled twin, so the slower NumPy reference trains" if lacking else ""


def family(config: Config) -> str:
    """What must be equal for networks to train together.

    Those of one family differ in nothing but their weights, the optimizer's numbers and the cut-off.
    """
    shared = replace(
        config,
        lr=0.0,
        seed=0,
        trials=1,
        epochs=0,
        hidden=hidden_layers(config.hidden),
        init=None,
        optimizer=replace(config.optimizer, **dict.fromkeys(config.optimizer.numbers(), 0.0)),
    )
    return repr(shared)
