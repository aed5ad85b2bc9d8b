"""Criteria: when a network counts as having learned its task."""

from abc import abstractmethod
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from nn_core.parts import Array, Condition, Part, number, whole


@dataclass(frozen=True, kw_only=True)
class Criterion(Part, kind="criterion"):
    """Decides from one forward pass over all patterns; a network has learned when `hold` passes in a row meet it."""

    asks: ClassVar[str] = ""  # what a network does that meets it, with its options in braces, for captions
    needs_gradients: ClassVar[bool] = False  # whether it looks at the gradient of that pass

    hold: int = whole(1, "how many passes in a row must meet it", 1, 10**9, later=True)

    @abstractmethod
    def met(self, targets: Array, outputs: Array, gradients: Sequence[Array] = ()) -> NDArray[np.bool_]:
        """Judge a pass: targets of shape (patterns, outputs), outputs of (..., patterns, outputs), result of (...).

        If it `needs_gradients`, they are what an update from all patterns would be made of, shapes (..., units
        below [+ 1], units above).
        """

    def tolerates(self, distance: float) -> bool:
        """Whether it can be met by outputs that come no closer to some target than this."""
        return distance <= 0


@dataclass(frozen=True)
class Tolerance(Criterion, name="tolerance", twin="nn_core.compiled.criteria:tolerance"):
    """Every output of every pattern strictly within `tolerance` of its target."""

    asks = "every output within {tolerance} of its target"

    tolerance: float = number(0.4, "largest distance of an output from its target, exclusive", above=0)

    def met(self, targets: Array, outputs: Array, gradients: Sequence[Array] = ()) -> NDArray[np.bool_]:
        return np.asarray((np.abs(targets - outputs) < self.tolerance).all(axis=(-2, -1)))

    def tolerates(self, distance: float) -> bool:
        return distance < self.tolerance

    def problems(self, condition: Condition) -> Iterator[str]:
        ends = condition.training.task.target_ends.values()
        half = (max(ends) - min(ends)) / 2
        if 0 < half < self.tolerance:
            yield (
                f"criterion.tolerance={self.tolerance}: valid is at most {half:g}, half the range of the targets, "
                "or one output could be right for both"
            )


@dataclass(frozen=True)
class MeanSquaredError(Criterion, name="mse", twin="nn_core.compiled.criteria:mean_squared_error"):
    """Squared error, averaged over patterns and outputs, strictly below `below`."""

    asks = "mean squared error below {below}"

    below: float = number(0.01, "mean squared error that is to be undercut", above=0)

    def met(self, targets: Array, outputs: Array, gradients: Sequence[Array] = ()) -> NDArray[np.bool_]:
        return np.asarray(((targets - outputs) ** 2).mean(axis=(-2, -1)) < self.below)


@dataclass(frozen=True)
class GradientNorm(Criterion, name="gradient_norm"):
    """Euclidean length of the gradient strictly below `below`: training has come to rest, wherever that is.

    The gradient is that of an update from all patterns, with weight decay and derivative offset if there are any. It
    says nothing of the task: a network at rest in a poor minimum, or with all units saturated, meets it as well.
    """

    asks = "gradient shorter than {below}"
    needs_gradients = True

    below: float = number(1e-3, "length of the gradient that is to be undercut", above=0)

    def met(self, targets: Array, outputs: Array, gradients: Sequence[Array] = ()) -> NDArray[np.bool_]:
        squares = sum((gradient**2).sum(axis=(-2, -1)) for gradient in gradients)
        return np.asarray(np.sqrt(squares) < self.below)

    def tolerates(self, distance: float) -> bool:
        return True  # whatever the outputs, the gradient may vanish
