import pandas as pd
import pytest

from analysis.figures.__main__ import FigureOptions, main
from analysis.figures.sizes import STYLES
from analysis.figures.view import View, criterion
from analysis.levels import NONE
from analysis.loading import SelectionError


@pytest.fixture
def in_demo(demo, monkeypatch):
    monkeypatch.chdir(demo[0])
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    return demo


def test_runs_that_are_not_one_are_named_with_their_count(in_demo):
    run_ids = View.of(FigureOptions(), STYLES["paper"]).trials["run_id"]
    one = run_ids.iloc[0]
    assert View.of(FigureOptions(runs=[one]), STYLES["paper"]).trials["run_id"].tolist() == run_ids.tolist()
    shared = next(n for n in range(len(one)) if run_ids.str.startswith(one[: n + 1]).sum() < len(run_ids))
    with pytest.raises(SelectionError) as error:
        View.of(FigureOptions(runs=["zzz", one, one[:shared]]), STYLES["paper"])
    none, several = str(error.value).splitlines()
    assert none == f"runs=zzz: no run of this selection has an id that begins so; one is {one}"
    assert several.startswith(f"runs={one[:shared]}: {len(run_ids)} runs of this selection have ids that begin so")


def test_what_keeps_compared_sweeps_from_being_paired_is_said(sweeps, trained, capsys):
    ids = []
    for lr in (0.5, 2.0):
        parent = sweeps.start(f"lr {lr}")
        rows = [
            sweeps.run(parent, *t, criterion__tolerance=tolerance)
            for t in trained
            for tolerance in ((0.4, 0.3) if lr == 0.5 else (0.2, 0.1))
            if t[0] == lr
        ]
        ids.append(sweeps.finish(parent, rows))
    assert main([f"compare=[{ids[0]},{ids[1]}]", "only=paired"]) == 0
    printed = capsys.readouterr().out
    assert "skipped: trials with sweep 1 and 2 differ in criterion.tolerance as well" in printed


def test_each_criterion_is_told_in_its_own_words():
    trials = pd.DataFrame(
        {
            "criterion": pd.Categorical(["gradient_norm", "mse", "tolerance", "tolerance", "of_another_package"]),
            "criterion.below": pd.Categorical([0.001, 0.01, NONE, NONE, NONE]),
            "criterion.tolerance": pd.Categorical([NONE, NONE, 0.1, 0.4, NONE]),
        }
    )
    assert criterion(trials) == (
        "Converged, at the first such pass: gradient shorter than 0.001; or mean squared error below 0.01; or "
        "criterion of_another_package; or every output within 0.1 or 0.4 of its target."
    )
