import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nn_core import ACTIVATIONS, sigmoid, sigmoid_derivative

ORACLES = {
    "sigmoid": lambda z: 1 / (1 + math.exp(-z)),
    "symmetric_sigmoid": lambda z: 1 / (1 + math.exp(-z)) - 0.5,
    "tanh": math.tanh,
}


def test_names():
    assert {name: a.name for name, a in ACTIVATIONS.items()} == {name: name for name in ORACLES}


@pytest.mark.parametrize("name", ORACLES)
@given(z=st.floats(-30, 30))
def test_function_and_its_slope_from_the_output(name, z):
    activation, oracle = ACTIVATIONS[name], ORACLES[name]
    output = activation.function(np.array([z]))
    assert output[0] == pytest.approx(oracle(z), rel=1e-14, abs=1e-15)
    h = 1e-5
    slope = (oracle(z + h) - oracle(z - h)) / (2 * h)
    assert activation.derivative(output)[0] == pytest.approx(slope, abs=1e-9)


@pytest.mark.parametrize("name", ORACLES)
def test_ends_of_the_range_without_warnings(name):
    activation = ACTIVATIONS[name]
    ends = activation.function(np.array([-np.inf, -1e308, 1e308, np.inf]))
    assert ends.tolist() == [activation.low, activation.low, activation.high, activation.high]
    assert activation.derivative(ends).tolist() == [0.0] * 4


def test_the_lessons_pair():
    assert sigmoid(np.array([0.0, math.log(3), -math.log(3)])) == pytest.approx([0.5, 0.75, 0.25])
    assert sigmoid_derivative(np.array([0.5, 0.75, 0.0])).tolist() == [0.25, 0.1875, 0.0]
