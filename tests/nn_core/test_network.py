import math

import numpy as np
import pytest

from nn_core import (
    GradientDescent,
    NeuralNetwork,
    Sigmoid,
    SumOfSquares,
    Tanh,
    Tolerance,
    Training,
    Uniform,
    Xor,
    advance,
    backward,
    forward,
    initial_ensemble,
    layer_fans,
    results,
    start,
)


class Lesson:
    """The lesson's class, written from its formulas alone."""

    def __init__(self, x, y, weights1, weights2, learning_rate):
        self.x, self.y, self.weights1, self.weights2, self.lr = x, y, weights1, weights2, learning_rate

    @staticmethod
    def s(z):
        return 1 / (1 + np.exp(-z))

    def feedforward(self):
        self.layer1 = self.s(np.dot(self.x, self.weights1))
        self.output = self.s(np.dot(self.layer1, self.weights2))

    def backprop(self):
        blame = 2 * (self.y - self.output) * self.output * (1 - self.output)
        d_weights2 = np.dot(self.layer1.T, blame)
        d_weights1 = np.dot(self.x.T, np.dot(blame, self.weights2.T) * self.layer1 * (1 - self.layer1))
        self.weights1 = self.weights1 + self.lr * d_weights1
        self.weights2 = self.weights2 + self.lr * d_weights2

    def train(self, epochs):
        for _ in range(epochs):
            self.feedforward()
            self.backprop()


X = np.array([[0, 0, 1], [0, 1, 1], [1, 0, 1], [1, 1, 1]])
Y = np.array([[0], [1], [1], [0]])
SEEDS = range(4)


def lesson(seed, learning_rate):
    rng = np.random.default_rng(seed)
    return Lesson(X, Y, rng.uniform(0, 1, (3, 4)), rng.uniform(0, 1, (4, 1)), learning_rate)


@pytest.fixture(scope="module")
def lessons():
    networks = [lesson(seed, 0.1) for seed in SEEDS]
    for network in networks:
        network.train(10_000)
    return networks


def test_neural_network_is_the_lesson(lessons):
    ours, theirs = NeuralNetwork(X, Y, learning_rate=0.1, rng=SEEDS[0]), lessons[0]
    ours.train(10_000)
    for name in ("weights1", "weights2", "layer1", "output"):
        np.testing.assert_allclose(getattr(ours, name), getattr(theirs, name), rtol=1e-10, err_msg=name)


def test_an_ensemble_is_the_lesson_many_times(lessons):
    weights = initial_ensemble(Uniform(0, 1), layer_fans((3, 4, 1), None), SEEDS)
    trained = results(advance(start(Training(Xor()), GradientDescent(0.1), weights), 10_000))
    for ours, theirs in zip(trained, lessons, strict=True):
        np.testing.assert_allclose(ours.weights[0], theirs.weights1, rtol=1e-10)
        np.testing.assert_allclose(ours.weights[1], theirs.weights2, rtol=1e-10)
        theirs.feedforward()
        np.testing.assert_allclose(ours.predictions, theirs.output, rtol=1e-10)
        assert ours.final_loss == pytest.approx(((Y - theirs.output) ** 2).sum(), rel=1e-9)


def test_the_lessons_story():
    """At 1500 epochs no network has learned XOR to within 0.1, at 10,000 all have."""
    seeds = range(100)
    training = Training(Xor(), criterion=Tolerance(0.1))
    state = start(training, GradientDescent(0.1), initial_ensemble(Uniform(0, 1), layer_fans((3, 4, 1), None), seeds))
    state = advance(state, 1500)
    assert not any(result.converged for result in results(state))
    assert all(result.converged for result in results(advance(state, 10_000)))


def test_attributes_step_by_step():
    network, oracle = NeuralNetwork(X, Y, 0.5, rng=1), lesson(1, 0.5)
    assert network.input.tolist() == X.tolist()
    assert network.y.tolist() == Y.tolist()
    assert network.learning_rate == 0.5
    assert network.weights1.tolist() == oracle.weights1.tolist()

    returned = network.feedforward()
    oracle.feedforward()
    assert returned is network.output
    np.testing.assert_allclose(network.layer1, oracle.layer1, rtol=1e-14)
    np.testing.assert_allclose(network.output, oracle.output, rtol=1e-14)

    before = network.output.copy()
    network.backprop()
    oracle.backprop()
    np.testing.assert_allclose(network.weights1, oracle.weights1, rtol=1e-14)
    np.testing.assert_allclose(network.weights2, oracle.weights2, rtol=1e-14)
    assert network.output.tolist() == before.tolist()  # one update behind the weights


def test_train_does_what_its_steps_do_and_predict_touches_nothing():
    trained, stepped = NeuralNetwork(X, Y, 0.5, rng=1), NeuralNetwork(X, Y, 0.5, rng=1)
    trained.train(3)
    for _ in range(3):
        stepped.feedforward()
        stepped.backprop()
    assert trained.weights1.tolist() == stepped.weights1.tolist()
    layer1, output = trained.layer1.copy(), trained.output.copy()
    predicted = trained.predict(np.array([[1, 1, 1], [0, 1, 1]]))
    assert trained.layer1.tolist() == layer1.tolist()
    assert trained.output.tolist() == output.tolist()
    assert predicted.tolist() == trained.feedforward()[[3, 1]].tolist()


def test_other_tables_and_generators():
    rng = np.random.default_rng(5)
    network = NeuralNetwork(np.zeros((5, 2)), np.zeros((5, 3)), rng=rng)
    assert network.learning_rate == 0.1
    assert network.feedforward().shape == (5, 3)
    assert (network.weights1.shape, network.weights2.shape) == ((2, 4), (4, 3))
    assert not np.array_equal(NeuralNetwork(X, Y).weights1, NeuralNetwork(X, Y).weights1)


@pytest.mark.parametrize(("x", "y"), [(X, Y[:1]), (X, Y.ravel()), (X[0], Y)])
def test_tables_that_do_not_fit(x, y):
    with pytest.raises(ValueError, match=r"x of shape .*, y of shape .*\(patterns, outputs\)"):
        NeuralNetwork(x, y)


def test_forward_and_backward_by_hand():
    """1-1-1 with bias 1: every number below is a fraction that can be checked on paper."""
    # Hidden: z = 1 * ln 2 + 1 * 0 = ln 2, h = 2/3. Output: z = 2/3 * 3 ln 2 - 1 * ln 2 = ln 2, o = 2/3.
    ln2 = math.log(2)
    weights = [np.array([[ln2], [0.0]]), np.array([[3 * ln2], [-ln2]])]
    layers = forward(weights, np.array([[1.0]]), Sigmoid(), bias=1.0)
    assert [layer.item() for layer in layers] == pytest.approx([1, 2 / 3, 2 / 3])

    # Target 1, E = (1 - o)^2: dE/do = -2/3; s' = 2/9; delta = -4/27.
    # dE/dw = h delta = -8/81, its bias: delta. Handed down: 3 ln 2 * delta = -4/9 ln 2; times s' = 2/9: -8/81 ln 2.
    slope = SumOfSquares().slope(np.array([[1.0]]), layers[-1])
    lower, upper = backward(weights, layers, slope, Sigmoid(), bias=1.0)
    assert upper.ravel() == pytest.approx([-8 / 81, -4 / 27])
    assert lower.ravel() == pytest.approx([-8 / 81 * ln2, -8 / 81 * ln2])

    # A bias unit of 1/2 halves what its weights feed and what they are blamed for.
    halved = forward([W * [[1], [2]] for W in weights], np.array([[1.0]]), Sigmoid(), bias=0.5)
    assert [layer.item() for layer in halved] == pytest.approx([1, 2 / 3, 2 / 3])
    _, upper = backward(weights, halved, slope, Sigmoid(), bias=0.5)
    assert upper.ravel() == pytest.approx([-8 / 81, -2 / 27])

    # An offset of 1/9 makes both slopes 1/3: delta = -2/9, handed down -2/3 ln 2, times 1/3.
    lower, upper = backward(weights, layers, slope, Sigmoid(), bias=1.0, derivative_offset=1 / 9)
    assert upper.ravel() == pytest.approx([-4 / 27, -2 / 9])
    assert lower.ravel() == pytest.approx([-2 / 9 * ln2, -2 / 9 * ln2])


def test_any_number_of_leading_axes():
    rng = np.random.default_rng(0)
    weights = [rng.normal(size=(2, 3, 4, 5)), rng.normal(size=(2, 3, 6, 1))]
    tanh = Tanh()
    task = Xor()
    layers = forward(weights, task.inputs, tanh, bias=1.0)
    gradients = backward(weights, layers, SumOfSquares().slope(task.targets, layers[-1]), tanh, bias=1.0)
    assert [layer.shape for layer in layers] == [(4, 3), (2, 3, 4, 5), (2, 3, 4, 1)]
    for index in np.ndindex(2, 3):
        alone = [W[index] for W in weights]
        own = forward(alone, task.inputs, tanh, bias=1.0)
        assert layers[-1][index].tolist() == own[-1].tolist()
        theirs = backward(alone, own, SumOfSquares().slope(task.targets, own[-1]), tanh, bias=1.0)
        assert [G[index].tolist() for G in gradients] == [G.tolist() for G in theirs]
