"""Optimizers: from gradients to weight updates, one optimizer a file.

What belongs here is how a step follows from slopes, in plain NumPy; not where slopes come from, nor a compiled twin.
"""

from nn_core.optimizers.optimizer import Layers, Memory, Number, Optimizer, per_matrix, zeros_like
from nn_core.parts import import_modules

from nn_core.optimizers.gradient_descent import GradientDescent  # isort: skip  # in the order of their age
from nn_core.optimizers.momentum import Momentum  # isort: skip
from nn_core.optimizers.quickprop import Quickprop  # isort: skip
from nn_core.optimizers.rprop import Rprop  # isort: skip
from nn_core.optimizers.adam import Adam  # isort: skip

import_modules(__name__, __path__)

__all__ = [
    "Adam", "GradientDescent", "Layers", "Memory", "Momentum", "Number", "Optimizer", "Quickprop", "Rprop",
    "per_matrix", "zeros_like",
]  # fmt: skip
