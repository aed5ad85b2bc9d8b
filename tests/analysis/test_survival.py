import math

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from lifelines import KaplanMeierFitter
from statsmodels.duration.survfunc import survdiff

from analysis.loading import keep_longest
from analysis.statistics import at_risk, logrank, median_times, speed_tests, survival_curves

INF = math.inf

samples = st.lists(st.tuples(st.integers(0, 30), st.booleans()), min_size=1, max_size=25)


def frame(sample, **columns):
    """Trials that converged or were cut off at the times given."""
    times = np.array([time for time, _ in sample], float)
    converged = np.array([c for _, c in sample])
    return pd.DataFrame(
        {
            "converged": converged,
            "epochs_to_converge": np.where(converged, times, INF),
            "epochs": times.astype(int),
            **columns,
        }
    )


def test_worked_by_hand():
    # Events at 2 and 5, censored at 3: S = 3/4 after 2, then 3/4 * 1/2 after 5.
    curve = survival_curves(frame([(2, True), (3, False), (5, True), (9, False)]), [])
    assert median_times(frame([(2, True), (4, True), (9, False), (9, False)]), [])["estimate"].tolist() == [4]
    assert curve.set_index("epoch")["estimate"].to_dict() == pytest.approx({2: 1 / 4, 3: 1 / 4, 5: 5 / 8, 9: 5 / 8})
    assert curve.set_index("epoch")["at_risk"].to_dict() == {2: 4, 3: 3, 5: 2, 9: 1}


@given(samples)
def test_estimates_are_those_of_lifelines(sample):
    trials = frame(sample)
    curve = survival_curves(trials, [])
    oracle = KaplanMeierFitter().fit([time for time, _ in sample], [c for _, c in sample])
    expected = 1 - oracle.survival_function_at_times(curve["epoch"]).to_numpy()
    assert curve["estimate"].tolist() == pytest.approx(expected.tolist())
    median = median_times(trials, [])["estimate"].iloc[0]
    if not np.isclose(expected, 0.5).any():  # lifelines misses an exact half by rounding
        assert median == oracle.median_survival_time_
    at = oracle.event_table["at_risk"].reindex(curve["epoch"])
    assert curve["at_risk"].tolist() == at.tolist()


def test_intervals_are_those_of_lifelines():
    rng = np.random.default_rng(1)
    sample = [(int(t), t < 40) for t in np.minimum(rng.exponential(30, 60), 40).round()]
    curve = survival_curves(frame(sample), [])
    oracle = KaplanMeierFitter().fit([t for t, _ in sample], [c for _, c in sample]).confidence_interval_
    inside = curve[(curve["estimate"] > 0) & (curve["estimate"] < 1)]
    expected = 1 - oracle.loc[inside["epoch"]].to_numpy()
    assert inside["high"].tolist() == pytest.approx(expected[:, 0].tolist())
    assert inside["low"].tolist() == pytest.approx(expected[:, 1].tolist())


@given(samples)
def test_intervals_hold_the_estimate_and_are_never_certain(sample):
    curve = survival_curves(frame(sample), [])
    assert ((curve["low"] <= curve["estimate"]) & (curve["estimate"] <= curve["high"])).all()
    assert (curve["high"] > curve["low"]).all()


def test_intervals_cover():
    # 60 exponential times cut off at random; the interval at each of several times covers the truth in .95 of 2000
    # sweeps. Tolerance fixed beforehand: .93 to .97 on average over the times.
    rng = np.random.default_rng(2)
    covered = []
    for _ in range(400):
        times, cutoffs = np.ceil(rng.exponential(100, 60)), np.ceil(rng.uniform(50, 400, 60))
        sample = list(zip(np.minimum(times, cutoffs).astype(int), times <= cutoffs, strict=True))
        curve = survival_curves(frame(sample), [])
        for at in (30, 60, 90, 120, 150):
            row = curve[curve["epoch"] <= at].iloc[-1]
            covered.append(row["low"] <= 1 - math.exp(-at / 100) <= row["high"])
    assert 0.93 < np.mean(covered) < 0.97


def test_median_is_infinite_when_most_fail(make_trials):
    median = median_times(make_trials([5, INF, INF]), [])
    assert median["estimate"].tolist() == [INF]
    assert median["high"].tolist() == [INF]
    assert median[["converged", "n"]].to_numpy().tolist() == [[1, 3]]


@given(samples, samples)
def test_logrank_is_statsmodels(first, second):
    _, p = logrank(frame(first), frame(second))
    if not any(converged for _, converged in [*first, *second]):
        assert p == 1
        return
    both = [*first, *second]
    group = [0] * len(first) + [1] * len(second)
    times, events = (np.array(column) for column in zip(*both, strict=True))
    try:
        _, oracle = survdiff(times, events.astype(int), np.array(group))
    except np.linalg.LinAlgError:  # every event when only one group was left: nothing to compare
        oracle = 1
    assert p == pytest.approx(oracle)


def test_nothing_speaks_for_a_difference_between_groups_never_at_risk_together():
    assert logrank(frame([(0, False)]), frame([(1, True)])) == (0, 1)


def test_logrank_is_positive_where_the_second_is_faster(make_trials):
    statistic, _ = logrank(make_trials([50, 60, 70, INF]), make_trials([5, 6, 7, 8]))
    assert statistic > 2


def test_three_levels_are_compared_pairwise_with_holm(make_trials):
    trials = pd.concat([make_trials([i] * 9 + [INF], hidden=i) for i in (1, 20, 60)])
    table = speed_tests(trials, "hidden", [])
    assert table[["first", "second", "test"]].to_numpy().tolist() == [
        [1, 20, "log-rank"],
        [1, 60, "log-rank"],
        [20, 60, "log-rank"],
    ]
    assert (table["p_holm"] >= table["p"]).all()
    assert table["p_holm"].min() == pytest.approx(3 * table["p"].min())


def test_at_risk_counts_those_not_ended_before(make_trials):
    trials = make_trials([10, 20, INF], cutoff=50)
    assert at_risk(trials, np.array([1, 10, 11, 50, 51])).tolist() == [3, 3, 2, 1, 0]


def test_a_network_with_several_cutoffs_counts_once(make_trials):
    short, long = make_trials([20, INF, INF], cutoff=50), make_trials([20, 70, INF], cutoff=100)
    parameters = ("lr", "hidden", "epochs", "task", "bias", "init")
    once = keep_longest(pd.concat([long, short], ignore_index=True), parameters)
    assert once["epochs"].tolist() == [100, 100, 100]
    assert once["epochs_to_converge"].tolist() == [20, 70, INF]
    other_lr = short.assign(lr=0.5)
    assert len(keep_longest(pd.concat([long, other_lr], ignore_index=True), parameters)) == 6
