"""Losses: one number E for how wrong a network is, and the slope dE/d(output) that backpropagation starts from.

All sum over patterns and outputs, never average, as the papers on this subject do: a learning rate from a paper means
the same here. Let y be the target and o the output.
"""

from abc import abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from nn_core.parts import Array, Condition, Part


@dataclass(frozen=True)
class Loss(Part, kind="loss"):
    """An error measure E and its slope."""

    @abstractmethod
    def terms(self, targets: Array, outputs: Array) -> Array:
        """Each output's share of E; shapes (patterns, outputs) and (..., patterns, outputs) to the latter."""

    @abstractmethod
    def slope(self, targets: Array, outputs: Array) -> Array:
        """dE/d(output), of the outputs' shape."""

    def value(self, targets: Array, outputs: Array) -> Array:
        """E, shapes (patterns, outputs) and (..., patterns, outputs) to (...)."""
        return np.asarray(self.terms(targets, outputs).sum(axis=(-2, -1)), dtype=np.float64)


@dataclass(frozen=True)
class SumOfSquares(Loss, name="sse", twin="nn_core.compiled.losses:sse"):
    """E = sum (y - o)^2, so dE/do = -2 (y - o), the lesson's."""

    def terms(self, targets: Array, outputs: Array) -> Array:
        return np.asarray((targets - outputs) ** 2)

    def slope(self, targets: Array, outputs: Array) -> Array:
        return -2.0 * (targets - outputs)


@dataclass(frozen=True)
class HalfSumOfSquares(Loss, name="half_sse", twin="nn_core.compiled.losses:half_sse"):
    """E = 1/2 sum (y - o)^2; the half cancels the 2 of the slope (Rumelhart, Hinton & Williams 1986, eq. 2)."""

    def terms(self, targets: Array, outputs: Array) -> Array:
        return np.asarray(0.5 * (targets - outputs) ** 2)

    def slope(self, targets: Array, outputs: Array) -> Array:
        return outputs - targets


ARCTANH_CAP = 0.9999999  # of |y - o|: at 1 the slope is infinite (Fahlman 1988, CMU-CS-88-162)


@dataclass(frozen=True)
class Arctanh(Loss, name="arctanh", twin="nn_core.compiled.losses:arctanh"):
    """E = sum (1 + d) ln(1 + d) + (1 - d) ln(1 - d) with d = y - o, so dE/do = -ln((1 + d) / (1 - d)) (Fahlman 1988).

    It suits the sigmoids, whose outputs are never further than 1 from a target that they can reach.
    """

    def terms(self, targets: Array, outputs: Array) -> Array:
        d = np.clip(targets - outputs, -ARCTANH_CAP, ARCTANH_CAP)
        return np.asarray((1.0 + d) * np.log1p(d) + (1.0 - d) * np.log1p(-d))

    def slope(self, targets: Array, outputs: Array) -> Array:
        d = np.clip(targets - outputs, -ARCTANH_CAP, ARCTANH_CAP)
        return np.asarray(np.log1p(-d) - np.log1p(d))

    def problems(self, condition: Condition) -> Iterator[str]:
        activation = condition.training.activation
        targets = condition.training.task.target_ends.values()
        if max(abs(target - end) for target in targets for end in (activation.low, activation.high)) > 1:
            yield (
                f"loss={self.name} with activation={activation.name}: valid are targets that differ from no output by "
                "more than 1, such as those of symmetric_sigmoid with targets of -0.5 and 0.5"
            )


CROSS_ENTROPY_CAP = 1e-12  # how far outputs are kept from 0 and 1, where the slope is infinite


@dataclass(frozen=True)
class CrossEntropy(Loss, name="cross_entropy", twin="nn_core.compiled.losses:cross_entropy"):
    """Binary cross-entropy E = -sum y ln o + (1 - y) ln(1 - o), so dE/do = (o - y) / (o (1 - o)).

    With sigmoid outputs, delta = dE/dz is o - y: the factor o (1 - o) that slows saturated units down cancels
    (Solla, Levin & Fleisher 1988; Bishop 1995, section 6.7).

    Examples
    --------
    >>> loss = CrossEntropy()
    >>> loss.value(np.array([[1.0]]), np.array([[0.5]])).round(4).item()
    0.6931
    >>> loss.slope(np.array([[1.0]]), np.array([[0.5]])).item()
    -2.0
    """

    def terms(self, targets: Array, outputs: Array) -> Array:
        o = np.clip(outputs, CROSS_ENTROPY_CAP, 1.0 - CROSS_ENTROPY_CAP)
        return np.asarray(-targets * np.log(o) - (1.0 - targets) * np.log1p(-o))

    def slope(self, targets: Array, outputs: Array) -> Array:
        o = np.clip(outputs, CROSS_ENTROPY_CAP, 1.0 - CROSS_ENTROPY_CAP)
        return np.asarray((o - targets) / (o * (1.0 - o)))

    def problems(self, condition: Condition) -> Iterator[str]:
        activation = condition.training.activation
        if activation.low < 0 or activation.high > 1:
            yield (
                f"loss={self.name} with activation={activation.name}: valid is an activation between 0 and 1, such as "
                "sigmoid"
            )
        for key, target in condition.training.task.target_ends.items():
            if not 0 <= target <= 1:
                yield f"{key}={target} with loss={self.name}: valid is a target from 0 to 1"
