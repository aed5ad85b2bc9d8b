"""Drawing all figures of a selection, saving them and attaching them to the sweep."""

import hashlib
import sys
from collections.abc import Callable
from pathlib import Path

import matplotlib as mpl

from analysis.axes import lay_out
from analysis.figures import ert, heatmap, loss, paired, predictions, rate, surface, survival
from analysis.figures.drawing import Drawing, NotApplicableError, View
from analysis.figures.saving import save
from analysis.figures.style import STYLES, applied
from analysis.loading import Data
from analysis.options import FIGURES, FigureOptions
from analysis.selecting import select
from analysis.store import Store, open_store

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


def draw_all(options: FigureOptions) -> Path:
    """Draw what the options ask for; returns the folder it is in."""
    store = open_store()
    data, trials, where = select(store, options)
    layout = lay_out(trials, data.parameters, options.axes)
    style = STYLES[options.style]
    view = View(store, data, trials, layout, style, where, tuple(options.pair), tuple(options.runs))
    target = Path("figures") / folder_name(data)
    target.mkdir(parents=True, exist_ok=True)
    mpl.use("Agg")
    paths: list[Path] = []
    for name in options.only or FIGURES:
        try:
            with applied(style):
                paths += save(DRAW[name](view), target)
            print(f"{name:<12} {paths[-4]}")
        except NotApplicableError as reason:
            print(f"{name:<12} skipped: {reason}")
    attach(store, data, paths)
    return target


def folder_name(data: Data) -> str:
    """A folder for a selection: the beginning of the sweep's run id, or of all of them; safe whatever their names."""
    name = "-".join(sweep.run_id[:8] for sweep in data.sweeps)
    if data.run_filter:
        name = f"{name}-filter-{hashlib.sha256(data.run_filter.encode()).hexdigest()[:8]}".lstrip("-")
    return name


def attach(store: Store, data: Data, paths: list[Path]) -> None:
    """Log files under ``figures/`` of the sweep's parent run; of one whole sweep only."""
    if len(data.sweeps) != 1 or data.run_filter or not paths:
        return
    from mlflow.exceptions import MlflowException

    try:
        for path in paths:
            store.client.log_artifact(data.sweeps[0].run_id, str(path), "figures")
    except (MlflowException, OSError) as error:
        print(f"the files are not attached to the sweep's run: {error}", file=sys.stderr)
