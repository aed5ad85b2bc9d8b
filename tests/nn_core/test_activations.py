import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nn_core import Relu, ScaledTanh, Softplus, part, parts, sigmoid, sigmoid_derivative

ORACLES = {
    "sigmoid": lambda z: 1 / (1 + math.exp(-z)),
    "symmetric_sigmoid": lambda z: 1 / (1 + math.exp(-z)) - 0.5,
    "tanh": math.tanh,
    "scaled_tanh": lambda z: math.tanh(z / 2),
    "softplus": lambda z: math.log1p(math.exp(-abs(z))) + max(z, 0),
}
BOUNDED = ["sigmoid", "symmetric_sigmoid", "tanh", "scaled_tanh"]


def test_names():
    assert set(parts("activation")) == {*ORACLES, "relu"}


@pytest.mark.parametrize("name", ORACLES)
@given(z=st.floats(-30, 30))
def test_function_and_its_slope_from_the_output(name, z):
    activation, oracle = part("activation", name)(), ORACLES[name]
    output = activation.function(np.array([z]))
    assert output[0] == pytest.approx(oracle(z), rel=1e-14, abs=1e-15)
    h = 1e-5
    slope = (oracle(z + h) - oracle(z - h)) / (2 * h)
    assert activation.derivative(output)[0] == pytest.approx(slope, abs=1e-9)


@pytest.mark.parametrize("name", BOUNDED)
def test_ends_of_the_range_without_warnings(name):
    activation = part("activation", name)()
    ends = activation.function(np.array([-np.inf, -1e308, 1e308, np.inf]))
    assert ends.tolist() == [activation.low, activation.low, activation.high, activation.high]
    assert activation.derivative(ends).tolist() == [0.0] * 4


def test_the_lessons_pair():
    assert sigmoid(np.array([0.0, math.log(3), -math.log(3)])) == pytest.approx([0.5, 0.75, 0.25])
    assert sigmoid_derivative(np.array([0.5, 0.75, 0.0])).tolist() == [0.25, 0.1875, 0.0]


def test_relu_is_off_or_on():
    z = np.array([-np.inf, -1.0, -0.0, 0.0, 5e-324, 2.0, np.inf])
    outputs = Relu().function(z)
    assert outputs.tolist() == [0, 0, 0, 0, 5e-324, 2, np.inf]
    assert Relu().derivative(outputs).tolist() == [0, 0, 0, 0, 1, 1, 1]


def test_softplus_is_z_far_out_and_nothing_far_below():
    outputs = Softplus().function(np.array([-np.inf, -800.0, 800.0, np.inf]))
    assert outputs.tolist() == [0, 0, 800, np.inf]
    assert Softplus().derivative(outputs).tolist() == [0, 0, 1, 1]


def test_scaled_tanh_is_the_sigmoid_stretched():
    z = np.linspace(-5, 5, 11)
    assert ScaledTanh().function(z) == pytest.approx(2 * sigmoid(z) - 1, rel=1e-14, abs=1e-15)
