import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.special import ndtri
from scipy.stats import binom

from analysis.statistics import paired_speeds

NEVER = np.inf


def matched(first, second, **columns):
    return pd.DataFrame({"epochs_first": first, "epochs_second": second, **columns}).astype(
        {"epochs_first": float, "epochs_second": float}
    )


def test_a_failure_is_later_than_any_success_and_pairs_without_winner_do_not_count():
    first = [100, 200, NEVER, NEVER, 300, NEVER]
    second = [50, 201, 900, NEVER, 300, 10]
    row = paired_speeds(matched(first, second), []).iloc[0]
    assert row[["first_sooner", "second_sooner", "neither_sooner"]].tolist() == [1, 3, 2]
    assert row["p_sooner"] == pytest.approx(2 * (1 + 4) / 16)  # 0 or 1 heads of 4 tosses, either way round


def test_every_condition_is_tested_and_corrected_for_the_others():
    # 8 of 8: p = 2 / 256; 5 of 5: p = 2 / 32.
    first = [20.0] * 13
    second = [10.0] * 13
    table = paired_speeds(matched(first, second, hidden=[2] * 8 + [4] * 5), ["hidden"])
    assert table["hidden"].tolist() == [2, 4]
    assert table["p_sooner"].tolist() == pytest.approx([2 / 256, 2 / 32])
    assert table["p_sooner_holm"].tolist() == pytest.approx([4 / 256, 2 / 32])


def test_without_a_winner_there_is_no_difference():
    row = paired_speeds(matched([NEVER, 5], [NEVER, 5]), []).iloc[0]
    assert row["p_sooner"] == 1.0


@given(st.lists(st.tuples(*[st.integers(1, 5) | st.just(NEVER)] * 2), min_size=1, max_size=30))
def test_the_test_is_twice_the_binomial_tail(times):
    first, second = zip(*times, strict=True)
    row = paired_speeds(matched(first, second), []).iloc[0]
    decided = int(row["first_sooner"] + row["second_sooner"])
    fewer = min(row["first_sooner"], row["second_sooner"])
    assert row["p_sooner"] == pytest.approx(min(1.0, 2 * binom.cdf(fewer, decided, 0.5)))
    swapped = paired_speeds(matched(second, first), []).iloc[0]
    assert swapped["p_sooner"] == row["p_sooner"]
    assert swapped["first_sooner"] == row["second_sooner"]


def test_medians_count_failures_and_their_ratio_has_a_paired_interval():
    row = paired_speeds(matched([100, 200, 300, NEVER], [50, 100, 150, 400]), []).iloc[0]
    assert row[["median_first", "median_second", "ratio"]].tolist() == [200, 100, 0.5]
    assert row["ratio_low"] <= 0.5 <= row["ratio_high"]
    # Every pair but the last has the ratio 1/2, so resamples say little else; unpaired, medians could be 100 and 150.
    many = paired_speeds(matched([100, 200, 300] * 20, [50, 100, 150] * 20), []).iloc[0]
    assert many["ratio_low"] == many["ratio_high"] == 0.5


def test_a_median_that_no_trial_reached_leaves_the_ratio_without_a_limit():
    most_fail = paired_speeds(matched([10] * 9, [NEVER] * 9), []).iloc[0]
    assert most_fail[["median_second", "ratio", "ratio_high"]].tolist() == [NEVER, NEVER, NEVER]
    both_fail = paired_speeds(matched([NEVER] * 9, [NEVER] * 9), []).iloc[0]
    assert np.isnan(both_fail["ratio"])
    assert both_fail[["ratio_low", "ratio_high"]].tolist() == [0, NEVER]


@pytest.mark.parametrize("correlation", [0.0, 0.9])
@pytest.mark.parametrize("fail", [0.0, 0.3])
def test_intervals_of_the_ratio_cover(correlation, fail):
    # 200 sweeps of 25 pairs, lognormal times, the second's half as long, the slowest 30% cut off. Tolerance fixed
    # beforehand: at least .92, two standard errors below .95.
    rng = np.random.default_rng(2)
    common, own = rng.standard_normal((200, 25)), rng.standard_normal((2, 200, 25))
    spread = np.sqrt(correlation) * common + np.sqrt(1 - correlation) * own
    epochs = np.array([1000.0, 500.0])[:, None, None] * np.exp(spread)
    epochs[spread > ndtri(1 - fail)] = NEVER
    sweeps = matched(epochs[0].ravel(), epochs[1].ravel(), sweep=np.repeat(np.arange(200), 25))
    found = paired_speeds(sweeps, ["sweep"])
    assert ((found["ratio_low"] <= 0.5) & (found["ratio_high"] >= 0.5)).mean() >= 0.92
