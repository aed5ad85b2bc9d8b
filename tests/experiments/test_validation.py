"""Ranges and contradictions: what is refused, what is not, and that whatever is not refused can be trained."""

import math
import re
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

import nn_core
from experiments import description, ensemble, validation
from experiments.batches import grid_problems
from experiments.config import Config, Record, condition
from experiments.ensemble import Trained
from experiments.jobs import Job
from experiments.validation import problems
from nn_core import (
    Encoder,
    Fixed,
    GradientDescent,
    MeanSquaredError,
    Momentum,
    Normal,
    Parity,
    Quickprop,
    Tolerance,
    Uniform,
    Xavier,
    Xor,
)

DEFAULT = Config(task=Xor(), init=Uniform(), optimizer=GradientDescent(), criterion=Tolerance())


def of(**changes):
    return replace(DEFAULT, **changes)


def of_sweep(*configs):
    return grid_problems([Job((), config) for config in configs])


@pytest.mark.parametrize(
    ("key", "accepted", "refused"),
    [
        ("lr", [5e-324, 1.0, 1.7e308], [0.0, -5e-324, math.nan, math.inf, -math.inf]),
        ("seed", [0, 2**62], [-1, 2**62 + 1]),
        (
            "hidden",
            [1, 4096, [1], [4096, 1, 3], (2, 2)],
            [0, 4097, -1, True, 1.0, "4", None, [], [0], [2, 0], [[2]], {}],
        ),
        ("epochs", [1, 10**9], [0, -1, 10**9 + 1]),
        ("trials", [1, 100_000], [0, -1, 100_001]),
        ("bias", [None, 1e-300, -1.0], [0.0, -0.0, math.nan, math.inf]),
        ("derivative_offset", [0.0, 0.1, 10.0], [-0.1, math.nan, math.inf]),
        ("weight_decay", [0.0, 1.0], [-1e-9, math.nan, math.inf]),
        ("activation", ["sigmoid", "tanh"], ["", "Sigmoid", "elu"]),
        ("loss", ["sse", "half_sse", "arctanh"], ["", "mse"]),
        ("update", ["batch", "online"], ["", "both"]),
        ("engine", ["auto", "numba", "numpy"], ["", "cuda"]),
        ("experiment", ["x", "../..", "a b", "é" * 250], ["", " ", "a\nb", "\x1b[31m", "x" * 251]),
        ("record.per_decade", [Record(1), Record(1000)], [Record(0), Record(1001)]),
        ("task.bits", [Parity(bits=1), Parity(bits=12)], [Parity(bits=0), Parity(bits=13)]),
        ("task.width", [Encoder(width=2), Encoder(width=4096)], [Encoder(width=1), Encoder(width=4097)]),
        ("task.low", [Xor(low=-1e9)], [Xor(low=math.nan), Xor(low=-math.inf)]),
        ("task.target_high", [Xor(target_high=0.9)], [Xor(target_high=math.inf)]),
        (
            "init.low",
            [Uniform(-8e307, 8e307)],
            [Uniform(-math.inf, 1.0), Uniform(math.nan, 1.0), Uniform(-1e308, 1e308)],
        ),
        ("init.std", [Normal(1e-300)], [Normal(0.0), Normal(-1.0), Normal(math.inf), Normal(1e308)]),
        (
            "optimizer.momentum",
            [Momentum(momentum=0.0), Momentum(momentum=1.25), Momentum(momentum=0.999, scaled=True)],
            [Momentum(momentum=-0.1), Momentum(momentum=math.nan), Momentum(momentum=1.0, scaled=True)],
        ),
        ("optimizer.mu", [Quickprop(mu=0.1)], [Quickprop(mu=0.0), Quickprop(mu=math.inf)]),
        ("criterion.tolerance", [Tolerance(0.5)], [Tolerance(0.50001), Tolerance(0.0)]),
        (
            "criterion.below",
            [MeanSquaredError(1e-300), MeanSquaredError(2.0)],
            [MeanSquaredError(0.0), MeanSquaredError(-1.0)],
        ),
    ],
)
def test_ranges_end_where_they_end(key, accepted, refused, monkeypatch):
    monkeypatch.setattr(validation, "available", lambda: 2**40)  # which takes a large machine
    field = key.partition(".")[0]
    for value in accepted:
        assert problems(of(**{field: value})) == []
    for value in refused:
        (problem,) = problems(of(**{field: value}))
        assert problem.startswith(f"{key}=")
        assert "valid is" in problem


@pytest.mark.parametrize(
    ("hidden", "shown"),
    [(None, "null"), (True, "true"), ([], "[]"), ([[4]], "[[4]]"), ([8, 0], "[8,0]"), ("four", "four"), (2.5, "2.5")],
)
def test_values_are_shown_as_they_are_typed(hidden, shown):
    (problem,) = problems(of(hidden=hidden))
    assert problem == f"hidden={shown}: valid is a whole number from 1 to 4,096, or a list of such, like [8,4]"


@pytest.mark.parametrize(
    ("changes", "given", "weights", "instead"),
    [
        ({"trials": 100_000, "hidden": 4096}, "trials=100000 hidden=4096", 100_000 * 4 * 4096, ""),
        (
            {"hidden": [4096] * 20},
            f"trials=1 hidden=[{','.join(['4096'] * 20)}]",
            19 * 4096**2,
            ", as engine=numpy does",
        ),
        ({"hidden": [4096] * 20, "engine": "numpy"}, "trials=1 hidden=[4096,", 19 * 4096**2, ""),
        ({"task": Encoder(width=4096), "trials": 100}, "trials=100 hidden=4 task.width=4096", 100 * 4096**2, ""),
    ],
)
def test_what_no_memory_holds_is_refused_with_the_number(changes, given, weights, instead, monkeypatch):
    """A network is at least its weights, or its outputs, in 8 bytes each; copies of them are made in training."""
    config, there = of(**changes), 8 * weights * (12 if instead else 1)  # the reference makes fewer copies
    monkeypatch.setattr(validation, "available", lambda: there)
    (problem,) = problems(config)
    assert problem.startswith(given)
    takes, fits = re.findall(r"takes ([\d.]+) GB of memory, valid is what fits into ([\d.]+) GB", problem)[0]
    assert float(takes) * 1e9 > there
    assert float(fits) * 1e9 == pytest.approx(there, rel=0.05)
    assert (instead in problem) if instead else problem.endswith("GB")
    monkeypatch.setattr(validation, "available", lambda: 2**40)
    assert problems(config) == []


def test_all_problems_of_a_configuration_come_together():
    wrong = Config(
        lr=-1.0,
        seed=-1,
        hidden=0,
        epochs=0,
        trials=0,
        experiment="",
        task=Encoder(low=math.nan, width=0),
        activation="a",
        derivative_offset=-1.0,
        bias=0.0,
        init=Normal(-1.0),
        loss="b",
        weight_decay=-1.0,
        optimizer=Quickprop(mu=0.0),
        update="c",
        criterion=MeanSquaredError(0.0),
        record=Record(0),
        engine="d",
    )
    keys = {problem.partition("=")[0] for problem in problems(wrong)}
    assert keys == {
        *("lr", "seed", "hidden", "epochs", "trials", "experiment", "task.low", "task.width", "activation", "bias"),
        *("derivative_offset", "init.std", "loss", "weight_decay", "optimizer.mu", "update", "criterion.below"),
        *("record.per_decade", "engine"),
    }


def test_all_contradictions_come_together():
    found = problems(
        of(
            trials=2,
            task=Xor(low=1.0, target_high=3.0),
            init=Fixed([0.0]),
            optimizer=Momentum(momentum=2.0, scaled=True),
            criterion=Tolerance(1.6),
            loss="arctanh",
        )
    )
    named = ["task.low=", "init.weights", "optimizer.momentum=", "criterion.tolerance=", "task.target_high=", "loss="]
    named.append("trials=")
    assert [problem[: len(start)] for problem, start in zip(found, named, strict=True)] == named


@pytest.mark.parametrize(
    ("activation", "target_high", "tolerance", "reachable"),
    [
        ("sigmoid", 1.0, 0.1, True),
        ("sigmoid", 1.3, 0.31, True),  # strictly within: 0.99... and up to 1
        ("sigmoid", 1.3, 0.25, False),
        ("sigmoid", 1.25, 0.25, False),  # 1 itself is no output
        ("tanh", 1.0, 0.1, True),
        ("symmetric_sigmoid", 0.5, 0.1, True),
        ("symmetric_sigmoid", 1.0, 0.4, False),
    ],
)
def test_targets_that_no_output_reaches_are_refused(activation, target_high, tolerance, reachable):
    config = of(activation=activation, task=Xor(target_high=target_high), criterion=Tolerance(tolerance))
    assert (problems(config) == []) is reachable


@pytest.mark.parametrize(
    ("activation", "targets", "meaningful"),
    [
        ("symmetric_sigmoid", (-0.5, 0.5), True),
        ("sigmoid", (0.0, 1.0), True),
        ("tanh", (-1.0, 1.0), False),  # a difference of 2, whose arctanh does not exist
        ("symmetric_sigmoid", (-0.6, 0.5), False),
    ],
)
def test_arctanh_is_for_differences_up_to_1(activation, targets, meaningful):
    task = Xor(target_low=targets[0], target_high=targets[1])
    assert (problems(of(activation=activation, task=task, loss="arctanh")) == []) is meaningful


@pytest.mark.parametrize(
    ("changes", "sizes"),
    [
        ({}, (3, 4, 1)),
        ({"hidden": [4]}, (3, 4, 1)),
        ({"hidden": [8, 4], "task": Parity(bits=5)}, (5, 8, 4, 1)),
        ({"hidden": 3, "task": Encoder(width=8)}, (8, 3, 8)),
    ],
)
def test_layer_sizes(changes, sizes):
    assert condition(of(**changes)).sizes == sizes


@pytest.mark.parametrize(("bias", "needed"), [(None, 3 * 2 + 2 * 3 + 3), (1.0, 4 * 2 + 3 * 3 + 4)])
def test_fixed_weights_are_counted(bias, needed):
    for count in (needed - 1, needed, needed + 1):
        config = of(hidden=[2, 3], bias=bias, init=Fixed([0.5] * count))
        assert (problems(config) == []) is (count == needed)


def test_fixed_weights_that_mlflow_would_cut_are_refused():
    weights = [0.123456789012] * (3 * 100 + 100)
    assert problems(of(hidden=100, init=Fixed([0.5] * 400))) == []
    (problem,) = problems(of(hidden=100, init=Fixed([*weights])))
    assert problem.startswith("init.weights has 400 numbers: valid")


INITS = [Uniform(-1.0, 1.0), Normal(0.5), Xavier(), Normal(9e306), Uniform(-8e307, 8e307), Uniform(-1e308, 1e308)]
OPTIMIZERS = [
    GradientDescent(),
    Momentum(momentum=1.5),
    Momentum(momentum=0.9, scaled=True),
    Quickprop(),
    Quickprop(mu=1e-9, split_by_fan_in=True),
]


@settings(max_examples=150)
@given(
    task=st.sampled_from(
        [Xor(), Xor(high=1.7e308), Parity(bits=1), Parity(bits=3, low=-1e308), Encoder(width=2), Encoder(width=5)]
    ),
    targets=st.sampled_from([(0.0, 1.0), (1.0, 0.0), (-0.5, 0.5), (-1.0, 1.0), (0.2, 0.8), (1e308, 0.0)]),
    hidden=st.sampled_from([1, 3, [2], [2, 3], [1, 1, 1]]),
    lr=st.floats(5e-324, 1.7e308),
    bias=st.sampled_from([None, 1.0, -1e-300, 1e300]),
    activation=st.sampled_from(["sigmoid", "symmetric_sigmoid", "tanh", "softplus"]),
    loss=st.sampled_from(["sse", "half_sse", "arctanh"]),
    init=st.sampled_from(INITS),
    optimizer=st.sampled_from(OPTIMIZERS),
    update=st.sampled_from(["batch", "online"]),
    criterion=st.sampled_from([Tolerance(0.1), Tolerance(0.5), MeanSquaredError(0.3)]),
    others=st.fixed_dictionaries(
        {
            "trials": st.sampled_from([1, 3]),
            "derivative_offset": st.sampled_from([0.0, 0.1]),
            "weight_decay": st.sampled_from([0.0, 1e300]),
            "stop_when_converged": st.booleans(),
            "record": st.sampled_from([Record(1), Record(1000)]),
        }
    ),
)
def test_what_is_not_refused_can_be_trained_and_told(
    task, targets, hidden, lr, bias, activation, loss, init, optimizer, update, criterion, others
):
    config = of(
        task=replace(task, target_low=targets[0], target_high=targets[1]),
        hidden=hidden,
        lr=lr,
        bias=bias,
        activation=activation,
        loss=loss,
        init=init,
        optimizer=optimizer,
        update=update,
        criterion=criterion,
        **others,
    )
    assume(not problems(config))
    results = nn_core.results(nn_core.advance(ensemble.start([config]), 4))
    assert len(results) == config.trials
    for result in results:
        assert all(np.isfinite(W).all() for W in result.weights)
    record = description.describe(Trained(Job((), config), tuple(results), None, 0, 0), "a", {})
    assert all(np.isfinite(curve.values).all() for curve in record.curves.values())


@given(
    jobs=st.lists(st.tuples(st.integers(0, 30), st.integers(1, 8)), min_size=1, max_size=6, unique=True),
    lr=st.lists(st.sampled_from([0.1, 0.2]), min_size=6, max_size=6),
)
def test_jobs_that_train_a_network_twice_are_refused(jobs, lr):
    trained = [
        (rate, number) for (seed, trials), rate in zip(jobs, lr, strict=False) for number in range(seed, seed + trials)
    ]
    configs = [of(seed=seed, trials=trials, lr=rate) for (seed, trials), rate in zip(jobs, lr, strict=False)]
    found = of_sweep(*configs)
    assert bool(found) is (len(set(trained)) < len(trained))
    for problem in found:
        assert "both train seed" in problem


def test_the_seeds_that_are_suggested_are_valid():
    trials, count = 10, 5
    (problem,) = of_sweep(*(of(seed=seed, trials=trials) for seed in range(count)))
    assert problem.endswith("such as seed=range(0,50,10)")
    assert of_sweep(*(of(seed=seed, trials=trials) for seed in range(0, 50, 10))) == []


def test_jobs_of_different_cutoffs_share_networks_without_training_them_twice():
    assert of_sweep(of(epochs=10, trials=5), of(epochs=20, trials=5)) == []


def test_equal_jobs_are_refused_however_they_are_written():
    (problem,) = of_sweep(of(hidden=2), of(seed=1), of(hidden=[2]), of(hidden=2))
    assert problem.startswith("4 jobs, 2 different: jobs 0 and 2, for one, are both lr=0.1 hidden=2 seed=0; valid is")


def test_fixed_weights_with_several_seeds_are_refused():
    fixed = of(hidden=1, init=Fixed([0.0] * 4))
    assert of_sweep(fixed, replace(fixed, lr=1.0), replace(fixed, hidden=[1, 1], init=Fixed([0.0] * 5))) == []
    (problem,) = of_sweep(fixed, replace(fixed, seed=7))
    assert problem.startswith("seed=0,7 with init=fixed: valid is one seed")


def test_problems_of_a_sweep_are_counted_and_abridged():
    found = of_sweep(*(of(lr=lr, epochs=epochs) for lr in (0.0, 0.1) for epochs in range(-9, 2)))
    assert found[0] == "lr=0.0: valid is a finite number above 0  (11 of 22 jobs)"
    assert found[1:6] == [
        f"epochs={epochs}: valid is a whole number from 1 to 1,000,000,000  (2 of 22 jobs)" for epochs in range(-9, -4)
    ]
    assert found[6:] == ["... and 5 more values of epochs"]


def test_a_bad_seed_among_good_ones_is_counted_alone():
    found = of_sweep(*(of(seed=seed, lr=lr) for seed in (-1, 0, 1) for lr in (0.1, 0.2)))
    assert found == ["seed=-1: valid is a whole number from 0 to 2^62  (2 of 6 jobs)"]
