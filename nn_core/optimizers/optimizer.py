"""What an optimizer is: from gradients to weight updates."""

from abc import abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields, replace
from typing import Self

import numpy as np

from nn_core.parts import Array, Part, number

Layers = list[Array]
Memory = tuple[Layers, ...]
Number = float | Array  # one for all networks, or an array of shape (R,): one each


@dataclass(frozen=True)
class Optimizer(Part, kind="optimizer"):
    """Two pure functions, and the numbers they work with.

    ``init(weights)`` gives the memory before the first update, and ``update(gradients, memory, weights)`` the updates
    to *add* to the weights, and the new memory. Memory is a tuple of as many lists of arrays as the optimizer needs to
    remember: shaped like the weights, or of shape (..., 1, 1) for what it knows of a network as a whole.

    Numbers may be given per network: an array of shape (R,) beside weights of shape (R, units below, units above).
    """

    learning_rate: Number = number(0.1, "learning rate", above=0, key="lr")

    @abstractmethod
    def init(self, weights: Sequence[Array]) -> Memory:
        """Memory before the first update."""

    @abstractmethod
    def update(self, gradients: Sequence[Array], memory: Memory, weights: Sequence[Array]) -> tuple[Layers, Memory]:
        """Updates to add to `weights`, shapes (..., units below [+ 1], units above), and the new memory."""

    def numbers(self) -> dict[str, Number]:
        """Return the hyperparameters that each network may have its own value of, by name; flags are shared."""
        values = {field.name: getattr(self, field.name) for field in fields(self)}
        return {name: value for name, value in values.items() if not isinstance(value, bool)}

    def spread(self, networks: int) -> Self:
        """Give every one of `networks` networks its own copy of each number."""
        return self.map(lambda value: np.broadcast_to(np.asarray(value, dtype=np.float64), (networks,)).copy())

    def map(self, function: Callable[..., Number], *others: Self) -> Self:
        """Apply a function to each number, and to those of the same name of other optimizers of this kind."""
        optimizers = (self, *others)
        return replace(self, **{name: function(*(getattr(o, name) for o in optimizers)) for name in self.numbers()})


def per_matrix(value: Number) -> Array:
    """Make a number per network broadcast against its weight matrices."""
    return np.asarray(value, dtype=np.float64)[..., np.newaxis, np.newaxis]


def zeros_like(weights: Sequence[Array]) -> Layers:
    """Zeros for every weight."""
    return [np.zeros_like(W) for W in weights]
