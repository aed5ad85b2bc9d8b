import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nn_core import Adam, GradientDescent, Momentum, Quickprop, Rprop

W = [np.array([[0.5, -1.0]]), np.array([[2.0], [3.0]])]


def one_weight(value):
    return [np.array([[float(value)]])]


def updates_of(optimizer, gradients):
    """Steps of a single weight that sees these gradients one after the other."""
    memory, steps = optimizer.init(one_weight(0)), []
    for gradient in gradients:
        (step,), memory = optimizer.update(one_weight(gradient), memory, one_weight(0))
        steps.append(step.item())
    return steps


def test_gradient_descent():
    assert updates_of(GradientDescent(0.5), [4, -2, 0]) == [-2, 1, 0]


def test_momentum_by_hand():
    # v1 = -0.5 * 4; v2 = -0.5 * 4 + 0.25 v1; v3 = -0.5 * -8 + 0.25 v2
    assert updates_of(Momentum(0.5, 0.25), [4, 4, -8]) == [-2, -2.5, 3.375]


def test_scaled_momentum_by_hand():
    # The gradient counts for (1 - 0.25) of what it does otherwise.
    assert updates_of(Momentum(0.5, 0.25, scaled=True), [4, 4, -8]) == [-1.5, -1.875, 2.53125]


def test_momentum_without_momentum_is_gradient_descent():
    gradients = [3.0, -1.5, 0.25]
    for scaled in (False, True):
        assert updates_of(Momentum(0.3, 0.0, scaled), gradients) == updates_of(GradientDescent(0.3), gradients)


# epsilon = 1/2, mu = 7/4, so mu / (1 + mu) = 7/11. d: last step, p: last slope -dE/dw, s: slope now.
QUICKPROP = {
    "no last step": (0, 0, 4, 0.5 * 4),
    "no last step, but a last slope": (0, 3, -4, 0.5 * -4),
    "slope shrank: jump to the bottom": (1, 4, 2, 0.5 * 2 + 1 * 2 / (4 - 2)),
    "slope shrank too little: grow by mu": (1, 4, 3, 0.5 * 3 + 1.75 * 1),
    "slope grew: grow by mu": (1, 4, 6, 0.5 * 6 + 1.75 * 1),
    "same slope: grow by mu": (2, 3, 3, 0.5 * 3 + 1.75 * 2),
    "slope turned: back to the bottom, no epsilon term": (1, 4, -2, 1 * -2 / (4 + 2)),
    "at the bottom": (1, 4, 0, 0),
    "wrong way, nearly flat: grow by mu, no epsilon term": (1, -4, -1, 1.75 * 1),
    "wrong way, steeper: the parabola turns": (1, -2, -4, 1 * -4 / (-2 + 4)),
    "wrong way, same slope: no parabola": (1, -3, -3, 0),
    "flat for two epochs": (1, 0, 0, 0),
}


@pytest.mark.parametrize("mirror", [1, -1])
@pytest.mark.parametrize(("d", "p", "s", "step"), QUICKPROP.values(), ids=QUICKPROP)
def test_quickprop_by_hand(d, p, s, step, mirror):
    d, p, s, step = mirror * d, mirror * p, mirror * s, mirror * step
    quickprop = Quickprop(learning_rate=0.5, mu=1.75)
    (got,), (steps, slopes) = quickprop.update(one_weight(-s), (one_weight(d), one_weight(p)), one_weight(9))
    assert got.item() == pytest.approx(step, rel=1e-15)
    assert steps[0].item() == got.item()
    assert slopes[0].item() == s


def test_quickprop_divides_epsilon_by_the_weights_into_a_unit():
    quickprop = Quickprop(learning_rate=4.0, mu=2.25, split_by_fan_in=True)
    gradients = [np.full((3, 2), -1.0), np.full((5, 1), -1.0)]
    updates, _ = quickprop.update(gradients, quickprop.init(gradients), gradients)
    assert [np.unique(step).tolist() for step in updates] == [[4 / 3], [4 / 5]]


@pytest.mark.parametrize(
    "optimizer", [GradientDescent(0.5), Momentum(0.5, 0.9), Momentum(0.5, 0.9, True), Quickprop(0.5, 1.75, True)]
)
def test_weights_of_different_layers_do_not_mix(optimizer):
    gradients = [[np.full_like(w, g) for w in W] for g in (1.0, -3.0)]
    memory = optimizer.init(W)
    for gradient in gradients:
        together, memory = optimizer.update(gradient, memory, W)
    for layer in range(len(W)):
        memory = optimizer.init([W[layer]])
        for gradient in gradients:
            (alone,), memory = optimizer.update([gradient[layer]], memory, [W[layer]])
        assert together[layer].tolist() == alone.tolist()


def test_numbers_per_network():
    momentum = Momentum(np.array([0.5, 0.25]), 0.5)
    gradients = [np.array([[[4.0]], [[4.0]]])]
    updates, _ = momentum.update(gradients, momentum.init(gradients), gradients)
    assert updates[0].tolist() == [[[-2.0]], [[-1.0]]]


def test_every_number_is_spread_and_mapped_and_flags_are_shared():
    spread = Momentum(0.5, np.array([0.1, 0.2, 0.3]), scaled=True).spread(3)
    taken = spread.map(lambda value: value[[2, 0]])
    assert {name: value.tolist() for name, value in taken.numbers().items()} == {
        "learning_rate": [0.5, 0.5],
        "momentum": [0.3, 0.1],
    }
    assert taken.scaled is True
    with pytest.raises(ValueError, match="broadcast"):
        Momentum(np.array([0.5, 0.6]), 0.9).spread(3)


def rprop_by_hand(slopes, first, backtracking, grow=1.2, shrink=0.5, smallest=1e-6, largest=50.0):
    """Positions of one weight, in plain Python, by the rules of Riedmiller & Braun 1993."""
    w, size, last_slope, last_step, positions = 0.0, first, 0.0, 0.0, []
    for g in slopes:
        flat = g == 0 or last_slope == 0
        turned = not flat and (g > 0) != (last_slope > 0)
        if turned:
            size = max(size * shrink, smallest)
        elif not flat:
            size = min(size * grow, largest)
        if turned and backtracking:
            w -= last_step
            last_slope, last_step = 0.0, -last_step
        else:
            last_step = -size if g > 0 else size if g < 0 else 0.0
            w += last_step
            last_slope = g
        positions.append(w)
    return positions


def adam_by_hand(slopes, rate, beta1, beta2, epsilon):
    w, m, v, positions = 0.0, 0.0, 0.0, []
    for t, g in enumerate(slopes, start=1):
        m = beta1 * m + (1 - beta1) * g
        v = beta2 * v + (1 - beta2) * g**2
        w -= rate * (m / (1 - beta1**t)) / (math.sqrt(v / (1 - beta2**t)) + epsilon)
        positions.append(w)
    return positions


def positions(optimizer, slopes):
    """Positions of two networks' single weight, the second of which sees the slopes turned round."""
    W = [np.zeros((2, 1, 1))]
    memory, found = optimizer.init(W), []
    for slope in slopes:
        updates, memory = optimizer.update([np.array([[[slope]], [[-slope]]])], memory, W)
        W = [W[0] + updates[0]]
        found.append(W[0][:, 0, 0])
    return np.array(found).T


slopes = st.lists(
    st.sampled_from([0.0, 1.0, -1.0, 1e-5, -300.0, 0.2, -0.2]) | st.floats(-5, 5), min_size=1, max_size=25
)


@given(slopes, st.floats(1e-3, 2.0), st.booleans())
def test_rprop_by_hand(slopes, first, backtracking):
    found = positions(Rprop(first, backtracking=backtracking), slopes)
    assert found[0] == pytest.approx(rprop_by_hand(slopes, first, backtracking), rel=1e-12, abs=1e-15)
    assert found[1] == pytest.approx(-found[0])


@given(st.floats(0.01, 5.0))
def test_rprop_heeds_signs_and_not_sizes(scale):
    slopes = [1.0, 3.0, -2.0, -0.5, 0.1, 4.0]
    small = positions(Rprop(0.1), [scale * slope for slope in slopes])
    assert small.tolist() == positions(Rprop(0.1), slopes).tolist()


@given(slopes, st.floats(1e-3, 2.0), st.floats(0, 0.99), st.floats(0, 0.999))
def test_adam_by_hand(slopes, rate, beta1, beta2):
    found = positions(Adam(rate, beta1, beta2), slopes)
    assert found[0] == pytest.approx(adam_by_hand(slopes, rate, beta1, beta2, 1e-8), rel=1e-9, abs=1e-12)
    assert found[1] == pytest.approx(-found[0])
