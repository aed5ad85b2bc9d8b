"""Backpropagation from scratch: tasks, networks, optimizers, criteria, ensembles and their convergence.

Read `nn_core.network` first, then `nn_core.training`.
"""

from nn_core import tasks
from nn_core.activations import ACTIVATIONS, Activation, sigmoid, sigmoid_derivative
from nn_core.criteria import Criterion, MeanSquaredError, Tolerance
from nn_core.engines import ENGINES, engine
from nn_core.gradient_check import GradientError, check_gradients, numerical_gradient
from nn_core.initializers import (
    Fixed,
    Initializer,
    Normal,
    Uniform,
    Xavier,
    count_weights,
    initial_ensemble,
    initial_weights,
)
from nn_core.losses import LOSSES, Loss
from nn_core.network import NeuralNetwork, backward, forward
from nn_core.optimizers import GradientDescent, Momentum, Optimizer, Quickprop
from nn_core.results import Result, Status, results
from nn_core.tasks import Task
from nn_core.training import NEVER, State, Training, advance, recorded_epochs, start

__all__ = [
    "ACTIVATIONS",
    "ENGINES",
    "LOSSES",
    "NEVER",
    "Activation",
    "Criterion",
    "Fixed",
    "GradientDescent",
    "GradientError",
    "Initializer",
    "Loss",
    "MeanSquaredError",
    "Momentum",
    "NeuralNetwork",
    "Normal",
    "Optimizer",
    "Quickprop",
    "Result",
    "State",
    "Status",
    "Task",
    "Tolerance",
    "Training",
    "Uniform",
    "Xavier",
    "advance",
    "backward",
    "check_gradients",
    "count_weights",
    "engine",
    "forward",
    "initial_ensemble",
    "initial_weights",
    "numerical_gradient",
    "recorded_epochs",
    "results",
    "sigmoid",
    "sigmoid_derivative",
    "start",
    "tasks",
]
