"""Criteria: when a network counts as having learned its task."""

from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


class Criterion(Protocol):
    """Decides from one forward pass over all patterns."""

    def met(self, targets: Array, outputs: Array) -> NDArray[np.bool_]:
        """Shapes (patterns, outputs) and (..., patterns, outputs) to (...)."""
        ...


@dataclass(frozen=True)
class Tolerance:
    """Every output of every pattern strictly within `tolerance` of its target."""

    tolerance: float = 0.4

    def met(self, targets: Array, outputs: Array) -> NDArray[np.bool_]:
        """Shapes (patterns, outputs) and (..., patterns, outputs) to (...)."""
        return np.asarray((np.abs(targets - outputs) < self.tolerance).all(axis=(-2, -1)))


@dataclass(frozen=True)
class MeanSquaredError:
    """Squared error, averaged over patterns and outputs, strictly below `below`."""

    below: float = 0.01

    def met(self, targets: Array, outputs: Array) -> NDArray[np.bool_]:
        """Shapes (patterns, outputs) and (..., patterns, outputs) to (...)."""
        return np.asarray(((targets - outputs) ** 2).mean(axis=(-2, -1)) < self.below)
