"""Activation functions, each with its derivative written in terms of the *output*.

Backpropagation has the unit's output at hand when it needs the slope, so no derivative here ever looks at the
unit's net input again: for the logistic function, s'(z) = s(z) (1 - s(z)).
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Activation:
    """A unit's transfer function.

    Attributes
    ----------
    name : str
        The name used in configurations.
    function : callable
        Net input z to output s(z), elementwise, any shape.
    derivative : callable
        Output s(z) to slope s'(z), elementwise, any shape.
    low, high : float
        The open interval that outputs lie in.
    """

    name: str
    function: Callable[[Array], Array]
    derivative: Callable[[Array], Array]
    low: float
    high: float


def sigmoid(x: Array) -> Array:
    """Logistic function 1 / (1 + exp(-x)), elementwise."""
    # exp(-x) is allowed to overflow to infinity: 1 / (1 + inf) is the right answer, 0.
    with np.errstate(over="ignore"):
        return np.asarray(1.0 / (1.0 + np.exp(-x)), dtype=np.float64)


def sigmoid_derivative(s: Array) -> Array:
    """Slope of the logistic function where its *output* is s: s (1 - s)."""
    return s * (1.0 - s)


def symmetric_sigmoid(x: Array) -> Array:
    """Logistic function shifted to the range (-1/2, 1/2) (Fahlman 1988, CMU-CS-88-162)."""
    return sigmoid(x) - 0.5


def symmetric_sigmoid_derivative(s: Array) -> Array:
    """Slope of the symmetric sigmoid where its output is s: (1/2 + s) (1/2 - s)."""
    return (0.5 + s) * (0.5 - s)


def tanh_derivative(s: Array) -> Array:
    """Slope of tanh where its output is s: (1 + s) (1 - s)."""
    return (1.0 + s) * (1.0 - s)


ACTIVATIONS: dict[str, Activation] = {
    a.name: a
    for a in (
        Activation("sigmoid", sigmoid, sigmoid_derivative, 0.0, 1.0),
        Activation("symmetric_sigmoid", symmetric_sigmoid, symmetric_sigmoid_derivative, -0.5, 0.5),
        Activation("tanh", np.tanh, tanh_derivative, -1.0, 1.0),
    )
}
