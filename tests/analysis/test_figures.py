import io
import itertools
import re
import subprocess
import sys
import xml.etree.ElementTree as ElementTree
from dataclasses import replace

import matplotlib as mpl
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from matplotlib.text import Text

from analysis.axes import Layout, lay_out
from analysis.figures.__main__ import FigureOptions, main
from analysis.figures.catalog import FIGURES
from analysis.figures.drawing import Drawing, NotApplicableError, settle
from analysis.figures.scales import Scale
from analysis.figures.sizes import STYLES
from analysis.figures.style import applied, text_width, wrapped
from analysis.figures.view import View
from analysis.levels import level_name, level_names, levels, ordered, plain, unordered
from analysis.loading import Data, Sweep
from analysis.tables import markdown, markdown_text
from nn_core import Uniform, layer_fans
from nn_core.statistics import wilson_interval
from tracking.client_reader import ClientReader
from tracking.record import Run

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


def test_the_look_and_the_files_are_as_chosen(drawn, demo, monkeypatch, capsys):
    folder = drawn[0]
    default = (folder / "rate.png").read_bytes()
    monkeypatch.chdir(demo[0])
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    command = ["only=rate", "x=hidden", "hue=lr", "figsize=[6,4]", "dpi=100", "font=[DejaVu Serif,9]", "palette=Set2"]
    command += ["format=[png,svg,pdf]", "tables=[csv,md,tex,parquet]"]
    written = []
    for _ in range(2):
        assert main(command) == 0
        paths = sorted(folder.glob("rate-x-hidden-hue-lr.*"))
        written.append({path.suffix: path.read_bytes() for path in paths})
        for path in paths:
            path.unlink()
    first, again = written
    assert set(first) == {".png", ".svg", ".pdf", ".csv", ".md", ".tex", ".parquet"}
    assert [ending for ending in first if first[ending] != again[ending]] == []
    assert (folder / "rate.png").read_bytes() == default  # other axes have names of their own
    assert mpl.image.imread(io.BytesIO(first[".png"])).shape[:2] == (400, 600)
    drawn_colors = first[".svg"].decode()
    assert all(mpl.colors.to_hex(color) in drawn_colors for color in mpl.colormaps["Set2"].colors[:3])
    assert b"DejaVuSerif" in first[".pdf"]
    assert b"DejaVuSans" not in first[".pdf"]
    read = pd.read_parquet(io.BytesIO(first[".parquet"]))
    pd.testing.assert_frame_equal(read, pd.read_csv(io.BytesIO(first[".csv"])), check_dtype=False)
    tex = first[".tex"].decode()
    assert [tex.count(rule) for rule in (r"\toprule", r"\midrule", r"\bottomrule")] == [1, 1, 1]
    body = tex.partition(r"\midrule")[2].partition(r"\bottomrule")[0].strip().splitlines()
    conditions = [[float(text.replace(",", "")) for text in row.split(" & ")[:2]] for row in body]
    assert conditions == read.iloc[:, :2].to_numpy().tolist()


def as_loaded(trials, parameters):
    return trials.assign(**{p: ordered(trials[p]) for p in (*parameters, "epochs", "hidden", "lr")})


@pytest.fixture
def view_of(make_trials):
    """A view of made-up trials over a grid of levels."""

    def make(style="paper", sweeps=(), run_filter="", **axes):
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
        trials["criterion"], trials["criterion.tolerance"] = "tolerance", 0.4
        epochs = np.array([0, 1, 10, 100, 1000])
        curves = pd.DataFrame(
            {
                "run_id": pd.Categorical(np.repeat(trials["run_id"], 5), trials["run_id"]),
                "quantile": np.nan,
                "epoch": np.tile(epochs, len(trials)),
                "loss": np.tile(2.0 / (1 + epochs), len(trials)) * np.repeat(rng.uniform(1, 3, len(trials)), 5),
            }
        )
        trials = as_loaded(trials, axes)
        parameters = tuple(c for c in axes if c != "sweep")
        data = Data(trials, curves, ("lr", *(p for p in parameters if p != "lr"), "epochs"), sweeps, run_filter, {})
        layout = lay_out(trials, data.parameters, {})
        return View(None, data, layout, FigureOptions(), {}, STYLES[style])

    return make


def tick_labels(ax):
    """Visible labels along each axis."""
    for axis in (ax.xaxis, ax.yaxis):
        yield [label for label in axis.get_ticklabels() if label.get_visible() and label.get_text()]


def overlaps(boxes):
    return [(a, b) for a, b in itertools.combinations(boxes, 2) if a.shrunk(0.98, 0.98).overlaps(b.shrunk(0.98, 0.98))]


def off_the_axes(text):
    """A tick label beyond the end of its axis, which matplotlib keeps but does not draw."""
    axes = (text.axes.xaxis, text.axes.yaxis) if text.axes else ()
    for axis in axes:
        low, high = sorted(axis.get_view_interval())
        if any(text in (tick.label1, tick.label2) and not low <= tick.get_loc() <= high for tick in axis.majorTicks):
            return True
    return False


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
                FIGURES[name].function(view)
            return
        figure = FIGURES[name].function(view).figure
        settle(figure)
    renderer = figure.canvas.get_renderer()
    whole = figure.bbox.padded(1)
    visible = [t for t in figure.findobj(Text) if t.get_visible() and t.get_text().strip()]
    shown = [t for t in visible if t.axes is None or t.axes.get_visible()]
    for text in shown:
        box = text.get_window_extent(renderer)
        inside = whole.x0 <= box.x0 and box.x1 <= whole.x1 and whole.y0 <= box.y0 and box.y1 <= whole.y1
        assert inside or off_the_axes(text), f"{text.get_text()!r} leaves the figure: {box} not in {whole}"
    axes = [ax for ax in figure.axes if ax.get_visible()]
    for ax in axes:
        for labels in tick_labels(ax):
            boxes = [label.get_window_extent(renderer) for label in labels]
            assert not overlaps(boxes), f"tick labels overlap in {ax.get_title()!r}"
    for ax in axes if name in ("rate", "heatmap") else ():
        if not ax.get_ylabel().startswith("converged"):  # a panel, not a colour bar
            labels = [label.get_text() for label in ax.get_xticklabels()]
            assert labels == [level_name(level) for level in LEVELS[count]["lr"]]
    for fact in (fact for ax in axes for line in ax.get_title().split("\n") for fact in line.rstrip(",").split(", ")):
        assert name == "paired" or " = " in fact or not fact, f"{fact!r} is broken"
    titles = [ax.title.get_window_extent(renderer) for ax in axes if ax.get_title()]
    assert not overlaps(titles)
    assert all(whole.x0 <= t.x0 and t.x1 <= whole.x1 and t.y1 <= whole.y1 for t in titles)
    legends = [legend.get_window_extent(renderer) for legend in figure.legends]
    assert not overlaps([*legends, *titles])
    assert all(whole.x0 <= box.x0 and box.x1 <= whole.x1 for box in legends)
    plt.close(figure)


@pytest.mark.parametrize("name", ["rate", "loss", "predictions", "paired"])
def test_factors_of_panels_make_rows_and_columns(view_of, name):
    factors = {"weight_decay": [0.0, 0.001, 0.01, 0.1, 1.0], "optimizer.momentum": [0.0, 0.5, 0.9]}
    view = view_of(lr=[0.1, 1.0], **factors)
    chosen = {"x": "lr", "row": "optimizer.momentum", "col": "weight_decay"}
    view = replace(view, layout=lay_out(view.trials, view.data.parameters, chosen))
    with applied(view.style):
        figure = FIGURES[name].function(view).figure
        settle(figure)
    panels = [ax for ax in figure.axes if ax.get_visible()]
    lefts, bottoms = {}, {}
    for ax in panels:
        facts = dict(fact.split(" = ", 1) for fact in re.split(r",?\n|, ", ax.get_title()) if " = " in fact)
        down = (facts["momentum"], facts.get("learning rate") if name == "predictions" else None)
        lefts.setdefault(facts["weight_decay"], set()).add(round(ax.get_position().x0, 6))
        bottoms.setdefault(down, set()).add(round(ax.get_position().y0, 6))
    assert all(len(places) == 1 for places in (*lefts.values(), *bottoms.values()))
    across, down = ([place for (place,) in places.values()] for places in (lefts, bottoms))
    assert across == sorted(across)
    assert len(across) == 5
    assert down == sorted(down, reverse=True)
    assert len(down) == (6 if name == "predictions" else 3)
    assert len(panels) == 5 * len(down)
    plt.close(figure)


def test_rows_alone_are_stacked(view_of):
    view = view_of(lr=[0.1, 1.0], weight_decay=[0.0, 0.1, 1.0])
    view = replace(view, layout=lay_out(view.trials, view.data.parameters, {"row": "weight_decay"}))
    figure = FIGURES["rate"].function(view).figure
    assert figure.axes[0].get_subplotspec().get_gridspec().get_geometry() == (3, 1)
    plt.close(figure)


def test_losses_of_different_kinds_have_axes_of_their_own(view_of):
    view = view_of(lr=[0.1, 1.0], loss=["half_sse", "sse"], weight_decay=[0.0, 0.1])
    view = replace(view, layout=lay_out(view.trials, view.data.parameters, {"hue": "loss"}))
    scaled = view.data.curves.merge(view.trials[["run_id", "loss"]].rename(columns={"loss": "kind"}), on="run_id")
    curves = view.data.curves.assign(loss=scaled["loss"] * np.where(scaled["kind"] == "sse", 1000.0, 1.0))
    drawing = FIGURES["loss"].function(replace(view, data=replace(view.data, curves=curves)))
    limits = {}
    for ax in drawing.figure.axes:
        limits.setdefault(ax.get_title().split(",")[0], set()).add(ax.get_ylim())
    assert {kind: len(found) for kind, found in limits.items()} == {"loss = half_sse": 1, "loss = sse": 1}
    ((low, _),), ((_, high),) = limits["loss = sse"], limits["loss = half_sse"]
    assert low > high / 1000
    assert limits["loss = sse"] != limits["loss = half_sse"]
    plt.close(drawing.figure)


@pytest.mark.parametrize("style", ["paper", "talk"])
@pytest.mark.parametrize("name", ["rate", "loss", "survival", "ert", "predictions", "paired"])
def test_no_text_leaves_a_narrow_figure(view_of, name, style):
    tags = {"git_commit": "0bb8b2cda8" * 4, "git_dirty": "true"}
    compared = tuple(
        Sweep(Run(f"01a20a93{i}{'b' * 23}", "1", "a", "FINISHED", 0, 1, "", tags=tags), "xor", label, 16, 16)
        for i, label in enumerate(["plain", "W" * 60])
    )
    view = view_of(
        style,
        sweeps=compared,
        run_filter=f"params.`init.weights` = '[{','.join(['0.125'] * 60)}]'",
        sweep=["plain", "W" * 60],
    )
    with applied(view.style):
        figure = FIGURES[name].function(view).figure
        settle(figure)
    for dpi in (100, 250):
        figure.set_dpi(dpi)
        figure.draw_without_rendering()
        renderer = figure.canvas.get_renderer()
        for text in figure.findobj(Text):
            if text.get_visible() and text.get_text().strip() and not off_the_axes(text):
                box, whole = text.get_window_extent(renderer), figure.bbox.padded(1)
                inside = whole.x0 <= box.x0 and box.x1 <= whole.x1 and whole.y0 <= box.y0 and box.y1 <= whole.y1
                assert inside, f"{text.get_text()!r} leaves the figure at {dpi} dpi: {box} not in {whole}"
    plt.close(figure)


@pytest.mark.parametrize(
    "axes",
    [
        {"task": ["parity"], "task.bits": [2, 3]},
        {"task": ["encoder"], "task.width": [4, 8], "lr": [0.1, 0.5]},
        {"task": ["xor", "parity", "encoder"]},
    ],
    ids=["parity", "encoder", "mixed"],
)
def test_what_makes_no_sense_for_a_task_is_skipped_and_the_rest_drawn(view_of, axes):
    view = view_of(**axes)
    drawn = {name: figure.draw(view) for name, figure in FIGURES.items()}
    for name in ("surface", "gallery"):
        assert "a surface needs two varying inputs and one output" in str(drawn.pop(name))
    for name in ("rate", "loss", "survival", "ert"):
        assert isinstance(drawn[name], Drawing)
    plt.close("all")


@pytest.fixture
def with_weights(view_of, tmp_path):
    """A view whose every run has weights on disk."""

    def make(trials):
        view = view_of(lr=[0.1])
        trials = pd.DataFrame(trials)
        runs = {}
        for i, (run_id, hidden) in enumerate(zip(trials["run_id"], trials["hidden"], strict=True)):
            folder = tmp_path / run_id
            folder.mkdir(exist_ok=True)
            drawn = Uniform(-2.0, 2.0).matrices(layer_fans((3, hidden, 1), None), np.random.default_rng(i))
            np.savez(folder / "weights.npz", **{f"weights{k + 1}": W for k, W in enumerate(drawn)})
            runs[run_id] = Run(run_id, "1", run_id, "FINISHED", 0, 1, str(folder))
        parameters = tuple(c for c in trials if c in ("lr", "hidden", "epochs") or "task" in c)
        trials = as_loaded(trials, parameters)
        data = Data(trials, view.data.curves, parameters, (), "", runs)
        layout = lay_out(trials, parameters, {})
        return View(ClientReader("sqlite:///none.db"), data, layout, FigureOptions(), {}, STYLES["paper"])

    return make


def network(run_id, **changed):
    """A row of the trials."""
    row = {"sweep": "", "run_id": run_id, "trial": 0, "seed": 0, "lr": 0.1, "hidden": 2, "epochs": 1000, "task": "xor"}
    row |= {"activation": "sigmoid", "bias": "none", "epochs_to_converge": np.inf, "final_loss": 0.5, "max_error": 0.6}
    row |= changed
    converged = bool(np.isfinite(row["epochs_to_converge"]))
    return {"converged_at_end": converged} | row | {"converged": converged}


def panel_titles(figure):
    return [ax.get_title() for ax in figure.axes if ax.get_title()]


def test_surfaces_of_different_tasks_are_coloured_by_their_own_targets(with_weights):
    targets = {"task.target_low": -0.5, "task.target_high": 0.5}
    rows = [
        network("a", **{"task.target_low": 0.0, "task.target_high": 1.0}),
        network("b", activation="symmetric_sigmoid", **targets),
    ]
    figure = FIGURES["surface"].function(with_weights(rows), runs=("a", "b")).figure
    panels = [ax for ax in figure.axes if ax.images]
    assert [(ax.images[0].norm.vmin, ax.images[0].norm.vmax) for ax in panels] == [(0.0, 1.0), (-0.5, 0.5)]
    figure.canvas.draw()
    first, second = (ax.collections[-1].get_facecolors() for ax in panels)  # the patterns
    np.testing.assert_array_equal(first, second)
    assert [t.get_text() for t in figure.axes[-1].get_yticklabels()] == ["low\ntarget", "half-way", "high\ntarget"]
    assert [ax.get_xlabel() for ax in panels] == ["input 1", "input 1"]
    assert panels[0].get_ylabel() == "input 2"
    plt.close(figure)


def test_titles_name_every_key_in_which_the_networks_differ(with_weights):
    rows = [
        network(f"{lr}-{hidden}", lr=lr, hidden=hidden, epochs_to_converge=100.0 if lr == 0.5 else np.inf)
        for lr in (0.1, 0.5)
        for hidden in (2, 4)
    ]
    figure = FIGURES["surface"].function(with_weights(rows), runs=("0.5-4", "0.1-2")).figure
    converged, failed = panel_titles(figure)
    assert converged.splitlines() == ["learning rate = 0.5", "hidden width = 4", "seed 0, error 0.600", "100 epochs"]
    assert failed.splitlines() == ["learning rate = 0.1", "hidden width = 2", "seed 0, error 0.600", "not by 1,000"]
    plt.close(figure)


def test_a_network_that_converged_after_a_short_cutoff_is_no_failure(with_weights):
    rows = [network("a", epochs=100), network("b", epochs=1000, epochs_to_converge=400.0)]
    for name in ("surface", "gallery"):
        drawing = FIGURES[name].function(with_weights(rows))
        assert drawing.table["run_id"].tolist() == ["b"]
        plt.close(drawing.figure)


def test_the_gallery_shows_the_worst_failures_and_says_where_there_are_none(with_weights):
    rows = [network(f"a{i}", seed=i, max_error=error) for i, error in enumerate([0.45, 0.9, 0.5, 0.99])]
    rows.append(network("b", hidden=4, epochs_to_converge=30.0))
    drawing = FIGURES["gallery"].function(with_weights(rows))
    assert drawing.table["run_id"].tolist() == ["a3", "a1", "a2", "b"]
    texts = [text.get_text() for text in drawing.figure.findobj(Text)]
    assert "none failed" in texts
    assert "none converged" in texts
    plt.close(drawing.figure)


def archive(**weights):
    content = io.BytesIO()
    np.savez(content, **weights)
    return content.getvalue()


WEIGHTS = {"weights1": np.ones((3, 2)), "weights2": np.ones((2, 1))}  # of the network that is shown


@pytest.mark.parametrize(
    "content",
    [
        None, b"", b"hello", archive(**WEIGHTS)[:200], archive(weights1=np.ones((3, 2))),
        archive(**WEIGHTS | {"weights1": np.ones((5, 2))}), archive(**WEIGHTS | {"weights1": np.array([["a"]])}),
        archive(**WEIGHTS | {"weights1": np.array([{}], dtype=object)}), archive(**WEIGHTS)[:70] + bytes(30),
    ],
    ids=["missing", "empty", "text", "truncated", "a layer less", "another network", "letters", "a pickle", "zeros"],
)  # fmt: skip
def test_weights_that_cannot_be_read_are_a_reason(with_weights, tmp_path, content):
    view = with_weights([network("a", epochs_to_converge=3.0)])
    (tmp_path / "a" / "weights.npz").unlink()
    if content is not None:
        (tmp_path / "a" / "weights.npz").write_bytes(content)
    surface, rate = FIGURES["surface"].draw(view), FIGURES["rate"].draw(view)
    assert "weights.npz of run a cannot be read (" in str(surface)
    assert isinstance(rate, Drawing)
    plt.close(rate.figure)


def test_losses_that_have_no_logarithm_are_a_reason(view_of):
    view = view_of(lr=[0.1])
    curves = view.data.curves.assign(loss=0.0)
    assert "no loss is above 0 and finite" in str(
        FIGURES["loss"].draw(replace(view, data=replace(view.data, curves=curves)))
    )


def test_runs_without_a_loss_curve_are_left_out_of_the_others(view_of):
    view = view_of(lr=[0.1, 0.5])
    curves = view.data.curves
    some = curves[~curves["run_id"].isin(view.trials["run_id"].iloc[:10])]  # none of lr 0.1, six of lr 0.5
    drawing = FIGURES["loss"].draw(replace(view, data=replace(view.data, curves=some)))
    assert isinstance(drawing, Drawing), drawing
    assert drawing.data[["lr", "n"]].drop_duplicates().to_numpy().tolist() == [[0.5, 6]]
    plt.close(drawing.figure)


def test_the_paired_figure_tells_rates_from_speeds(view_of, make_trials):
    view = view_of(lr=[0.1, 0.5, 1.0])
    times = {0.1: [500, 600, 700, np.inf, np.inf, 800], 0.5: [1] * 6, 1.0: [50, 60, 70, 80, np.inf, 900]}
    trials = pd.concat([make_trials(t, 1000, lr=lr, run_id=f"run{lr}") for lr, t in times.items()], ignore_index=True)
    drawing = FIGURES["paired"].function(replace(view, data=replace(view.data, trials=trials)))
    row = drawing.table.iloc[0]
    assert row[["first_sooner", "second_sooner", "neither_sooner"]].tolist() == [1, 4, 1]
    title = " ".join(drawing.figure.axes[0].get_title().replace("\N{NO-BREAK SPACE}", " ").split())
    assert title.startswith("convergence rate: +17 points [")
    assert ", McNemar p = 1, median 700 to 70 epochs, 0.1 times [" in title
    assert title.endswith("learning rate = 1 sooner in 4 of 5 pairs, sign test p = 0.38")
    assert "the lowest and the highest are compared; left out: 0.5." in drawing.caption
    plt.close(drawing.figure)


@pytest.mark.parametrize(
    ("failing", "said"),
    [(6, "McNemar p = 0.031, median none to 50 epochs, learning rate"), (12, "p = 1, more than half fail under both,")],
)
def test_medians_that_failures_leave_open_are_told_in_words(view_of, make_trials, failing, said):
    view = view_of(lr=[0.1, 0.5])
    second = [np.inf] * 6 if failing == 12 else [50.0] * 6
    trials = pd.concat([make_trials([np.inf] * 6, 1000, lr=0.1), make_trials(second, 1000, lr=0.5)], ignore_index=True)
    drawing = FIGURES["paired"].function(replace(view, data=replace(view.data, trials=trials)))
    assert said in " ".join(drawing.figure.axes[0].get_title().split())
    plt.close(drawing.figure)


def test_names_that_are_left_out_of_a_pair_are_named(view_of):
    drawing = FIGURES["paired"].function(view_of(lr=[0.1], optimizer=["b", "c", "a"]))
    assert "Of optimizer, the first and the last by name are compared; left out: b." in drawing.caption
    plt.close(drawing.figure)


def test_where_nothing_converged_no_restart_is_best(view_of, make_trials):
    view = view_of(lr=[0.1, 0.5])
    trials = pd.concat(
        [make_trials([np.inf, np.inf], lr=0.1), make_trials([2000 / 3, np.inf], 10000, lr=0.5)], ignore_index=True
    )
    drawing = FIGURES["ert"].function(replace(view, data=replace(view.data, trials=trials)))
    assert "No line, because no trial converged: (learning rate = 0.1)." in drawing.caption
    failed, converged = (line.split("|")[1:-1] for line in markdown(drawing.table).splitlines()[2:])
    assert [text.strip() for text in failed] == ["0.1", "", "", "inf", "52", "inf", "inf", "0", "2"]
    assert "." not in "".join(converged[1:])  # whole epochs
    plt.close(drawing.figure)


def test_labels_that_differ_at_the_end_stay_distinct():
    lists = ["[1.0,2.0,3.0,4.0,5.0]", "[1.0,2.0,3.0,4.0,0.0]"]
    assert level_names(lists, 12) == dict(zip(lists, ["…5.0]", "…0.0]"], strict=True))
    assert level_names(["gradient_descent", "m"], 18) == {"gradient_descent": "gradient_descent", "m": "m"}
    assert level_names([0.1, 10000], 18) == {0.1: "0.1", 10000: "10,000"}


@given(
    st.lists(st.text("ab[],. ", min_size=1, max_size=30).map(plain).filter(bool), min_size=1, max_size=12, unique=True),
    st.integers(8, 20),
)
def test_labels_are_short_and_no_two_alike(names, longest):
    short = level_names(names, longest).values()
    assert len(set(short)) == len(names)
    assert max(map(len, short)) <= longest


@given(st.lists(st.text("iW.,", min_size=1, max_size=60), min_size=1, max_size=8), st.floats(0.5, 3.0))
def test_wrapped_lines_are_no_wider_than_asked(words, width):
    text = " ".join(words)
    lines = wrapped(text, width, 8).split("\n")
    assert max(text_width(line, 8) for line in lines) <= width
    assert "".join(lines).replace(" ", "") == "".join(words)


def test_points_stay_at_their_numbers_and_their_intervals_before_them(view_of):
    figure = FIGURES["rate"].function(view_of(hidden=[2, 3, 4], lr=[0.1, 0.2, 0.4, 0.8])).figure
    scale = Scale.of([0.1, 0.2, 0.4, 0.8])
    markers = [line for line in figure.axes[0].lines if line.get_marker() not in ("", "None")]
    assert len(markers) == 3
    for line in markers:
        assert np.abs(np.asarray(line.get_xdata()) - list(scale.positions.values())).max() <= 0.05
    assert min(c.get_zorder() for c in figure.axes[0].collections) > max(line.get_zorder() for line in markers)
    plt.close(figure)


def test_numbers_at_risk_keep_apart(view_of):
    view = view_of(lr=[0.1, 0.2, 0.4, 0.8], optimizer=["gradient_descent", "momentum", "quickprop"])
    with applied(view.style):
        figure = FIGURES["survival"].function(view).figure
        settle(figure)
    renderer = figure.canvas.get_renderer()
    texts = [text for ax in figure.axes for text in ax.texts]
    assert {"gradient_descent", "momentum", "quickprop"} < {text.get_text() for text in texts}
    assert not overlaps([text.get_window_extent(renderer) for text in texts])
    plt.close(figure)


def test_cells_of_the_heatmap_are_percentages(view_of):
    view = view_of(lr=[0.1, 0.5], hidden=[2, 4])
    drawing = FIGURES["heatmap"].function(view)
    cells = [text.get_text() for text in drawing.figure.axes[0].texts]
    assert sorted(cells) == sorted(f"{100 * rate:.0f}%\nn = 8" for rate in drawing.table["estimate"])
    plt.close(drawing.figure)


@pytest.mark.parametrize("count", [3, 6])
def test_long_names_leave_the_cells_of_the_heatmap_their_room(view_of, count):
    view = view_of(optimizer=[f"gradient_descent_{i}" for i in range(count)], hidden=[2, 4])
    with applied(view.style):
        figure = FIGURES["heatmap"].function(replace(view, layout=Layout("optimizer", "hidden", ()))).figure
        settle(figure)
    renderer = figure.canvas.get_renderer()
    assert not overlaps([text.get_window_extent(renderer) for text in figure.axes[0].texts])
    plt.close(figure)


def test_predictions_are_summed_up_by_their_quartiles(view_of):
    view = view_of(lr=[0.1, 0.5])
    table = FIGURES["predictions"].function(view).table
    assert len(table) == 8
    for _, row in table.iterrows():
        values = view.trials.loc[view.trials["lr"] == row["lr"], f"prediction/{row['pattern']}"]
        assert row[["q25", "median", "q75"]].tolist() == pytest.approx(np.quantile(values, [0.25, 0.5, 0.75]))
        assert row["n"] == 8
    plt.close("all")


def test_a_network_with_two_cutoffs_is_one_in_survival_and_two_in_rates(view_of):
    view = view_of(lr=[0.1], hidden=[4], epochs=[100, 1000])
    for name, n in (("rate", [8, 8]), ("survival", [8])):
        drawing = FIGURES[name].function(view)
        assert drawing.table["n"].tolist() == n
        plt.close(drawing.figure)


def test_the_pair_can_be_chosen_and_is_checked(view_of):
    from analysis.loading import SelectionError

    drawing = FIGURES["paired"].function(view_of(lr=[0.1, 0.5, 1.0]), pair=(0.5, 1.0))
    assert drawing.table[["first", "second"]].to_numpy().tolist() == [[0.5, 1.0]]
    plt.close(drawing.figure)
    with pytest.raises(SelectionError, match=r"pair=0\.7: the levels of lr are 0\.1, 0\.5, 1"):
        FIGURES["paired"].function(view_of(lr=[0.1, 0.5, 1.0]), pair=(0.5, 0.7))


def test_widths_are_never_paired(view_of):
    with pytest.raises(NotApplicableError, match="began from the same weights"):
        FIGURES["paired"].function(view_of(hidden=[2, 4]))


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
    for name in ("rate", "heatmap", "survival", "paired"):
        drawing = FIGURES[name].draw(view)
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
        (["none", 0.9], [0, 1]),
    ],
)
def test_levels_lie_where_their_numbers_are(levels, positions):
    scale = Scale.of(levels)
    gaps = np.diff(list(scale.positions.values()))
    assert gaps.tolist() == pytest.approx((np.diff(positions) / np.diff(positions).min()).tolist())
    assert list(scale.positions) == levels


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
    assert main(["where.lr=[0.5,2.0]", "where.hidden=3", "only=rate", "compare=[latest,latest]", "labels=[=a,b]"]) == 0
    (path,) = set(demo[0].glob("figures/*/rate.csv")) - whole
    table = pd.read_csv(path)
    assert sorted(table["lr"].unique()) == [0.5, 2.0]
    assert table["n"].unique().tolist() == [6]
    assert sorted(table["sweep"].unique()) == ["'=a", "b"]  # or a spreadsheet would take the first for a formula


def test_what_needs_a_task_that_is_not_here_is_skipped_and_the_rest_drawn(view_of):
    view = view_of(task=["elsewhere"], lr=[0.1, 0.5])
    drawn = {name: figure.draw(view) for name, figure in FIGURES.items()}
    for name in ("predictions", "surface", "gallery"):
        assert "task=elsewhere: valid is one of xor, parity, encoder" in str(drawn.pop(name))
    assert str(drawn.pop("heatmap")) == "a heatmap needs two varied parameters"
    assert all(isinstance(drawing, Drawing) for drawing in drawn.values()), drawn
    assert drawn["paired"].table["n"].tolist() == [8]
    plt.close("all")


def test_none_is_a_level_like_others_in_every_figure(view_of):
    """No bias beside biases along x, by colour and in panels, in its place before the numbers."""
    view = view_of(lr=[0.1, 0.5], **{"optimizer.momentum": [0.9, np.nan]})
    assert levels(view.trials["optimizer.momentum"]) == ["none", 0.9]
    for layout in (Layout("optimizer.momentum", "lr", ()), Layout("lr", "optimizer.momentum", ())):
        for name in ("rate", "heatmap", "loss", "survival", "ert", "predictions", "paired"):
            drawing = FIGURES[name].draw(replace(view, layout=layout))
            assert isinstance(drawing, Drawing), drawing
            rows = markdown(drawing.table).splitlines()[2:]
            if "optimizer.momentum" in drawing.table:
                found = unordered(drawing.table)["optimizer.momentum"]
                assert set(found.dropna()) == {0.9}
                assert sum("none" in row for row in rows) == found.isna().sum() == len(rows) / 2
            plt.close(drawing.figure)
