import os
import shutil
from pathlib import Path

import forked
import pandas as pd
import pytest

import analysis
from analysis.figures.catalog import FIGURES

NEW = '''"""How the largest errors are distributed."""

import matplotlib.pyplot as plt
import seaborn as sns

from analysis.figures.drawing import Drawing
from analysis.figures.view import View


def errors(view: View, *, bins: int = 7, only_failures: bool = False) -> Drawing:
    """Largest errors of the final networks, as a histogram.

    Parameters
    ----------
    bins
        how many bars
    only_failures : bool
        leave out the networks
        that converged
    """
    trials = view.trials[~view.trials["converged"]] if only_failures else view.trials
    figure, ax = plt.subplots()
    sns.histplot(trials["max_error"], bins=bins, ax=ax)
    table = trials[["lr", "seed", "max_error"]].assign(bars=len(ax.patches))
    return Drawing("errors", "Largest errors", view.caption("Largest errors.", trials), figure, table, table)
'''


@pytest.fixture(scope="module")
def with_new_figure(demo, tmp_path_factory):
    """The package with one file more, and a function that runs a command of it on the demo sweep."""
    root = tmp_path_factory.mktemp("clone")
    shutil.copytree(Path(analysis.__file__).parent, root / "analysis", ignore=shutil.ignore_patterns("__pycache__"))
    (root / "analysis" / "figures" / "errors.py").write_text(NEW)
    environment = {k: v for k, v in os.environ.items() if k != "MLFLOW_TRACKING_URI"} | {"PYTHONPATH": str(root)}

    def run(*arguments):
        return forked.run("-m", *arguments, folder=demo[0], environment=environment)

    return run


def test_a_figure_is_one_new_file(with_new_figure, demo):
    done = with_new_figure("analysis.figures", "only=errors", "bins=5", "only_failures=true", "where.hidden=2")
    assert done.returncode == 0, done.stderr
    (table,) = demo[0].glob("figures/*/errors-bins-5-only_failures-true.csv")
    drawn = pd.read_csv(table)
    assert (drawn["max_error"] >= 0.4).all()
    assert drawn["bars"].unique().tolist() == [5]
    assert "every output within 0.4 of its target" in table.with_suffix(".md").read_text()
    assert table.with_suffix(".png").stat().st_size > 1000


def test_it_is_explained_and_its_options_are_checked(with_new_figure):
    shown = " ".join(with_new_figure("analysis.figures", "--help").stdout.split())
    assert "errors Largest errors of the final networks, as a histogram." in shown
    assert "bins of errors: how many bars" in shown
    assert "only_failures of errors: leave out the networks that converged" in shown
    for wrong, told in (
        ("bin=3", "bin: no such key, did you mean bins?"),
        ("bins=many", "bins=many: "),
        ("only=error", "only=error: no such figure, did you mean errors?"),
    ):
        done = with_new_figure("analysis.figures", wrong)
        assert done.returncode == 2
        assert done.stderr.startswith(told)


def test_it_comes_after_those_whose_place_is_known(with_new_figure):
    done = with_new_figure("analysis.figures", "only=nothing")
    assert done.stderr.strip().endswith(f"valid are {', '.join([*FIGURES, 'errors'])}")


def test_it_is_in_the_report(with_new_figure, demo):
    assert with_new_figure("analysis.report", "where.hidden=2").returncode == 0
    (page,) = demo[0].glob("figures/*-part-*/report.html")
    assert "<figcaption>Largest errors</figcaption>" in page.read_text()


def test_every_figure_and_every_option_is_explained():
    assert list(FIGURES) == [
        "rate", "heatmap", "loss", "survival", "ert", "predictions", "surface", "gallery", "paired",
    ]  # fmt: skip
    for figure in FIGURES.values():
        assert figure.shows.endswith(".")
        assert all(option.metadata["help"] for _, _, option in figure.options)
    assert {name for figure in FIGURES.values() for name, _, _ in figure.options} == {"runs", "pair"}
