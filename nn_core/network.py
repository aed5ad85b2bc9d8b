"""A feedforward network and backpropagation, from top to bottom.

A network is a list of weight matrices. The matrix between two layers has one row for each unit below and one column
for each unit above, so a layer of outputs (one row per pattern) becomes the next by one matrix product and the
activation function:

    z = below @ W        net input of every unit above, for every pattern
    above = s(z)

Learning asks, of every weight at once: if it grew a little, how would the error E change? The chain rule answers from
the output layer down. Write delta for dE/dz, the error's slope with respect to a unit's net input, and M.T for the
transpose of a matrix M. Then

    delta(above) = dE/d(above) * s'(z)       for the outputs, dE/d(above) comes from the loss
    dE/dW        = below.T @ delta(above)    what came in through the weight, times how much its unit is to blame
    dE/d(below)  = delta(above) @ W.T        the blame handed down, through the same weights

and with dE/d(below) the same three lines serve the next layer down. The net inputs need not be kept for that: the
slope of a sigmoid follows from its output, s'(z) = s(z) (1 - s(z)), so `activation.derivative` takes the outputs that
`forward` returns. That is all of backpropagation (Rumelhart, Hinton & Williams, "Learning internal representations by
error propagation", PDP vol. 1, ch. 8, 1986, eqs. 13 and 14, whose delta is -dE/dz). `forward` and `backward` below are
these lines; `nn_core.gradient_check` verifies them.

Every array may carry leading *ensemble* axes: with W of shape (R, inputs, hidden), R networks are trained by the same
lines, because a matrix product of stacks is a stack of matrix products.
"""

from collections.abc import Sequence

import numpy as np

from nn_core.activations import Activation, Sigmoid
from nn_core.initializers import Uniform, layer_fans
from nn_core.losses import SumOfSquares
from nn_core.parts import Array


def feeding(layers: Sequence[Array], bias: float | None, joined: bool) -> Array:
    """What feeds the layer above those given, shape (..., patterns, units [+ inputs] [+ 1]).

    That is the last of the layers, joined by the inputs where shortcuts lead past it, and the bias unit, whose output
    is always `bias`.
    """
    if bias is None and not joined:
        return layers[-1]
    below = [layers[-1]]
    if joined:
        below.append(layers[0])
    if bias is not None:
        below.append(np.array([bias]))
    shape = layers[-1].shape[:-1]
    return np.concatenate([np.broadcast_to(units, (*shape, units.shape[-1])) for units in below], axis=-1)


def forward(
    weights: Sequence[Array], inputs: Array, activation: Activation, bias: float | None = None, shortcuts: bool = False
) -> list[Array]:
    """Show patterns to the network.

    Parameters
    ----------
    weights : sequence of arrays, shapes (..., units below [+ 1 for the bias row, last], units above)
        From the input layer to the output layer.
    inputs : array, shape (patterns, inputs)
    activation : Activation
        Of every unit above the input layer.
    bias : float or None
        Output of a bias unit that feeds every layer, or None for a network without one.
    shortcuts : bool
        Whether the inputs feed the outputs too, past the hidden layers. The last matrix then has a row for each input,
        after those for the hidden units.

    Returns
    -------
    list of arrays, shapes (..., patterns, units)
        The outputs of all layers; the first is `inputs`, the last is what the network answers.

    Examples
    --------
    One input, one hidden unit, one output. The input is 1; s(ln 3 * 1) = 3/4; s(2 ln 3 * 3/4) = 0.8386.

    >>> weights = [np.array([[np.log(3)]]), np.array([[2 * np.log(3)]])]
    >>> [round(layer.item(), 4) for layer in forward(weights, np.array([[1.0]]), Sigmoid())]
    [1.0, 0.75, 0.8386]
    """
    layers = [inputs]
    for depth, W in enumerate(weights, start=1):
        z = feeding(layers, bias, shortcuts and depth == len(weights)) @ W
        layers.append(activation.function(z))
    return layers


def backward(
    weights: Sequence[Array],
    layers: Sequence[Array],
    output_slope: Array,
    activation: Activation,
    bias: float | None = None,
    derivative_offset: float = 0.0,
    shortcuts: bool = False,
) -> list[Array]:
    """Hand the error down: the gradient of the loss with respect to every weight.

    Parameters
    ----------
    weights : sequence of arrays, shapes (..., units below [+ 1], units above)
    layers : sequence of arrays, shapes (..., patterns, units)
        What `forward` returned for these weights.
    output_slope : array, shape (..., patterns, outputs)
        dE/d(output), from the loss.
    activation, bias, shortcuts
        As for `forward`.
    derivative_offset : float
        Added to every derivative of the activation. Fahlman's 0.1 keeps saturated units learning (1988,
        CMU-CS-88-162); with anything but 0 the result is no longer the gradient.

    Returns
    -------
    list of arrays, shapes of `weights`
        dE/dW, summed over patterns.

    Examples
    --------
    The network of `forward`'s example, asked for 0, with E = o^2, so dE/do = 2 o. At the output, o = 0.8386 and
    delta = 2 o * o (1 - o) = 0.2270, so dE/dw2 = 3/4 * delta = 0.1703. Through w2 = 2 ln 3 the hidden unit is handed
    2 ln 3 * 0.2270 = 0.4988; its delta is that times 3/4 (1 - 3/4), 0.0935, so dE/dw1 = 1 * 0.0935.

    >>> weights = [np.array([[np.log(3)]]), np.array([[2 * np.log(3)]])]
    >>> layers = forward(weights, np.array([[1.0]]), Sigmoid())
    >>> gradients = backward(weights, layers, 2 * layers[-1], Sigmoid())
    >>> [round(gradient.item(), 4) for gradient in gradients]
    [0.0935, 0.1703]
    """
    gradients: list[Array] = []
    slope = output_slope  # dE/d(output of the layer above)
    for depth in reversed(range(len(weights))):
        below, above = layers[depth], layers[depth + 1]
        delta = slope * (activation.derivative(above) + derivative_offset)
        came_in = feeding(layers[: depth + 1], bias, shortcuts and depth == len(weights) - 1)
        gradients.append(np.swapaxes(came_in, -1, -2) @ delta)
        if depth > 0:
            to_units = weights[depth][..., : below.shape[-1], :]  # inputs and bias unit have nothing below to blame
            slope = delta @ np.swapaxes(to_units, -1, -2)
    return gradients[::-1]


class NeuralNetwork:
    """The lesson's network: one hidden layer of 4 sigmoid units, full-batch gradient descent on squared error.

    `ValueError` if `x` and `y` are not two tables of as many rows.

    Parameters
    ----------
    x : array, shape (patterns, inputs)
    y : array, shape (patterns, outputs)
    learning_rate : float
    rng : numpy Generator, seed or None
        Source of the initial weights, uniform on [0, 1).

    Attributes
    ----------
    input, y : arrays
        The patterns and their targets, `x` and `y` as given.
    weights1, weights2 : arrays, shapes (inputs, 4) and (4, outputs)
    layer1, output : arrays, shapes (patterns, 4) and (patterns, outputs)
        Of the last `feedforward`; after `train` that is one update behind the weights.

    Examples
    --------
    >>> from nn_core import NeuralNetwork, Xor
    >>> task = Xor()
    >>> network = NeuralNetwork(task.inputs, task.targets, learning_rate=1.0, rng=0)
    >>> network.train(5000)
    >>> network.predict(task.inputs).round().ravel()
    array([0., 1., 1., 0.])
    """

    HIDDEN = 4

    def __init__(
        self, x: Array, y: Array, learning_rate: float = 0.1, *, rng: np.random.Generator | int | None = None
    ) -> None:
        self.input = np.asarray(x, dtype=np.float64)
        self.y = np.asarray(y, dtype=np.float64)
        self.learning_rate = learning_rate
        if self.input.ndim != 2 or self.y.ndim != 2 or len(self.input) != len(self.y):
            raise ValueError(
                f"x of shape {self.input.shape}, y of shape {self.y.shape}: "
                "(patterns, inputs) and (patterns, outputs) are needed"
            )
        sizes = (self.input.shape[1], self.HIDDEN, self.y.shape[1])
        fans = layer_fans(sizes, bias=None)
        self.weights1, self.weights2 = Uniform(0.0, 1.0).matrices(fans, np.random.default_rng(rng))
        self.layer1 = np.zeros((len(self.input), self.HIDDEN))
        self.output = np.zeros(self.y.shape)

    def feedforward(self) -> Array:
        """Compute `layer1` and `output` from the current weights; returns `output`."""
        weights = [self.weights1, self.weights2]
        _, self.layer1, self.output = forward(weights, self.input, Sigmoid())
        return self.output

    def backprop(self) -> None:
        """Update both weight matrices, by gradients that are both taken at the old weights."""
        gradient1, gradient2 = backward(
            [self.weights1, self.weights2],
            [self.input, self.layer1, self.output],
            SumOfSquares().slope(self.y, self.output),
            Sigmoid(),
        )
        self.weights1 = self.weights1 - self.learning_rate * gradient1
        self.weights2 = self.weights2 - self.learning_rate * gradient2

    def train(self, epochs: int) -> None:
        """Feed forward and update, `epochs` times."""
        for _ in range(epochs):
            self.feedforward()
            self.backprop()

    def predict(self, new_input: Array) -> Array:
        """Answer for new patterns, shape (patterns, inputs); leaves `layer1` and `output` alone."""
        new_input = np.asarray(new_input, dtype=np.float64)
        return forward([self.weights1, self.weights2], new_input, Sigmoid())[-1]
