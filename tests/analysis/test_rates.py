import itertools
import math

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import multinomial
from statsmodels.stats.contingency_tables import mcnemar as statsmodels_mcnemar
from statsmodels.stats.multitest import multipletests
from statsmodels.stats.proportion import proportion_confint

from analysis.statistics import convergence_rates, holm, mcnemar, paired_difference, paired_rates, pairs, unlearned

INF = math.inf


def test_rates_by_condition(make_trials):
    trials = pd.concat([make_trials([1, 2, INF, INF], lr=0.5), make_trials([1, 2, 3, INF], lr=0.05)])
    rates = convergence_rates(trials, ["lr"])
    assert rates["lr"].tolist() == [0.05, 0.5]
    assert rates["estimate"].tolist() == [0.75, 0.5]
    assert rates["n"].tolist() == [4, 4]
    for row in rates.itertuples():
        oracle = proportion_confint(row.converged, row.n, method="wilson")
        assert (row.low, row.high) == pytest.approx(oracle)


def test_rates_at_the_end_have_intervals_of_their_own(make_trials):
    holding = pd.array([True] * 5 + [False] * 25, "boolean")
    told = make_trials([1.0] * 30, lr=0.5).assign(converged_at_end=holding)
    silent = make_trials([1.0] * 30, lr=0.05).assign(converged_at_end=pd.array([None, *holding[1:]], "boolean"))
    unknown, known = convergence_rates(pd.concat([told, silent]), ["lr"]).itertuples()
    assert all(map(math.isnan, (unknown.at_end, unknown.at_end_low, unknown.at_end_high)))
    oracle = proportion_confint(5, 30, method="wilson")
    assert (known.at_end, known.at_end_low, known.at_end_high) == pytest.approx((5 / 30, *oracle))
    assert unlearned(convergence_rates(pd.concat([told, silent]), ["lr"])).tolist() == [False, True]


def test_rates_of_everything_are_one_row(make_trials):
    rates = convergence_rates(make_trials([1, INF]), [])
    assert rates["estimate"].tolist() == [0.5]


@given(st.integers(0, 40), st.integers(0, 40))
def test_mcnemar_is_statsmodels(b, c):
    assert mcnemar(b, c) == pytest.approx(statsmodels_mcnemar([[5, b], [c, 5]], exact=True).pvalue)


def test_mcnemar_by_hand():
    # One of five discordant pairs on one side: 2 (1 + 5) / 2^5.
    assert mcnemar(1, 4) == pytest.approx(12 / 32)
    assert mcnemar(0, 0) == 1


def test_paired_difference_by_hand():
    # n = 50, 2 and 9 discordant: p = 3/52 and 10/52, difference 7/52 +- 1.96 sqrt((13/52 - (7/52)^2) / 52).
    difference, low, high = paired_difference(2, 9, 50)
    assert difference == pytest.approx(0.14)
    half = 1.959964 * math.sqrt((13 / 52 - (7 / 52) ** 2) / 52)
    assert (low, high) == (pytest.approx(7 / 52 - half, abs=1e-6), pytest.approx(7 / 52 + half, abs=1e-6))


def test_paired_difference_covers():
    # Exact coverage, from the multinomial. Tolerances fixed beforehand: mean over the grid within .93 to .97 at n = 50,
    # nowhere below .90.
    n = 50
    b, c = (counts.ravel() for counts in np.meshgrid(np.arange(n + 1), np.arange(n + 1)))
    b, c = b[b + c <= n], c[b + c <= n]
    _, low, high = paired_difference(b, c, n)
    coverage = []
    for p_b, p_c in itertools.product(np.arange(0.05, 0.5, 0.1), repeat=2):
        probability = multinomial.pmf(np.stack([b, c, n - b - c], axis=-1), n, [p_b, p_c, 1 - p_b - p_c])
        coverage.append(probability[(low <= p_c - p_b) & (p_c - p_b <= high)].sum())
    assert 0.93 < np.mean(coverage) < 0.97
    assert min(coverage) > 0.90


@given(st.lists(st.floats(0, 1), min_size=1, max_size=20))
@settings(max_examples=15)  # statsmodels collects garbage at each call
def test_holm_is_statsmodels(p):
    assert holm(p).tolist() == pytest.approx(multipletests(p, method="holm")[1].tolist())


def test_pairs_join_equal_seeds(make_trials):
    first = make_trials([10, INF, 30], lr=0.1)
    second = make_trials([5, 50, INF], lr=0.5).iloc[::-1]
    matched = pairs(pd.concat([first, second]), "lr", 0.1, 0.5, []).sort_values("seed")
    assert matched["seed"].tolist() == [0, 1, 2]
    assert matched["epochs_first"].tolist() == [10, INF, 30]
    assert matched["epochs_second"].tolist() == [5, 50, INF]


@pytest.mark.parametrize(
    ("axis", "first", "second"),
    [
        ("hidden", {"hidden": 2}, {"hidden": 4}),
        ("bias", {"bias": "none"}, {"bias": "1.0"}),
        ("init.high", {"init.high": 1.0}, {"init.high": 2.0}),
        ("task", {"task": "xor"}, {"task": "parity"}),
    ],
)
def test_nothing_is_paired_that_began_from_other_weights(make_trials, axis, first, second):
    trials = pd.concat([make_trials([1, 2], **first), make_trials([1, 2], **second)])
    assert pairs(trials, axis, first[axis], second[axis], []).empty
    assert paired_rates(trials, axis, [(first[axis], second[axis])], []).empty


@pytest.mark.parametrize(
    ("changed", "n"),
    [({"shortcuts": True}, 0), ({"init": "normal"}, 0), ({"hidden": "[2,2]"}, 0), ({"task.target_low": -1.0}, 2)],
)
def test_shape_and_initializer_decide_the_initial_weights(make_trials, changed, n):
    base = {"shortcuts": False, "init": "uniform", "hidden": "2", "task.target_low": 0.0}
    trials = pd.concat([make_trials([1, 2], lr=0.1, **base), make_trials([1, 2], lr=0.5, **base | changed)])
    assert len(pairs(trials, "lr", 0.1, 0.5, [])) == n


def test_biases_of_other_values_begin_from_the_same_weights(make_trials):
    trials = pd.concat([make_trials([1, 2], bias=0.5), make_trials([1, 2], bias=1.0)])
    assert len(pairs(trials, "bias", 0.5, 1.0, [])) == 2


def test_pairs_with_other_cutoffs_are_judged_at_the_shorter(make_trials):
    trials = pd.concat([make_trials([80, 20], 100, lr=0.1), make_trials([INF, 20], 50, lr=0.5)])
    matched = pairs(trials, "lr", 0.1, 0.5, [])
    assert matched["cutoff"].tolist() == [50, 50]
    assert matched["converged_first"].tolist() == [False, True]


def test_paired_rates_count_and_correct(make_trials):
    trials = pd.concat(
        [
            make_trials([1, 2, INF, INF, 5, 6], lr=0.1),
            make_trials([1, INF, 3, 4, 5, INF], lr=0.5),
            make_trials([1, 2, 3, 4, 5, 6], lr=1.0),
        ]
    )
    table = paired_rates(trials, "lr", [(0.1, 0.5), (0.1, 1.0)], [])
    assert table[["both", "only_first", "only_second", "neither", "n"]].to_numpy().tolist() == [
        [2, 2, 2, 0, 6],
        [4, 0, 2, 0, 6],
    ]
    assert table["estimate"].tolist() == pytest.approx([0, 1 / 3])
    assert table["p"].tolist() == pytest.approx([1, 0.5])
    assert table["p_holm"].tolist() == pytest.approx([1, 1])
    assert (table["low"] < table["estimate"]).all()
