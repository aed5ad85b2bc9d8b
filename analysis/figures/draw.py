"""Drawing all figures of a selection, saving them and attaching them to the sweep."""

import hashlib
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import matplotlib as mpl

from analysis.figures import ert, heatmap, loss, paired, predictions, rate, surface, survival
from analysis.figures.drawing import Drawing, NotApplicableError, View
from analysis.figures.saving import save
from analysis.figures.style import STYLES, applied
from analysis.loading import Data
from analysis.options import FIGURES, FigureOptions
from analysis.selecting import Selected

DRAW: dict[str, Callable[[View], Drawing]] = {
    "rate": rate.draw,
    "heatmap": heatmap.draw,
    "loss": loss.draw,
    "survival": survival.draw,
    "ert": ert.draw,
    "predictions": predictions.draw,
    "surface": surface.draw,
    "gallery": surface.draw_gallery,
    "paired": paired.draw,
}


def open_view(selected: Selected, style: str) -> tuple[View, Path]:
    """Return what figures are drawn from, and the folder to save them in."""
    mpl.use("Agg")
    options = selected.options
    view = View(
        selected.store, selected.data, selected.trials, selected.layout, STYLES[style], selected.where,
        tuple(options.pair), tuple(options.runs),
    )  # fmt: skip
    folder = Path("figures") / folder_name(selected.data, selected.where)
    folder.mkdir(parents=True, exist_ok=True)
    return view, folder


def drawings(view: View, names: Sequence[str]) -> Iterator[tuple[str, Drawing | NotApplicableError]]:
    """Draw figures one by one; in place of one that makes no sense for the data comes the reason."""
    for name in names:
        try:
            with applied(view.style):
                drawing: Drawing | NotApplicableError = DRAW[name](view)
        except NotApplicableError as reason:
            drawing = reason
        yield name, drawing


def draw_all(selected: Selected, options: FigureOptions) -> Path:
    """Draw, save and attach what the options ask for; returns the folder it is in."""
    view, folder = open_view(selected, options.style)
    paths: list[Path] = []
    for name, drawing in drawings(view, options.only or FIGURES):
        if isinstance(drawing, Drawing):
            with applied(view.style):
                saved = save(drawing, folder)
            print(f"{name:<12} {saved[0]}")
            paths += saved
        else:
            print(f"{name:<12} skipped: {drawing}")
    attach(view, paths)
    return folder


def folder_name(data: Data, where: Mapping[str, Sequence[Any]]) -> str:
    """A folder for a selection, safe whatever names users give: the sweeps' ids, and a digest of what narrows them."""
    name = "-".join(sweep.short_id for sweep in data.sweeps)
    if not data.run_filter and not where:
        return name
    narrowed = f"{data.run_filter}\n{sorted((axis, *map(str, levels)) for axis, levels in where.items())}"
    return f"{name or 'runs'}-part-{hashlib.sha256(narrowed.encode()).hexdigest()[:8]}"


def attach(view: View, paths: Sequence[Path]) -> None:
    """Log files under ``figures/`` of the sweep's parent run, if they show that whole sweep and no other."""
    if len(view.data.sweeps) != 1 or view.data.run_filter or view.where:
        return
    from mlflow.exceptions import MlflowException

    try:
        for path in paths:
            view.store.client.log_artifact(view.data.sweeps[0].run_id, str(path), "figures")
    except (MlflowException, OSError) as error:
        print(f"not attached to the sweep's run: {error}", file=sys.stderr)
