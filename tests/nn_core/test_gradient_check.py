from dataclasses import replace

import numpy as np
import pytest

from nn_core import (
    Encoder,
    GradientError,
    Normal,
    Parity,
    Training,
    check_gradients,
    layer_fans,
    numerical_gradient,
    part,
)
from nn_core.network import backward

# Targets that every activation can reach and that lie within 1 of every output, where the arctanh loss is smooth.
TARGETS = {
    "sigmoid": (0.0, 1.0),
    "symmetric_sigmoid": (-0.5, 0.5),
    "tanh": (-0.2, 0.2),
    "scaled_tanh": (-0.2, 0.2),
    "relu": (0.0, 1.0),
    "softplus": (0.5, 1.5),
}
EVERYWHERE = ["sse", "half_sse"]
PAIRS = [
    *((activation, loss) for activation in TARGETS for loss in EVERYWHERE),
    *((activation, "arctanh") for activation in TARGETS if activation not in ("relu", "softplus")),
    ("sigmoid", "cross_entropy"),
]
DEPTHS = {0: (), 1: (4,), 2: (3, 5), 3: (4, 2, 3)}


def training_of(activation, loss, bias, task=Parity, shortcuts=False):
    low, high = TARGETS[activation]
    coded = task(3, low=-0.5, high=1.0, target_low=low, target_high=high)
    return Training(coded, part("activation", activation)(), bias=bias, loss=part("loss", loss)(), shortcuts=shortcuts)


def weights_of(training, hidden, seed=0, std=0.25):
    sizes = (training.task.inputs.shape[1], *hidden, training.task.targets.shape[1])
    return Normal(std).matrices(layer_fans(sizes, training.bias, training.shortcuts), np.random.default_rng(seed))


@pytest.mark.parametrize("bias", [None, 1.0, 0.5])
@pytest.mark.parametrize("depth", DEPTHS)
@pytest.mark.parametrize(("activation", "loss"), PAIRS)
def test_backpropagation_is_the_slope_of_the_loss(activation, loss, depth, bias):
    for task, shortcuts in ((Parity, False), (Encoder, False), (Parity, depth > 0)):
        training = training_of(activation, loss, bias, task, shortcuts)
        check_gradients(training, weights_of(training, DEPTHS[depth]), tolerance=1e-8)


@pytest.mark.parametrize("activation", TARGETS)
def test_a_wrong_gradient_is_shown_with_both_numbers(activation):
    training = training_of(activation, "sse", 1.0)
    weights = weights_of(training, (3,))
    wrong = replace(training, derivative_offset=0.1)
    with pytest.raises(GradientError) as caught:
        check_gradients(wrong, weights)

    task = training.task
    h = 1e-5

    def loss(first):
        hidden = training.activation.function(np.hstack([task.inputs, np.ones((8, 1))]) @ first)
        output = training.activation.function(np.hstack([hidden, np.ones((8, 1))]) @ weights[1])
        return ((task.targets - output) ** 2).sum()

    nudge = np.zeros((4, 3))
    nudge[0, 0] = h
    true = (loss(weights[0] + nudge) - loss(weights[0] - nudge)) / (2 * h)
    message = str(caught.value)
    assert message.startswith("weights1[0, 0]: ")
    says, differences = message.split("says ")[1], message.split("say ")[1]
    assert float(differences.split(" ")[0]) == pytest.approx(true, abs=1e-7)
    assert abs(float(says.split(",")[0]) - true) > 1e-3
    assert "of this layer's 12 weights" in message


def test_one_wrong_weight_is_found(monkeypatch):
    training = training_of("sigmoid", "sse", 1.0)
    weights = weights_of(training, (3,))

    def slightly_wrong(*arguments):
        gradients = backward(*arguments)
        gradients[1][2, 0] += 1e-4
        return gradients

    monkeypatch.setattr("nn_core.training.backward", slightly_wrong)
    with pytest.raises(GradientError, match=r"^weights2\[2, 0\].*\(1 of this layer's 4 weights differ\)$"):
        check_gradients(training, weights)


def test_not_a_number_is_wrong():
    training = training_of("sigmoid", "sse", None)
    weights = weights_of(training, (3,))
    weights[1][0, 0] = np.nan
    with pytest.raises(GradientError, match="nan"):
        check_gradients(training, weights)


def test_numerical_gradient_of_a_quadratic_is_exact_and_leaves_the_weights_alone():
    weights = [np.array([[1.0, -2.0]]), np.array([[0.5]])]
    kept = [W.copy() for W in weights]
    gradients = numerical_gradient(lambda w: float((w[0] ** 2).sum() + 3 * w[0][0, 0] * w[1][0, 0]), weights)
    assert gradients[0].ravel() == pytest.approx([2 + 1.5, -4], abs=1e-8)
    assert gradients[1].ravel() == pytest.approx([3], abs=1e-8)
    assert all(np.array_equal(W, K) for W, K in zip(weights, kept, strict=True))
