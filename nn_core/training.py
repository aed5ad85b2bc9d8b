"""Training an ensemble, epoch by epoch: the reference engine.

One verb trains: ``advance(state, to_epoch) -> state``. A `State` is everything that changes while an ensemble of R
networks learns; a `Training` is everything that does not, and that the networks share. This module advances in plain
NumPy and is written to be read; `nn_core.compiled` does the same, compiled, and is tested against it.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nn_core.activations import Activation, Sigmoid
from nn_core.criteria import Criterion, Tolerance
from nn_core.losses import Loss, SumOfSquares
from nn_core.network import backward, forward
from nn_core.optimizers import Layers, Memory, Optimizer
from nn_core.parts import Array, Part
from nn_core.tasks import Task
from nn_core.updates import Batch, Update

Epochs = NDArray[np.int64]

NEVER = -1  # stands for the epoch of something that has not happened


@dataclass(frozen=True)
class Training:
    """What all networks of an ensemble share."""

    task: Task
    activation: Activation = Sigmoid()  # of all hidden and output units
    derivative_offset: float = 0.0  # added to every activation derivative
    bias: float | None = None  # output of the bias unit that feeds every layer, or None for no such unit
    shortcuts: bool = False  # whether the inputs feed the outputs too
    loss: Loss = SumOfSquares()
    weight_decay: float = 0.0  # adds weight_decay * w to every gradient
    update: Update = Batch()  # how many patterns make a step, and in which order they are shown
    order_seed: int = 0  # of orders that are drawn
    criterion: Criterion = Tolerance(0.4)
    stop_when_converged: bool = False  # whether a network stops learning at its first success
    per_decade: int = 80  # how many epochs per factor of ten have their loss recorded

    @property
    def parts(self) -> tuple[Part, ...]:
        """The parts that the training is put together from, the task first."""
        return self.task, self.criterion, self.activation, self.loss, self.update


@dataclass(frozen=True)
class State:
    """An ensemble of R networks, some epochs into their training.

    A network that has ended keeps the weights and the loss that it ended with; one that diverged, its last finite ones.
    """

    training: Training
    optimizer: Optimizer  # its numbers have shape (R,)
    weights: Layers  # shapes (R, units below [+ 1], units above)
    memory: Memory  # what the optimizer remembers: lists of arrays of shapes (R, ..., ...)
    epoch: int  # epochs of updates made so far
    losses: Array  # shape (R, K): loss after each epoch of ``recorded(epoch)``
    # All of shape (R,), and `NEVER` if that has not happened: epochs made before the first forward pass with which the
    # criterion was met, as often in a row as it is to hold (0 if the initial weights do), before the first of the
    # passes that meet it now, and before updates would have left the range of float64.
    first_success: Epochs
    met_since: Epochs
    diverged_at: Epochs

    @property
    def networks(self) -> int:
        """How many networks there are, R."""
        return len(self.first_success)

    @property
    def ended_at(self) -> Epochs:
        """Epoch at which each network stopped learning, or `NEVER` where it still does; shape (R,)."""
        stopped = self.first_success if self.training.stop_when_converged else NEVER
        return np.where(self.diverged_at != NEVER, self.diverged_at, stopped)

    def recorded(self, to_epoch: int) -> Epochs:
        """Epochs of the losses that there are at `to_epoch`; `ValueError` if the ensemble is beyond that already."""
        if to_epoch < self.epoch:
            raise ValueError(f"to_epoch={to_epoch}: the ensemble is already at epoch {self.epoch}")
        return recorded_epochs(self.training.per_decade, to_epoch)

    def take(self, networks: NDArray[np.intp]) -> "State":
        """Select networks by index, shape (r,); the result shares no memory with this state."""
        return self.map(lambda rows: rows[networks])

    def map(self, function: Callable[..., Any], *others: "State") -> "State":
        """Apply a function to each array that has a row for every network, and to the same arrays of other states."""
        states = (self, *others)

        def mapped(layers: Iterable[Layers]) -> Layers:
            return [function(*matrices) for matrices in zip(*layers, strict=True)]

        return replace(
            self,
            optimizer=self.optimizer.map(function, *(state.optimizer for state in others)),
            weights=mapped(state.weights for state in states),
            memory=tuple(mapped(layers) for layers in zip(*(state.memory for state in states), strict=True)),
            losses=function(*(state.losses for state in states)),
            first_success=function(*(state.first_success for state in states)),
            met_since=function(*(state.met_since for state in states)),
            diverged_at=function(*(state.diverged_at for state in states)),
        )


@lru_cache
def recorded_epochs(per_decade: int, upto: int) -> Epochs:
    """Epochs whose loss is recorded: 0 and round(10^(k / per_decade)) for k = 0, 1, ..., none above `upto`; shape (K,).

    The same grid for every cut-off, so that curves of different lengths can be laid over each other.
    """
    powers = np.arange(int(np.ceil(per_decade * np.log10(max(upto, 1)))) + 2)
    grid = np.rint(10.0 ** (powers / per_decade)).astype(np.int64)
    epochs = np.unique(np.append(0, grid[grid <= upto]))
    epochs.setflags(write=False)
    return epochs


def start(training: Training, optimizer: Optimizer, weights: Sequence[Array]) -> State:
    """Put an ensemble at epoch 0, with copies of its initial weights, shapes (R, units below [+ 1], units above).

    The optimizer's numbers are scalars, or arrays of shape (R,): one per network. `ValueError` if the weights are no
    ensemble: matrices without the leading axis, or layers of different R.
    """
    copies = [np.array(W, dtype=np.float64, order="C") for W in weights]
    networks = len(copies[0])
    if any(W.ndim != 3 or len(W) != networks for W in copies):
        raise ValueError(
            f"weights of shapes {[W.shape for W in copies]}: an ensemble's are (networks, units below, units above)"
        )
    return State(
        training=training,
        optimizer=optimizer.spread(networks),
        weights=copies,
        memory=optimizer.init(copies),
        epoch=0,
        losses=np.empty((networks, 0)),
        first_success=np.full(networks, NEVER, dtype=np.int64),
        met_since=np.full(networks, NEVER, dtype=np.int64),
        diverged_at=np.full(networks, NEVER, dtype=np.int64),
    )


def advance(state: State, to_epoch: int) -> State:
    """Train until `to_epoch` epochs of updates have been made in all, in plain NumPy.

    Before every epoch, and once more after the last, all patterns are shown with the weights held: that pass tells the
    loss to record and whether the criterion is met. With batch updates it is also what the gradient is taken from.
    Advancing in several steps gives what one step gives. `ValueError` if `to_epoch` lies before the state's epoch.
    """
    training, task = state.training, state.training.task
    grid = state.recorded(to_epoch)
    losses = list(state.losses.T)
    # Networks that overflow are noticed and left alone; NumPy need not warn of them.
    with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
        for epoch in range(state.epoch, to_epoch + 1):
            layers = show(training, state.weights, task.inputs)
            if len(losses) < len(grid) and grid[len(losses)] == epoch:
                losses.append(training.loss.value(task.targets, layers[-1]))
            since = np.where(state.met_since == NEVER, epoch, state.met_since)
            since = np.where(judge(training, state.weights, layers), since, NEVER)
            held = (since != NEVER) & (epoch - since >= training.criterion.hold - 1)
            first = np.where(held & (state.first_success == NEVER), epoch, state.first_success)
            state = replace(state, epoch=epoch, first_success=first, met_since=since)
            if epoch == to_epoch or (state.ended_at != NEVER).all():
                break
            state = _one_epoch(state, layers)
        # If every network has ended before, what is left to record is their last loss.
        losses += [training.loss.value(task.targets, layers[-1])] * (len(grid) - len(losses))
    return replace(state, epoch=to_epoch, losses=np.stack(losses, axis=1))


def show(training: Training, weights: Sequence[Array], inputs: Array) -> list[Array]:
    """Outputs of all layers for inputs of shape (patterns, inputs); see `nn_core.network.forward`."""
    return forward(weights, inputs, training.activation, training.bias, training.shortcuts)


def judge(training: Training, weights: Sequence[Array], layers: Sequence[Array]) -> NDArray[np.bool_]:
    """Whether a pass over all patterns, of these weights to these outputs, meets the criterion; shape (R,)."""
    targets = training.task.targets
    slopes = gradients(training, weights, layers, targets) if training.criterion.needs_gradients else []
    return training.criterion.met(targets, layers[-1], slopes)


def gradients(training: Training, weights: Sequence[Array], layers: Sequence[Array], targets: Array) -> list[Array]:
    """What an update is made of: the gradient over the patterns that `layers` were computed from, and weight decay.

    Shapes of `weights`; see `nn_core.network.backward`.
    """
    output_slope = training.loss.slope(targets, layers[-1])
    options = training.activation, training.bias, training.derivative_offset, training.shortcuts
    slopes = backward(weights, layers, output_slope, *options)
    if training.weight_decay:
        slopes = [slope + training.weight_decay * W for slope, W in zip(slopes, weights, strict=True)]
    return slopes


def _one_epoch(state: State, layers: Sequence[Array]) -> State:
    """Make an epoch's updates; `layers` are of the pass that was just made with the current weights."""
    training, task = state.training, state.training.task
    weights, memory = state.weights, state.memory
    patterns = len(task.inputs)
    for batch in training.update.batches(patterns, state.epoch, training.order_seed):
        targets = task.targets
        if len(batch) < patterns:
            layers, targets = show(training, weights, task.inputs[batch]), task.targets[batch]
        slopes = gradients(training, weights, layers, targets)
        steps, memory = state.optimizer.update(slopes, memory, weights)
        weights = [W + step for W, step in zip(weights, steps, strict=True)]

    running = state.ended_at == NEVER
    finite = np.all([np.isfinite(W).all(axis=(-2, -1)) for W in weights], axis=0)
    moves = (running & finite)[:, np.newaxis, np.newaxis]
    return replace(
        state,
        weights=[np.where(moves, new, W) for new, W in zip(weights, state.weights, strict=True)],
        memory=tuple(
            [np.where(moves, new, M) for new, M in zip(*pair, strict=True)]
            for pair in zip(memory, state.memory, strict=True)
        ),
        diverged_at=np.where(running & ~finite, state.epoch, state.diverged_at),
    )
