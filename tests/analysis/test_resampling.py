import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from analysis.statistics import percentile_interval, resampled_quantile, resamples


@given(st.integers(1, 12))
def test_each_resample_is_as_large_as_the_sample(n):
    assert (resamples(n, times=20).sum(axis=1) == n).all()


def test_the_same_seed_gives_the_same_resamples_and_another_others():
    assert (resamples(10, 5) == resamples(10, 5)).all()
    assert (resamples(10, 5) != resamples(10, 5, seed=1)).any()


def test_draws_are_with_replacement_and_even():
    # The mean count of each of 4 trials over 10,000 resamples: 1 with standard error sqrt(.75 / 10,000); 5 of them.
    counts = resamples(4, 10_000)
    assert counts.max() > 1
    assert counts.mean(axis=0).tolist() == pytest.approx([1] * 4, abs=5 * np.sqrt(0.75 / 10_000))


@given(st.integers(1, 8), st.sampled_from([0.1, 0.25, 0.5, 0.9]), st.integers(0, 100))
def test_quantiles_are_numpys_of_the_repeated_values(n, quantile, seed):
    values = np.random.default_rng(seed).normal(size=(n, 3))
    values[0, 0] = np.inf
    counts = resamples(n, 6, seed)
    found = resampled_quantile(values, counts, quantile)
    for row, count in zip(found, counts, strict=True):
        repeated = np.repeat(values, count.astype(int), axis=0)
        assert row.tolist() == np.quantile(repeated, quantile, axis=0, method="inverted_cdf").tolist()


def test_percentiles_by_hand():
    low, high = percentile_interval(np.arange(1.0, 101.0))
    assert (low, high) == (3, 98)
