import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nn_core import Fixed, Normal, Sigmoid, Uniform, Xavier, count_weights, forward, initial_ensemble, layer_fans

layer_sizes = st.lists(st.integers(1, 6), min_size=2, max_size=5)
biases = st.sampled_from([None, 0.5, 1.0])


@given(sizes=layer_sizes, bias=biases, seed=st.integers(0, 2**32), low=st.floats(-5, 0), high=st.floats(0, 5))
def test_anyone_can_redraw_uniform_weights(sizes, bias, seed, low, high):
    rng = np.random.default_rng(seed)
    redrawn = []
    for below, above in itertools.pairwise(sizes):
        redrawn.append(rng.uniform(low, high, size=(below + (bias is not None), above)))
    drawn = Uniform(low, high).matrices(layer_fans(sizes, bias), np.random.default_rng(seed))
    assert [W.tolist() for W in drawn] == [W.tolist() for W in redrawn]


def test_the_lessons_weights_redrawn_in_plain_numpy():
    rng = np.random.default_rng(7)
    weights1, weights2 = rng.uniform(0, 1, size=(3, 4)), rng.uniform(0, 1, size=(4, 1))
    drawn = Uniform().matrices(layer_fans((3, 4, 1), None), np.random.default_rng(7))
    assert [W.tolist() for W in drawn] == [weights1.tolist(), weights2.tolist()]


def test_normal_and_xavier_redrawn():
    rng = np.random.default_rng(3)
    normal = [rng.normal(0, 0.5, size=(4, 5)), rng.normal(0, 0.5, size=(6, 2))]
    drawn = Normal(0.5).matrices(layer_fans((3, 5, 2), 1.0), np.random.default_rng(3))
    assert [W.tolist() for W in drawn] == [W.tolist() for W in normal]

    rng = np.random.default_rng(3)
    limits = [(6 / (3 + 5)) ** 0.5, (6 / (5 + 2)) ** 0.5]
    xavier = [rng.uniform(-a, a, size=size) for a, size in zip(limits, [(4, 5), (6, 2)], strict=True)]
    drawn = Xavier().matrices(layer_fans((3, 5, 2), 1.0), np.random.default_rng(3))
    assert [W.tolist() for W in drawn] == [W.tolist() for W in xavier]


@given(sizes=layer_sizes, bias=biases, seeds=st.lists(st.integers(0, 1000), min_size=1, max_size=5))
def test_an_ensemble_is_its_networks_stacked(sizes, bias, seeds):
    ensemble = initial_ensemble(Uniform(-1, 1), layer_fans(sizes, bias), seeds)
    for r, seed in enumerate(seeds):
        alone = Uniform(-1, 1).matrices(layer_fans(sizes, bias), np.random.default_rng(seed))
        assert [W[r].tolist() for W in ensemble] == [W.tolist() for W in alone]


# Kolen & Pollack 1990: 3-3-1 with bias, in the order h1 (w w w b), h2, h3, output (w w w b).
KOLEN_POLLACK = (
    *(-0.34959000, 0.00560000, -0.26338813, 0.75501968),
    *(0.47040862, -0.18438011, 0.46700363, -0.48619500),
    *(0.62821201, -0.90039973, 0.48940201, -0.70239312),
    *(-0.95838741, 0.46940394, -0.73719884, 0.96140103),
)


def test_fixed_weights_are_listed_unit_by_unit_bias_last():
    hidden, output = Fixed(KOLEN_POLLACK).matrices(layer_fans((3, 3, 1), bias=1.0))
    for unit in range(3):
        assert hidden[:, unit].tolist() == list(KOLEN_POLLACK[4 * unit : 4 * unit + 4])
    assert output[:, 0].tolist() == list(KOLEN_POLLACK[12:])

    inputs = np.array([[1.0, 0.0, 1.0]])
    _, h, o = forward([hidden, output], inputs, Sigmoid(), bias=1.0)
    h1 = 1 / (1 + np.exp(-(-0.34959000 - 0.26338813 + 0.75501968)))
    assert h[0, 0] == pytest.approx(h1, rel=1e-15)
    z = -0.95838741 * h[0, 0] + 0.46940394 * h[0, 1] - 0.73719884 * h[0, 2] + 0.96140103
    assert o.item() == pytest.approx(1 / (1 + np.exp(-z)), rel=1e-15)


@given(sizes=layer_sizes, bias=biases)
def test_fixed_weights_of_any_shape(sizes, bias):
    layers = Fixed(tuple(map(float, range(count_weights(layer_fans(sizes, bias)))))).matrices(layer_fans(sizes, bias))
    assert [number for W in layers for unit in W.T.tolist() for number in unit] == list(
        range(sum(map(np.size, layers)))
    )
    assert [W.shape for W in layers] == [(a + (bias is not None), b) for a, b in itertools.pairwise(sizes)]


def test_fixed_weights_are_the_same_for_every_seed():
    ensemble = initial_ensemble(Fixed(KOLEN_POLLACK), layer_fans((3, 3, 1), 1.0), range(3))
    assert (ensemble[0] == ensemble[0][0]).all()
    assert [W.shape for W in ensemble] == [(3, 4, 3), (3, 4, 1)]


@pytest.mark.parametrize(
    ("sizes", "bias", "message"),
    [
        ((3, 3, 1), None, "16 fixed weights given, the network has 12"),
        ((2, 2, 1), 1.0, "16 fixed weights given, the network has 9"),
    ],
)
def test_a_wrong_number_of_fixed_weights(sizes, bias, message):
    with pytest.raises(ValueError, match=message):
        Fixed(KOLEN_POLLACK).matrices(layer_fans(sizes, bias))
