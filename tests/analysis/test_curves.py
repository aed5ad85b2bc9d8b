import numpy as np
import pandas as pd
import pytest

from analysis.statistics import loss_bands, median_final_losses, prediction_quantiles


def curves(**runs):
    """Loss curves, {epoch: loss} by run id."""
    rows = [(run, np.nan, epoch, loss) for run, curve in runs.items() for epoch, loss in curve.items()]
    frame = pd.DataFrame(rows, columns=["run_id", "quantile", "epoch", "loss"])
    return frame.astype({"run_id": "category"})


def test_median_and_band_of_three_trials(make_trials):
    trials = make_trials([1, 1, 1], cutoff=10)
    losses = curves(run0={0: 3, 10: 1}, run1={0: 2, 10: 0.1}, run2={0: 1, 10: 0.5})
    bands = loss_bands(trials, losses, [])
    assert bands[["epoch", "low", "estimate", "high", "n"]].to_numpy().tolist() == [
        [0, 1, 2, 3, 3],
        [10, 0.1, 0.5, 1, 3],
    ]


def test_a_trial_that_stopped_keeps_its_last_loss(make_trials):
    trials = make_trials([5, np.inf, np.inf], cutoff=10)
    losses = curves(run0={0: 1, 5: 0.3}, run1={0: 1, 5: 0.9, 10: 0.8}, run2={0: 1, 5: 0.2, 10: 0.1})
    assert loss_bands(trials, losses, [])["estimate"].tolist() == [1, 0.3, 0.3]


def test_a_diverged_trial_is_infinite_from_there_on(make_trials):
    trials = make_trials([np.inf, np.inf], cutoff=10, diverged=[5, np.nan])
    losses = curves(run0={0: 1, 5: 1}, run1={0: 1, 5: 1, 10: 1})
    bands = loss_bands(trials, losses, [])
    assert bands["high"].tolist() == [1, 1, np.inf]
    assert bands["estimate"].tolist() == [1, 1, 1]


def test_trials_leave_at_their_cutoff(make_trials):
    trials = make_trials([np.inf, np.inf], cutoff=np.array([5, 10]))
    losses = curves(run0={0: 1, 5: 4}, run1={0: 2, 5: 5, 10: 6})
    bands = loss_bands(trials, losses, [])
    assert bands[["epoch", "high", "n"]].to_numpy().tolist() == [[0, 2, 2], [5, 5, 2], [10, 6, 1]]


def test_conditions_are_kept_apart(make_trials):
    trials = make_trials([1, 1], cutoff=1, lr=[0.1, 0.5])
    bands = loss_bands(trials, curves(run0={0: 1}, run1={0: 2}), ["lr"])
    assert bands[["lr", "estimate"]].to_numpy().tolist() == [[0.1, 1], [0.5, 2]]


def of_several(run):
    rows = [(run, q, epoch, q + epoch) for q in (0.1, 0.5, 0.9) for epoch in (0, 1)]
    return pd.DataFrame(rows, columns=["run_id", "quantile", "epoch", "loss"]).astype({"run_id": "category"})


def test_quantiles_of_a_run_with_several_networks_are_taken_as_they_are(make_trials):
    bands = loss_bands(make_trials([1, 1, 1], cutoff=1, run_id="a"), of_several("a"), [])
    assert bands[["low", "estimate", "high"]].to_numpy().tolist() == [[0.1, 0.5, 0.9], [1.1, 1.5, 1.9]]
    assert bands["n"].tolist() == [3, 3]


def test_quantiles_of_two_such_runs_cannot_be_pooled(make_trials):
    trials = make_trials([1, 1], cutoff=1, run_id=["a", "b"])
    both = pd.concat([of_several("a"), of_several("b")]).astype({"run_id": "category"})
    assert loss_bands(trials, both, []).empty


def test_median_final_loss_by_hand(make_trials):
    trials = make_trials([1, 1, 1], final_loss=[0.3, np.nan, 0.1])
    row = median_final_losses(trials, []).iloc[0]
    assert (row["estimate"], row["low"], row["high"], row["n"]) == (0.3, 0.1, np.inf, 3)


def test_median_final_loss_covers(make_trials):
    # Log-normal losses with median 1, 41 trials. Tolerance fixed beforehand: .93 to .975.
    rng = np.random.default_rng(5)
    covered = []
    for _ in range(400):
        trials = make_trials([1] * 41, final_loss=rng.lognormal(size=41))
        row = median_final_losses(trials, [], resampled=400).iloc[0]
        covered.append(row["low"] <= 1 <= row["high"])
    assert 0.93 < np.mean(covered) < 0.975


def test_few_predictions_are_shown_themselves(make_trials):
    trials = make_trials([1, 1, 1], **{"prediction/0-1": [0.9, 0.1, 0.5], "prediction/1-1": [0.0, np.nan, 1.0]})
    table = prediction_quantiles(trials, [])
    assert table[table["pattern"] == "0-1"]["estimate"].tolist() == [0.1, 0.5, 0.9]
    assert table[table["pattern"] == "1-1"][["estimate", "n"]].to_numpy().tolist() == [[0, 2], [1, 2]]


def test_many_predictions_are_thinned_evenly(make_trials):
    trials = make_trials(np.ones(100), **{"prediction/0-1": np.arange(100.0)})
    table = prediction_quantiles(trials, [], dots=4)
    assert table["quantile"].tolist() == [0.125, 0.375, 0.625, 0.875]
    assert table["estimate"].tolist() == pytest.approx([12, 37, 62, 87])
