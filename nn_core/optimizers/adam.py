"""Adam, which measures a slope by its own past."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from nn_core.optimizers.optimizer import Layers, Memory, Number, Optimizer, per_matrix, zeros_like
from nn_core.parts import Array, number


@dataclass(frozen=True)
class Adam(Optimizer, name="adam", twin="nn_core.compiled.optimizers:adam"):
    """Adaptive moments (Kingma & Ba 2015, algorithm 1).

    With g = dE/dw, and t the number of updates, this one included:

    - m <- beta1 m + (1 - beta1) g        the mean of past slopes
    - v <- beta2 v + (1 - beta2) g^2      the mean of their squares
    - step = -learning_rate m' / (sqrt(v') + epsilon), with m' = m / (1 - beta1^t) and v' = v / (1 - beta2^t)

    m and v begin at 0; dividing by 1 - beta^t makes means of them while they are young. The paper's learning rate is
    0.001.

    Examples
    --------
    The first step has the learning rate's size whatever the slope's, for m' = g and v' = g^2.

    >>> import numpy as np
    >>> W = [np.array([[0.0, 0.0]])]
    >>> adam = Adam(learning_rate=0.1)
    >>> first, _ = adam.update([np.array([[-400.0, 0.2]])], adam.init(W), W)
    >>> first[0].round(6)
    array([[ 0.1, -0.1]])
    """

    beta1: Number = number(0.9, "share of the past in the mean slope", at_least=0, below=1)
    beta2: Number = number(0.999, "share of the past in the mean squared slope", at_least=0, below=1)
    epsilon: Number = number(1e-8, "added to the root mean square, which may be 0", above=0)

    def init(self, weights: Sequence[Array]) -> Memory:
        updates = np.zeros((*weights[0].shape[:-2], 1, 1))  # made so far, of each network
        return zeros_like(weights), zeros_like(weights), [updates]

    def update(self, gradients: Sequence[Array], memory: Memory, weights: Sequence[Array]) -> tuple[Layers, Memory]:
        rate, beta1, beta2, epsilon = map(per_matrix, (self.learning_rate, self.beta1, self.beta2, self.epsilon))
        means, squares, (count,) = memory
        count = count + 1.0
        means = [beta1 * m + (1.0 - beta1) * g for m, g in zip(means, gradients, strict=True)]
        squares = [beta2 * v + (1.0 - beta2) * g * g for v, g in zip(squares, gradients, strict=True)]
        young1, young2 = 1.0 - beta1**count, 1.0 - beta2**count
        steps = [-rate * (m / young1) / (np.sqrt(v / young2) + epsilon) for m, v in zip(means, squares, strict=True)]
        return steps, (means, squares, [count])
