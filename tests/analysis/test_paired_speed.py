import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
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
