import os
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

import nn_core as nn
from nn_core import compiled, training
from nn_core.compiled import cache

NUMPY, NUMBA = training.advance, compiled.advance

# Ensembles to train.

TASKS = (
    nn.Xor(),
    nn.Xor(low=-1.0, high=1.0, target_low=-1.0, target_high=1.0),
    nn.Parity(2, low=-0.5, high=0.5, target_low=-0.5, target_high=0.5),
    nn.Parity(3),
    nn.Encoder(3),
    nn.Encoder(5, target_low=0.1, target_high=0.9),
)


MODERATE = st.floats(0.01, 1.0)
WILD = st.one_of(st.floats(0.01, 10.0), st.sampled_from([1e5, 1e200, 1e308]))


@st.composite
def trainings(draw):
    loss = draw(st.sampled_from([of() for of in nn.parts("loss").values()]))
    # The cross-entropy is for outputs between 0 and 1, and hardly defined for others.
    activations = [of() for of in nn.parts("activation").values()] if loss.name != "cross_entropy" else [nn.Sigmoid()]
    return nn.Training(
        task=draw(st.sampled_from(TASKS)),
        activation=draw(st.sampled_from(activations)),
        derivative_offset=draw(st.sampled_from([0.0, 0.1])),
        bias=draw(st.sampled_from([None, 1.0, -0.5, 0.0])),
        shortcuts=draw(st.booleans()),
        loss=loss,
        weight_decay=draw(st.sampled_from([0.0, 1e-3])),
        update=draw(st.sampled_from([of() for of in nn.parts("update").values()])),
        order_seed=draw(st.integers(0, 9)),
        criterion=draw(
            st.one_of(
                st.builds(nn.Tolerance, st.floats(0.05, 1.0)),
                st.builds(nn.MeanSquaredError, st.floats(0.01, 1.0)),
            )
        ),
        stop_when_converged=draw(st.booleans()),
        per_decade=draw(st.sampled_from([3, 80])),
    )


@st.composite
def optimizers(draw, networks, rates=MODERATE):
    def numbers(values):
        return np.array(draw(st.lists(values, min_size=networks, max_size=networks)))

    kind = draw(st.sampled_from(list(nn.parts("optimizer").values())))
    if kind is nn.Rprop:
        grow, shrink = numbers(st.floats(1.1, 2.0)), numbers(st.floats(0.1, 0.9))
        bounds = {"smallest": numbers(st.floats(0.0, 0.01)), "largest": numbers(st.floats(0.01, 50.0))}
        return nn.Rprop(numbers(rates), grow=grow, shrink=shrink, backtracking=draw(st.booleans()), **bounds)
    if kind is nn.Adam:
        betas = {name: numbers(st.one_of(st.just(0.0), st.floats(0.01, 0.9999))) for name in ("beta1", "beta2")}
        return nn.Adam(numbers(rates), epsilon=numbers(st.sampled_from([1e-8, 1e-3])), **betas)
    if kind is nn.Momentum:
        return nn.Momentum(numbers(rates), momentum=numbers(st.floats(0.0, 0.95)), scaled=draw(st.booleans()))
    if kind is nn.Quickprop:
        return nn.Quickprop(numbers(rates), mu=numbers(st.floats(1.0, 2.25)), split_by_fan_in=draw(st.booleans()))
    return nn.GradientDescent(numbers(rates))


@st.composite
def states(draw, rates=MODERATE, most=20):
    """Draw an ensemble; its networks differ in initial weights, learning rate and momentum."""
    common = draw(trainings())
    networks = draw(st.integers(1, most))
    hidden = draw(st.lists(st.integers(1, 5), max_size=3))
    sizes = (common.task.inputs.shape[1], *hidden, common.task.targets.shape[1])
    first = draw(st.integers(0, 10**6))
    weights = nn.initial_ensemble(
        nn.Uniform(-1.5, 1.5), nn.layer_fans(sizes, common.bias, common.shortcuts), range(first, first + networks)
    )
    return nn.start(common, draw(optimizers(networks, rates)), weights)


def lesson(networks, lr, hidden=4, **shared):
    """Make an ensemble like the lesson's network."""
    weights = nn.initial_ensemble(nn.Uniform(0.0, 1.0), nn.layer_fans((3, hidden, 1), None), range(networks))
    return nn.start(nn.Training(nn.Xor(), **shared), nn.GradientDescent(lr), weights)


def arrays(state):
    """All arrays of a state that training changes, by name."""
    named = {f"weights{layer}": W for layer, W in enumerate(state.weights, start=1)}
    named |= {f"memory{m}.{layer}": M for m, ms in enumerate(state.memory) for layer, M in enumerate(ms, start=1)}
    return named | {
        "losses": state.losses,
        "first_success": state.first_success,
        "diverged_at": state.diverged_at,
    }


def assert_identical(ours, theirs):
    assert ours.epoch == theirs.epoch
    for (name, a), b in zip(arrays(ours).items(), arrays(theirs).values(), strict=True):
        assert a.shape == b.shape, name
        assert a.dtype == b.dtype, name
        assert a.tobytes() == b.tobytes(), name


def distances(ours, theirs):
    """How far apart two states are, network by network, relative to 1 + the network's largest number of each kind."""
    worst = np.zeros(ours.networks)
    for (name, a), b in zip(arrays(ours).items(), arrays(theirs).values(), strict=True):
        assert a.shape == b.shape, name
        if a.dtype == np.float64 and a.size:
            a, b = (x.reshape(ours.networks, -1) for x in (a, b))
            worst = np.maximum(worst, np.abs(a - b).max(axis=1) / (1.0 + np.abs(b).max(axis=1)))
    return worst


def sensitivity(state, to_epoch):
    """How far apart the reference ends if last bits differ at its start and in its units: no engine is to blame."""
    rng = np.random.default_rng(0)
    activation = state.training.activation

    def nudged(W):
        # Of what is next to nothing, nothing is left: Rprop heeds the sign alone, and engines may round it to 0 or not.
        return np.where(np.abs(W) < 1e-290, 0.0, W) * (1.0 + 4e-16 * rng.choice([-1.0, 1.0], size=W.shape))

    class Nudged(nn.Activation):
        low, high = activation.low, activation.high

        def function(self, z):
            return nudged(activation.function(z))

        def derivative(self, s):
            return activation.derivative(s)

    def rounded_otherwise():
        return replace(
            state,
            training=replace(state.training, activation=Nudged()),
            weights=[nudged(W) for W in state.weights],
            memory=tuple([nudged(M) for M in layers] for layers in state.memory),
        )

    theirs = NUMPY(state, to_epoch)
    return np.maximum.reduce([distances(NUMPY(rounded_otherwise(), to_epoch), theirs) for _ in range(3)])


def assert_close(ours, theirs, relative, chaos=0.0):
    """Compare states: integers exactly, floats as well as `relative` and what chaos there is allow."""
    assert ours.epoch == theirs.epoch
    np.testing.assert_array_equal(ours.first_success, theirs.first_success)
    np.testing.assert_array_equal(ours.diverged_at, theirs.diverged_at)
    error = distances(ours, theirs)
    assert (error <= relative + 100.0 * chaos).all(), f"off by {error.max():.3g}"


# Against the reference.


@given(states(), st.integers(0, 3))
@settings(max_examples=300)
def test_one_epoch_equals_the_reference(state, epochs_before):
    state = NUMPY(state, epochs_before)
    to_epoch = epochs_before + 1
    # Four online updates at lr 1 in a row, or Quickprop's d s / (p - s), can be ill-conditioned.
    assert_close(NUMBA(state, to_epoch), NUMPY(state, to_epoch), relative=1e-13, chaos=sensitivity(state, to_epoch))


@pytest.mark.parametrize("update", [nn.Batch(), nn.Shuffled()])
@pytest.mark.parametrize(
    "optimizer",
    [
        nn.GradientDescent(0.5),
        nn.Momentum(0.1),
        nn.Quickprop(0.5),
        nn.Rprop(0.01, largest=0.3),
        nn.Rprop(0.01, largest=0.3, backtracking=False),
        nn.Adam(0.05),
    ],
)
def test_every_epoch_equals_the_reference_that_begins_where_we_do(optimizer, update):
    """Each begins at the reference's state: left alone, Quickprop and Rprop are elsewhere by order 1 after 60 epochs.

    Rprop heeds the sign of a slope alone, which rounding decides where units are saturated and slopes next to 0.
    """
    sizes, bias, shortcuts = (2, 3, 1), 1.0, True
    weights = nn.initial_ensemble(nn.Uniform(-1.0, 1.0), nn.layer_fans(sizes, bias, shortcuts), range(40))
    shared = nn.Training(nn.Parity(2), bias=bias, shortcuts=shortcuts, update=update, order_seed=3)
    state = nn.start(shared, optimizer, weights)
    compared = 0
    for to_epoch in range(1, 61):
        slopes = training.gradients(
            shared, state.weights, training.show(shared, state.weights, shared.task.inputs), shared.task.targets
        )
        smallest = np.min([np.abs(slope).min(axis=(1, 2)) for slope in slopes], axis=0)
        clear = np.flatnonzero((smallest > 1e-9) | (not isinstance(optimizer, nn.Rprop)))
        chaos = sensitivity(state.take(clear), to_epoch)
        ours, theirs = NUMBA(state, to_epoch), NUMPY(state, to_epoch)
        assert_close(ours.take(clear), theirs.take(clear), relative=1e-12, chaos=chaos)
        state = theirs
        compared += len(clear)
    assert (state.diverged_at == nn.NEVER).all()
    assert compared > 60 * 40 / 2


def test_an_order_that_is_never_drawn_but_not_theirs_is_kept():
    @dataclass(frozen=True)
    class Backwards(nn.Update, twin="nn_core.compiled"):
        def batch_size(self, patterns):
            return 3

        def order(self, patterns, epoch, seed):
            return np.arange(patterns)[::-1]

    state = lesson(20, 0.5, update=Backwards())
    assert_close(NUMBA(state, 100), NUMPY(state, 100), relative=1e-10)
    assert distances(NUMBA(state, 100), NUMBA(lesson(20, 0.5, update=nn.Online()), 100)).min() > 1e-3


@pytest.mark.parametrize("lr", [0.01, 0.1, 0.3, 0.5, 0.7, 0.9, 1.0])
def test_trajectories_of_300_epochs_of_the_lesson_s_network_equal_the_reference(lr):
    state = lesson(200, lr)
    assert_close(NUMBA(state, 300), NUMPY(state, 300), relative=1e-10)


@pytest.mark.parametrize("lr", [0.01, 0.1, 0.3, 0.5, 0.7])
@pytest.mark.parametrize("hidden", [2, 8])
def test_trajectories_of_300_epochs_of_other_widths_equal_the_reference(lr, hidden):
    state = lesson(200, lr, hidden)
    assert_close(NUMBA(state, 300), NUMPY(state, 300), relative=1e-10)


@pytest.mark.parametrize(("lr", "hidden"), [(0.9, 8), (1.0, 2), (1.0, 8)])
def test_trajectories_equal_the_reference_as_far_as_it_equals_itself(lr, hidden):
    """Up to a ninth of the networks are chaotic here: the reference, its last bits nudged, ends elsewhere by 1e-2."""
    state = lesson(200, lr, hidden)
    chaos = sensitivity(state, 300)
    ours, theirs = NUMBA(state, 300), NUMPY(state, 300)
    assert_close(ours, theirs, relative=1e-10, chaos=chaos)
    assert (distances(ours, theirs) <= 1e-10).mean() >= 0.8


def test_learning_times_equal_the_reference():
    state = lesson(100, 1.0, criterion=nn.Tolerance(0.1))
    ours, theirs = NUMBA(state, 3000), NUMPY(state, 3000)
    assert (theirs.first_success != nn.NEVER).sum() > 50
    np.testing.assert_array_equal(ours.first_success, theirs.first_success)


@pytest.mark.parametrize(
    "optimizer",
    [nn.GradientDescent(8.0), nn.Momentum(2.0, momentum=0.9), nn.Quickprop(1.0), nn.Rprop(0.1), nn.Adam(0.1)],
)
def test_as_many_networks_converge_as_in_the_reference_where_rounding_grows(optimizer):
    networks = 200
    weights = nn.initial_ensemble(nn.Uniform(-1.0, 1.0), nn.layer_fans((2, 3, 1), 1.0), range(networks))
    state = nn.start(nn.Training(nn.Parity(2), bias=1.0), optimizer, weights)
    ours, theirs = ((engine(state, 800).first_success != nn.NEVER).sum() for engine in (NUMBA, NUMPY))
    assert 0 < theirs < networks
    assert abs(ours - theirs) <= 0.05 * networks


@given(states(most=3))
@settings(max_examples=50)
def test_a_small_step_is_the_numerical_gradient(state):
    rate = 1e-3
    plain = replace(
        state.training, derivative_offset=0.0, update=nn.Batch(), weight_decay=0.0, stop_when_converged=False
    )
    task = plain.task

    def outputs(weights):
        return training.show(plain, weights, task.inputs)[-1]

    # Losses that are infinite where an output is 1 off, or 0 or 1, are capped there, and have no slope.
    answers = outputs(state.weights)
    assume(np.abs(task.targets - answers).max() < 0.99)
    assume(not isinstance(plain.loss, nn.CrossEntropy) or 0.01 < answers.min() <= answers.max() < 0.99)
    after = NUMBA(nn.start(plain, nn.GradientDescent(rate), state.weights), 1)

    def loss(weights):
        return float(plain.loss.value(task.targets, outputs(weights)))

    for r in range(state.networks):
        slopes = nn.numerical_gradient(loss, [W[r] for W in state.weights])
        for before, now, slope in zip(state.weights, after.weights, slopes, strict=True):
            np.testing.assert_allclose((before[r] - now[r]) / rate, slope, rtol=1e-5, atol=1e-6)


# Independence, bit for bit.


@given(states(rates=WILD, most=30), st.integers(0, 60), st.data())
@settings(max_examples=150)
def test_a_network_does_not_notice_its_neighbours(state, epochs, data):
    chosen = np.array(data.draw(st.lists(st.integers(0, state.networks - 1), min_size=1, max_size=30)))
    assert_identical(NUMBA(state.take(chosen), epochs), NUMBA(state, epochs).take(chosen))


def test_a_network_does_not_notice_a_crowd():
    state = lesson(1000, np.geomspace(0.01, 100.0, 1000), stop_when_converged=True)
    together = NUMBA(state, 500)
    for r in (0, 7, 8, 500, 999):
        alone = np.array([r])
        assert_identical(NUMBA(state.take(alone), 500), together.take(alone))


@given(states(rates=WILD), st.lists(st.integers(0, 120), min_size=1, max_size=5))
@settings(max_examples=150)
def test_slices_make_no_difference(state, stops):
    stops.sort()
    sliced = state
    for stop in stops:
        sliced = NUMBA(sliced, stop)
    assert_identical(sliced, NUMBA(state, stops[-1]))


@given(states())
def test_advancing_leaves_the_state_it_came_from_alone(state):
    before = {name: a.copy() for name, a in arrays(state).items()}
    NUMBA(state, 2)
    for name, a in arrays(state).items():
        np.testing.assert_array_equal(a, before[name])


# Endings.


@given(states(rates=st.sampled_from([0.1, 1e200, 1e308])), st.integers(1, 5))
@settings(max_examples=150)
def test_divergence_equals_the_reference(state, epochs):
    ours, theirs = NUMBA(state, epochs), NUMPY(state, epochs)
    # After an update at a rate of 1e308, a last-bit difference is whatever it likes.
    first_update = (theirs.diverged_at == 0) & (state.training.update == nn.Batch())
    same = first_update | (np.asarray(state.optimizer.learning_rate) == 0.1)
    np.testing.assert_array_equal(ours.diverged_at[same], theirs.diverged_at[same])
    for W, V, start in zip(ours.weights, theirs.weights, state.weights, strict=True):
        assert np.isfinite(W).all()
        np.testing.assert_array_equal(W[ours.diverged_at == 0], start[ours.diverged_at == 0])
        assert V.shape == W.shape


@pytest.mark.parametrize("update", [nn.Batch(), nn.Online()])
@pytest.mark.parametrize("stop", [False, True])
def test_a_network_keeps_its_last_finite_weights(update, stop):
    # Weights grow by a factor of about -1000 a step, so the epoch at which they leave the range of float64 is known.
    shared = nn.Training(nn.Xor(), weight_decay=1001.0, update=update, stop_when_converged=stop)
    weights = nn.initial_ensemble(nn.Uniform(0.5, 1.0), nn.layer_fans((3, 4, 1), None), range(20))
    state = nn.start(shared, nn.GradientDescent(np.where(np.arange(20) % 3 == 0, 1.0, 1e-5)), weights)
    ours, theirs = NUMBA(state, 200), NUMPY(state, 200)
    steps = 1 if update == nn.Batch() else 4
    assert set(ours.diverged_at[::3]) == {int((308.3 - 0.3) / 3 / steps)}
    assert (np.delete(ours.diverged_at, np.s_[::3]) == nn.NEVER).all()
    assert_close(ours, theirs, relative=1e-10)


def test_networks_that_have_all_ended_cost_nothing():
    state = lesson(20, 1.0, criterion=nn.Tolerance(2.0), stop_when_converged=True)
    ended = NUMBA(state, 10**12)
    assert (ended.first_success == 0).all()
    np.testing.assert_array_equal(ended.losses, np.repeat(ended.losses[:, :1], ended.losses.shape[1], axis=1))


def test_stopping_equals_the_reference():
    state = lesson(50, 1.0, stop_when_converged=True)
    ours, theirs = NUMBA(state, 1500), NUMPY(state, 1500)
    assert len(set(theirs.first_success)) > 10
    assert_close(ours, theirs, relative=1e-10, chaos=sensitivity(state, 1500))


# What it refuses, and what it says.


def test_going_back_is_refused():
    state = NUMBA(lesson(2, 0.1), 5)
    with pytest.raises(ValueError, match="to_epoch=4: the ensemble is already at epoch 5"):
        NUMBA(state, 4)


def test_what_was_not_compiled_is_refused():
    class Other(nn.GradientDescent):
        pass

    state = lesson(2, 0.1)

    class Cubic(nn.SumOfSquares):
        pass

    class Step(nn.Tanh):
        pass

    for different, name in (
        (replace(state, training=replace(state.training, loss=Cubic())), "Cubic"),
        (replace(state, training=replace(state.training, activation=Step())), "Step"),
        (replace(state, training=replace(state.training, criterion=nn.GradientNorm())), "GradientNorm"),
        (replace(state, optimizer=Other(np.array([0.1, 0.1]))), "Other"),
    ):
        with pytest.raises(ValueError, match=f"{name} has no compiled twin; the NumPy engine"):
            NUMBA(different, 1)


def test_the_first_compilation_says_so_and_the_next_comes_from_the_cache_though_nothing_is_ours(tmp_path):
    """Where neither the package nor the home can be written to, the cache is a temporary folder of this user's own."""
    shutil.copytree(Path(nn.__file__).parent, tmp_path / "nn_core", ignore=shutil.ignore_patterns("__pycache__"))
    (tmp_path / "nn_core/compiled/__pycache__").touch()  # where no folder can be made now, not even by root
    script = """
import logging
from dataclasses import dataclass, replace
import numpy as np
import nn_core as nn
logging.basicConfig(level=logging.INFO, format="%(name)s: %(message)s")
task = nn.Xor()
class Own(nn.Xor):
    def patterns(self):
        return nn.Patterns(np.asfortranarray(task.inputs), task.targets.copy(), task.pattern_names)
own = Own()
weights = nn.initial_ensemble(nn.Uniform(), nn.layer_fans((3, 4, 1), None), range(2))
for training in (nn.Training(task), nn.Training(own, update=nn.Online(), stop_when_converged=True)):
    for optimizer in (nn.GradientDescent(0.1), nn.Quickprop(0.1, split_by_fan_in=True)):
        state = nn.start(training, optimizer, weights)
        nn.engine("numba")(nn.engine("numba")(state, 1), 2)
"""
    caches = ("NUMBA_CACHE_DIR", "XDG_CACHE_HOME")
    environment = {name: value for name, value in os.environ.items() if name not in caches}
    environment |= {"PYTHONPATH": str(tmp_path), "HOME": "/dev/null", "TMPDIR": str(tmp_path)}
    said = [
        subprocess.run(
            [sys.executable, "-c", script], env=environment, cwd=tmp_path, check=True, capture_output=True, text=True
        ).stderr
        for _ in range(2)
    ]
    assert said[0].count("nn_core.compiled.engine: compiling for these parts") == 1
    assert said[1] == ""
    (folder,) = tmp_path.glob("convergence-atlas-*")
    assert folder.stat().st_mode & 0o777 == 0o700


@pytest.mark.parametrize("taken", [lambda name: name.mkdir(mode=0o755), lambda name: name.symlink_to("."), Path.touch])
def test_code_is_not_kept_in_a_folder_that_somebody_else_could_have_made(taken, tmp_path, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    usual = cache.private_folder()
    assert cache.private_folder() == usual
    usual.rmdir()
    taken(usual)
    (one, other) = cache.private_folder(), cache.private_folder()
    assert len({usual, one, other}) == 3
    assert {folder.stat().st_mode & 0o777 for folder in (one, other)} == {0o700}
