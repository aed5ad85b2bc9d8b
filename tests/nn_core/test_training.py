import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from nn_core import (
    NEVER,
    Adam,
    Arctanh,
    Batch,
    CrossEntropy,
    Encoder,
    Fixed,
    GradientDescent,
    GradientNorm,
    HalfSumOfSquares,
    MeanSquaredError,
    Momentum,
    Normal,
    Online,
    Parity,
    Quickprop,
    Relu,
    Rprop,
    ScaledTanh,
    Shuffled,
    Sigmoid,
    Softplus,
    SumOfSquares,
    SymmetricSigmoid,
    Tanh,
    Tolerance,
    Training,
    Uniform,
    Xor,
    advance,
    forward,
    initial_ensemble,
    layer_fans,
    recorded_epochs,
    start,
)
from nn_core.training import gradients, show


def exp(z):
    """Of Python's own, which overflows beyond 709, where what it is asked for here has long been decided."""
    return math.exp(min(z, 700.0))


FUNCTIONS = {
    "sigmoid": (lambda z: 1 / (1 + exp(-z)), lambda s: s * (1 - s)),
    "symmetric_sigmoid": (lambda z: 1 / (1 + exp(-z)) - 0.5, lambda s: 0.25 - s * s),
    "tanh": (math.tanh, lambda s: 1 - s * s),
    "scaled_tanh": (lambda z: math.tanh(z / 2), lambda s: (1 - s * s) / 2),
    "relu": (lambda z: max(z, 0.0), lambda s: float(s > 0)),
    "softplus": (lambda z: max(z, math.log(1 + exp(z))), lambda s: 1 - exp(-s)),
}
CAP = 0.9999999
SLOPES = {
    "sse": lambda y, o: -2 * (y - o),
    "half_sse": lambda y, o: o - y,
    "arctanh": lambda y, o: -2 * math.atanh(min(max(y - o, -CAP), CAP)),
    "cross_entropy": lambda y, o: (1 - y) / (1 - o) - y / o,
}


class UnitByUnit:
    """One network in plain Python numbers: no matrices, no ensemble, nothing shared with the code under test."""

    def __init__(self, training, optimizer, weights):
        self.training, self.optimizer = training, optimizer
        self.function, self.derivative = FUNCTIONS[training.activation.name]
        self.patterns = list(zip(training.task.inputs.tolist(), training.task.targets.tolist(), strict=True))
        # w[layer][unit above][unit below], the bias last.
        self.w = [W.T.tolist() for W in weights]
        self.epochs = 0
        self.step = [[[0.0 for _ in unit] for unit in layer] for layer in self.w]
        self.last = [[[0.0 for _ in unit] for unit in layer] for layer in self.w]

    def feed(self, values):
        """What comes into every layer, the bias with it, and what comes out of it."""
        incoming, outgoing, inputs = [], [], values
        for k, layer in enumerate(self.w):
            if self.training.shortcuts and k == len(self.w) - 1:
                values = values + inputs
            values = values + ([] if self.training.bias is None else [self.training.bias])
            incoming.append(values)
            values = [self.function(sum(w * v for w, v in zip(unit, values, strict=True))) for unit in layer]
            outgoing.append(values)
        return incoming, outgoing

    def gradient(self, patterns):
        total = [[[0.0 for _ in unit] for unit in layer] for layer in self.w]
        for values, targets in patterns:
            incoming, outgoing = self.feed(values)
            errors = [SLOPES[self.training.loss.name](y, o) for y, o in zip(targets, outgoing[-1], strict=True)]
            for k in reversed(range(len(self.w))):
                deltas = [
                    e * (self.derivative(o) + self.training.derivative_offset)
                    for e, o in zip(errors, outgoing[k], strict=True)
                ]
                for j, delta in enumerate(deltas):
                    for i, value in enumerate(incoming[k]):
                        total[k][j][i] += delta * value
                units = len(outgoing[k - 1])  # inputs and bias, which come after them, have nothing below to blame
                errors = [sum(d * self.w[k][j][i] for j, d in enumerate(deltas)) for i in range(units)] if k else []
        return total

    def next_step(self, slope, d, p, fan_in):
        """`slope` is dE/dw, `d` the last step, `p` the last -dE/dw."""
        o = self.optimizer
        if isinstance(o, GradientDescent):
            return -o.learning_rate * slope
        if isinstance(o, Momentum):
            return -o.learning_rate * slope * ((1 - o.momentum) if o.scaled else 1) + o.momentum * d
        s = -slope
        epsilon = o.learning_rate / (fan_in if o.split_by_fan_in else 1)
        if d == 0:
            return epsilon * s
        grow = s > o.mu / (1 + o.mu) * p if d > 0 else s < o.mu / (1 + o.mu) * p
        jump = o.mu * d if grow else (0 if s == p else d * s / (p - s))
        return jump + (epsilon * s if s * d > 0 else 0)

    def update(self, patterns):
        gradient = self.gradient(patterns)
        for k, layer in enumerate(self.w):
            for j, unit in enumerate(layer):
                for i in range(len(unit)):
                    slope = gradient[k][j][i] + self.training.weight_decay * unit[i]
                    step = self.next_step(slope, self.step[k][j][i], self.last[k][j][i], len(unit))
                    self.step[k][j][i], self.last[k][j][i] = step, -slope
                    unit[i] += step

    def epoch(self):
        order = range(len(self.patterns))
        if self.training.update == Shuffled():
            order = np.random.default_rng([self.training.order_seed, self.epochs]).permutation(len(self.patterns))
        if self.training.update == Batch():
            self.update(self.patterns)
        else:
            for p in order:
                self.update([self.patterns[p]])
        self.epochs += 1

    def outputs(self):
        return np.array([self.feed(values)[1][-1] for values, _ in self.patterns])

    def weights(self):
        return [np.array(layer).T for layer in self.w]


positive = st.floats(0.01, 2.0)
smooth_optimizers = st.one_of(
    st.builds(GradientDescent, positive),
    st.builds(Momentum, positive, st.floats(0, 1.2), st.booleans()),
    st.builds(Quickprop, positive, st.floats(1, 2.5), st.booleans()),
)
# These turn on the sign of a slope, even of one that is nothing but rounding errors.
optimizers = smooth_optimizers | st.builds(Rprop, positive, backtracking=st.booleans()) | st.builds(Adam, positive)
tables = st.one_of(
    st.just(Xor()),
    st.builds(Parity, st.integers(1, 3), low=st.sampled_from([-1.0, 0.0])),
    st.builds(Encoder, st.integers(2, 4), target_low=st.just(-0.5), target_high=st.just(0.5)),
)
LOSSES_OF = {
    Sigmoid(): [SumOfSquares(), HalfSumOfSquares(), Arctanh(), CrossEntropy()],
    SymmetricSigmoid(): [SumOfSquares(), HalfSumOfSquares(), Arctanh()],
    Tanh(): [SumOfSquares(), HalfSumOfSquares(), Arctanh()],
    ScaledTanh(): [SumOfSquares(), HalfSumOfSquares(), Arctanh()],
    Relu(): [SumOfSquares(), HalfSumOfSquares()],
    Softplus(): [SumOfSquares(), HalfSumOfSquares()],
}
trainings = st.sampled_from(
    [(activation, loss) for activation, losses in LOSSES_OF.items() for loss in losses]
).flatmap(
    lambda pair: st.builds(
        Training,
        task=tables,
        activation=st.just(pair[0]),
        loss=st.just(pair[1]),
        derivative_offset=st.sampled_from([0.0, 0.1]),
        bias=st.sampled_from([None, 0.5, 1.0]),
        weight_decay=st.sampled_from([0.0, 0.01]),
        update=st.sampled_from([Batch(), Online(), Shuffled()]),
        order_seed=st.integers(0, 5),
        criterion=st.one_of(
            st.builds(Tolerance, st.floats(0.1, 1.0)), st.builds(MeanSquaredError, st.floats(0.05, 0.5))
        ),
        stop_when_converged=st.booleans(),
        per_decade=st.sampled_from([3, 80]),
    )
)
hidden_layers = st.lists(st.integers(1, 5), max_size=3)
seeds = st.integers(0, 10_000)


def sizes_of(training, hidden):
    return (training.task.inputs.shape[1], *hidden, training.task.targets.shape[1])


def ensemble_of(training, optimizer, hidden, seeds, init=Normal(1.0)):  # noqa: B008
    fans = layer_fans(sizes_of(training, hidden), training.bias, training.shortcuts)
    return start(training, optimizer, initial_ensemble(init, fans, seeds))


def assert_same(state, other):
    """Bit for bit, nan included."""
    assert state.epoch == other.epoch
    for ours, theirs in zip(state.weights, other.weights, strict=True):
        np.testing.assert_array_equal(ours, theirs)
    for ours, theirs in zip(state.memory, other.memory, strict=True):
        for M, N in zip(ours, theirs, strict=True):
            np.testing.assert_array_equal(M, N)
    np.testing.assert_array_equal(state.losses, other.losses)
    np.testing.assert_array_equal(state.first_success, other.first_success)
    np.testing.assert_array_equal(state.diverged_at, other.diverged_at)


@given(training=trainings, shortcuts=st.booleans(), optimizer=smooth_optimizers, hidden=hidden_layers, seed=seeds)
def test_advance_is_backpropagation_unit_by_unit(training, shortcuts, optimizer, hidden, seed):
    training = replace(training, shortcuts=shortcuts and hidden != [], stop_when_converged=False)
    state = ensemble_of(training, optimizer, hidden, [seed])
    oracle = UnitByUnit(training, optimizer, [W[0] for W in state.weights])
    for _ in range(4):
        oracle.epoch()
        state = advance(state, state.epoch + 1)
        assume(all(np.abs(W).max() < 1e3 for W in state.weights))  # rectifiers do not hold networks back
        # Quickprop's steps jump where a slope that is zero on paper is not quite; such a weight ends at all but zero.
        assume(all((np.abs(W) > 1e-12).all() for W in state.weights))
        for ours, theirs in zip(state.weights, oracle.weights(), strict=True):
            np.testing.assert_allclose(ours[0], theirs, rtol=1e-5, atol=1e-7)
        outputs = show(training, state.weights, training.task.inputs)[-1]
        np.testing.assert_allclose(outputs[0], oracle.outputs(), rtol=1e-5, atol=1e-6)


@given(
    training=trainings,
    optimizers=st.lists(optimizers, min_size=1, max_size=6).map(
        lambda found: [o for o in found if type(o) is type(found[0])]
    ),
    hidden=st.lists(st.integers(1, 20), max_size=3),
    seed=seeds,
    epochs=st.integers(0, 12),
)
def test_an_ensemble_is_its_networks_one_by_one(training, optimizers, hidden, seed, epochs):
    flags = {name: value for name, value in vars(optimizers[0]).items() if isinstance(value, bool)}
    optimizers = [replace(optimizer, **flags) for optimizer in optimizers]
    numbers = {name: np.array([o.numbers()[name] for o in optimizers]) for name in optimizers[0].numbers()}
    chosen = [seed + r for r in range(len(optimizers))]
    together = ensemble_of(training, replace(optimizers[0], **numbers), hidden, chosen)
    together = advance(together, epochs)
    for r, optimizer in enumerate(optimizers):
        alone = advance(ensemble_of(training, optimizer, hidden, [chosen[r]]), epochs)
        assert_same(together.take(np.array([r])), alone)


@given(
    training=trainings,
    optimizer=optimizers,
    hidden=hidden_layers,
    seed=seeds,
    cuts=st.lists(st.integers(0, 30), max_size=4).map(sorted),
)
def test_slices_are_one_advance(training, optimizer, hidden, seed, cuts):
    first = ensemble_of(training, optimizer, hidden, [seed, seed + 1, seed + 2])
    sliced = first
    for epoch in cuts:
        sliced = advance(sliced, epoch)
        assert sliced.epoch == epoch
        assert sliced.losses.shape == (3, len(recorded_epochs(training.per_decade, epoch)))
    assert_same(advance(sliced, 30), advance(first, 30))


@given(training=trainings, optimizer=optimizers, seed=seeds, chosen=st.permutations(range(4)), keep=st.integers(1, 4))
def test_networks_may_be_dropped_and_reordered_on_the_way(training, optimizer, seed, chosen, keep):
    networks = np.array(chosen[:keep])
    half = advance(ensemble_of(training, optimizer, [3], range(seed, seed + 4)), 5)
    assert_same(advance(half.take(networks), 12), advance(half, 12).take(networks))


@np.errstate(over="ignore", invalid="ignore")  # unbounded units may overflow
@given(training=trainings, optimizer=optimizers, hidden=hidden_layers, seed=seeds)
def test_first_success_and_losses_are_those_of_weights_held_between_epochs(training, optimizer, hidden, seed):
    epochs = 15
    targets = training.task.targets
    training = replace(training, stop_when_converged=False)
    state = ensemble_of(training, optimizer, hidden, [seed, seed + 1])
    stopping = ensemble_of(replace(training, stop_when_converged=True), optimizer, hidden, [seed, seed + 1])
    success, losses, held = np.full(2, NEVER), [], []
    for epoch in range(epochs + 1):
        state = advance(state, epoch)
        outputs = forward(state.weights, training.task.inputs, training.activation, training.bias)[-1]
        losses.append([training.loss.value(targets, outputs[r]) for r in range(2)])
        for r in range(2):
            errors = targets - outputs[r]
            if isinstance(training.criterion, Tolerance):
                met = np.abs(errors).max() < training.criterion.tolerance
            else:
                met = np.mean(errors**2) < training.criterion.below
            if met and success[r] == NEVER:
                success[r] = epoch
        held.append(state.weights)
        assert state.first_success.tolist() == success.tolist()

    stopped = advance(stopping, epochs)
    assert stopped.first_success.tolist() == success.tolist()
    grid = recorded_epochs(training.per_decade, epochs)
    for r in range(2):
        end = epochs if success[r] == NEVER else success[r]
        assert [W[r].tolist() for W in stopped.weights] == [W[r].tolist() for W in held[end]]
        np.testing.assert_array_equal(state.losses[r], [losses[epoch][r] for epoch in grid])
        np.testing.assert_array_equal(stopped.losses[r], [losses[min(epoch, end)][r] for epoch in grid])


def learning(**changes):
    """XOR that every one of 20 networks learns within 400 epochs."""
    training = Training(Xor(), bias=1.0, **changes)
    return ensemble_of(training, Momentum(1.0, 0.9), [6], range(20), Uniform(-1, 1))


@pytest.mark.parametrize("update", [Batch(), Online()])
def test_the_criterion_is_evaluated_at_the_cut_off_too(update):
    learned_at = int(advance(learning(update=update), 400).first_success[0])
    assert 1 < learned_at < 400
    assert advance(learning(update=update), learned_at).first_success[0] == learned_at
    assert advance(learning(update=update), learned_at - 1).first_success[0] == NEVER


@pytest.mark.parametrize("stop", [False, True])
def test_zero_epochs_when_the_initial_weights_do(stop):
    # s(+-10) answers parity(1) at once; the mirrored network never does within 3 epochs of a tiny learning rate.
    training = Training(Parity(1), bias=1.0, stop_when_converged=stop)
    right, wrong = Fixed((20.0, -10.0)), Fixed((-20.0, 10.0))
    weights = [
        np.stack(pair)
        for pair in zip(right.matrices(layer_fans((1, 1), 1.0)), wrong.matrices(layer_fans((1, 1), 1.0)), strict=True)
    ]
    state = advance(start(training, GradientDescent(0.01), weights), 3)
    assert state.first_success.tolist() == [0, NEVER]
    assert (state.weights[0][0] == weights[0][0]).all() == stop
    assert (state.weights[0][1] != weights[0][1]).any()


@pytest.mark.parametrize("update", [Batch(), Online()])
def test_networks_that_stop_hold_their_weights_and_their_loss(update):
    going, stopping = learning(update=update), learning(update=update, stop_when_converged=True)
    stopped = advance(stopping, 400)
    assert (stopped.first_success != NEVER).all()
    assert len(set(stopped.first_success.tolist())) > 5
    assert stopped.first_success.tolist() == advance(going, 400).first_success.tolist()
    assert stopped.ended_at.tolist() == stopped.first_success.tolist()
    assert_same(advance(advance(stopped, 450), 1000), advance(stopping, 1000))
    grid = recorded_epochs(80, 400)
    for r, epoch in enumerate(stopped.first_success.tolist()):
        there = advance(going.take(np.array([r])), epoch)
        assert [W[r].tolist() for W in stopped.weights] == [W[0].tolist() for W in there.weights]
        final = stopped.training.loss.value(
            there.training.task.targets, forward(there.weights, Xor().inputs, Sigmoid(), 1.0)[-1]
        )
        assert set(stopped.losses[r, grid >= epoch].tolist()) == {final.item()}


@given(per_decade=st.integers(1, 200), upto=st.integers(0, 100_000))
def test_recorded_epochs_are_one_grid_for_every_cut_off(per_decade, upto):
    grid, k = {0}, 0
    while round(10 ** (k / per_decade)) <= upto:
        grid.add(round(10 ** (k / per_decade)))
        k += 1
    assert recorded_epochs(per_decade, upto).tolist() == sorted(grid)


def test_recorded_epochs_of_the_lesson():
    epochs = recorded_epochs(80, 10_000).tolist()
    assert epochs[:4] == [0, 1, 2, 3]
    assert {10, 100, 1000, 10_000} <= set(epochs)
    assert epochs[-2] == round(10 ** (319 / 80))
    with pytest.raises(ValueError, match="read-only"):
        recorded_epochs(80, 10_000)[0] = 1


def overflowing(
    update=Batch(),  # noqa: B008
    stop=False,
    seeds=(0, 1, 2, 3),
):
    """Networks 1 and 3 leave float64: one at once, one as its momentum grows; 0 and 2 learn as if alone."""
    training = Training(Xor(), derivative_offset=0.1, bias=1.0, update=update, stop_when_converged=stop)
    return ensemble_of(
        training,
        Momentum(np.array([1.0, 1e308, 1.0, 1.0]), np.array([0.9, 0.9, 0.5, 1.5])),
        [3],
        seeds,
        Uniform(-1, 1),
    )


@pytest.mark.parametrize("update", [Batch(), Online()])
def test_overflow_is_noticed_and_disturbs_nobody(update):
    first = overflowing(update)
    state = advance(first, 2500)
    assert (state.diverged_at == NEVER).tolist() == [True, False, True, False]
    at_once, later = int(state.diverged_at[1]), int(state.diverged_at[3])
    assert at_once <= 2
    assert 100 < later < 2500
    assert all(np.isfinite(W).all() for W in state.weights)
    assert all(np.isfinite(M).all() for layers in state.memory for M in layers)
    for r in (0, 2):
        assert_same(state.take(np.array([r])), advance(first.take(np.array([r])), 2500))
    # The last finite weights are those of the epoch that is named; one epoch earlier nothing had happened.
    before = advance(first, later)
    assert before.diverged_at[3] == NEVER
    assert [W[3].tolist() for W in state.weights] == [W[3].tolist() for W in before.weights]
    assert max(np.abs(W[3]).max() for W in state.weights) > 1e305
    assert advance(first, later + 1).diverged_at[3] == later
    assert_same(advance(before, 2500), state)


def test_losses_of_an_overflowed_network_stay_what_they_were():
    state = advance(overflowing(), 2500)
    grid = recorded_epochs(80, 2500)
    for r in (1, 3):
        after = grid >= state.diverged_at[r]
        assert after.sum() > 1
        with np.errstate(over="ignore", invalid="ignore"):
            outputs = forward([W[r] for W in state.weights], Xor().inputs, Sigmoid(), 1.0)[-1]
        np.testing.assert_array_equal(state.losses[r, after], SumOfSquares().value(Xor().targets, outputs))


def test_when_all_have_overflowed_the_rest_costs_nothing():
    # 10^12 epochs: only the recording grid is filled.
    state = overflowing().take(np.array([1, 3]))
    state = advance(state, 10**12)
    assert (state.diverged_at != NEVER).all()
    assert state.epoch == 10**12
    assert state.losses.shape == (2, len(recorded_epochs(80, 10**12)))


def test_stopping_comes_before_overflow():
    # Initial weights that already answer: a network that stops there never makes the updates that would overflow.
    training = Training(Parity(1), derivative_offset=0.1, bias=1.0, loss=SumOfSquares(), stop_when_converged=True)
    weights = [W[np.newaxis] for W in Fixed((2.0, -1.0)).matrices(layer_fans((1, 1), 1.0))]
    optimizer = Momentum(1.0, 1.5)
    stopped = advance(start(training, optimizer, weights), 3000)
    assert (stopped.first_success.item(), stopped.diverged_at.item()) == (0, NEVER)
    going = advance(start(replace(training, stop_when_converged=False), optimizer, weights), 3000)
    assert going.first_success.item() == 0
    assert going.diverged_at.item() > 0


def test_going_back_is_refused():
    state = advance(learning(), 5)
    assert_same(advance(state, 5), state)
    with pytest.raises(ValueError, match="to_epoch=4: the ensemble is already at epoch 5"):
        advance(state, 4)


def test_a_state_is_never_changed():
    first = learning()
    kept = first.take(np.arange(first.networks))
    advance(first, 50)
    assert_same(first, kept)
    given_weights = initial_ensemble(Uniform(), layer_fans((3, 6, 1), 1.0), range(2))
    state = start(first.training, GradientDescent(1.0), given_weights)
    given_weights[0][...] = 0
    assert (state.weights[0] != 0).all()


@pytest.mark.parametrize(
    "shapes", [[(3, 4), (4, 1)], [(2, 3, 4), (3, 4, 1)], [(1, 2, 3, 4), (1, 2, 4, 1)]], ids=["one", "uneven", "axes"]
)
def test_weights_that_are_no_ensemble(shapes):
    with pytest.raises(ValueError, match="weights of shapes"):
        start(Training(Xor()), GradientDescent(0.1), [np.zeros(shape) for shape in shapes])


@settings(max_examples=30)
@given(layout=st.sampled_from(["C", "F"]), seed=seeds, bias=st.sampled_from([None, 1.0]))
def test_how_weights_lie_in_memory_does_not_matter(layout, seed, bias):
    training = Training(Parity(3), bias=bias)
    weights = initial_ensemble(Normal(1.0), layer_fans((3, 5, 2, 1), bias), range(seed, seed + 3))
    laid_out = start(training, Momentum(1.0, 0.9), [np.asarray(W, order=layout) for W in weights])
    assert_same(advance(laid_out, 10), advance(start(training, Momentum(1.0, 0.9), weights), 10))


@pytest.mark.parametrize("update", [Batch(), Online()])
def test_a_stop_on_the_gradients_norm_is_at_the_first_pass_whose_gradient_is_short(update):
    training = Training(Xor(), bias=1.0, weight_decay=0.001, update=update, criterion=GradientNorm(0.1))
    state = ensemble_of(training, GradientDescent(1.0), [3], range(6))
    found = np.full(6, NEVER)
    for epoch in range(300):
        state = advance(state, epoch)
        layers = show(training, state.weights, training.task.inputs)
        slopes = gradients(training, state.weights, layers, training.task.targets)
        lengths = np.linalg.norm(np.concatenate([slope.reshape(6, -1) for slope in slopes], axis=1), axis=1)
        found = np.where((found == NEVER) & (lengths < 0.1), epoch, found)
    assert state.first_success.tolist() == found.tolist()
    assert (found > 0).sum() > 2


def test_shortcuts_alone_can_carry_a_task_that_is_linear():
    """With hidden weights of 0 the outputs hear of the inputs only through the shortcuts."""
    training = Training(Parity(1), bias=1.0, shortcuts=True)
    hidden, output = np.zeros((1, 2, 2)), np.array([[[0.0], [0.0], [20.0], [-10.0]]])
    state = advance(start(training, GradientDescent(0.1), [hidden, output]), 0)
    assert state.first_success.tolist() == [0]


def test_a_shuffled_order_is_the_same_for_whoever_trains_together_and_another_one_for_another_seed():
    def weights(order_seed, seeds):
        training = Training(Xor(), update=Shuffled(), order_seed=order_seed)
        return advance(ensemble_of(training, GradientDescent(1.0), [4], seeds), 10).weights

    assert (weights(0, [7])[0][0] == weights(0, [3, 7])[0][1]).all()
    assert (weights(0, [7])[0] != weights(1, [7])[0]).any()
