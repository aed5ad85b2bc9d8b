"""The training loop, compiled: blocks of networks, each from the first epoch of a call to its last.

Networks stand side by side, one in each lane of a vector, and such a block stays in the fastest cache for all epochs of
a call. A lane never looks at its neighbours, and all lanes run the same instructions, so a network's result is the
same, bit for bit, whoever it is trained with, wherever it stands, and however its epochs are sliced.

What is done to a layer is in `nn_core.compiled.passes`; the kernel calls it through pointers and knows no part by name.
"""

from typing import NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

from nn_core.compiled.cache import stamped
from nn_core.compiled.lanes import LANES, as_mask, load, select, store
from nn_core.compiled.linking import Pass, call
from nn_core.compiled.passes import RESULT
from nn_core.parts import Array
from nn_core.training import NEVER, Epochs

NUMBERS = RESULT + 1  # where a block holds the optimizer's numbers, one vector each


class Plan(NamedTuple):
    """What does not change during a call.

    A block is `RESULT`, the optimizer's numbers, outputs of all units and their slopes, and twice what a network is:
    weights and what the optimizer remembers, as they are and as an epoch makes them.
    """

    forward: Pass
    deltas: Pass
    loss: Pass
    slopes: Pass
    successes: Pass
    update: Pass
    layers: NDArray[np.int64]  # a row for each, from the lowest: `passes.Layer`, packed
    networks_at: int  # position in the block of the weights, behind which is what the optimizer remembers
    hold: int  # how many passes in a row make a success
    stop_when_converged: bool
    batch: int  # how many patterns make an update
    from_epoch: int
    to_epoch: int
    recorded: int  # how many losses there are already


class Ensemble(NamedTuple):
    """Arrays of R networks, trained in place."""

    numbers: Array  # shape (N, R): the optimizer's
    networks: Array  # shape (R, W): weights, then what the optimizer remembers
    losses: Array  # shape (R, epochs recorded)
    first_success: Epochs  # shape (R,)
    met_since: Epochs  # shape (R,)
    diverged_at: Epochs  # shape (R,)


@njit(error_model="numpy")
def _reorder(table: Array, order: Epochs, shown: Array) -> None:
    for row in range(len(table)):
        for p in range(len(order)):
            shown[row, p] = table[row, order[p]]


@njit(error_model="numpy")
def _held(met: int, waiting: int, epoch: int, hold: int, since: Epochs) -> int:
    """Which of the lanes that are waiting have met the criterion for long enough, as bits; notes since when."""
    held = 0
    for lane in range(LANES):
        if waiting >> lane & 1:
            if not met >> lane & 1:
                since[lane] = NEVER
            elif since[lane] == NEVER:
                since[lane] = epoch
            held |= (since[lane] != NEVER and epoch - since[lane] >= hold - 1) << lane
    return held


@njit(cache=True, nogil=True, error_model="numpy")
@stamped
def train(
    first_network: int, last_network: int, plan: Plan, table: Array, order: Epochs, grid: Epochs, ensemble: Ensemble
) -> None:
    """Train networks first_network .. last_network - 1.

    The table, shape (rows, patterns), has the numbers that all networks share; see `nn_core.compiled.passes`. The
    order, shape (epochs or 1, patterns), in which they are shown, batch by batch, is that of each epoch of the call,
    or of all. The grid has the epochs of `ensemble.losses`.
    """
    patterns, width = table.shape[1], ensemble.networks.shape[1]
    layers, depth = plan.layers, len(plan.layers)
    memory = np.zeros((plan.networks_at + 2 * width + 1) * LANES)
    skip = -(memory.ctypes.data // 8) % 8  # a vector should not straddle two cache lines
    block = memory[skip : skip + (plan.networks_at + 2 * width) * LANES]
    everyone = (1 << LANES) - 1
    shown = np.empty_like(table)
    _reorder(table, order[0], shown)
    reordered = len(order) > 1 or (order[0] != np.arange(patterns)).any()

    for first in range(first_network, last_network, LANES):
        now, new = plan.networks_at, plan.networks_at + width
        staying, learning, succeeded = 0, 0, 0  # lanes, as bits
        for lane in range(LANES):
            # The last block is filled up with copies of the last network, which are not heeded.
            r = min(first + lane, last_network - 1)
            for k in range(width):
                block[(now + k) * LANES + lane] = ensemble.networks[r, k]
            for n in range(len(ensemble.numbers)):
                block[(NUMBERS + n) * LANES + lane] = ensemble.numbers[n, r]
            done = ensemble.first_success[r] != NEVER
            staying |= (r == first + lane) << lane
            succeeded |= done << lane
            learning |= (ensemble.diverged_at[r] == NEVER and not (done and plan.stop_when_converged)) << lane

        learning &= staying
        epoch = plan.from_epoch
        recorded = plan.recorded
        while True:
            call(plan.forward, block, table, layers, depth, now, now, 0, patterns)
            met = learning & ~succeeded
            if met:
                waiting = met
                met &= call(plan.successes, block, table, layers, depth, now, now, 0, patterns)
                if plan.hold > 1:
                    met = _held(met, waiting, epoch, plan.hold, ensemble.met_since[first:])
            if met:
                succeeded |= met
                if plan.stop_when_converged:
                    learning &= ~met
                for lane in range(LANES):
                    if met >> lane & 1:
                        ensemble.first_success[first + lane] = epoch
            if epoch == plan.to_epoch:
                learning = 0
            due = recorded < len(grid) and grid[recorded] == epoch
            if due or learning != staying:  # networks that learn no more leave, their last loss for all that is to come
                call(plan.loss, block, table, layers, depth, now, now, 0, patterns)
                for lane in range(LANES):
                    if staying >> lane & 1:
                        leaves = not learning >> lane & 1
                        upto = len(grid) if leaves else recorded + due
                        ensemble.losses[first + lane, recorded:upto] = block[RESULT * LANES + lane]
                        for k in range(width if leaves else 0):
                            ensemble.networks[first + lane, k] = block[(now + k) * LANES + lane]
                recorded += due
                staying = learning
            if not learning:
                break

            weights, finite = now, everyone
            if len(order) > 1:
                _reorder(table, order[epoch - plan.from_epoch], shown)
            for start in range(0, patterns, plan.batch):
                stop = min(start + plan.batch, patterns)
                if start > 0 or reordered:  # the outputs are of other weights, or other patterns
                    call(plan.forward, block, shown, layers, depth, weights, weights, start, stop)
                call(plan.slopes, block, shown, layers, depth, weights, new, start, stop)
                call(plan.deltas, block, shown, layers, depth, weights, new, start, stop)
                finite &= call(plan.update, block, shown, layers, depth, weights, new, start, stop)
                weights = new
            diverged = learning & ~finite
            if diverged:  # they keep what they had, with which they will leave
                learning &= ~diverged
                for lane in range(LANES):
                    if diverged >> lane & 1:
                        ensemble.diverged_at[first + lane] = epoch
                for k in range(width):
                    store(block, new + k, select(as_mask(finite), load(block, new + k), load(block, now + k)))
            now, new = new, now
            epoch += 1
