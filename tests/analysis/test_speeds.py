"""Which of two levels is sooner, where they share their seeds and where they do not."""

import math

import numpy as np
import pandas as pd
import pytest

from analysis.statistics import logrank, mcnemar, share_weights, speed_tests

INF = math.inf
REPEATS, SEEDS = 150, 25


def sweeps(make_trials, faster, correlation, hidden):
    """Many sweeps in one frame, as levels of a column: two levels, times of a seed correlated, two thirds converge."""
    rng = np.random.default_rng(5)
    common, own = rng.standard_normal((REPEATS, SEEDS)), rng.standard_normal((2, REPEATS, SEEDS))
    parts = []
    for lr, shift, noise in ((0.1, 0.0, own[0]), (0.5, faster, own[1])):
        spread = np.sqrt(correlation) * common + np.sqrt(1 - correlation) * noise
        times = np.round(1000 * np.exp(spread - shift))
        times = np.where(times > 1500, INF, times)
        for repeat in range(REPEATS):
            parts.append(make_trials(times[repeat], 1500, lr=lr, hidden=hidden[lr], repeat=repeat))
    return pd.concat(parts, ignore_index=True)


def test_levels_that_share_seeds_are_told_apart_where_the_logrank_test_is_blind(make_trials):
    # Times a third shorter, correlation .9 between seeds: of about 17 pairs with a winner the second wins 84%, so the
    # power is about .88. Fixed beforehand: at least .75, and at most .25 for the log-rank test.
    trials = sweeps(make_trials, 0.45, 0.9, {0.1: 4, 0.5: 4})
    found = speed_tests(trials, "lr", ["repeat"])
    assert set(found["test"]) == {"sign test"}
    assert (found["p"] < 0.05).mean() >= 0.75
    independent = [logrank(*(m for _, m in sweep.groupby("lr"))) for _, sweep in trials.groupby("repeat")]
    assert np.mean([p < 0.05 for _, p in independent]) <= 0.25


@pytest.mark.parametrize(("hidden", "test"), [({0.1: 4, 0.5: 4}, "sign test"), ({0.1: 2, 0.5: 4}, "log-rank")])
def test_equal_levels_differ_in_one_of_twenty(make_trials, hidden, test):
    # Shared seeds with correlation .9, or other widths, which share nothing. Fixed beforehand: at most .05 + 3
    # standard errors.
    trials = sweeps(make_trials, 0.0, 0.9 if test == "sign test" else 0.0, hidden)
    found = speed_tests(trials, "lr", ["repeat"])
    assert set(found["test"]) == {test}
    assert (found["p"] < 0.05).mean() <= 0.05 + 3 * math.sqrt(0.05 * 0.95 / REPEATS)


def test_few_shared_seeds_are_left_out(make_trials):
    first, second = make_trials([10] * 9 + [1], lr=0.1), make_trials([99, *[20] * 9], lr=0.5)
    second["seed"] += 9  # seed 9 in both
    row = speed_tests(pd.concat([first, second]), "lr", []).iloc[0]
    assert row[["test", "n_first", "n_second"]].tolist() == ["log-rank", 9, 9]
    assert row["p"] == logrank(first[:9], second[1:])[1]


def test_pairs_are_judged_at_the_shorter_cutoff(make_trials):
    trials = pd.concat([make_trials([80, 20, 90, 5], 100, lr=0.1), make_trials([INF, 10, INF, 9], 50, lr=0.5)])
    row = speed_tests(trials, "lr", []).iloc[0]
    assert row[["test", "p", "n_first"]].tolist() == ["sign test", mcnemar(1, 1), 4]


def test_who_shares_weights(make_trials):
    trials = pd.concat([make_trials([1, 2], lr=lr, hidden=hidden) for lr in (0.1, 0.5) for hidden in (2, 4)])
    assert share_weights(trials, "lr", ["hidden"])
    assert not share_weights(trials, "hidden", ["lr"])
