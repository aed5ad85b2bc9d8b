"""Backpropagation from scratch: tasks, networks, optimizers, criteria, ensembles and their convergence.

Read `network` first: it explains backpropagation. Then what a network is taught (`tasks`), what it is made of
(`activations`, `losses`, `initializers`), how gradients become updates (`optimizers`), how many patterns make one
(`updates`), when a network has learned (`criteria`), how an ensemble of networks is trained (`training`), what decides
that (`condition`) and what came of it (`results`). `gradient_check` tests the mathematics, `statistics` says what many
trials tell. `parts` is how all of these are declared, `compiled` the fast twin of `training`.

What belongs here is the science, in plain NumPy, on arrays: no configuration files, no tracking, no tables, no plots.
"""

from nn_core.activations import (
    Activation,
    Relu,
    ScaledTanh,
    Sigmoid,
    Softplus,
    SymmetricSigmoid,
    Tanh,
    sigmoid,
    sigmoid_derivative,
)
from nn_core.condition import Condition
from nn_core.criteria import Criterion, GradientNorm, MeanSquaredError, Tolerance
from nn_core.engines import ENGINES, Advance, choose, engine, without_twin
from nn_core.ensembles import Pace, train
from nn_core.gradient_check import GradientError, check_gradients, numerical_gradient
from nn_core.initializers import (
    Fans,
    Fixed,
    Initializer,
    LayerByLayer,
    Normal,
    Uniform,
    Xavier,
    count_weights,
    initial_ensemble,
    layer_fans,
)
from nn_core.losses import Arctanh, CrossEntropy, HalfSumOfSquares, Loss, SumOfSquares
from nn_core.network import NeuralNetwork, backward, forward
from nn_core.optimizers import Adam, GradientDescent, Momentum, Optimizer, Quickprop, Rprop
from nn_core.parts import Part, PartError, part, parts
from nn_core.results import Result, Status, results
from nn_core.tasks import BitTask, Encoder, Parity, Patterns, Task, Xor
from nn_core.training import NEVER, State, Training, advance, recorded_epochs, start
from nn_core.updates import Batch, Online, Shuffled, Update

__all__ = [
    "ENGINES", "NEVER", "Activation", "Adam", "Advance", "Arctanh", "Batch", "BitTask", "Condition", "Criterion",
    "CrossEntropy", "Encoder", "Fans", "Fixed", "GradientDescent", "GradientError", "GradientNorm",
    "HalfSumOfSquares", "Initializer", "LayerByLayer", "Loss", "MeanSquaredError", "Momentum", "NeuralNetwork",
    "Normal", "Online", "Optimizer", "Pace", "Parity", "Part", "PartError", "Patterns", "Quickprop", "Relu", "Result",
    "Rprop", "ScaledTanh", "Shuffled", "Sigmoid", "Softplus", "State", "Status", "SumOfSquares", "SymmetricSigmoid",
    "Tanh", "Task", "Tolerance", "Training", "Uniform", "Update", "Xavier", "Xor", "advance", "backward",
    "check_gradients", "choose", "count_weights", "engine", "forward", "initial_ensemble", "layer_fans",
    "numerical_gradient", "part", "parts", "recorded_epochs", "results", "sigmoid", "sigmoid_derivative", "start",
    "train", "without_twin",
]  # fmt: skip
