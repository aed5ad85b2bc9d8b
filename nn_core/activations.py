"""Activation functions, each with its derivative written in terms of the *output*.

Backpropagation has the unit's output at hand when it needs the slope, so no derivative here ever looks at the
unit's net input again: for the logistic function, s'(z) = s(z) (1 - s(z)).
"""

from abc import abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from nn_core.parts import Array, Condition, Part


@dataclass(frozen=True)
class Activation(Part, kind="activation"):
    """A unit's transfer function."""

    low: ClassVar[float]  # outputs lie between these two, and reach neither unless it is 0
    high: ClassVar[float]

    @abstractmethod
    def function(self, z: Array) -> Array:
        """Net input z to output s(z), elementwise, any shape."""

    @abstractmethod
    def derivative(self, s: Array) -> Array:
        """Output s(z) to slope s'(z), elementwise, any shape."""

    def problems(self, condition: Condition) -> Iterator[str]:
        criterion = condition.training.criterion
        for key, target in condition.training.task.target_ends.items():
            missed_by = max(self.low - target, target - self.high, 0.0)
            if not criterion.tolerates(missed_by):
                reached = f"an output between {self.low:g} and {self.high:g} can reach to meet the criterion"
                yield f"{key}={target} with activation={self.name}: valid is a value that {reached}"


def sigmoid(x: Array) -> Array:
    """Logistic function 1 / (1 + exp(-x)), elementwise."""
    # exp(-x) is allowed to overflow to infinity: 1 / (1 + inf) is the right answer, 0.
    with np.errstate(over="ignore"):
        return np.asarray(1.0 / (1.0 + np.exp(-x)), dtype=np.float64)


def sigmoid_derivative(s: Array) -> Array:
    """Slope of the logistic function where its *output* is s: s (1 - s)."""
    return s * (1.0 - s)


@dataclass(frozen=True)
class Sigmoid(Activation, name="sigmoid", twin="nn_core.compiled.activations:sigmoid"):
    """Logistic function: s = 1 / (1 + exp(-z)), s' = s (1 - s)."""

    low, high = 0.0, 1.0

    def function(self, z: Array) -> Array:
        return sigmoid(z)

    def derivative(self, s: Array) -> Array:
        return sigmoid_derivative(s)


@dataclass(frozen=True)
class SymmetricSigmoid(Activation, name="symmetric_sigmoid", twin="nn_core.compiled.activations:symmetric_sigmoid"):
    """Logistic function shifted to (-1/2, 1/2): s' = (1/2 + s) (1/2 - s) (Fahlman 1988, CMU-CS-88-162)."""

    low, high = -0.5, 0.5

    def function(self, z: Array) -> Array:
        return sigmoid(z) - 0.5

    def derivative(self, s: Array) -> Array:
        return (0.5 + s) * (0.5 - s)


@dataclass(frozen=True)
class Tanh(Activation, name="tanh", twin="nn_core.compiled.activations:tanh"):
    """Hyperbolic tangent: s' = (1 + s) (1 - s)."""

    low, high = -1.0, 1.0

    def function(self, z: Array) -> Array:
        return np.tanh(z)

    def derivative(self, s: Array) -> Array:
        return (1.0 + s) * (1.0 - s)


@dataclass(frozen=True)
class ScaledTanh(Activation, name="scaled_tanh", twin="nn_core.compiled.activations:scaled_tanh"):
    """Logistic function stretched to (-1, 1): s = tanh(z / 2) = 2 / (1 + exp(-z)) - 1, s' = (1 + s) (1 - s) / 2.

    The sigmoid of much of the work of 1986 to 1991 on inputs and targets of +-1.
    """

    low, high = -1.0, 1.0

    def function(self, z: Array) -> Array:
        return np.tanh(0.5 * z)

    def derivative(self, s: Array) -> Array:
        return 0.5 * (1.0 + s) * (1.0 - s)


@dataclass(frozen=True)
class Relu(Activation, name="relu", twin="nn_core.compiled.activations:relu"):
    """Rectifier: s = max(z, 0), s' = 1 where s > 0, else 0 (Glorot, Bordes & Bengio 2011).

    At z = 0 it has no derivative, and 0 stands for it: a unit that is off is not to blame.
    """

    low, high = 0.0, np.inf

    def function(self, z: Array) -> Array:
        return np.maximum(z, 0.0)

    def derivative(self, s: Array) -> Array:
        return np.where(s > 0.0, 1.0, 0.0)


@dataclass(frozen=True)
class Softplus(Activation, name="softplus", twin="nn_core.compiled.activations:softplus"):
    """Smooth rectifier: s = ln(1 + exp(z)), s' = 1 / (1 + exp(-z)) = 1 - exp(-s) (Dugas et al. 2001)."""

    low, high = 0.0, np.inf

    def function(self, z: Array) -> Array:
        """max(z, 0) + ln(1 + exp(-|z|)), which does not overflow."""
        return np.maximum(z, 0.0) + np.log1p(np.exp(-np.abs(z)))

    def derivative(self, s: Array) -> Array:
        return -np.expm1(-s)
