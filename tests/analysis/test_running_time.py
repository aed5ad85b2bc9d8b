import math

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from analysis.statistics import best_restarts, running_times
from nn_core.statistics import expected_running_time

INF = math.inf
outcomes = st.lists(st.one_of(st.integers(0, 100).map(float), st.just(INF)), min_size=1, max_size=12)


def frame(times, cutoff=100):
    return pd.DataFrame({"epochs_to_converge": np.array(times, float), "epochs": cutoff})


@given(outcomes)
def test_curve_is_the_arrays_statistic_at_every_success(times):
    curve = running_times(frame(times), [])
    assert set(curve["cutoff"]) == {t for t in times if t <= 100} | {100}
    assert curve["estimate"].tolist() == expected_running_time(times, curve["cutoff"]).tolist()
    assert curve["converged"].tolist() == [sum(t <= c for t in times) for c in curve["cutoff"]]


@given(outcomes)
def test_best_restart_is_the_least_over_all_cutoffs(times):
    best = best_restarts(frame(times), []).iloc[0]
    every = expected_running_time(times, np.arange(101))
    assert best["estimate"] == pytest.approx(every.min())
    assert best["at_cutoff"] == every[-1]
    assert best["without_restart"] == pytest.approx(np.mean(times))


def test_restart_worked_by_hand():
    # Abandoning after 10 costs (10 + 10 + 10) / 1; after 100: (10 + 100 + 100) / 1; waiting never ends.
    best = best_restarts(frame([10, INF, INF]), []).iloc[0]
    assert (best["cutoff"], best["estimate"], best["at_cutoff"], best["without_restart"]) == (10, 30, 210, INF)


def test_many_successes_are_thinned():
    curve = running_times(frame(np.arange(1, 401), 400), [])
    assert len(curve) == 120
    assert curve["cutoff"].iloc[[0, -1]].tolist() == [1, 400]


def test_intervals_cover():
    # ERT at one cut-off, geometric times with p = 1/40, 60 trials. True: (1 - q^c) / p / (1 - q^c) = 40 epochs.
    # Tolerance fixed beforehand: .925 to .985, 2.3 standard errors about .95 to .96.
    rng = np.random.default_rng(3)
    covered = []
    for _ in range(400):
        times = rng.geometric(1 / 40, 60).astype(float)
        times[times > 60] = INF
        row = running_times(frame(times, 60), []).iloc[-1]
        covered.append(row["low"] <= 40 <= row["high"])
    assert 0.925 < np.mean(covered) < 0.985


def test_without_success_a_cost_has_no_upper_limit():
    (row,) = running_times(frame([INF, INF]), []).itertuples()
    assert (row.cutoff, row.estimate, row.high) == (100, INF, INF)
    assert row.low == pytest.approx(52.06, abs=0.01)  # at most 65.8% succeed, by Wilson's interval
