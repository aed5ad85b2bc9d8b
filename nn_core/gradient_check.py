"""Is this gradient right? Ask the loss itself.

A gradient can be checked without knowing how it was computed: nudge one weight up and down by a little h, and the
loss must change by 2 h times the slope. Analytic gradients and this central difference agree to about h^2.
"""

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from nn_core.network import backward, forward
from nn_core.training import Training

Array = NDArray[np.float64]


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
            below = loss(weights)
            W[index] = kept
            G[index] = (above - below) / (2.0 * step)
    return gradient


def check_gradients(training: Training, weights: Sequence[Array], tolerance: float = 1e-6) -> None:
    """Compare backpropagation with central differences at the given weights of one network.

    Parameters
    ----------
    training : Training
        Task, activation, bias, loss (and derivative offset, which makes the check fail unless it is 0).
    weights : sequence of arrays, shapes (units below [+ 1], units above)
    tolerance : float
        Largest difference allowed, relative to 1 + the numerical slope's magnitude.

    Raises
    ------
    GradientError
        If any weight's gradient is off; the message names the first such weight and prints both numbers.
    """
    task = training.task

    def loss(candidate: Sequence[Array]) -> float:
        outputs = forward(candidate, task.inputs, training.activation, training.bias)[-1]
        return float(training.loss.value(task.targets, outputs))

    layers = forward(weights, task.inputs, training.activation, training.bias)
    analytic = backward(
        weights,
        layers,
        training.loss.slope(task.targets, layers[-1]),
        training.activation,
        training.bias,
        training.derivative_offset,
    )
    for layer, (ours, theirs) in enumerate(zip(analytic, numerical_gradient(loss, weights), strict=True), start=1):
        wrong = np.abs(ours - theirs) > tolerance * (1.0 + np.abs(theirs))
        if wrong.any():
            i, j = np.argwhere(wrong)[0]
            raise GradientError(
                f"weights{layer}[{i}, {j}]: backpropagation says {ours[i, j]:.10g}, "
                f"central differences say {theirs[i, j]:.10g} ({wrong.sum()} of this layer's {wrong.size} weights differ)"
            )
