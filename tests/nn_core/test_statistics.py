import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.special import ndtr
from scipy.stats import binom, binomtest

from nn_core.statistics import (
    exact_interval,
    expected_running_time,
    median_epochs,
    median_interval,
    running_time_interval,
    wilson_interval,
)

times = st.lists(st.one_of(st.integers(0, 50).map(float), st.just(math.inf)), min_size=1, max_size=30)


@given(st.integers(1, 400), st.data(), st.sampled_from([0.5, 0.9, 0.95, 0.99]))
def test_wilson_is_scipys(n, data, confidence):
    k = data.draw(st.integers(0, n))
    oracle = binomtest(k, n).proportion_ci(confidence, method="wilson")
    low, high = wilson_interval(k, n, confidence)
    assert (low, high) == pytest.approx((oracle.low, oracle.high), abs=1e-12)


@given(st.integers(1, 400), st.data(), st.sampled_from([0.5, 0.9, 0.95, 0.9967]))
def test_the_exact_interval_is_scipys(n, data, confidence):
    k = data.draw(st.integers(0, n))
    oracle = binomtest(k, n).proportion_ci(confidence, method="exact")
    low, high = exact_interval(k, n, confidence)
    assert (float(low), float(high)) == (pytest.approx(oracle.low, abs=1e-9), pytest.approx(oracle.high, abs=1e-9))


def test_wilson_worked_by_hand():
    # z = 1.959964, n = 10, k = 8:
    # centre (8 + 1.92073) / 13.84146, half-width z sqrt(1.6 + 0.96036) / 13.84146.
    low, high = wilson_interval(8, 10)
    assert (low, high) == (pytest.approx(0.490162, abs=1e-6), pytest.approx(0.943318, abs=1e-6))


def test_wilson_broadcasts_and_ends_are_exact():
    low, high = wilson_interval([[0], [3]], [3, 5, 7])
    assert low.shape == high.shape == (2, 3)
    assert (low[0] == 0).all()
    assert high[1, 0] == 1.0


def test_without_trials_nothing_is_known():
    assert wilson_interval(0, 0) == (0.0, 1.0)


def test_wilson_mean_coverage_over_p_is_nominal():
    # Exact, by summing the binomial: pointwise coverage oscillates, its mean over p must lie within .93-.97.
    p = np.linspace(0.005, 0.995, 199)
    for n in (10, 25, 100, 400):
        k = np.arange(n + 1)
        low, high = wilson_interval(k, n)
        covered = (low[:, None] <= p) & (p <= high[:, None])
        coverage = (binom.pmf(k[:, None], n, p) * covered).sum(axis=0)
        assert 0.93 < coverage.mean() < 0.97


@pytest.mark.parametrize(("k", "n", "confidence"), [(4, 3, 0.95), (-1, 3, 0.95), (math.nan, 3, 0.95), (1, 3, 1.0)])
def test_wilson_refuses_impossible_input(k, n, confidence):
    with pytest.raises(ValueError, match="must lie"):
        wilson_interval(k, n, confidence)


@given(times, st.lists(st.integers(0, 60), min_size=1, max_size=5))
def test_ert_is_epochs_spent_over_successes(t, cutoffs):
    expected = []
    for cutoff in cutoffs:
        successes = sum(t_i <= cutoff for t_i in t)
        expected.append(sum(min(t_i, cutoff) for t_i in t) / successes if successes else math.inf)
    assert expected_running_time(t, cutoffs).tolist() == pytest.approx(expected)


def test_ert_is_the_mean_cost_of_restarting_until_success():
    # Play the restart game itself: draw a trial, pay min(t, c), stop when t <= c. 40,000 games of mean 35
    # and a standard deviation below 35 put the mean within 4 standard errors, 0.7 epochs.
    rng = np.random.default_rng(0)
    outcomes = np.array([10.0, 30.0, math.inf])
    draws = rng.choice(outcomes, size=(40_000, 60))
    first_success = (draws <= 30).argmax(axis=1)
    paid = np.minimum(draws, 30).cumsum(axis=1)[np.arange(len(draws)), first_success]
    assert paid.mean() == pytest.approx(float(expected_running_time(outcomes, 30)), abs=0.7)


def test_ert_of_a_scalar_cutoff_is_a_scalar():
    assert expected_running_time([1.0, 2.0], 2).shape == ()


def test_running_time_interval_by_hand():
    # Times 10 and 30, one failure, cut-off 30: m = 20, Student 20 -+ 12.706 * 14.142 / sqrt(2) = 127.06, so all of
    # [0, 30]; p = 2/3, Wilson .2077 to .9385; 30 (1/p - 1): 15, from 1.966 to 114.5. ERT = 35.
    # low = 35 - sqrt(20^2 + 13.034^2) = 11.13; high = 35 + sqrt(10^2 + 99.47^2) = 134.97.
    low, high = running_time_interval([10, 30, math.inf], 30)
    assert (float(low), float(high)) == pytest.approx((11.13, 134.97), abs=0.01)


def test_without_success_the_cost_has_no_upper_limit_and_a_lower_one():
    # Wilson's high end at 0 of 2 is z^2 / (2 + z^2) = .6576: each success takes at least .5207 cut-offs of failures.
    low, high = running_time_interval([math.inf, math.inf], 100)
    assert (float(low), float(high)) == (pytest.approx(52.06, abs=0.01), math.inf)


@given(times, st.lists(st.integers(0, 60), min_size=1, max_size=5))
def test_running_time_intervals_hold_the_estimate(t, cutoffs):
    low, high = running_time_interval(t, cutoffs)
    estimate = expected_running_time(t, cutoffs)
    assert ((low >= 0) & (low <= estimate) & (estimate <= high)).all()
    wider = running_time_interval(t, cutoffs, confidence=0.99)
    assert ((wider[0] <= low) & (high <= wider[1])).all()


@pytest.mark.parametrize(
    ("share", "spread"),  # of the trials that may succeed; of their times, lognormal about 150 epochs
    [(1.0, 0.2), (0.98, 0.2), (0.9, 1.0), (0.5, 0.2), (0.7, 2.0), (0.15, 0.5)],
)
@pytest.mark.parametrize("n", [25, 60])
def test_running_time_intervals_cover(share, spread, n):
    # 600 samples: a coverage of .95 is seen within .95 -+ .025 (2.8 standard errors). Tolerance fixed beforehand: at
    # least .925, whether trials seldom fail or mostly.
    rng = np.random.default_rng([n, round(100 * share)])
    draws = 150 * np.exp(spread * rng.standard_normal((600, n)))
    draws[rng.random(draws.shape) >= share] = math.inf
    p = share * float(ndtr(math.log(1000 / 150) / spread))
    # E[t; t <= 1000] of a lognormal time is share * 150 exp(s^2/2) * Phi(ln(1000/150)/s - s).
    mean = share * 150 * math.exp(spread**2 / 2) * float(ndtr(math.log(1000 / 150) / spread - spread)) / p
    truth = mean + 1000 * (1 - p) / p
    covered = [low <= truth <= high for low, high in (running_time_interval(t, 1000) for t in draws)]
    assert np.mean(covered) >= 0.925


@pytest.mark.parametrize("share", [0.04, 0.1, 0.5, 0.98])
def test_the_running_time_of_the_best_of_fifteen_is_covered_at_the_level_of_all(share):
    # 200 sweeps of 15 equal conditions of 25 trials; the least ERT at the cut-off is picked. Fixed beforehand: .93.
    rng = np.random.default_rng(round(100 * share))
    times = 150 + 30 * rng.standard_normal((200, 15, 25))
    times[rng.random(times.shape) >= share] = math.inf
    truth = 150 + 1000 * (1 - share) / share
    spent, successes = np.minimum(times, 1000).sum(axis=2), np.isfinite(times).sum(axis=2)
    best = (spent / np.maximum(successes, 1e-9)).argmin(axis=1)
    ends = [running_time_interval(t[i], 1000, 1 - 0.05 / 15) for t, i in zip(times, best, strict=True)]
    assert np.mean([low <= truth <= high for low, high in ends]) >= 0.93


@given(times)
def test_median_is_the_first_time_by_which_half_converged(t):
    reached = [x for x in t if sum(t_i <= x for t_i in t) >= len(t) / 2]
    assert median_epochs(t) == min(reached)


@given(times)
def test_median_is_infinite_exactly_when_more_than_half_fail(t):
    assert math.isinf(median_epochs(t)) == (sum(map(math.isinf, t)) > len(t) / 2)


@pytest.mark.parametrize("bad", [[], [math.nan], [-1.0], [[1.0, 2.0]]])
def test_times_that_make_no_sense_are_refused(bad):
    with pytest.raises(ValueError, match="epochs to converge must"):
        median_epochs(bad)
    with pytest.raises(ValueError, match="epochs to converge must"):
        expected_running_time(bad, 10)


@pytest.mark.parametrize("cutoff", [math.inf, math.nan, -1])
def test_cutoffs_that_make_no_sense_are_refused(cutoff):
    with pytest.raises(ValueError, match="cut-off"):
        expected_running_time([1.0], cutoff)


@pytest.mark.parametrize("n", [5, 6, 25, 100])
def test_the_interval_of_a_median_covers_it(n):
    """In 4,000 samples of a skewed distribution, of which one in five is infinite: at least 95%, less 3 errors."""
    rng = np.random.default_rng(n)
    samples = rng.exponential(size=(4000, n))
    samples[rng.random((4000, n)) < 0.2] = np.inf
    low, high = np.array([median_interval(sample) for sample in samples]).T
    median = -math.log(1 - 0.5 / 0.8)
    assert np.mean((low <= median) & (median <= high)) > 0.95 - 3 * math.sqrt(0.95 * 0.05 / 4000)
    assert np.isinf(low).all() == np.isinf(high).all() == (n < 6)


def test_a_value_that_is_not_known_has_no_rank():
    with pytest.raises(ValueError, match="no rank"):
        median_interval([1.0, math.nan])
