import numpy as np
import pytest

import nn_core as nn


def condition(hidden=(4,), init=nn.Uniform(), optimizer=nn.GradientDescent(1.0), **shared):  # noqa: B008
    return nn.Condition(nn.Training(**{"task": nn.Xor(), **shared}), hidden, init, optimizer)


@pytest.mark.parametrize(
    ("shared", "hidden", "sizes", "shapes"),
    [
        ({}, (4,), (3, 4, 1), [(3, 4), (4, 1)]),
        ({"bias": 0.5}, (2,), (3, 2, 1), [(4, 2), (3, 1)]),
        ({"task": nn.Parity(5)}, (8, 4), (5, 8, 4, 1), [(5, 8), (8, 4), (4, 1)]),
        ({"task": nn.Encoder(8)}, (3,), (8, 3, 8), [(8, 3), (3, 8)]),
        ({"shortcuts": True}, (4,), (3, 4, 1), [(3, 4), (7, 1)]),
        ({"shortcuts": True, "bias": 1.0}, (4, 2), (3, 4, 2, 1), [(4, 4), (5, 2), (6, 1)]),
    ],
)
def test_sizes_and_weights(shared, hidden, sizes, shapes):
    one = condition(hidden, **shared)
    assert one.sizes == sizes
    assert [fans.shape for fans in one.fans] == shapes
    assert [W.shape for W in one.start([7, 8]).weights] == [(2, *shape) for shape in shapes]


def test_anyone_can_redraw_the_weights_of_a_network_with_shortcuts():
    weights1, weights2 = (W[0] for W in condition(shortcuts=True, bias=1.0).start([17]).weights)
    rng = np.random.default_rng(17)
    assert weights1.tolist() == rng.uniform(0, 1, size=(4, 4)).tolist()
    assert weights2.tolist() == rng.uniform(0, 1, size=(4 + 3 + 1, 1)).tolist()


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        ({"task": nn.Xor(low=1.0)}, "task.low=1.0 task.high=1.0: valid are two different values"),
        ({"init": nn.Uniform(2.0, 1.0)}, "init.low=2.0 init.high=1.0: valid is a low below the high"),
        ({"init": nn.Fixed((1.0,))}, "init.weights has 1 numbers: valid for a 3-4-1 network without bias are 16"),
        ({"optimizer": nn.Momentum(1.0, 1.0, scaled=True)}, "optimizer.momentum=1.0 with optimizer.scaled=true"),
        ({"optimizer": nn.Rprop(0.1, smallest=2.0, largest=1.0)}, "optimizer.smallest=2.0 optimizer.largest=1.0"),
        ({"optimizer": nn.Rprop(60.0)}, "lr=60.0 with optimizer=rprop: valid is at most 50.0, the largest step"),
        ({"criterion": nn.Tolerance(0.6)}, "criterion.tolerance=0.6: valid is at most 0.5"),
        ({"activation": nn.SymmetricSigmoid()}, "task.target_high=1.0 with activation=symmetric_sigmoid"),
        ({"activation": nn.Tanh(), "loss": nn.Arctanh()}, "loss=arctanh with activation=tanh"),
        ({"activation": nn.Softplus(), "loss": nn.CrossEntropy()}, "loss=cross_entropy with activation=softplus"),
        ({"loss": nn.CrossEntropy(), "task": nn.Xor(target_high=1.1)}, "task.target_high=1.1 with loss=cross_entropy"),
    ],
)
def test_a_part_says_itself_what_it_cannot_tolerate(wrong, told):
    assert condition().problems() == []
    (problem,) = condition(**wrong).problems()
    assert problem.startswith(told)
    assert "valid" in problem


def test_a_rectifier_reaches_any_target_above_it_and_a_gradient_may_vanish_anywhere():
    far = nn.Xor(target_high=1000.0)
    assert condition(task=far, activation=nn.Relu()).problems() == []
    assert condition(task=far, criterion=nn.GradientNorm()).problems() == []


def test_auto_is_the_compiled_engine_where_every_part_has_a_twin():
    class Variant(nn.Momentum):
        pass

    assert nn.choose("auto", condition().parts) == "numba"
    assert nn.choose("auto", condition(optimizer=Variant(1.0)).parts) == "numpy"
    assert nn.choose("auto", condition(criterion=nn.GradientNorm()).parts) == "numpy"
    assert nn.choose("numba", condition(criterion=nn.GradientNorm()).parts) == "numba"  # that is refused elsewhere
    state = condition(optimizer=Variant(1.0)).start(range(3))
    trained, reference = nn.engine("auto")(state, 20), nn.advance(state, 20)
    assert [W.tolist() for W in trained.weights] == [W.tolist() for W in reference.weights]
    with pytest.raises(ValueError, match="engine=cuda: valid are auto, numba, numpy"):
        nn.engine("cuda")
