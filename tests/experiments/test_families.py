"""From configurations to networks: every setting arrives where it belongs, and anyone can redraw the weights."""

from dataclasses import replace

import numpy as np
import pytest

import nn_core
from experiments import ensemble
from experiments.config import Record, condition
from nn_core import (
    Encoder,
    Fixed,
    GradientDescent,
    MeanSquaredError,
    Momentum,
    Normal,
    Parity,
    Quickprop,
    Tolerance,
    Uniform,
    Xavier,
    Xor,
)


def test_tasks(make_job):
    coding = {"low": -0.5, "high": 0.5, "target_low": 0.2, "target_high": 0.9}
    xor = Xor(**coding)
    assert xor.inputs.tolist() == [[-0.5, -0.5, 0.5], [-0.5, 0.5, 0.5], [0.5, -0.5, 0.5], [0.5, 0.5, 0.5]]
    assert xor.targets[:, 0].tolist() == [0.2, 0.9, 0.9, 0.2]
    parity = Parity(bits=3, **coding)
    assert parity.inputs.shape == (8, 3)
    assert parity.pattern_names[5] == "1-0-1"
    assert [target == 0.9 for target in parity.targets[:, 0]] == [n.bit_count() % 2 == 1 for n in range(8)]
    encoder = Encoder(width=3, **coding)
    assert encoder.inputs.tolist() == [[0.5 if i == j else -0.5 for j in range(3)] for i in range(3)]
    assert encoder.targets.tolist() == [[0.9 if i == j else 0.2 for j in range(3)] for i in range(3)]


def test_every_setting_of_a_training(make_job):
    config = make_job(
        activation="tanh",
        derivative_offset=0.1,
        bias=0.5,
        loss="half_sse",
        weight_decay=0.01,
        update="online",
        criterion=MeanSquaredError(0.2),
        stop_when_converged=True,
        record=Record(7),
    ).config
    training = condition(config).training
    assert training.activation == nn_core.Tanh()
    assert training.loss == nn_core.HalfSumOfSquares()
    assert training.criterion == nn_core.MeanSquaredError(0.2)
    assert condition(replace(config, criterion=Tolerance(0.3))).training.criterion == Tolerance(0.3)
    assert (training.derivative_offset, training.bias, training.weight_decay) == (0.1, 0.5, 0.01)
    assert (training.update, training.stop_when_converged, training.per_decade) == (nn_core.Online(), True, 7)


@pytest.mark.parametrize("bias", [None, 1.0])
@pytest.mark.parametrize(
    ("init", "draw"),
    [
        (Uniform(-2.0, 3.0), lambda rng, shape, fans: rng.uniform(-2.0, 3.0, size=shape)),
        (Normal(0.7), lambda rng, shape, fans: rng.normal(0.0, 0.7, size=shape)),
        (Xavier(), lambda rng, shape, fans: rng.uniform(-np.sqrt(6 / fans), np.sqrt(6 / fans), size=shape)),
    ],
)
def test_anyone_can_redraw_the_weights(make_job, bias, init, draw):
    config = make_job(init=init, bias=bias, hidden=[5, 2], seed=17, trials=3).config
    state = ensemble.start([config])
    for trial in range(3):
        rng = np.random.default_rng(17 + trial)
        for layer, (below, above) in enumerate([(3, 5), (5, 2), (2, 1)]):
            drawn = draw(rng, (below + (bias is not None), above), below + above)
            np.testing.assert_array_equal(state.weights[layer][trial], drawn)


def test_fixed_weights_are_given_unit_by_unit(make_job):
    """Two inputs, two hidden units, one output: each unit's incoming weights, then its bias."""
    init = Fixed([1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0, 9.0])
    state = ensemble.start([make_job(task=Parity(), hidden=2, bias=1.0, init=init).config])
    assert state.weights[0].tolist() == [[[1.0, 4.0], [2.0, 5.0], [3.0, 6.0]]]
    assert state.weights[1].tolist() == [[[7.0], [8.0], [9.0]]]


def test_every_trial_has_the_optimizer_of_its_configuration(make_job):
    def optimizer(*configs):
        return ensemble.start([make_job(**changes).config for changes in configs]).optimizer

    plain = optimizer({"lr": 0.1, "trials": 2}, {"lr": 0.5})
    assert isinstance(plain, nn_core.GradientDescent)
    assert np.asarray(plain.learning_rate).tolist() == [0.1, 0.1, 0.5]
    momentum = optimizer(
        {"optimizer": Momentum(momentum=0.3, scaled=True), "lr": 0.1},
        {"optimizer": Momentum(momentum=0.6, scaled=True), "lr": 0.2, "trials": 2},
    )
    assert isinstance(momentum, nn_core.Momentum)
    assert momentum.scaled
    assert np.asarray(momentum.momentum).tolist() == [0.3, 0.6, 0.6]
    quickprop = optimizer({"optimizer": Quickprop(mu=2.0, split_by_fan_in=True), "lr": 4.0})
    assert isinstance(quickprop, nn_core.Quickprop)
    assert quickprop.split_by_fan_in
    assert (np.asarray(quickprop.mu).tolist(), np.asarray(quickprop.learning_rate).tolist()) == ([2.0], [4.0])


SAME_FAMILY = [
    {"lr": 5.0},
    {"seed": 9},
    {"trials": 4},
    {"epochs": 7},
    {"hidden": [4]},
    {"init": Normal()},
    {"optimizer": Momentum(momentum=0.1)},
]

OTHER_FAMILIES = [
    {"shortcuts": True},
    {"hidden": 5},
    {"hidden": [4, 4]},
    {"task": Xor(low=-1.0)},
    {"task": Parity(bits=3)},
    {"activation": "tanh"},
    {"derivative_offset": 0.1},
    {"bias": 1.0},
    {"loss": "half_sse"},
    {"weight_decay": 0.1},
    {"optimizer": GradientDescent()},
    {"optimizer": Momentum(scaled=True)},
    {"optimizer": Quickprop()},
    {"update": "online"},
    {"criterion": Tolerance(0.1)},
    {"criterion": MeanSquaredError()},
    {"stop_when_converged": True},
    {"record": Record(10)},
]


def test_families_are_what_can_train_together(make_job):
    momentum = {"optimizer": Momentum()}
    usual = ensemble.family(make_job(**momentum).config)
    for changes in SAME_FAMILY:
        assert ensemble.family(make_job(**{**momentum, **changes}).config) == usual
    others = {ensemble.family(make_job(**{**momentum, **changes}).config) for changes in OTHER_FAMILIES}
    assert len(others | {usual}) == len(OTHER_FAMILIES) + 1
    assert ensemble.family(make_job(optimizer=Quickprop(mu=2.0)).config) in others


def test_a_family_starts_together_in_the_order_of_its_configurations(make_job):
    configs = [
        make_job(seed=3, trials=2).config,
        make_job(seed=8, init=Normal(2.0), lr=0.7).config,
        make_job(seed=3, hidden=[4], init=Fixed(list(range(16)))).config,
    ]
    together = ensemble.start(configs)
    alone = [ensemble.start([config]) for config in configs]
    assert together.networks == 4
    for layer, W in enumerate(together.weights):
        np.testing.assert_array_equal(W, np.concatenate([state.weights[layer] for state in alone]))
    assert np.asarray(together.optimizer.learning_rate).tolist() == [0.1, 0.1, 0.7, 0.1]
