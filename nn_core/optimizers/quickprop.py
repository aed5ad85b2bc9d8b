"""Quickprop, Fahlman's second-order method."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from nn_core.optimizers.optimizer import Layers, Memory, Number, Optimizer, per_matrix, zeros_like
from nn_core.parts import Array, flag, number


@dataclass(frozen=True)
class Quickprop(Optimizer, name="quickprop", twin="nn_core.compiled.optimizers:quickprop"):
    """Jump to the bottom of a parabola through the last two slopes, weight by weight (Fahlman 1988, CMU-CS-88-162).

    With s = -dE/dw now, p the same an epoch ago, d the last step and epsilon the learning rate (divided by the number
    of weights into the unit, its bias counted, with `split_by_fan_in`):

    - d > 0: step = [s > 0] epsilon s + (mu d if s > mu / (1 + mu) p else d s / (p - s))
    - d < 0: the same, mirrored
    - d = 0: step = epsilon s

    Where the slope has shrunk too little, the parabola's bottom lies further off than mu d, and mu d is the step taken.
    Where p = s the parabola has no bottom, and that term is 0.

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

    mu: Number = number(1.75, "largest growth of a step over the last one", above=0)
    split_by_fan_in: bool = flag(False, "whether epsilon is lr divided by the number of weights into the unit")

    def init(self, weights: Sequence[Array]) -> Memory:
        return zeros_like(weights), zeros_like(weights)  # no last step, no last slope

    def update(self, gradients: Sequence[Array], memory: Memory, weights: Sequence[Array]) -> tuple[Layers, Memory]:
        rate, mu = per_matrix(self.learning_rate), per_matrix(self.mu)
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
