"""From configurations to networks: what trains together, and its state before the first epoch."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Literal, cast

import numpy as np

import nn_core
from experiments.config import (
    Config,
    Encoder,
    FixedInit,
    GradientDescentOptimizer,
    MomentumOptimizer,
    NormalInit,
    Parity,
    QuickpropOptimizer,
    ToleranceCriterion,
    UniformInit,
    XavierInit,
    hidden_layers,
)
from experiments.validation import layer_sizes
from nn_core import Training


def task(config: Config) -> nn_core.Task:
    """The patterns that a configuration's network is to learn."""
    coding = (config.task.low, config.task.high, config.task.target_low, config.task.target_high)
    if isinstance(config.task, Parity):
        return nn_core.tasks.parity(config.task.bits, *coding)
    if isinstance(config.task, Encoder):
        return nn_core.tasks.encoder(config.task.width, *coding)
    return nn_core.tasks.xor(*coding)


def training(config: Config) -> Training:
    """What a configuration's networks share while they learn."""
    criterion = config.criterion
    return Training(
        task=task(config),
        activation=nn_core.ACTIVATIONS[config.activation],
        derivative_offset=config.derivative_offset,
        bias=config.bias,
        loss=nn_core.LOSSES[config.loss],
        weight_decay=config.weight_decay,
        update=cast("Literal['batch', 'online']", config.update),
        criterion=(
            nn_core.Tolerance(criterion.tolerance)
            if isinstance(criterion, ToleranceCriterion)
            else nn_core.MeanSquaredError(criterion.below)
        ),
        stop_when_converged=config.stop_when_converged,
        per_decade=config.record.per_decade,
    )


def initializer(config: Config) -> nn_core.Initializer | nn_core.Fixed:
    """How a configuration's initial weights are drawn."""
    init = config.init
    if isinstance(init, UniformInit):
        return nn_core.Uniform(init.low, init.high)
    if isinstance(init, NormalInit):
        return nn_core.Normal(init.std)
    if isinstance(init, FixedInit):
        return nn_core.Fixed(tuple(init.weights))
    assert isinstance(init, XavierInit)
    return nn_core.Xavier()


def optimizer(configs: Sequence[Config]) -> nn_core.Optimizer:
    """The optimizer of an ensemble, each trial with its own configuration's numbers."""

    def each(number: str) -> np.ndarray:
        values = [getattr(config if number == "lr" else config.optimizer, number) for config in configs]
        return np.repeat(np.array(values, dtype=np.float64), [config.trials for config in configs])

    first = configs[0].optimizer
    if isinstance(first, MomentumOptimizer):
        return nn_core.Momentum(each("lr"), each("momentum"), scaled=first.scaled)
    if isinstance(first, QuickpropOptimizer):
        return nn_core.Quickprop(each("lr"), each("mu"), split_by_fan_in=first.split_by_fan_in)
    assert isinstance(first, GradientDescentOptimizer)
    return nn_core.GradientDescent(each("lr"))


def seeds(config: Config) -> range:
    """The seeds of a configuration's trials."""
    return range(config.seed, config.seed + config.trials)


def start(configs: Sequence[Config]) -> nn_core.State:
    """Put the trials of configurations that `family` calls equal at epoch 0, in the order of the configurations."""
    first = configs[0]
    layers = [
        nn_core.initial_ensemble(initializer(config), layer_sizes(config), config.bias, seeds(config))
        for config in configs
    ]
    weights = [np.concatenate(matrices) for matrices in zip(*layers, strict=True)]
    return nn_core.start(training(first), optimizer(configs), weights)


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
        optimizer=_without_numbers(config.optimizer),
    )
    return repr(shared)


def _without_numbers(options: object) -> object:
    if isinstance(options, MomentumOptimizer):
        return replace(options, momentum=0.0)
    if isinstance(options, QuickpropOptimizer):
        return replace(options, mu=0.0)
    return options
