"""Plain gradient descent."""

from collections.abc import Sequence
from dataclasses import dataclass

from nn_core.optimizers.optimizer import Layers, Memory, Optimizer, per_matrix
from nn_core.parts import Array


@dataclass(frozen=True)
class GradientDescent(Optimizer, name="gradient_descent", twin="nn_core.compiled.optimizers:gradient_descent"):
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
        return ()

    def update(self, gradients: Sequence[Array], memory: Memory, weights: Sequence[Array]) -> tuple[Layers, Memory]:
        rate = per_matrix(self.learning_rate)
        return [-rate * gradient for gradient in gradients], ()
