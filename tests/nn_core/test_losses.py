import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from nn_core import LOSSES
from nn_core.losses import ARCTANH_CAP

PER_OUTPUT = {
    "sse": lambda d: d**2,
    "half_sse": lambda d: d**2 / 2,
    "arctanh": lambda d: (1 + d) * math.log(1 + d) + (1 - d) * math.log(1 - d),
}


def test_names():
    assert {name: loss.name for name, loss in LOSSES.items()} == {name: name for name in PER_OUTPUT}


@pytest.mark.parametrize("name", PER_OUTPUT)
@given(outputs=arrays(float, (3, 4, 2), elements=st.floats(0.05, 0.95)))
def test_value_sums_and_slope_is_its_derivative(name, outputs):
    targets = np.array([[0.0, 1.0], [1.0, 0.0], [0.0, 0.0], [1.0, 1.0]])
    loss, term = LOSSES[name], PER_OUTPUT[name]
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
    assert LOSSES["sse"].value(targets, outputs) == 0.25 + 0.0625
    assert LOSSES["sse"].slope(targets, outputs).tolist() == [[-1.0], [0.5]]
    assert LOSSES["half_sse"].value(targets, outputs) == 0.125 + 0.03125
    assert LOSSES["half_sse"].slope(targets, outputs).tolist() == [[-0.5], [0.25]]
    # d = 1/2: ln((1 + d) / (1 - d)) = ln 3; d = -1/4: ln(0.6).
    assert LOSSES["arctanh"].slope(targets, outputs).ravel() == pytest.approx([-math.log(3), -math.log(0.6)])


@pytest.mark.parametrize("target", [-1.0, 1.0])
def test_arctanh_is_finite_where_the_output_is_as_wrong_as_can_be(target):
    loss = LOSSES["arctanh"]
    targets, outputs = np.array([[target]]), np.array([[0.0]])
    steepest = math.log((1 + ARCTANH_CAP) / (1 - ARCTANH_CAP))
    assert loss.slope(targets, outputs).item() == pytest.approx(-target * steepest)
    assert loss.value(targets, outputs) == pytest.approx(2 * math.log(2), abs=1e-5)
