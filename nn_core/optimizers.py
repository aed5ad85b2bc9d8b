"""Optimizers: from gradients to weight updates.

An optimizer has two pure functions: ``init(weights)`` gives its memory before the first update, and
``update(gradients, memory, weights)`` the updates to *add* to the weights, and the new memory. Memory is a tuple of as
many lists of arrays, shaped like the weights, as the optimizer needs to remember.

Numbers may be given per network: an array of shape (R,) beside weights of shape (R, units below, units above).
"""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from typing import Self

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
Layers = list[Array]
Memory = tuple[Layers, ...]


def _per_matrix(value: float | Array) -> Array:
    """Make a number per network broadcast against its weight matrices."""
    return np.asarray(value, dtype=np.float64)[..., np.newaxis, np.newaxis]


def _zeros_like(weights: Sequence[Array]) -> Layers:
    return [np.zeros_like(W) for W in weights]


@dataclass(frozen=True)
class Optimizer(ABC):
    """What all optimizers share.

    Attributes
    ----------
    learning_rate : float or array, shape (R,)
    """

    learning_rate: float | Array

    @abstractmethod
    def init(self, weights: Sequence[Array]) -> Memory:
        """Memory before the first update."""

    @abstractmethod
    def update(self, gradients: Sequence[Array], memory: Memory, weights: Sequence[Array]) -> tuple[Layers, Memory]:
        """Updates to add to `weights`, shapes (..., units below [+ 1], units above), and the new memory."""

    def numbers(self) -> dict[str, float | Array]:
        """Return the hyperparameters that each network may have its own value of, by name; flags are shared."""
        values = {field.name: getattr(self, field.name) for field in fields(self)}
        return {name: value for name, value in values.items() if not isinstance(value, bool)}

    def spread(self, networks: int) -> Self:
        """Give every one of `networks` networks its own copy of each number."""
        return replace(
            self,
            **{
                name: np.broadcast_to(np.asarray(value, dtype=np.float64), (networks,)).copy()
                for name, value in self.numbers().items()
            },
        )

    def take(self, networks: NDArray[np.intp]) -> Self:
        """Select networks from an optimizer that was spread."""
        return replace(self, **{name: np.asarray(value)[networks] for name, value in self.numbers().items()})


@dataclass(frozen=True)
class GradientDescent(Optimizer):
    """Plain steps downhill: w <- w - learning_rate * dE/dw.

    Examples
    --------
    >>> import numpy as np
    >>> W, gradient = [np.array([[1.0]])], [np.array([[4.0]])]
    >>> descent = GradientDescent(learning_rate=0.5)
    >>> updates, _ = descent.update(gradient, descent.init(W), W)
    >>> updates[0]
    array([[-2.]])
    """

    def init(self, weights: Sequence[Array]) -> Memory:
        """Nothing to remember."""
        return ()

    def update(self, gradients: Sequence[Array], memory: Memory, weights: Sequence[Array]) -> tuple[Layers, Memory]:
        """See `Optimizer.update`."""
        rate = _per_matrix(self.learning_rate)
        return [-rate * gradient for gradient in gradients], ()


@dataclass(frozen=True)
class Momentum(Optimizer):
    """Heavy-ball momentum: v <- -learning_rate * dE/dw + momentum * v; w <- w + v.

    Rumelhart, Hinton & Williams 1986, eq. 16. With `scaled`, the gradient's term is multiplied by (1 - momentum), which
    makes v a weighted average of past gradient steps (Tesauro & Janssens 1988).

    Attributes
    ----------
    momentum : float or array, shape (R,)
    scaled : bool

    Examples
    --------
    >>> import numpy as np
    >>> W, gradient = [np.array([[1.0]])], [np.array([[4.0]])]
    >>> ball = Momentum(learning_rate=0.5, momentum=0.5)
    >>> first, memory = ball.update(gradient, ball.init(W), W)
    >>> second, _ = ball.update(gradient, memory, W)
    >>> first[0], second[0]
    (array([[-2.]]), array([[-3.]]))
    """

    momentum: float | Array = 0.9
    scaled: bool = False

    def init(self, weights: Sequence[Array]) -> Memory:
        """Start at rest."""
        return (_zeros_like(weights),)

    def update(self, gradients: Sequence[Array], memory: Memory, weights: Sequence[Array]) -> tuple[Layers, Memory]:
        """See `Optimizer.update`."""
        rate, momentum = _per_matrix(self.learning_rate), _per_matrix(self.momentum)
        if self.scaled:
            rate = rate * (1.0 - momentum)
        (velocity,) = memory
        updates = [-rate * gradient + momentum * v for gradient, v in zip(gradients, velocity, strict=True)]
        return updates, (updates,)


@dataclass(frozen=True)
class Quickprop(Optimizer):
    """Jump to the bottom of a parabola through the last two slopes, weight by weight (Fahlman 1988, CMU-CS-88-162).

    With s = -dE/dw now, p the same an epoch ago, d the last step and epsilon the learning rate (divided by the number
    of weights into the unit, its bias counted, with `split_by_fan_in`):

    - d > 0: step = [s > 0] epsilon s + (mu d if s > mu / (1 + mu) p else d s / (p - s))
    - d < 0: the same, mirrored
    - d = 0: step = epsilon s

    Where the slope has shrunk too little, the parabola's bottom lies further off than mu d, and mu d is the step taken.
    Where p = s the parabola has no bottom, and that term is 0.

    Attributes
    ----------
    mu : float or array, shape (R,)
        Largest growth of a step over the last one.
    split_by_fan_in : bool

    Examples
    --------
    >>> import numpy as np
    >>> W = [np.array([[0.0]])]
    >>> quick = Quickprop(learning_rate=0.25, mu=1.75)
    >>> first, memory = quick.update([np.array([[-4.0]])], quick.init(W), W)
    >>> second, _ = quick.update([np.array([[2.0]])], memory, W)  # d = 1, p = 4, s = -2
    >>> first[0], second[0].round(6)
    (array([[1.]]), array([[-0.333333]]))
    """

    mu: float | Array = 1.75
    split_by_fan_in: bool = False

    def init(self, weights: Sequence[Array]) -> Memory:
        """No last step, no last slope."""
        return _zeros_like(weights), _zeros_like(weights)

    def update(self, gradients: Sequence[Array], memory: Memory, weights: Sequence[Array]) -> tuple[Layers, Memory]:
        """See `Optimizer.update`."""
        rate, mu = _per_matrix(self.learning_rate), _per_matrix(self.mu)
        steps, slopes = [], []
        for gradient, d, p in zip(gradients, *memory, strict=True):
            epsilon = rate / gradient.shape[-2] if self.split_by_fan_in else rate
            s = -gradient
            sign = np.sign(d)  # folds the mirrored case onto d > 0
            growing = sign * s > mu / (1.0 + mu) * (sign * p)
            parabola = d * s / np.where(p == s, np.inf, p - s)
            downhill = np.where(sign * s > 0, epsilon * s, 0.0)
            moving = downhill + np.where(growing, mu * d, parabola)
            steps.append(np.where(d == 0, epsilon * s, moving))
            slopes.append(s)
        return steps, (steps, slopes)
