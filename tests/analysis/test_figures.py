import itertools
import subprocess
import sys
import xml.etree.ElementTree as ElementTree

import matplotlib as mpl
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
from matplotlib.text import Text

from analysis.axes import lay_out
from analysis.figures.__main__ import main
from analysis.figures.draw import DRAW, drawings
from analysis.figures.drawing import Drawing, NotApplicableError, View
from analysis.figures.saving import markdown, markdown_text, settle
from analysis.figures.style import STYLES, Scale, applied, plain
from analysis.loading import Data
from analysis.options import FIGURES
from nn_core.statistics import wilson_interval

mpl.use("Agg")


@pytest.fixture(scope="module")
def drawn(demo):
    """All figures of the demo sweep, drawn by the command as a user runs it."""
    folder, run_id = demo
    command = [sys.executable, "-W", "error::UserWarning", "-m", "analysis.figures", "sweep=latest"]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=True)
    return folder / "figures" / run_id[:12], done.stdout


def test_every_figure_of_the_demo_sweep_is_there(drawn, demo):
    folder, printed = drawn
    expected = {f"{name}.{ending}" for name in FIGURES for ending in ("png", "svg", "csv", "md")}
    assert {path.name for path in folder.iterdir()} == expected
    assert "skipped" not in printed
    for name in FIGURES:
        assert f"figures/{folder.name}/{name}.png" in printed


def test_figures_hang_on_the_parent_run(drawn, demo):
    from mlflow import MlflowClient

    folder, _ = drawn
    client = MlflowClient(f"sqlite:///{demo[0] / 'mlflow.db'}")
    attached = {f.path for f in client.list_artifacts(demo[1], "figures")}
    assert attached == {f"figures/{path.name}" for path in folder.iterdir()}


def test_drawing_again_gives_the_same_bytes(drawn, demo, monkeypatch):
    folder, _ = drawn
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    monkeypatch.chdir(demo[0])
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    assert main([f"sweep={demo[1]}"]) == 0
    after = {path.name: path.read_bytes() for path in folder.iterdir()}
    assert [name for name in before if before[name] != after[name]] == []


def test_rates_in_the_table_are_those_of_the_trainings(drawn, retrain):
    table = pd.read_csv(drawn[0] / "rate.csv").set_index(["lr", "hidden", "epochs"])
    trained = pd.DataFrame([(*t[:3], t[4].converged) for t in retrain()], columns=["lr", "hidden", "epochs", "c"])
    for condition, members in trained.groupby(["lr", "hidden", "epochs"]):
        row = table.loc[condition]
        low, high = wilson_interval(members["c"].sum(), len(members))
        expected = [members["c"].mean(), float(low), float(high), members["c"].sum(), 6]
        assert row[["estimate", "low", "high", "converged", "n"]].tolist() == pytest.approx(expected)


@pytest.mark.parametrize("name", FIGURES)
def test_captions_say_what_must_be_said(drawn, demo, name):
    text = (drawn[0] / f"{name}.md").read_text()
    assert "every output within 0.4 of its target" in text
    assert "1,000 epochs" in text
    assert f"Sweep {demo[1][:12]}, commit 0123456789" in text
    if name not in ("surface", "gallery"):
        assert "n = 6 " in text
    if name in ("rate", "heatmap", "survival", "ert", "paired"):
        assert "95%" in text


@pytest.mark.parametrize("name", FIGURES)
def test_vector_files_are_drawings_without_dates(drawn, name):
    root = ElementTree.parse(drawn[0] / f"{name}.svg").getroot()
    assert root.tag == "{http://www.w3.org/2000/svg}svg"
    assert not [e for e in root.iter() if e.tag.endswith("}date")]


@pytest.fixture
def view_of(make_trials):
    """A view of made-up trials over a grid of levels."""

    def make(style="paper", pair=(), **axes):
        rng = np.random.default_rng(0)
        parts = []
        for i, values in enumerate(itertools.product(*axes.values())):
            condition = dict(zip(axes, values, strict=True))
            cutoff = condition.get("epochs", 1000)
            times = rng.geometric(1 / 300, 8).astype(float)
            times[times > cutoff] = np.inf
            predictions = {f"prediction/{bits}": rng.uniform(size=8) for bits in ("0-0-1", "0-1-1", "1-0-1", "1-1-1")}
            runs = [f"run{i:04}{seed:02}" for seed in range(8)]
            parts.append(make_trials(times, cutoff, **{**condition, **predictions, "run_id": runs}))
        trials = pd.concat(parts, ignore_index=True)
        trials["criterion.tolerance"] = 0.4
        epochs = np.array([0, 1, 10, 100, 1000])
        curves = pd.DataFrame(
            {
                "run_id": pd.Categorical(np.repeat(trials["run_id"], 5), trials["run_id"]),
                "quantile": np.nan,
                "epoch": np.tile(epochs, len(trials)),
                "loss": np.tile(2.0 / (1 + epochs), len(trials)) * np.repeat(rng.uniform(1, 3, len(trials)), 5),
            }
        )
        parameters = tuple(c for c in axes if c != "sweep")
        data = Data(trials, curves, ("lr", *(p for p in parameters if p != "lr"), "epochs"), (), "", {})
        layout = lay_out(trials, data.parameters, {})
        return View(None, data, trials, layout, STYLES[style], {}, pair)

    return make


def tick_labels(ax):
    """Visible labels along each axis."""
    for axis in (ax.xaxis, ax.yaxis):
        yield [label for label in axis.get_ticklabels() if label.get_visible() and label.get_text()]


def overlaps(boxes):
    return [(a, b) for a, b in itertools.combinations(boxes, 2) if a.shrunk(0.98, 0.98).overlaps(b.shrunk(0.98, 0.98))]


LEVELS = {
    1: {"lr": [0.1], "hidden": [4]},
    2: {"lr": [0.1, 0.11], "hidden": [2, 4], "epochs": [100, 1000]},
    5: {"lr": [0.01, 0.1, 0.5, 1.0, 10.0], "hidden": ["4", "8", "[4,4]", "[8,8]", "[16,16,16]"]},
    12: {
        "lr": [0.05, 0.07, 0.1, 0.15, 0.2, 0.3, 0.5, 0.7, 1.0, 1.5, 2.0, 4.0],
        "hidden": [1, 2, 3, 4, 5, 6, 8, 10, 12, 16, 24, 32],
    },
}


@pytest.mark.parametrize(("count", "style"), [(1, "paper"), (2, "paper"), (5, "talk"), (12, "paper")])
@pytest.mark.parametrize("name", ["rate", "heatmap", "loss", "survival", "ert", "predictions", "paired"])
def test_nothing_overlaps_and_nothing_is_clipped(view_of, name, count, style):
    view = view_of(style, **LEVELS[count])
    with applied(view.style):
        if count == 1 and name in ("heatmap", "paired"):
            with pytest.raises(NotApplicableError):
                DRAW[name](view)
            return
        figure = DRAW[name](view).figure
        settle(figure)
    renderer = figure.canvas.get_renderer()
    whole = figure.bbox.padded(1)
    visible = [t for t in figure.findobj(Text) if t.get_visible() and t.get_text().strip()]
    shown = [t for t in visible if t.axes is None or t.axes.get_visible()]
    for text in shown:
        box = text.get_window_extent(renderer)
        inside = whole.x0 <= box.x0 and box.x1 <= whole.x1 and whole.y0 <= box.y0 and box.y1 <= whole.y1
        assert inside or text.axes, f"{text.get_text()!r} leaves the figure"
    axes = [ax for ax in figure.axes if ax.get_visible()]
    for ax in axes:
        for labels in tick_labels(ax):
            boxes = [label.get_window_extent(renderer) for label in labels]
            assert not overlaps(boxes), f"tick labels overlap in {ax.get_title()!r}"
    titles = [ax.title.get_window_extent(renderer) for ax in axes if ax.get_title()]
    assert not overlaps(titles)
    assert all(whole.x0 <= t.x0 and t.x1 <= whole.x1 and t.y1 <= whole.y1 for t in titles)
    legends = [legend.get_window_extent(renderer) for legend in figure.legends]
    assert not overlaps([*legends, *titles])
    assert all(whole.x0 <= box.x0 and box.x1 <= whole.x1 for box in legends)
    plt.close(figure)


def test_a_network_with_two_cutoffs_is_one_in_survival_and_two_in_rates(view_of):
    view = view_of(lr=[0.1], hidden=[4], epochs=[100, 1000])
    for name, n in (("rate", [8, 8]), ("survival", [8])):
        drawing = DRAW[name](view)
        assert drawing.table["n"].tolist() == n
        plt.close(drawing.figure)


def test_the_pair_can_be_chosen_and_is_checked(view_of):
    from analysis.loading import SelectionError

    drawing = DRAW["paired"](view_of(lr=[0.1, 0.5, 1.0], pair=[0.5, 1.0]))
    assert drawing.table[["first", "second"]].to_numpy().tolist() == [[0.5, 1.0]]
    plt.close(drawing.figure)
    with pytest.raises(SelectionError, match=r"pair=0\.7: the levels of lr are 0\.1, 0\.5, 1"):
        DRAW["paired"](view_of(lr=[0.1, 0.5, 1.0], pair=[0.5, 0.7]))


def test_widths_are_never_paired(view_of):
    with pytest.raises(NotApplicableError, match="began from the same weights"):
        DRAW["paired"](view_of(hidden=[2, 4]))


HOSTILE = [
    "<script>alert(1)</script>",
    "$x_{1}$ & \\alpha",
    "| a | b |\n# title",
    "../../etc/passwd",
    "_hidden",
    "🙂漢字",
]


@pytest.mark.filterwarnings("ignore:Glyph:UserWarning")
def test_hostile_names_are_only_text(view_of):
    view = view_of(lr=[0.1, 0.5], optimizer=HOSTILE)
    for _, drawing in drawings(view, ["rate", "heatmap", "survival", "paired"]):
        assert isinstance(drawing, Drawing)
        with applied(view.style):
            settle(drawing.figure)
        labels = [t.get_text().strip() for legend in drawing.figure.legends for t in legend.get_texts()]
        if labels:
            assert "_hidden" in labels
        table = markdown(drawing.table)
        assert "<script" not in table
        assert {line.replace("\\|", "").count("|") for line in table.strip().splitlines()} == {
            len(drawing.table.columns) + 1
        }
        plt.close(drawing.figure)


def test_markdown_shows_text_as_it_is():
    assert markdown_text("a|b <b> *c* $d$ _e_ [f](g)") == r"a\|b &lt;b&gt; \*c\* \$d\$ \_e\_ \[f\](g)"


def test_names_become_one_printable_line():
    assert plain("a\n\tb\x00\u202ec  d") == "a b c d"
    assert len(plain("x" * 500)) == 60


@pytest.mark.parametrize(
    ("levels", "positions"),
    [
        ([1, 10, 100], [0, 1, 2]),
        ([1, 2, 4], [1, 2, 4]),
        (["a", "b"], [0, 1]),
        ([0.1, 0.1001, 100], [0, 1, 2]),
        ([np.nan, 0.9], [0, 1]),
    ],
)
def test_levels_lie_where_their_numbers_are(levels, positions):
    scale = Scale.of(levels)
    gaps = np.diff(scale.positions)
    assert gaps.tolist() == pytest.approx((np.diff(positions) / np.diff(positions).min()).tolist())
    assert scale[levels[-1]] == scale.positions[-1]


def test_bad_arguments_end_with_one_message_and_exit_code(demo, monkeypatch, capsys):
    monkeypatch.chdir(demo[0])
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    assert main(["only=nothing", "hu=lr"]) == 2
    assert main(["sweep=nothing"]) == 1
    assert main(["where.lr=0.7", "where.hiden=2"]) == 1
    assert main(["x=nothing"]) == 1
    captured = capsys.readouterr().err
    assert "where.lr=0.7: the runs have 0.5, 2, 8" in captured
    assert "where.hiden: not a parameter" in captured
    assert "Traceback" not in captured


def test_levels_can_be_chosen(demo, monkeypatch, capsys):
    monkeypatch.chdir(demo[0])
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    whole = set(demo[0].glob("figures/*/rate.csv"))
    assert main(["where.lr=[0.5,2.0]", "where.hidden=3", "only=rate", "compare=[latest,latest]", "labels=[a,b]"]) == 0
    (path,) = set(demo[0].glob("figures/*/rate.csv")) - whole
    table = pd.read_csv(path)
    assert sorted(table["lr"].unique()) == [0.5, 2.0]
    assert table["n"].unique().tolist() == [6]
    assert sorted(table["sweep"].unique()) == ["a", "b"]
