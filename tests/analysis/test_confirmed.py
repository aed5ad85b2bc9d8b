"""Picked conditions beside themselves on fresh seeds."""

import numpy as np
import pytest

from analysis.command import Selection
from analysis.figures.view import View
from analysis.report.confirmed import confirmed, told


def view():
    return View.of(Selection(), "paper")


def cost(epochs, cutoff):
    times = np.array([np.inf if e is None else e for e in epochs])
    return np.minimum(times, cutoff).sum() / (times <= cutoff).sum()


def test_picked_conditions_are_told_beside_themselves_on_fresh_seeds(sweeps, train):
    first = list(train([0.5, 2.0], [3], [500], range(8)))
    parent = sweeps.start("a sweep")
    sweep_id = sweeps.finish(parent, [sweeps.run(parent, *run) for run in first])
    assert confirmed(view()).empty
    assert told(confirmed(view())) == []

    fresh = list(train([2.0], [3], [500], range(100, 111)))
    for name, some in (("again", fresh[:6]), ("once more", fresh[6:])):
        confirming = sweeps.start(name, {"confirms": sweep_id}.items())
        sweeps.finish(confirming, [sweeps.run(confirming, *run) for run in some])
    killed = sweeps.start("not to its end", {"confirms": sweep_id}.items())
    sweeps.finish(killed, [], status="KILLED")

    (row,) = confirmed(view()).to_dict("records")
    picked = [result.epochs_to_converge for lr, _, _, _, result in first if lr == 2.0]
    again = [result.epochs_to_converge for *_, result in fresh]
    cutoffs = [e for e in picked if e is not None]
    assert row["lr"] == 2.0
    assert row["cutoff"] == min(cutoffs, key=lambda cutoff: cost(picked, cutoff))
    assert row["picked"] == pytest.approx(cost(picked, row["cutoff"]))
    assert row["ert"] == pytest.approx(cost(again, row["cutoff"]))
    assert row["ert_low"] < row["ert"] < row["ert_high"]
    assert row["at_end"] == np.mean([result.converged_at_end for *_, result in fresh])
    assert (row["picked_n"], row["n"]) == (8, 11)
    (finding,) = told(confirmed(view()))
    assert finding.text.startswith("On 11 fresh seeds, which had no part in any picking: with lr = 2, ")
    assert f"a success costs {row['ert']:,.0f} epochs" in finding.text
    assert f"{row['picked']:,.0f} as picked" in finding.text
