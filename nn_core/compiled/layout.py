"""How an ensemble's state lies in the kernel's arrays, and back."""

import numpy as np
from numpy.typing import NDArray

from nn_core.compiled import passes
from nn_core.compiled.kernel import NUMBERS, Ensemble, Plan
from nn_core.compiled.linking import link
from nn_core.compiled.records import packed
from nn_core.optimizers import Layers, Memory
from nn_core.parts import Array
from nn_core.training import NEVER, State


def ensemble(state: State, recorded: int) -> Ensemble:
    """Copy what training changes; there is room for `recorded` losses."""
    losses = np.empty((state.networks, recorded))
    losses[:, : state.losses.shape[1]] = state.losses
    matrices = [M.reshape(state.networks, -1) for section in _sections(state) for M in section]
    return Ensemble(
        numbers=np.array(list(state.optimizer.numbers().values())),
        networks=np.ascontiguousarray(np.concatenate(matrices, axis=1)),
        losses=losses,
        first_success=state.first_success.copy(),
        met_since=state.met_since.copy(),
        diverged_at=state.diverged_at.copy(),
    )


def plan(state: State, to_epoch: int, first_unit: int) -> Plan:
    """Describe the layers, whose units a block has from `first_unit` on, and what is to be done to them."""
    training, by_weight = state.training, _kept_by_weight(state)
    weights = sum(W[0].size for W in state.weights)
    patterns, inputs = training.task.inputs.shape
    targets = (2 * inputs + (training.bias is not None)) * patterns
    units = sum(W.shape[2] for W in state.weights) * patterns
    layers: list[passes.Layer] = []
    below = above = first_unit
    first_weight = incoming = 0
    for W in state.weights:
        _, rows, columns = W.shape
        layers.append(
            passes.Layer(
                patterns=patterns,
                units=incoming,
                constants=rows - incoming,
                columns=columns,
                below=below,
                above=above,
                slopes=units,
                table=targets - (rows - incoming) * patterns,
                targets=targets,
                weights=first_weight,
                remembered=weights,
                shared=weights * (1 + by_weight) + len(layers),
                derivative_offset=float(training.derivative_offset),
                weight_decay=float(training.weight_decay),
            )
        )
        first_weight += rows * columns
        below, above, incoming = above, above + columns * patterns, columns
    memory = (by_weight, len(state.memory) - by_weight)
    return Plan(
        forward=link(passes.forward, training.activation),
        deltas=link(passes.deltas, training.activation),
        loss=link(passes.loss, training.loss),
        slopes=link(passes.slopes, training.loss),
        successes=link(passes.successes, training.criterion),
        update=link(passes.update, state.optimizer, vectors=NUMBERS, memory=memory),
        layers=np.array([packed(layer) for layer in layers]),
        networks_at=first_unit + 2 * units,
        hold=int(training.criterion.hold),
        stop_when_converged=bool(training.stop_when_converged),
        batch=training.update.batch_size(patterns),
        from_epoch=int(state.epoch),
        to_epoch=int(to_epoch),
        recorded=state.losses.shape[1],
    )


def _kept_by_weight(state: State) -> int:
    """How many numbers the optimizer remembers of each weight; the rest, which follows, is of the network."""
    shapes = [W.shape for W in state.weights]
    by_weight = [[M.shape for M in section] == shapes for section in state.memory]
    if by_weight != sorted(by_weight, reverse=True):
        name = type(state.optimizer).__name__
        raise ValueError(f"{name} remembers something of the network before something of its weights; see its twin")
    return sum(by_weight)


def table(state: State) -> Array:
    """What comes in from input and bias units, and targets, behind it; shape (rows, patterns).

    The inputs are there twice, because shortcuts past no hidden layers double them.
    """
    training, task = state.training, state.training.task
    bias = [] if training.bias is None else [np.full((1, len(task.inputs)), training.bias)]
    return np.ascontiguousarray(np.concatenate([task.inputs.T, task.inputs.T, *bias, task.targets.T]), dtype=np.float64)


def order(state: State, to_epoch: int) -> NDArray[np.int64]:
    """In which patterns are shown, shape (epochs, patterns), or (1, patterns) where it is always the same."""
    training, patterns = state.training, len(state.training.task.inputs)
    drawn = training.update.is_seeded and (state.ended_at == NEVER).any()
    epochs = range(state.epoch, max(to_epoch, state.epoch + 1) if drawn else state.epoch + 1)
    return np.array([training.update.order(patterns, epoch, training.order_seed) for epoch in epochs], dtype=np.int64)


def _sections(state: State) -> list[Layers]:
    """Weights and what the optimizer remembers, in the order in which they make a row of `Ensemble.networks`.

    What it remembers of the network is there once for every layer, since layers are updated one by one.
    """
    return [section * (len(state.weights) // len(section)) for section in (state.weights, *state.memory)]


def split(rows: Array, state: State) -> tuple[Layers, Memory]:
    """Take weights and memory, of the shapes that the state's have, out of such rows."""
    sections = _sections(state)
    ends = np.cumsum([M[0].size for section in sections for M in section])
    parts = iter(np.split(rows, ends[:-1], axis=1))
    weights, *memory = [[np.ascontiguousarray(next(parts)).reshape(M.shape) for M in section] for section in sections]
    return weights, tuple(copies[: len(section)] for copies, section in zip(memory, state.memory, strict=True))
