"""`advance`, compiled: networks shared out over all cores, with Python's lock released."""

import logging
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import numba
from numba.core import event

from nn_core.compiled import layout
from nn_core.compiled.kernel import NUMBERS, train
from nn_core.compiled.lanes import LANES
from nn_core.training import State

logger = logging.getLogger(__name__)


class _Announcer(event.Listener):
    """Says, once, that there is something to wait for: what is compiled, and does not come from the cache."""

    said = False

    def on_start(self, event: event.Event) -> None:
        if not self.said:
            logger.info("compiling for these parts (once for this machine: it is kept on disk)")
        self.said = True

    def on_end(self, event: event.Event) -> None:
        """All that is compiled has ended when training begins."""


_announcer = _Announcer()


def advance(state: State, to_epoch: int) -> State:
    """Train until `to_epoch` epochs of updates have been made in all, compiled: the contract of `training.advance`.

    Uses as many threads as Numba is configured to (``NUMBA_NUM_THREADS``, by default all cores). `ValueError` also if a
    part of the network has no compiled twin.
    """
    grid = state.recorded(to_epoch).copy()  # to Numba, what is read-only is of another type
    ensemble, table, order = layout.ensemble(state, len(grid)), layout.table(state), layout.order(state, to_epoch)
    with event.install_listener("numba:compile", _announcer):
        plan = layout.plan(state, to_epoch, NUMBERS + len(ensemble.numbers))
        train(0, 0, plan, table, order, grid, ensemble)

    threads = int(numba.config.NUMBA_NUM_THREADS)  # type: ignore[attr-defined]
    # Blocks whose networks end early make for uneven shares, so there are more shares than threads.
    size = LANES * max(1, -(-state.networks // LANES) // (8 * threads))

    def share(first: int) -> None:
        train(first, min(first + size, state.networks), plan, table, order, grid, ensemble)

    if state.networks <= size:
        share(0)
    else:
        with ThreadPoolExecutor(threads) as pool:
            list(pool.map(share, range(0, state.networks, size)))

    weights, memory = layout.split(ensemble.networks, state)
    return replace(
        state,
        weights=weights,
        memory=memory,
        epoch=to_epoch,
        losses=ensemble.losses,
        first_success=ensemble.first_success,
        met_since=ensemble.met_since,
        diverged_at=ensemble.diverged_at,
    )
