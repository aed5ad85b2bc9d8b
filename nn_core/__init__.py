"""Backpropagation from scratch: tasks, networks, optimizers, criteria, ensembles and their convergence.

Read `network` first: it explains backpropagation. Then what a network is taught (`tasks`), what it is made of
(`activations`, `losses`, `initializers`), how gradients become updates (`optimizers`), when a network has learned
(`criteria`), how an ensemble of networks is trained (`training`) and what came of it (`results`). `gradient_check`
tests the mathematics, `engines` names the compiled twin of `training`, `statistics` says what many trials tell.
"""

from nn_core import tasks
from nn_core.activations import ACTIVATIONS, Activation, sigmoid, sigmoid_derivative
from nn_core.criteria import Criterion, MeanSquaredError, Tolerance
from nn_core.engines import ENGINES, Advance, engine
from nn_core.ensembles import Pace, train
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
    "Advance",
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
    "Pace",
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
    "train",
]
