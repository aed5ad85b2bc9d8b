"""The notebook's way to runs: frames, statistics, files."""

import os
import subprocess
import sys

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest

from analysis import load
from analysis.figures.drawing import NotApplicableError
from analysis.loading import SelectionError
from analysis.statistics import convergence_rates, paired_rates
from tracking.errors import TrackingError


@pytest.fixture(scope="module")
def runs(demo):
    return load("latest", uri=f"sqlite:///{demo[0] / 'mlflow.db'}")


def test_importing_load_imports_no_pandas():
    code = "import analysis, sys; sys.exit('pandas' in sys.modules or 'mlflow' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False, cwd=os.curdir).returncode == 0
    with pytest.raises(ImportError):
        from analysis import nothing_of_the_kind  # noqa: F401


def test_frames_have_plain_types(runs):
    trials = runs.trials
    assert len(trials) == 3 * 2 * 2 * 6
    kinds = trials.dtypes.astype(str)
    assert kinds[["lr", "hidden", "epochs", "seed", "bias", "init", "stop_when_converged", "converged"]].tolist() == [
        "float64", "int64", "int64", "int64", "float64", "str", "bool", "bool",
    ]  # fmt: skip
    assert trials["epochs_to_converge"].eq(np.inf).equals(~trials["converged"])
    assert set(runs.curves["run_id"]) == set(trials["run_id"])
    assert runs.curves[["epoch", "loss"]].dtypes.astype(str).tolist() == ["int64", "float64"]


def test_conditions_say_what_came_of_each(runs):
    table = runs.conditions
    assert runs.varied == ["lr", "hidden", "epochs"]
    assert len(table) == 12
    row = table[(table["lr"] == 8) & (table["hidden"] == 3) & (table["epochs"] == 1000)].iloc[0]
    its = runs.trials[(runs.trials["lr"] == 8) & (runs.trials["hidden"] == 3) & (runs.trials["epochs"] == 1000)]
    spent = its["epochs_to_converge"].clip(upper=1000).sum()
    assert row["n"] == 6
    assert row["rate"] == its["converged"].mean()
    assert row["at_end"] == its["converged_at_end"].mean()
    assert row["ert"] == pytest.approx(spent / its["converged"].sum())
    assert row["median"] == sorted(its["epochs_to_converge"])[2]
    assert row["final_loss"] == sorted(its["final_loss"])[2]
    for name in ("rate", "at_end", "median", "ert"):
        assert row[f"{name}_low"] <= row[name] <= row[f"{name}_high"]


def test_where_keeps_some_runs_with_their_curves(runs):
    some = runs.where(hidden=3, lr=[2, "8"]).where({"epochs": 1000})
    assert some.varied == ["lr"]
    assert sorted(some.trials["lr"].unique()) == [2.0, 8.0]
    assert set(some.curves["run_id"]) == set(some.trials["run_id"])
    assert runs.varied == ["lr", "hidden", "epochs"]
    with pytest.raises(SelectionError, match=r"hidden=7: the runs have 2, 3\n.*hiden: not a parameter"):
        runs.where(hidden=7, hiden=2)


def test_statistics_are_those_of_the_figures(runs):
    data = runs.data
    rates = runs.rates()
    expected = convergence_rates(data.trials, ["lr", "hidden", "epochs"])
    assert rates["estimate"].tolist() == expected["estimate"].tolist()
    longest = data.trials[data.trials["epochs"] == 1000]
    paired = runs.paired("lr", 0.5, "2.0")
    assert paired["hidden"].tolist() == [2, 3]
    assert paired["p"].tolist() == paired_rates(longest, "lr", [(0.5, 2.0)], ["hidden"])["p"].tolist()
    assert {"p_sooner", "ratio", "ratio_low", "ratio_high"} <= set(paired)
    assert runs.survival().groupby(["lr", "hidden"])["estimate"].max().max() <= 1
    assert set(runs.ert()) == {"lr", "hidden", "cutoff", "estimate", "low", "high", "converged", "n"}


def test_what_is_pooled_is_said_and_a_network_counts_once(runs):
    with pytest.warns(UserWarning, match="pooled over hidden width, as if"):
        pooled = runs.rates(by=["lr"])
    assert pooled["n"].tolist() == [12, 12, 12]  # at the longest cut-off only
    assert runs.where(hidden=2).rates(by=["lr"])["n"].tolist() == [6, 6, 6]


def test_what_cannot_be_is_refused(runs, demo):
    with pytest.raises(SelectionError, match="by=width: valid are lr, hidden"):
        runs.rates(by=["width"])
    with pytest.raises(SelectionError, match=r"lr=3: the runs have 0.5, 2, 8"):
        runs.paired("lr", 0.5, 3)
    with pytest.raises(SelectionError, match="no two networks with hidden 2 and 3 began from the same weights"):
        runs.paired("hidden", 2, 3)
    with pytest.raises(TrackingError, match="no tracking store"):
        load(uri=f"sqlite:///{demo[0] / 'nothing.db'}")


def test_sweeps_and_filters_are_chosen_as_on_the_command_line(demo):
    uri = f"sqlite:///{demo[0] / 'mlflow.db'}"
    few = load(filter="params.lr = '2.0' and params.hidden = '2'", uri=uri)
    assert few.varied == ["epochs"]
    labelled = load([demo[1], demo[1][:14]], labels=["one", "other"], uri=uri)
    assert labelled.trials["sweep"].value_counts().to_dict() == {"one": 72, "other": 72}
    assert "sweep" in labelled.varied


def test_files_are_the_frames(runs, tmp_path):
    paths = runs.to_parquet(tmp_path / "out")
    assert [path.name for path in paths] == ["trials.parquet", "curves.parquet", "conditions.parquet"]
    pd.testing.assert_frame_equal(pd.read_parquet(paths[0]), runs.trials)
    assert len(pd.read_parquet(paths[1])) == len(runs.curves)


def test_tables_write_themselves_for_a_paper(runs, tmp_path):
    rates = runs.rates()
    text = rates[rates["epochs"] == 1000].drop(columns="epochs").to_latex(caption="at 50%", label="tab:rates")
    assert "\\toprule" in text
    assert "\\caption{at 50\\%}" in text
    assert "at\\_end" in text
    rates.to_latex(tmp_path / "rates.tex")
    assert (tmp_path / "rates.tex").read_text("utf-8") == rates.to_latex()
    assert "\\toprule" in rates.to_latex(index=False, float_format="%.2f")


def test_a_notebook_shows_what_was_loaded(runs, demo):
    assert repr(runs) == (
        f"36 networks of sweep a small sweep ({demo[1][:12]}), varying lr: 0.5, 2, 8; hidden: 2, 3; epochs: 100, 1,000"
    )
    shown = runs._repr_html_()
    assert shown.startswith("<p>36 networks of sweep a small sweep")
    assert shown.count("<tr") == 13


def test_figures_are_drawn_onto_axes_that_one_has(runs):
    figure, axes = plt.subplots(2, 2)
    size = figure.get_size_inches().tolist()
    once = runs.where(epochs=1000, hidden=3)
    assert runs.where(epochs=1000).plot("rate", x="hidden", hue="lr", ax=axes[0, 0]) is axes[0, 0]
    assert axes[0, 0].get_xlabel() == "hidden width"
    assert [text.get_text().strip() for text in axes[0, 0].get_legend().get_texts()] == ["0.5", "2", "8"]
    assert once.plot("survival", ax=axes[0, 1]).get_ylabel() == "fraction converged"
    once.plot("paired", pair=(0.5, 8), ax=axes[1, 0])
    plt.sca(axes[1, 1])
    assert once.plot("loss") is axes[1, 1]
    assert len(axes[1, 1].lines) == 3
    # A figure of one's own keeps its size, has no caption, and letters of its own size.
    assert figure.get_size_inches().tolist() == size
    assert not figure.get_supxlabel()
    assert axes[0, 0].xaxis.label.get_fontsize() == plt.rcParams["font.size"]
    plt.close(figure)


def test_what_does_not_fit_onto_axes_is_said(runs):
    figure, ax = plt.subplots()
    with pytest.raises(NotApplicableError, match=r"hidden width would make 2 panels, and axes hold one: choose levels"):
        runs.plot("loss", hue="lr", ax=ax)
    with pytest.raises(NotApplicableError, match="many parts"):
        runs.plot("gallery", ax=ax)
    assert not ax.has_data()
    with pytest.raises(SelectionError, match="rates: no such figure, did you mean rate"):
        runs.plot("rates", ax=ax)
    with pytest.raises(SelectionError, match="pear: no option of paired; valid are pair"):
        runs.plot("paired", pear=(1, 2), ax=ax)
    plt.close(figure)
