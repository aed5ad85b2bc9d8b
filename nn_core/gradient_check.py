"""Is this gradient right? Ask the loss itself.

A gradient can be checked without knowing how it was computed: nudge one weight up and down by a little h, and the
loss must change by 2 h times its slope. This central difference is off by two errors: of order h^2, because the loss is
no straight line, and of order 1e-16 / h times the loss, because float64 rounds. At h = 1e-6 both are tiny.
"""

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np

from nn_core.parts import Array
from nn_core.training import Training, gradients, show


class GradientError(AssertionError):
    """A gradient that is not the slope of its loss; the message prints both numbers."""


def numerical_gradient(
    loss: Callable[[list[Array]], float], weights: Sequence[Array], step: float = 1e-6
) -> list[Array]:
    """Central differences (E(w + h) - E(w - h)) / 2h, one weight at a time; shapes of `weights`."""
    weights = [W.copy() for W in weights]
    gradient = [np.empty_like(W) for W in weights]
    for W, G in zip(weights, gradient, strict=True):
        for index in np.ndindex(W.shape):
            kept = W[index]
            W[index] = kept + step
            above = loss(weights)
            W[index] = kept - step
            G[index] = (above - loss(weights)) / (2.0 * step)
            W[index] = kept
    return gradient


def check_gradients(training: Training, weights: Sequence[Array], tolerance: float = 1e-6) -> None:
    """Compare backpropagation with central differences at the weights of one network.

    Weight decay is no part of the loss, and not checked; a derivative offset makes the check fail unless it is 0.
    `GradientError` names the first weight whose gradient is not a number, or off by more than the tolerance, relative
    to 1 + the numerical slope's magnitude. Weights have shapes (units below [+ 1], units above).

    Examples
    --------
    >>> from nn_core import Training, Uniform, Xor, layer_fans
    >>> weights = Uniform(-1, 1).matrices(layer_fans((3, 4, 1), bias=None), np.random.default_rng(0))
    >>> check_gradients(Training(Xor()), weights)
    >>> check_gradients(Training(Xor(), derivative_offset=0.1), weights)  # doctest: +ELLIPSIS
    Traceback (most recent call last):
    nn_core.gradient_check.GradientError: weights1[0, 0]: backpropagation says ..., central differences say ...
    """
    task = training.task

    def loss(candidate: Sequence[Array]) -> float:
        return training.loss.value(task.targets, show(training, candidate, task.inputs)[-1]).item()

    layers = show(training, weights, task.inputs)
    analytic = gradients(replace(training, weight_decay=0.0), weights, layers, task.targets)
    for layer, (ours, theirs) in enumerate(zip(analytic, numerical_gradient(loss, weights), strict=True), start=1):
        wrong = ~(np.abs(ours - theirs) <= tolerance * (1.0 + np.abs(theirs)))  # so that nan is wrong, too
        if wrong.any():
            i, j = np.argwhere(wrong)[0]
            raise GradientError(
                f"weights{layer}[{i}, {j}]: backpropagation says {ours[i, j]:.10g}, central differences say "
                f"{theirs[i, j]:.10g} ({wrong.sum()} of this layer's {wrong.size} weights differ)"
            )
