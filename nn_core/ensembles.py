"""Training an ensemble in slices, for whoever has something else to do meanwhile.

A compiled `advance` hears no signal and draws no progress bar, so it is called for short stretches of time. Between two
of them there is time to report, to stop, and to leave out the networks that have ended, which then cost nothing more.
"""

from collections.abc import Callable
from dataclasses import dataclass
from time import perf_counter

import numpy as np

from nn_core.engines import Advance
from nn_core.training import NEVER, State

SLICE_SECONDS = 0.1  # how long a slice should take; the first ones are shorter, while the speed is not known


@dataclass
class Pace:
    """How long slices are; kept by who trains an ensemble from cut-off to cut-off, so that it is found out once."""

    epochs: int = 1  # of the next slice

    def learn(self, epochs: int, seconds: float) -> None:
        """Adapt to a slice of that many epochs, which took that long."""
        # A slice that was over in no time says little about the next: grow by no more than 8 at once.
        self.epochs = max(1, int(epochs * min(SLICE_SECONDS / max(seconds, 1e-9), 8.0)))


def train(
    state: State,
    to_epoch: int,
    advance: Advance,
    after_slice: Callable[[int], None] | None = None,
    pace: Pace | None = None,
) -> State:
    """Advance to `to_epoch` in slices; the result is that of a single ``advance(state, to_epoch)`` of an engine.

    `after_slice` is told the epoch after every slice, and what it raises ends the training. `pace` is what is known of
    the speed, and changed in place.
    """
    pace = pace or Pace()
    members = np.arange(state.networks)
    ended = []
    while state.epoch < to_epoch:
        running = np.flatnonzero(state.ended_at == NEVER)
        if len(running) <= state.networks // 2:
            gone = np.flatnonzero(state.ended_at != NEVER)
            ended.append((members[gone], advance(state.take(gone), to_epoch)))
            members, state = members[running], state.take(running)
            if not len(running):
                break
        slice_epochs = min(pace.epochs, to_epoch - state.epoch)
        began = perf_counter()
        state = advance(state, state.epoch + slice_epochs)
        pace.learn(slice_epochs, perf_counter() - began)
        if after_slice is not None:
            after_slice(state.epoch)
    if not ended:
        return state
    if len(members):
        ended.append((members, state))
    places = np.concatenate([indices for indices, _ in ended])
    first, *others = [part for _, part in ended]
    return first.map(lambda *rows: np.concatenate(rows), *others).take(np.argsort(places))
