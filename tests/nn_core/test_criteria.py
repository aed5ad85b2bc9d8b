import numpy as np
import pytest

from nn_core import MeanSquaredError, Tolerance

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
