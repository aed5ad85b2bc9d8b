"""Training an ensemble, epoch by epoch: the fast engine.

The same ``advance`` as `nn_core.training`, compiled by Numba. Networks stand side by side, one in each *lane* of a
vector (`nn_core.lanes`), and such a block stays in the fastest cache for all epochs of a call. Blocks are shared out
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
    negative,
    select,
    sigmoid,
    splat,
    store,
    tanh,
)
from nn_core.losses import ARCTANH_CAP, LOSSES
from nn_core.optimizers import GradientDescent, Layers, Momentum, Optimizer, Quickprop
from nn_core.training import NEVER, State, recorded_epochs

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

    patterns: int
    units: int  # of all layers, bias units included
    weights: int
    width: int  # weights and what the optimizer remembers
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


# A block of networks is one array of vectors; positions in it are counted in vectors:
#
#   units x patterns   outputs of all units, layer by layer, each layer's bias unit last
#   units x patterns   dE/d(output), then dE/dz, of the same
#   3                  learning rate, momentum or mu, and a place to read single lanes from
#   width, twice       all weights, then what the optimizer remembers: `now`, and what an epoch makes of it, `new`
#
# Functions that are not inlined leave the compiler fewer values to keep in registers at a time.

_compiled = njit(error_model="numpy")


@inline
def _weighted_sums(
    block: Array, terms: int, patterns: int, weights: int, stride: int, count: int, sums: int, first: int, last: int
) -> None:
    """Sum `count` terms, `patterns` apart, times their weights, `stride` apart, for patterns first .. last - 1."""
    p = first
    while p + 4 <= last:  # four patterns share the weight that was read
        sum0, sum1, sum2, sum3 = splat(0.0), splat(0.0), splat(0.0), splat(0.0)
        for i in range(count):
            w, x = load(block, weights + i * stride), terms + i * patterns + p
            sum0 = fma(load(block, x), w, sum0)
            sum1 = fma(load(block, x + 1), w, sum1)
            sum2 = fma(load(block, x + 2), w, sum2)
            sum3 = fma(load(block, x + 3), w, sum3)
        store(block, sums + p, sum0)
        store(block, sums + p + 1, sum1)
        store(block, sums + p + 2, sum2)
        store(block, sums + p + 3, sum3)
        p += 4
    while p < last:
        total = splat(0.0)
        for i in range(count):
            total = fma(load(block, terms + i * patterns + p), load(block, weights + i * stride), total)
        store(block, sums + p, total)
        p += 1


@inline
def _product(block: Array, a: int, b: int, first: int, last: int, total: Lanes) -> Lanes:
    """Add up a b over patterns first .. last - 1."""
    p = first
    while p + 4 <= last:
        total = fma(load(block, a + p), load(block, b + p), total)
        total = fma(load(block, a + p + 1), load(block, b + p + 1), total)
        total = fma(load(block, a + p + 2), load(block, b + p + 2), total)
        total = fma(load(block, a + p + 3), load(block, b + p + 3), total)
        p += 4
    while p < last:
        total = fma(load(block, a + p), load(block, b + p), total)
        p += 1
    return total


@_compiled
def _activate(block: Array, settings: _Settings, start: int, stop: int, first: int, last: int) -> None:
    """Replace the net inputs of units start .. stop - 1 by outputs."""
    for unit in range(start * settings.patterns, stop * settings.patterns, settings.patterns):
        if settings.activation == _SIGMOID:
            for p in range(unit + first, unit + last):
                store(block, p, sigmoid(load(block, p)))
        elif settings.activation == _SYMMETRIC_SIGMOID:
            for p in range(unit + first, unit + last):
                store(block, p, sigmoid(load(block, p)) - 0.5)
        else:
            for p in range(unit + first, unit + last):
                store(block, p, tanh(load(block, p)))


@_compiled
def _forward(block: Array, sizes: Sizes, settings: _Settings, weights: int, first: int, last: int) -> None:
    """Show patterns first .. last - 1, with the weights held."""
    patterns, below = settings.patterns, 0
    for layer in range(len(sizes) - 1):
        rows, columns = sizes[layer] + settings.biases, sizes[layer + 1]
        above = below + rows
        for j in range(columns):
            to = (above + j) * patterns
            _weighted_sums(block, below * patterns, patterns, weights + j, columns, rows, to, first, last)
        _activate(block, settings, above, above + columns, first, last)
        weights += rows * columns
        below = above


@inline
def _capped(d: Lanes) -> Lanes:
    d = select(d > ARCTANH_CAP, ARCTANH_CAP, d)
    return select(d < -ARCTANH_CAP, -ARCTANH_CAP, d)


@inline
def _loss(block: Array, targets: Array, settings: _Settings) -> Lanes:
    """Loss of the pass just made."""
    patterns, columns = targets.shape
    outputs = settings.units - settings.biases - columns
    total = splat(0.0)
    for j in range(columns):
        for p in range(patterns):
            d = targets[p, j] - load(block, (outputs + j) * patterns + p)
            if settings.loss == _ARCTANH:
                d = _capped(d)
                total = total + fma(1.0 + d, log1p(d), (1.0 - d) * log1p(negative(d)))
            else:
                total = fma(d, d, total)
    return 0.5 * total if settings.loss == _HALF_SSE else total


@inline
def _successes(block: Array, targets: Array, settings: _Settings) -> int:
    """Which networks meet the criterion in the pass just made, as bits."""
    patterns, columns = targets.shape
    outputs = settings.units - settings.biases - columns
    total = splat(0.0)  # of squared errors, or of outputs that are not close enough
    for j in range(columns):
        for p in range(patterns):
            d = targets[p, j] - load(block, (outputs + j) * patterns + p)
            if settings.squared:
                total = fma(d, d, total)
            else:
                total = total + select(magnitude(d) < settings.threshold, 0.0, 1.0)
    if settings.squared:
        return int(as_bits(total / float(patterns * columns) < settings.threshold))
    return int(as_bits(total == 0.0))


@inline
def _output_slope(target: float, y: Lanes, settings: _Settings) -> Lanes:
    """dE/d(output) of one output."""
    d = target - y
    if settings.loss == _SSE:
        return -2.0 * d
    if settings.loss == _HALF_SSE:
        return negative(d)
    d = _capped(d)
    return log1p(negative(d)) - log1p(d)


@inline
def _derivative(y: Lanes, settings: _Settings) -> Lanes:
    """Derivative of the activation where its output is y, with the offset."""
    if settings.activation == _SIGMOID:
        return fma(y, 1.0 - y, settings.derivative_offset)
    edge = 0.5 if settings.activation == _SYMMETRIC_SIGMOID else 1.0
    return fma(edge + y, edge - y, settings.derivative_offset)


@inline
def _quickprop(s: Lanes, d: Lanes, p: Lanes, epsilon: Lanes, mu: Lanes) -> Lanes:
    """Return the step after step d, for slopes -dE/dw of s now and p before."""
    up = d > 0.0
    s_along, p_along = select(up, s, negative(s)), select(up, p, negative(p))
    parabola = d * s / select(p == s, np.inf, p - s)
    jump = select(mu / (1.0 + mu) * p_along < s_along, mu * d, parabola)
    downhill = epsilon * s
    return select(d == 0.0, downhill, select(s_along > 0.0, downhill, 0.0) + jump)


@_compiled
def _backward(
    block: Array, sizes: Sizes, targets: Array, settings: _Settings, now: int, new: int, first: int, last: int
) -> int:
    """Update all weights by the gradient over patterns first .. last - 1; return whose are finite, as bits.

    Reads weights and memory at `now`, writes them at `new`, which may be the same.
    """
    patterns, weights = settings.patterns, settings.weights
    slopes = settings.units * patterns
    rate, second = load(block, 2 * slopes), load(block, 2 * slopes + 1)
    downhill, checked = negative(rate), splat(0.0)

    above = settings.units - settings.biases - targets.shape[1]
    for j in range(targets.shape[1]):
        for p in range(first, last):
            at = (above + j) * patterns + p
            store(block, slopes + at, _output_slope(targets[p, j], load(block, at), settings))

    for layer in range(len(sizes) - 2, -1, -1):
        rows, columns = sizes[layer] + settings.biases, sizes[layer + 1]
        below = above - rows
        weights -= rows * columns
        for j in range(columns):
            for p in range(first, last):
                at = (above + j) * patterns + p
                store(block, slopes + at, load(block, slopes + at) * _derivative(load(block, at), settings))
        if layer > 0:  # hand the error down, through the old weights; the bias unit has nothing below to blame
            blame = slopes + above * patterns
            for i in range(sizes[layer]):
                through, to = now + weights + i * columns, slopes + (below + i) * patterns
                _weighted_sums(block, blame, patterns, through, 1, columns, to, first, last)

        epsilon = rate / float(rows) if settings.split_by_fan_in else rate
        for i in range(rows):
            for j in range(columns):
                at = weights + i * columns + j
                w = load(block, now + at)
                came_in, did = (below + i) * patterns, slopes + (above + j) * patterns
                gradient = _product(block, came_in, did, first, last, settings.weight_decay * w)
                if settings.optimizer == _GRADIENT_DESCENT:
                    w = fma(downhill, gradient, w)
                else:
                    remembered = at + settings.weights
                    step = load(block, now + remembered)
                    if settings.optimizer == _MOMENTUM:
                        step = fma(second, step, downhill * gradient)
                    else:
                        s, p = negative(gradient), load(block, now + remembered + settings.weights)
                        step = _quickprop(s, step, p, epsilon, second)
                        store(block, new + remembered + settings.weights, s)
                    store(block, new + remembered, step)
                    w = w + step
                checked = fma(w, 0.0, checked)  # 0 as long as all are finite, then NaN
                store(block, new + at, w)
        above = below
    return int(as_bits(checked == 0.0))


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

        `sections` has shape (R, width), `numbers` (2, R), `losses` (R, epochs in `grid`).
        """
        sources  # noqa: B018
        patterns, width = settings.patterns, settings.width
        rates = 2 * settings.units * patterns
        start = rates + 3
        memory = np.zeros((start + 2 * width + 1) * LANES)
        skip = -(memory.ctypes.data // 8) % 8  # a vector should not straddle two cache lines
        block = memory[skip : skip + (start + 2 * width) * LANES]
        unit = 0
        for layer in range(len(sizes)):
            for i in range(sizes[layer]):
                for p in range(patterns if layer == 0 else 0):
                    store(block, i * patterns + p, splat(inputs[p, i]))
            unit += sizes[layer]
            for p in range(patterns if settings.biases else 0):
                store(block, unit * patterns + p, splat(settings.bias))
            unit += settings.biases

        for first in range(first_network, last_network, LANES):
            now, new = start, start + width
            running, succeeded = 0, 0
            for lane in range(LANES):
                # The last block is filled up with copies of the last network.
                r = min(first + lane, last_network - 1)
                for k in range(width):
                    block[(now + k) * LANES + lane] = sections[r, k]
                for n in range(2):
                    block[(rates + n) * LANES + lane] = numbers[n, r]
                done = first_success[r] != NEVER
                succeeded |= done << lane
                running |= (diverged_at[r] == NEVER and not (done and settings.stop_when_converged)) << lane

            present = min(LANES, last_network - first)
            recorded = recorded_before
            epoch = settings.from_epoch
            while True:
                _forward(block, sizes, settings, now, 0, patterns)
                met = _successes(block, targets, settings) & running & ~succeeded
                if met:
                    succeeded |= met
                    if settings.stop_when_converged:
                        running &= ~met
                    for lane in range(present):
                        if met >> lane & 1:
                            first_success[first + lane] = epoch
                ends = epoch == settings.to_epoch or running == 0
                if recorded < len(grid) and (ends or grid[recorded] == epoch):
                    store(block, rates + 2, _loss(block, targets, settings))
                    upto = len(grid) if ends else recorded + 1
                    for lane in range(present):
                        losses[first + lane, recorded:upto] = block[(rates + 2) * LANES + lane]
                    recorded = upto
                if ends:
                    break

                step = 1 if settings.online else patterns
                weights, finite = now, 0
                for p in range(0, patterns, step):
                    if p > 0:
                        _forward(block, sizes, settings, weights, p, p + step)
                    finite = _backward(block, sizes, targets, settings, weights, new, p, p + step)
                    weights = new
                diverged = running & ~finite
                if diverged:
                    running &= ~diverged
                    for lane in range(present):
                        if diverged >> lane & 1:
                            diverged_at[first + lane] = epoch
                if running != (1 << LANES) - 1:  # networks that have ended keep what they had
                    moves = as_mask(running)
                    for k in range(width):
                        store(block, new + k, select(moves, load(block, new + k), load(block, now + k)))
                now, new = new, now
                epoch += 1

            for lane in range(present):
                for k in range(width):
                    sections[first + lane, k] = block[(now + k) * LANES + lane]

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


def _settings(state: State, optimizer: int, split_by_fan_in: bool, to_epoch: int) -> _Settings:
    training, inputs = state.training, state.training.task.inputs
    criterion, biases = training.criterion, 0 if training.bias is None else 1
    if type(criterion) is Tolerance:
        squared, threshold = False, criterion.tolerance
    elif type(criterion) is MeanSquaredError:
        squared, threshold = True, criterion.below
    else:
        raise ValueError(
            f"the kernel was not compiled for {type(criterion).__name__}; the NumPy engine takes any criterion"
        )
    weights = sum(W.shape[1] * W.shape[2] for W in state.weights)
    return _Settings(
        patterns=len(inputs),
        units=inputs.shape[1] + biases + sum(W.shape[-1] + biases for W in state.weights),
        weights=weights,
        width=weights * (1 + len(state.memory)),
        activation=_code(_ACTIVATIONS, training.activation),
        derivative_offset=float(training.derivative_offset),
        biases=biases,
        bias=0.0 if training.bias is None else float(training.bias),
        loss=_code(_LOSSES, training.loss),
        weight_decay=float(training.weight_decay),
        online=training.update == "online",
        squared=squared,
        threshold=float(threshold),
        stop_when_converged=bool(training.stop_when_converged),
        optimizer=optimizer,
        split_by_fan_in=bool(split_by_fan_in),
        from_epoch=int(state.epoch),
        to_epoch=int(to_epoch),
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
            size = M.shape[1] * M.shape[2]
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
    task, networks = state.training.task, state.networks
    optimizer, split_by_fan_in, numbers = _method(state.optimizer)
    settings = _settings(state, optimizer, split_by_fan_in, to_epoch)
    sizes = np.array([task.inputs.shape[1], *(W.shape[-1] for W in state.weights)])
    matrices = [state.weights, *state.memory]
    sections = _joined(matrices, networks)
    # Copies, because to Numba an array that may not be written is of another type, to be compiled for once more.
    inputs, targets = (np.array(table, dtype=np.float64, order="C") for table in (task.inputs, task.targets))
    grid = recorded_epochs(state.training.per_decade, to_epoch).copy()
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

    if not _train.signatures:
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
