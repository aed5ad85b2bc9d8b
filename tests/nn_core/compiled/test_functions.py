import decimal
from decimal import Decimal

import numpy as np
import pytest
from numba import njit

from nn_core.compiled import functions, lanes


def _over_arrays(function):
    @njit
    def apply(x, y):
        for i in range(len(x) // lanes.LANES):
            lanes.store(y, i, function(lanes.load(x, i)))

    def elementwise(values):
        x = np.zeros(-(-len(values) // lanes.LANES) * lanes.LANES)
        x[: len(values)] = values
        y = np.empty_like(x)
        apply(x, y)
        return y[: len(values)]

    return elementwise


@pytest.fixture(scope="module")
def compiled():
    return {
        name: _over_arrays(getattr(functions, name)) for name in ("sigmoid", "tanh", "exp", "expm1", "log", "log1p")
    }


def ulps(values, exact):
    """Largest distance from exact results, in units of the last place of their float64."""
    return max(
        float(abs(Decimal(value) - truth) / Decimal(np.spacing(abs(float(truth)))))
        for value, truth in zip(values.tolist(), exact, strict=True)
    )


def spread_out(low, high, count=1500):
    """Numbers of all magnitudes within a range, both ends included."""
    rng = np.random.default_rng(1)
    near_zero = np.geomspace(1e-300, max(-low, high), count) * rng.choice([-1, 1], count)
    both = np.concatenate([rng.uniform(low, high, count), near_zero, [low, high, 0.0]])
    return both[(both >= low) & (both <= high)]


@pytest.fixture(autouse=True)
def fifty_digits():
    with decimal.localcontext(prec=50, Emin=-decimal.MAX_EMAX, Emax=decimal.MAX_EMAX):
        yield


def test_sigmoid_is_within_two_units_in_the_last_place(compiled):
    z = spread_out(-708.0, 745.0)
    assert ulps(compiled["sigmoid"](z), [1 / (1 + (-Decimal(x)).exp()) for x in z.tolist()]) <= 2.0


def test_sigmoid_of_extremes(compiled):
    z = np.array([-np.inf, -1e300, -746.0, -709.0, 40.0, 709.0, 746.0, 1e300, np.inf, -0.0])
    np.testing.assert_array_equal(compiled["sigmoid"](z), [0, 0, 0, 0, 1, 1, 1, 1, 1, 0.5])
    assert np.isnan(compiled["sigmoid"](np.array([np.nan]))).all()


def test_tanh_is_within_three_units_in_the_last_place(compiled):
    z = spread_out(-745.0, 745.0)
    e = [(-2 * abs(Decimal(x))).exp() if abs(x) > 1e-10 else None for x in z.tolist()]
    # tanh z = z - z^3/3 + ..., which is z to 20 digits below 1e-10
    exact = [Decimal(x) if y is None else ((1 - y) / (1 + y)).copy_sign(Decimal(x)) for x, y in zip(z, e, strict=True)]
    assert ulps(compiled["tanh"](z), exact) <= 3.0


def test_tanh_of_extremes(compiled):
    np.testing.assert_array_equal(compiled["tanh"](np.array([-np.inf, -1e300, 0.0, 30.0, np.inf])), [-1, -1, 0, 1, 1])
    assert np.isnan(compiled["tanh"](np.array([np.nan]))).all()


def test_log1p_is_within_three_units_in_the_last_place(compiled):
    x = spread_out(-0.9999999, 0.9999999)
    x = np.append(x, np.nextafter(np.sqrt([0.5, 0.5]), [0, 1]) - 1)  # where the exponent changes
    # ln(1 + x) = x - x^2/2 + ...
    exact = [(1 + Decimal(v)).ln() if abs(v) > 1e-20 else Decimal(v) - Decimal(v) ** 2 / 2 for v in x.tolist()]
    assert ulps(compiled["log1p"](x), exact) <= 3.0
    assert np.isnan(compiled["log1p"](np.array([np.nan]))).all()


def test_exp_is_within_two_units_in_the_last_place(compiled):
    x = spread_out(-708.0, 0.0)
    assert ulps(compiled["exp"](x), [Decimal(v).exp() for v in x.tolist()]) <= 2.0


def test_exp_of_extremes(compiled):
    np.testing.assert_array_equal(compiled["exp"](np.array([-np.inf, -1e300, -709.0, 0.0, -0.0])), [0, 0, 0, 1, 1])
    assert np.isnan(compiled["exp"](np.array([np.nan]))).all()


def test_expm1_is_within_three_units_in_the_last_place(compiled):
    x = spread_out(-745.0, 0.0)
    # e^x - 1 = x + x^2/2 + ...
    exact = [Decimal(v).exp() - 1 if abs(v) > 1e-20 else Decimal(v) + Decimal(v) ** 2 / 2 for v in x.tolist()]
    assert ulps(compiled["expm1"](x), exact) <= 3.0


def test_expm1_of_extremes(compiled):
    np.testing.assert_array_equal(compiled["expm1"](np.array([-np.inf, -1e300, -50.0, 0.0])), [-1, -1, -1, 0])
    assert np.isnan(compiled["expm1"](np.array([np.nan]))).all()


def test_log_is_within_three_units_in_the_last_place(compiled):
    x = np.concatenate([np.geomspace(1e-307, 1e307, 1500), spread_out(1e-12, 2.0), np.nextafter(1.0, [0.0, 1.0, 2.0])])
    x = np.append(x, np.nextafter(np.sqrt([0.5, 0.5, 2.0, 2.0]), [0, 1, 1, 2]))  # where the exponent changes
    assert ulps(compiled["log"](x), [Decimal(v).ln() for v in x.tolist()]) <= 3.0
    assert np.isnan(compiled["log"](np.array([np.nan]))).all()
