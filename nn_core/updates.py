"""Updates: how many patterns make one step, and in which order patterns are shown."""

from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from nn_core.parts import Part

Order = NDArray[np.intp]


@dataclass(frozen=True)
class Update(Part, kind="update"):
    """An epoch's updates: all patterns in some order, cut into batches, each of which makes one step."""

    is_seeded: ClassVar[bool] = False  # whether the order is drawn

    @abstractmethod
    def batch_size(self, patterns: int) -> int:
        """How many of the patterns make one step."""

    def order(self, patterns: int, epoch: int, seed: int) -> Order:
        """Order in which an epoch shows the patterns, shape (patterns,); the same for all networks of an ensemble.

        `epoch` counts the epochs of updates made before; `seed` is that of orders that are drawn.
        """
        return np.arange(patterns)

    def batches(self, patterns: int, epoch: int, seed: int) -> Sequence[Order]:
        """Cut the order into batches; the last one takes what is left."""
        size = self.batch_size(patterns)
        order = self.order(patterns, epoch, seed)
        return [order[first : first + size] for first in range(0, patterns, size)]


@dataclass(frozen=True)
class Batch(Update, name="batch", twin="nn_core.compiled"):
    """One step an epoch, from the gradient summed over all patterns."""

    def batch_size(self, patterns: int) -> int:
        return patterns


@dataclass(frozen=True)
class Online(Update, name="online", twin="nn_core.compiled"):
    """A step after every pattern, in their order."""

    def batch_size(self, patterns: int) -> int:
        return 1


@dataclass(frozen=True)
class Shuffled(Online, name="shuffled", twin="nn_core.compiled"):
    """A step after every pattern, in an order that is drawn anew for every epoch.

    Anyone can redraw it: epoch t (from 0) takes ``np.random.default_rng([seed, t]).permutation(patterns)``, with the
    configuration's `order_seed`. All networks see the same orders, so that a network's training does not depend on
    which others it is trained with.

    Examples
    --------
    >>> sorted(Shuffled().order(4, epoch=0, seed=0).tolist())
    [0, 1, 2, 3]
    """

    is_seeded = True

    def order(self, patterns: int, epoch: int, seed: int) -> Order:
        return np.random.default_rng([seed, epoch]).permutation(patterns)
