import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from nn_core import Arctanh, CrossEntropy, HalfSumOfSquares, SumOfSquares, part, parts, sigmoid_derivative
from nn_core.losses import ARCTANH_CAP

PER_OUTPUT = {
    "sse": lambda d: d**2,
    "half_sse": lambda d: d**2 / 2,
    "arctanh": lambda d: (1 + d) * math.log(1 + d) + (1 - d) * math.log(1 - d),
}
"""Of the losses that know nothing but y - o."""


def test_names():
    assert set(parts("loss")) == {*PER_OUTPUT, "cross_entropy"}


@pytest.mark.parametrize("name", PER_OUTPUT)
@given(outputs=arrays(float, (3, 4, 2), elements=st.floats(0.05, 0.95)))
def test_value_sums_and_slope_is_its_derivative(name, outputs):
    targets = np.array([[0.0, 1.0], [1.0, 0.0], [0.0, 0.0], [1.0, 1.0]])
    loss, term = part("loss", name)(), PER_OUTPUT[name]
    value, slope = loss.value(targets, outputs), loss.slope(targets, outputs)
    assert value.shape == (3,)
    assert slope.shape == outputs.shape
    h = 1e-6
    for r in range(3):
        differences = (targets - outputs[r]).ravel().tolist()
        assert value[r] == pytest.approx(sum(map(term, differences)), rel=1e-12)
        for d, s in zip(differences, slope[r].ravel().tolist(), strict=True):
            # d = y - o falls as the output rises.
            assert s == pytest.approx((term(d - h) - term(d + h)) / (2 * h), abs=1e-8)


def test_worked_by_hand():
    targets, outputs = np.array([[1.0], [0.0]]), np.array([[0.5], [0.25]])
    assert SumOfSquares().value(targets, outputs) == 0.25 + 0.0625
    assert SumOfSquares().slope(targets, outputs).tolist() == [[-1.0], [0.5]]
    assert HalfSumOfSquares().value(targets, outputs) == 0.125 + 0.03125
    assert HalfSumOfSquares().slope(targets, outputs).tolist() == [[-0.5], [0.25]]
    # d = 1/2: ln((1 + d) / (1 - d)) = ln 3; d = -1/4: ln(0.6).
    assert Arctanh().slope(targets, outputs).ravel() == pytest.approx([-math.log(3), -math.log(0.6)])


@pytest.mark.parametrize("target", [-1.0, 1.0])
def test_arctanh_is_finite_where_the_output_is_as_wrong_as_can_be(target):
    loss = Arctanh()
    targets, outputs = np.array([[target]]), np.array([[0.0]])
    steepest = math.log((1 + ARCTANH_CAP) / (1 - ARCTANH_CAP))
    assert loss.slope(targets, outputs).item() == pytest.approx(-target * steepest)
    assert loss.value(targets, outputs) == pytest.approx(2 * math.log(2), abs=1e-5)


@given(outputs=arrays(float, (3, 2, 2), elements=st.floats(0.01, 0.99)), target=st.floats(0, 1))
def test_cross_entropy_is_minus_the_log_of_what_was_thought_likely(outputs, target):
    targets = np.array([[0.0, 1.0], [target, 1.0]])
    value, slope = CrossEntropy().value(targets, outputs), CrossEntropy().slope(targets, outputs)
    h = 1e-7
    for r in range(3):
        total = 0.0
        for y, o, s in zip(targets.ravel(), outputs[r].ravel(), slope[r].ravel(), strict=True):
            term = lambda p, y=y: -y * math.log(p) - (1 - y) * math.log(1 - p)  # noqa: E731
            total += term(o)
            assert s == pytest.approx((term(o + h) - term(o - h)) / (2 * h), rel=1e-5, abs=1e-5)
        assert value[r] == pytest.approx(total, rel=1e-12)


def test_cross_entropy_is_finite_where_the_output_is_as_wrong_as_can_be():
    targets, outputs = np.array([[0.0], [1.0]]), np.array([[1.0], [0.0]])
    assert CrossEntropy().value(targets, outputs) == pytest.approx(-2 * math.log(1e-12), rel=1e-5)
    assert CrossEntropy().slope(targets, outputs).ravel() == pytest.approx([1e12, -1e12], rel=1e-3)


def test_with_sigmoids_the_cross_entropys_delta_is_the_error():
    targets, outputs = np.array([[1.0], [0.0]]), np.array([[0.2], [0.7]])
    delta = CrossEntropy().slope(targets, outputs) * sigmoid_derivative(outputs)
    assert delta.ravel() == pytest.approx([-0.8, 0.7])
