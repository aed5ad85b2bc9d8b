"""Gradient descent with momentum."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from nn_core.optimizers.optimizer import Layers, Memory, Number, Optimizer, per_matrix, zeros_like
from nn_core.parts import Array, Condition, flag, number


@dataclass(frozen=True)
class Momentum(Optimizer, name="momentum", twin="nn_core.compiled.optimizers:momentum"):
    """Heavy-ball momentum: v <- -learning_rate * dE/dw + momentum * v; w <- w + v.

    Rumelhart, Hinton & Williams 1986, eq. 16. With `scaled`, the gradient's term is multiplied by (1 - momentum), which
    makes v a weighted average of past gradient steps (Tesauro & Janssens 1988).

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

    momentum: Number = number(0.9, "share of the last step that is kept", at_least=0)
    scaled: bool = flag(False, "whether the gradient's term is multiplied by (1 - momentum)")

    def init(self, weights: Sequence[Array]) -> Memory:
        return (zeros_like(weights),)

    def update(self, gradients: Sequence[Array], memory: Memory, weights: Sequence[Array]) -> tuple[Layers, Memory]:
        rate, momentum = per_matrix(self.learning_rate), per_matrix(self.momentum)
        if self.scaled:
            rate = rate * (1.0 - momentum)
        (velocity,) = memory
        updates = [-rate * gradient + momentum * v for gradient, v in zip(gradients, velocity, strict=True)]
        return updates, (updates,)

    def problems(self, condition: Condition) -> Iterator[str]:
        if self.scaled and np.any(np.asarray(self.momentum) >= 1):
            yield (
                f"optimizer.momentum={self.momentum} with optimizer.scaled=true: valid is a momentum below 1, "
                "since the gradient is multiplied by (1 - momentum)"
            )
