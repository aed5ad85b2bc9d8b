"""Twins of `nn_core.activations`."""

from typing import Any, NamedTuple

from nn_core.compiled import functions
from nn_core.compiled.lanes import Lanes, fma, inline, magnitude, negative, select


class Activation(NamedTuple):
    """Output of a unit from its net input, and the slope from that output.

    Attributes
    ----------
    value : (own, z) -> y
    derivative : (own, y) -> dy/dz
    """

    value: Any
    derivative: Any


@inline
def _sigmoid(_own: Any, z: Lanes) -> Lanes:
    return functions.sigmoid(z)


@inline
def _sigmoid_derivative(_own: Any, y: Lanes) -> Lanes:
    return fma(negative(y), y, y)


@inline
def _symmetric_sigmoid(_own: Any, z: Lanes) -> Lanes:
    return functions.sigmoid(z) - 0.5


@inline
def _symmetric_sigmoid_derivative(_own: Any, y: Lanes) -> Lanes:
    return fma(negative(y), y, 0.25)


@inline
def _tanh(_own: Any, z: Lanes) -> Lanes:
    return functions.tanh(z)


@inline
def _tanh_derivative(_own: Any, y: Lanes) -> Lanes:
    return fma(negative(y), y, 1.0)


@inline
def _scaled_tanh(_own: Any, z: Lanes) -> Lanes:
    return functions.tanh(0.5 * z)


@inline
def _scaled_tanh_derivative(_own: Any, y: Lanes) -> Lanes:
    return fma(-0.5 * y, y, 0.5)


@inline
def _relu(_own: Any, z: Lanes) -> Lanes:
    return select(z < 0.0, 0.0, z)


@inline
def _relu_derivative(_own: Any, y: Lanes) -> Lanes:
    return select(y > 0.0, 1.0, 0.0)


@inline
def _softplus(own: Any, z: Lanes) -> Lanes:
    return _relu(own, z) + functions.log1p(functions.exp(negative(magnitude(z))))


@inline
def _softplus_derivative(_own: Any, y: Lanes) -> Lanes:
    return negative(functions.expm1(negative(y)))


sigmoid = Activation(_sigmoid, _sigmoid_derivative)
symmetric_sigmoid = Activation(_symmetric_sigmoid, _symmetric_sigmoid_derivative)
tanh = Activation(_tanh, _tanh_derivative)
scaled_tanh = Activation(_scaled_tanh, _scaled_tanh_derivative)
relu = Activation(_relu, _relu_derivative)
softplus = Activation(_softplus, _softplus_derivative)
