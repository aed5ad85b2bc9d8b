"""Training an ensemble, epoch by epoch: the fast engine.

The same ``advance`` as `nn_core.training`, compiled by Numba. Eight networks stand side by side, one in each *lane* of
a vector (`nn_core.lanes`), and such a block stays in the fastest cache for all epochs of a call. Blocks are shared out
over all cores, with Python's lock released.

A lane never looks at its neighbours, and all lanes run the same instructions, so a network's result is the same, bit
for bit, whoever it is trained with, wherever it stands, and however its epochs are sliced.
"""

import hashlib
import logging
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import numba
import numpy as np
from numba import njit
from numba.core import event
from numpy.typing import NDArray

from nn_core import lanes
from nn_core.activations import ACTIVATIONS
from nn_core.criteria import MeanSquaredError, Tolerance
from nn_core.lanes import (
    LANES,
    Lanes,
    as_bits,
    as_mask,
    fma,
    inline,
    load,
    log1p,
    magnitude,
    select,
    sigmoid,
    splat,
    store,
    tanh,
)
from nn_core.losses import ARCTANH_CAP, LOSSES
from nn_core.optimizers import GradientDescent, Layers, Momentum, Optimizer, Quickprop
from nn_core.training import NEVER, State, Training, recorded_epochs

Array = NDArray[np.float64]
Epochs = NDArray[np.int64]
Sizes = NDArray[np.int64]

logger = logging.getLogger(__name__)

_ACTIVATIONS = (ACTIVATIONS["sigmoid"], ACTIVATIONS["symmetric_sigmoid"], ACTIVATIONS["tanh"])
_SIGMOID, _SYMMETRIC_SIGMOID, _TANH = range(3)
_LOSSES = (LOSSES["sse"], LOSSES["half_sse"], LOSSES["arctanh"])
_SSE, _HALF_SSE, _ARCTANH = range(3)
_GRADIENT_DESCENT, _MOMENTUM, _QUICKPROP = range(3)


class _Settings(NamedTuple):
    """What does not change during a call, in the kernel's terms."""

    activation: int
    derivative_offset: float
    biases: int  # rows that the bias unit adds to every weight matrix: 0 or 1
    bias: float
    loss: int
    weight_decay: float
    online: bool
    squared: bool  # whether the criterion is a mean squared error
    threshold: float
    stop_when_converged: bool
    optimizer: int
    split_by_fan_in: bool
    from_epoch: int
    to_epoch: int


# A block's numbers lie in one array of vectors:
#
#   pattern by pattern   outputs of every layer, its bias unit (if any) last; then dE/dz of the same units
#   now, new             two sections: all weights, then what the optimizer remembers; an epoch makes new from now
#
# Positions are counted in vectors.


@inline
def _forward(block: Array, sizes: Sizes, settings: _Settings, row: int, weights: int, first: int, last: int) -> None:
    """Show patterns first .. last - 1, with the weights held."""
    below = 0
    for depth in range(len(sizes) - 1):
        rows, columns = sizes[depth] + settings.biases, sizes[depth + 1]
        above = below + rows
        for p in range(first, last):
            for j in range(columns):
                z = splat(0.0)
                for i in range(rows):
                    z = fma(load(block, p * row + below + i), load(block, weights + i * columns + j), z)
                if settings.activation == _SIGMOID:
                    y = sigmoid(z)
                elif settings.activation == _SYMMETRIC_SIGMOID:
                    y = sigmoid(z) - splat(0.5)
                else:
                    y = tanh(z)
                store(block, p * row + above + j, y)
        weights += rows * columns
        below = above


@inline
def _capped(d: Lanes) -> Lanes:
    d = select(splat(ARCTANH_CAP) < d, splat(ARCTANH_CAP), d)
    return select(d < splat(-ARCTANH_CAP), splat(-ARCTANH_CAP), d)


@inline
def _loss(block: Array, targets: Array, settings: _Settings, row: int, outputs: int) -> Lanes:
    """Loss of the pass just made."""
    patterns, units = targets.shape
    total = splat(0.0)
    for p in range(patterns):
        for j in range(units):
            d = splat(targets[p, j]) - load(block, p * row + outputs + j)
            if settings.loss == _ARCTANH:
                d = _capped(d)
                up, down = splat(1.0) + d, splat(1.0) - d
                total = total + fma(up, log1p(d), down * log1p(splat(0.0) - d))
            else:
                total = fma(d, d, total)
    return splat(0.5) * total if settings.loss == _HALF_SSE else total


@inline
def _successes(block: Array, targets: Array, settings: _Settings, row: int, outputs: int) -> int:
    """Which networks meet the criterion in the pass just made, as bits."""
    patterns, units = targets.shape
    squares, misses = splat(0.0), splat(0.0)
    for p in range(patterns):
        for j in range(units):
            d = splat(targets[p, j]) - load(block, p * row + outputs + j)
            squares = fma(d, d, squares)
            misses = misses + select(magnitude(d) < splat(settings.threshold), splat(0.0), splat(1.0))
    if settings.squared:
        return int(as_bits(squares / splat(float(patterns * units)) < splat(settings.threshold)))
    return int(as_bits(misses == splat(0.0)))


@inline
def _slope(y: Lanes, settings: _Settings) -> Lanes:
    """Derivative of the activation where its output is y, with the offset."""
    if settings.activation == _SIGMOID:
        slope = y * (splat(1.0) - y)
    elif settings.activation == _SYMMETRIC_SIGMOID:
        slope = (splat(0.5) + y) * (splat(0.5) - y)
    else:
        slope = (splat(1.0) + y) * (splat(1.0) - y)
    return slope + splat(settings.derivative_offset)


@inline
def _quickprop(s: Lanes, d: Lanes, p: Lanes, epsilon: Lanes, mu: Lanes) -> Lanes:
    """Return the step after step d, for slopes -dE/dw of s now and p before."""
    zero = splat(0.0)
    up = zero < d
    s_along, p_along = select(up, s, zero - s), select(up, p, zero - p)
    parabola = d * s / select(p == s, splat(np.inf), p - s)
    jump = select(mu / (splat(1.0) + mu) * p_along < s_along, mu * d, parabola)
    downhill = epsilon * s
    return select(d == zero, downhill, select(zero < s_along, downhill, zero) + jump)


@inline
def _backward(
    block: Array,
    sizes: Sizes,
    targets: Array,
    settings: _Settings,
    row: int,
    count: int,
    rates: int,
    now: int,
    new: int,
    first: int,
    last: int,
) -> int:
    """Update all weights by the gradient over patterns first .. last - 1; return which networks' are finite, as bits.

    Reads weights and memory at `now`, writes them at `new`, which may be the same.
    """
    rate, second = load(block, rates), load(block, rates + 1)
    checked = splat(0.0)
    above, weights = row // 2, count
    for depth in range(len(sizes) - 2, -1, -1):
        rows, columns = sizes[depth] + settings.biases, sizes[depth + 1]
        above -= columns + settings.biases
        below = above - rows
        weights -= rows * columns
        # dE/dz of the units above: of the outputs from the loss, of others from what was handed down.
        for p in range(first, last):
            for j in range(columns):
                y = load(block, p * row + above + j)
                if depth == len(sizes) - 2:
                    d = splat(targets[p, j]) - y
                    if settings.loss == _SSE:
                        slope = splat(-2.0) * d
                    elif settings.loss == _HALF_SSE:
                        slope = splat(0.0) - d
                    else:
                        d = _capped(d)
                        slope = log1p(splat(0.0) - d) - log1p(d)
                else:
                    slope = load(block, p * row + row // 2 + above + j)
                store(block, p * row + row // 2 + above + j, slope * _slope(y, settings))
        if depth > 0:  # hand the error down, through the old weights
            for p in range(first, last):
                for i in range(sizes[depth]):
                    slope = splat(0.0)
                    for j in range(columns):
                        delta = load(block, p * row + row // 2 + above + j)
                        slope = fma(delta, load(block, now + weights + i * columns + j), slope)
                    store(block, p * row + row // 2 + below + i, slope)
        epsilon = rate / splat(float(rows)) if settings.split_by_fan_in else rate
        for i in range(rows):
            for j in range(columns):
                k = weights + i * columns + j
                w = load(block, now + k)
                gradient = splat(settings.weight_decay) * w
                for p in range(first, last):
                    delta = load(block, p * row + row // 2 + above + j)
                    gradient = fma(load(block, p * row + below + i), delta, gradient)
                if settings.optimizer == _GRADIENT_DESCENT:
                    w = w - rate * gradient
                elif settings.optimizer == _MOMENTUM:
                    step = second * load(block, now + count + k) - rate * gradient
                    w = w + step
                    store(block, new + count + k, step)
                else:
                    s = splat(0.0) - gradient
                    d, p_ = load(block, now + count + k), load(block, now + 2 * count + k)
                    step = _quickprop(s, d, p_, epsilon, second)
                    w = w + step
                    store(block, new + count + k, step)
                    store(block, new + 2 * count + k, s)
                checked = fma(w, splat(0.0), checked)
                store(block, new + k, w)
    return int(as_bits(checked == splat(0.0)))


def _kernel(sources: str) -> Any:
    """Compile the kernel; `sources` stands for the code it is made of.

    Numba's cache on disk looks for changes in this file only, and in what a function closes over. Hence the closure.
    """

    @njit(cache=True, nogil=True, error_model="numpy")
    def train(
        first_network: int,
        last_network: int,
        sizes: Sizes,
        inputs: Array,
        targets: Array,
        settings: _Settings,
        numbers: Array,
        sections: Array,
        grid: Epochs,
        recorded_before: int,
        losses: Array,
        first_success: Epochs,
        diverged_at: Epochs,
    ) -> None:
        """Train networks first_network .. last_network - 1, in place.

        `sections` has shape (R, weights and memory of a network), `numbers` (2, R), `losses` (R, epochs in `grid`).
        """
        sources  # noqa: B018
        patterns, depth = len(inputs), len(sizes) - 1
        row, count = 2 * sizes[0] + 2 * settings.biases, 0
        for layer in range(depth):
            row += 2 * (sizes[layer + 1] + settings.biases)
            count += (sizes[layer] + settings.biases) * sizes[layer + 1]
        outputs = row // 2 - sizes[depth] - settings.biases
        width = sections.shape[1]
        rates = patterns * row
        here = rates + 3  # the third is for reading single lanes

        memory = np.zeros((here + 2 * width + 1) * LANES)
        skip = -(memory.ctypes.data // 8) % LANES  # a vector should not straddle two cache lines
        block = memory[skip : skip + (here + 2 * width) * LANES]
        for p in range(patterns):
            unit = p * row
            for i in range(sizes[0]):
                store(block, unit + i, splat(inputs[p, i]))
            for layer in range(depth):
                unit += sizes[layer] + settings.biases
                if settings.biases:
                    store(block, unit - 1, splat(settings.bias))

        for start in range(first_network, last_network, LANES):
            now, new = here, here + width
            running, succeeded = 0, 0
            for lane in range(LANES):
                # The last block is filled up with copies of the last network.
                r = min(start + lane, last_network - 1)
                for k in range(width):
                    block[(now + k) * LANES + lane] = sections[r, k]
                for n in range(2):
                    block[(rates + n) * LANES + lane] = numbers[n, r]
                done = first_success[r] != NEVER
                succeeded |= done << lane
                running |= (diverged_at[r] == NEVER and not (done and settings.stop_when_converged)) << lane

            recorded = recorded_before
            epoch = settings.from_epoch
            while True:
                _forward(block, sizes, settings, row, now, 0, patterns)
                met = _successes(block, targets, settings, row, outputs) & running & ~succeeded
                if met:
                    succeeded |= met
                    if settings.stop_when_converged:
                        running &= ~met
                    for lane in range(min(LANES, last_network - start)):
                        if met >> lane & 1:
                            first_success[start + lane] = epoch
                ends = epoch == settings.to_epoch or running == 0
                if recorded < len(grid) and (ends or grid[recorded] == epoch):
                    store(block, rates + 2, _loss(block, targets, settings, row, outputs))
                    upto = len(grid) if ends else recorded + 1
                    for lane in range(min(LANES, last_network - start)):
                        losses[start + lane, recorded:upto] = block[(rates + 2) * LANES + lane]
                    recorded = upto
                if ends:
                    break

                if settings.online:
                    _forward(block, sizes, settings, row, now, 0, 1)
                    finite = _backward(block, sizes, targets, settings, row, count, rates, now, new, 0, 1)
                    for p in range(1, patterns):
                        _forward(block, sizes, settings, row, new, p, p + 1)
                        finite = _backward(block, sizes, targets, settings, row, count, rates, new, new, p, p + 1)
                else:
                    finite = _backward(block, sizes, targets, settings, row, count, rates, now, new, 0, patterns)
                diverged = running & ~finite
                if diverged:
                    running &= ~diverged
                    for lane in range(min(LANES, last_network - start)):
                        if diverged >> lane & 1:
                            diverged_at[start + lane] = epoch
                if running != (1 << LANES) - 1:  # networks that have ended keep what they had
                    moves = as_mask(running)
                    for k in range(width):
                        store(block, new + k, select(moves, load(block, new + k), load(block, now + k)))
                now, new = new, now
                epoch += 1

            for lane in range(min(LANES, last_network - start)):
                for k in range(width):
                    sections[start + lane, k] = block[(now + k) * LANES + lane]

    return train


_train = _kernel(hashlib.sha256(Path(lanes.__file__).read_bytes()).hexdigest())


class _Announcer(event.Listener):
    """Says that there is something to wait for when the kernel is compiled, not when it comes from the cache."""

    def on_start(self, event: event.Event) -> None:
        if event.data["dispatcher"] is _train:
            logger.info("compiling the training kernel (once for this machine: it is cached on disk)")

    def on_end(self, event: event.Event) -> None:
        if event.data["dispatcher"] is _train:
            logger.info("compiled the training kernel")


def _code(known: tuple[Any, ...], asked: Any) -> int:
    if asked not in known:
        names = ", ".join(each.name for each in known)
        raise ValueError(f"the kernel was compiled for {names}, not {asked.name}; the NumPy engine takes any")
    return known.index(asked)


def _method(optimizer: Optimizer) -> tuple[int, bool, Array]:
    """Return which optimizer it is, whether it splits by fan-in, and its two numbers per network, shape (2, R)."""
    rate = np.asarray(optimizer.learning_rate)
    if type(optimizer) is GradientDescent:
        return _GRADIENT_DESCENT, False, np.stack([rate, np.zeros_like(rate)])
    if type(optimizer) is Momentum:
        momentum = np.asarray(optimizer.momentum)
        return _MOMENTUM, False, np.stack([rate * (1.0 - momentum) if optimizer.scaled else rate, momentum])
    if type(optimizer) is Quickprop:
        return _QUICKPROP, optimizer.split_by_fan_in, np.stack([rate, np.asarray(optimizer.mu)])
    raise ValueError(
        f"the kernel was not compiled for {type(optimizer).__name__}; the NumPy engine takes any optimizer"
    )


def _settings(training: Training, optimizer: int, split_by_fan_in: bool, from_epoch: int, to_epoch: int) -> _Settings:
    criterion = training.criterion
    if type(criterion) is Tolerance:
        squared, threshold = False, criterion.tolerance
    elif type(criterion) is MeanSquaredError:
        squared, threshold = True, criterion.below
    else:
        raise ValueError(
            f"the kernel was not compiled for {type(criterion).__name__}; the NumPy engine takes any criterion"
        )
    return _Settings(
        activation=_code(_ACTIVATIONS, training.activation),
        derivative_offset=float(training.derivative_offset),
        biases=0 if training.bias is None else 1,
        bias=0.0 if training.bias is None else float(training.bias),
        loss=_code(_LOSSES, training.loss),
        weight_decay=float(training.weight_decay),
        online=training.update == "online",
        squared=squared,
        threshold=float(threshold),
        stop_when_converged=training.stop_when_converged,
        optimizer=optimizer,
        split_by_fan_in=split_by_fan_in,
        from_epoch=from_epoch,
        to_epoch=to_epoch,
    )


def _joined(sections: list[Layers], networks: int) -> Array:
    """Lay all matrices of a network out in one row; shape (R, numbers of a network)."""
    rows = [M.reshape(networks, -1) for section in sections for M in section]
    joined = np.empty((networks, sum(row.shape[1] for row in rows)))
    return np.concatenate(rows, axis=1, out=joined)


def _split(rows: Array, like: list[Layers]) -> list[Layers]:
    """Undo `_joined`."""
    sections, start = [], 0
    for section in like:
        matrices = []
        for M in section:
            size = M[0].size
            matrices.append(np.ascontiguousarray(rows[:, start : start + size]).reshape(M.shape))
            start += size
        sections.append(matrices)
    return sections


def advance(state: State, to_epoch: int) -> State:
    """Train until `to_epoch` epochs of updates have been made in all, compiled: the contract of `training.advance`.

    Uses as many threads as Numba is configured to (``NUMBA_NUM_THREADS``, by default all cores).

    Raises
    ------
    ValueError
        If `to_epoch` lies before the state's epoch, or the state has an activation, loss, criterion or optimizer that
        is not of this package.
    """
    if to_epoch < state.epoch:
        raise ValueError(f"to_epoch={to_epoch}: the ensemble is already at epoch {state.epoch}")
    training, task, networks = state.training, state.training.task, state.networks
    optimizer, split_by_fan_in, numbers = _method(state.optimizer)
    settings = _settings(training, optimizer, split_by_fan_in, state.epoch, to_epoch)
    sizes = np.array([task.inputs.shape[1], *(W.shape[-1] for W in state.weights)])
    matrices = [state.weights, *state.memory]
    sections = _joined(matrices, networks)
    # Copies, because to Numba an array that may not be written is of another type, to be compiled for once more.
    inputs, targets = np.array(task.inputs, dtype=np.float64), np.array(task.targets, dtype=np.float64)
    grid = recorded_epochs(training.per_decade, to_epoch).copy()
    losses = np.empty((networks, len(grid)))
    recorded = state.losses.shape[1]
    losses[:, :recorded] = state.losses
    first_success, diverged_at = state.first_success.copy(), state.diverged_at.copy()

    def train(first: int, last: int) -> None:
        _train(
            first,
            last,
            sizes,
            inputs,
            targets,
            settings,
            numbers,
            sections,
            grid,
            recorded,
            losses,
            first_success,
            diverged_at,
        )

    with event.install_listener("numba:compile", _Announcer()):
        train(0, 0)
    threads = int(numba.config.NUMBA_NUM_THREADS)  # type: ignore[attr-defined]
    blocks = -(-networks // LANES)
    # Blocks whose networks end early make for uneven shares, so there are more shares than threads.
    share = LANES * max(1, blocks // (8 * threads))
    starts = range(0, networks, share)
    if threads == 1 or len(starts) == 1:
        train(0, networks)
    else:
        with ThreadPoolExecutor(threads) as pool:
            list(pool.map(train, starts, [min(start + share, networks) for start in starts]))

    weights, *memory = _split(sections, matrices)
    return replace(
        state,
        weights=weights,
        memory=tuple(memory),
        epoch=to_epoch,
        losses=losses,
        first_success=first_success,
        diverged_at=diverged_at,
    )
