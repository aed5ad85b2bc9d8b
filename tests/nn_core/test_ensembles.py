"""Training in slices, with ended networks left out, is one advance."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import nn_core
from nn_core import ensembles


def state_of(seeds: range, rates: np.ndarray, **training: object) -> nn_core.State:
    weights = nn_core.initial_ensemble(nn_core.Uniform(-2.0, 2.0), nn_core.layer_fans((3, 3, 1), None), seeds)
    optimizer = nn_core.Momentum(rates, 0.9)
    return nn_core.start(nn_core.Training(nn_core.Xor(), **training), optimizer, weights)


def assert_same(ours: nn_core.State, theirs: nn_core.State) -> None:
    assert ours.epoch == theirs.epoch
    for name in ("losses", "first_success", "diverged_at"):
        np.testing.assert_array_equal(getattr(ours, name), getattr(theirs, name), err_msg=name)
    for W, V in zip(ours.weights, theirs.weights, strict=True):
        np.testing.assert_array_equal(W, V)
    np.testing.assert_array_equal(ours.optimizer.learning_rate, theirs.optimizer.learning_rate)


@pytest.mark.parametrize("engine", nn_core.ENGINES)
@settings(max_examples=15, deadline=None)
@given(networks=st.integers(1, 30), epochs=st.integers(1, 400), rate=st.floats(0.1, 8.0), stop=st.booleans())
def test_slices_give_what_one_advance_gives(engine: str, networks: int, epochs: int, rate: float, stop: bool) -> None:
    # The offset makes some networks of the higher rates overflow, so that all ways to end occur.
    rates = np.geomspace(rate, rate * 1e3, networks)
    state = state_of(range(networks), rates, stop_when_converged=stop, derivative_offset=0.1)
    advance = nn_core.engine(engine)
    assert_same(nn_core.train(state, epochs, advance), advance(state, epochs))


def test_ended_networks_are_left_out() -> None:
    sizes: list[int] = []

    def advance(state: nn_core.State, to_epoch: int) -> nn_core.State:
        sizes.append(state.networks)
        return nn_core.advance(state, to_epoch)

    state = state_of(range(40), np.full(40, 0.5), stop_when_converged=True)
    trained = nn_core.train(state, 2000, advance)
    half = np.sort(trained.first_success[trained.first_success != nn_core.NEVER])[20]
    assert half < 2000
    assert sizes[0] == 40
    assert min(sizes[1:]) <= 20


def test_the_caller_hears_of_every_slice_and_may_end_it() -> None:
    state = state_of(range(2), np.full(2, 0.1))
    heard: list[int] = []
    nn_core.train(state, 1000, nn_core.advance, heard.append)
    assert heard[0] == nn_core.Pace().epochs
    assert heard == sorted(set(heard))
    assert heard[-1] == 1000

    def stop(epoch: int) -> None:
        raise InterruptedError(epoch)

    with pytest.raises(InterruptedError, match=str(nn_core.Pace().epochs)):
        nn_core.train(state, 1000, nn_core.advance, stop)


def test_the_pace_is_found_once_for_all_cut_offs() -> None:
    pace = nn_core.Pace()
    state = nn_core.train(state_of(range(2), np.full(2, 0.1)), 500, nn_core.advance, pace=pace)
    known = pace.epochs
    assert known > 8
    heard: list[int] = []
    nn_core.train(state, 500 + 10 * known, nn_core.advance, heard.append, pace)
    assert heard[0] == 500 + known


def test_slices_stay_short_for_signals() -> None:
    """However slow the machine: no slice is planned to take longer than 0.2 s at the speed of the one before."""
    state = state_of(range(2), np.full(2, 0.1))
    clock = [0.0]
    planned: list[float] = []

    def advance(state: nn_core.State, to_epoch: int) -> nn_core.State:
        planned.append((to_epoch - state.epoch) * 1e-3)
        clock[0] += planned[-1]
        return nn_core.advance(state, to_epoch)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(ensembles, "perf_counter", lambda: clock[0])
        nn_core.train(state, 3000, advance)
    assert max(planned) <= 0.2
