from dataclasses import replace

import numpy as np
import pytest

from nn_core import (
    NEVER,
    GradientDescent,
    MeanSquaredError,
    Tolerance,
    Training,
    Uniform,
    Xor,
    engine,
    initial_ensemble,
    layer_fans,
    start,
)

TARGETS = np.array([[0.0, 1.0], [1.0, 0.0]])


def test_tolerance_is_strict():
    outputs = TARGETS + np.array([[0.5, -0.25], [0.0, 0.125]])
    assert not Tolerance(0.5).met(TARGETS, outputs)
    assert Tolerance(np.nextafter(0.5, 1.0)).met(TARGETS, outputs)


@pytest.mark.parametrize("sign", [-1, 1])
@pytest.mark.parametrize("place", [(0, 0), (0, 1), (1, 0), (1, 1)])
def test_tolerance_holds_for_every_output_of_every_pattern(place, sign):
    outputs = TARGETS.copy()
    outputs[place] += sign * 0.41
    assert not Tolerance(0.4).met(TARGETS, outputs)
    outputs[place] = TARGETS[place] + sign * 0.39
    assert Tolerance(0.4).met(TARGETS, outputs)


def test_mean_squared_error_is_a_mean_over_patterns_and_outputs_and_strict():
    outputs = TARGETS + np.array([[0.5, 0.5], [0.0, 0.0]])  # squares sum to 0.5, over 4 places
    assert not MeanSquaredError(0.125).met(TARGETS, outputs)
    assert MeanSquaredError(np.nextafter(0.125, 1.0)).met(TARGETS, outputs)


@pytest.mark.parametrize("criterion", [Tolerance(0.4), MeanSquaredError(0.01)])
def test_one_verdict_per_network_and_nan_is_never_success(criterion):
    outputs = np.stack([TARGETS, 1 - TARGETS, np.where(TARGETS == 1, np.nan, TARGETS)])
    assert criterion.met(TARGETS, outputs).tolist() == [True, False, False]
    assert criterion.met(TARGETS, outputs[:, np.newaxis]).shape == (3, 1)


@pytest.mark.parametrize("engine_name", ["numpy", "numba"])
@pytest.mark.parametrize("hold", [1, 2, 5])
def test_a_criterion_may_have_to_hold(engine_name, hold):
    # At this rate, networks of two hidden units learn XOR and unlearn it again, for shorter or longer.
    training = Training(Xor())
    weights = initial_ensemble(Uniform(), layer_fans((3, 2, 1), None), range(40))
    state = start(training, GradientDescent(3.0), weights)
    advance, met = engine(engine_name), []
    for epoch in range(401):
        state = advance(state, epoch)
        hidden = 1 / (1 + np.exp(-Xor().inputs @ state.weights[0]))
        errors = np.abs(Xor().targets - 1 / (1 + np.exp(-hidden @ state.weights[1])))
        met.append(errors.max(axis=(1, 2)) < 0.4)
    expected = []
    for passes in np.transpose(met):
        in_a_row = [all(passes[epoch - hold + 1 : epoch + 1]) for epoch in range(hold - 1, 401)]
        expected.append(in_a_row.index(True) + hold - 1 if True in in_a_row else NEVER)
    holding = replace(training, criterion=Tolerance(0.4, hold=hold))
    for stop in (False, True):
        found = start(replace(holding, stop_when_converged=stop), GradientDescent(3.0), weights)
        for epoch in (*range(100), 187, 188, 400):
            found = advance(found, epoch)
        assert found.first_success.tolist() == expected
        assert advance(start(found.training, found.optimizer, weights), 400).first_success.tolist() == expected
    assert len(set(expected)) > 3
    assert NEVER in expected
