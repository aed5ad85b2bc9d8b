"""A condition: everything that decides a trial but its seed."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

from nn_core.initializers import Fans, Initializer, initial_ensemble, layer_fans
from nn_core.optimizers import Optimizer
from nn_core.parts import Part
from nn_core.training import State, Training, start


@dataclass(frozen=True)
class Condition:
    """What a network is, where it starts, and how it learns.

    Examples
    --------
    A hundred networks learn XOR:

    >>> from nn_core import Condition, GradientDescent, Training, Uniform, Xor, advance, results
    >>> condition = Condition(Training(Xor()), (4,), Uniform(), GradientDescent(1.0))
    >>> state = advance(condition.start(range(100)), 1500)
    >>> sum(result.converged for result in results(state))
    100
    """

    training: Training
    hidden: tuple[int, ...]  # units of the hidden layers
    initializer: Initializer
    optimizer: Optimizer

    @property
    def sizes(self) -> tuple[int, ...]:
        """Units per layer, inputs first, outputs last."""
        inputs, outputs = self.training.task.sizes
        return inputs, *self.hidden, outputs

    @cached_property
    def fans(self) -> list[Fans]:
        """What each weight matrix joins."""
        return layer_fans(self.sizes, self.training.bias, self.training.shortcuts)

    @property
    def parts(self) -> tuple[Part, ...]:
        """The parts that the condition is put together from."""
        task, *others = self.training.parts
        return task, self.initializer, self.optimizer, *others

    def problems(self) -> list[str]:
        """Say what its parts cannot tolerate of each other; empty if it can be trained."""
        return [problem for part in self.parts for problem in part.problems(self)]

    def start(self, seeds: Sequence[int]) -> State:
        """Put one network per seed at epoch 0."""
        return start(self.training, self.optimizer, initial_ensemble(self.initializer, self.fans, seeds))
