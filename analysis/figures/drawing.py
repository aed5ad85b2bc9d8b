"""A finished figure with its tables, and where they go: the same bytes for the same data.

Files have a folder of their own, and hang on the parent run of the sweep that they show.
"""

import hashlib
import re
import sys
import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import matplotlib.pyplot as plt
import pandas as pd
from matplotlib.figure import Figure

from analysis.axes import lay_out
from analysis.figures.view import View
from analysis.levels import level_name
from analysis.tables import latex, markdown, markdown_text, save_csv, save_parquet
from tracking import artifacts
from tracking.disk import explained
from tracking.errors import TrackingError

_OF_PDF = ("CreationDate", "Creator", "Producer")  # what matplotlib would write into it


class NotApplicableError(Exception):
    """A figure makes no sense for this data; the message says why."""


@dataclass(frozen=True)
class Drawing:
    """A finished figure with what belongs to it."""

    name: str  # of its files, without ending
    title: str
    caption: str
    figure: Figure
    data: pd.DataFrame  # what is drawn, for the CSV file
    table: pd.DataFrame  # what a person reads, for the Markdown file


def save(drawing: Drawing, folder: Path, endings: Sequence[str], variant: str = "") -> list[Path]:
    """Write a figure and its tables, a file for each of the `endings`; returns their paths.

    ``csv`` and ``parquet`` hold what is drawn, ``md`` and ``tex`` the table for a person. The `variant` goes into the
    names.
    """
    settle(drawing.figure)
    paths = [folder / f"{drawing.name}{variant}.{ending}" for ending in endings]
    with explained(folder):
        for path in paths:
            _WRITERS[path.suffix](drawing, path)
    plt.close(drawing.figure)
    return paths


def _save_markdown(drawing: Drawing, path: Path) -> None:
    text = f"# {markdown_text(drawing.title)}\n\n{markdown_text(drawing.caption)}\n\n{markdown(drawing.table)}"
    path.write_text(text, "utf-8", newline="\n")


def _save_latex(drawing: Drawing, path: Path) -> None:
    text = latex(drawing.table, f"{drawing.title}. {drawing.caption}", f"tab:{path.stem}")
    path.write_text(text, "utf-8", newline="\n")


_WRITERS: dict[str, Callable[[Drawing, Path], None]] = {
    ".png": lambda drawing, path: drawing.figure.savefig(path, metadata={"Software": None}),
    ".svg": lambda drawing, path: drawing.figure.savefig(path, metadata={"Date": None, "Creator": None}),
    ".pdf": lambda drawing, path: drawing.figure.savefig(path, metadata=dict.fromkeys(_OF_PDF)),
    ".csv": lambda drawing, path: save_csv(drawing.data, path),
    ".parquet": lambda drawing, path: save_parquet(drawing.data, path),
    ".md": _save_markdown,
    ".tex": _save_latex,
}
"""How a drawing becomes a file: the same bytes for the same drawing, so without dates and versions."""


def variant(view: View, options: Mapping[str, Any]) -> str:
    """The end of a file's name that tells what was chosen: nothing by default, or one choice would overwrite another.

    Told are axes, if they are not those that would be found anyway, and `options` of a figure or command.
    """
    found = lay_out(view.trials, view.data.parameters, {})
    axes = {} if view.layout == found else view.selection.axes
    words = [f"{key}-{_joined(value)}" for key, value in {**axes, **options}.items()]
    return "".join(f"-{_safe(word)}" for word in words)


def _joined(value: object) -> str:
    return "-".join(map(level_name, value)) if isinstance(value, list | tuple) else level_name(value)


def _safe(word: str) -> str:
    """A word as part of a file's name, whatever it holds."""
    kept = re.sub(r"[^A-Za-z0-9._-]+", "_", word)[:40]
    return kept if kept == word else f"{kept}-{hashlib.sha256(word.encode()).hexdigest()[:6]}"


def folder_of(view: View) -> Path:
    """Make the folder for a view, safe whatever names users give: the sweeps' ids, a digest of what narrows them."""
    name = "-".join(sweep.short_id for sweep in view.data.sweeps)
    if view.data.run_filter or view.where:
        levels = sorted((axis, *map(str, chosen)) for axis, chosen in view.where.items())
        digest = hashlib.sha256(f"{view.data.run_filter}\n{levels}".encode()).hexdigest()[:8]
        name = f"{name or 'runs'}-part-{digest}"
    folder = Path("figures") / name
    with explained(folder):
        folder.mkdir(parents=True, exist_ok=True)
    return folder


def attach(view: View, paths: Sequence[Path]) -> None:
    """Log files under ``figures/`` of the sweep's parent run, if they show that whole sweep and no other."""
    if len(view.data.sweeps) != 1 or view.data.run_filter or view.where:
        return
    figures = {f"figures/{path.name}": path.read_bytes() for path in paths}
    try:
        artifacts.save(view.store.uri, view.data.sweeps[0].parent.artifact_uri, figures)
    except TrackingError as error:
        print(f"not attached to the sweep's run: {error}", file=sys.stderr)


def settle(figure: Figure) -> None:
    """Lay a figure out for good; both formats then share the layout.

    Panels of a fixed shape find their place only in the second pass. Raises `NotApplicableError` if the figure was
    made too small for what stands around its panels.
    """
    with warnings.catch_warnings(record=True, category=UserWarning) as said:
        for _ in range(2):
            figure.draw_without_rendering()
    for warning in said:
        if "constrained_layout not applied" in str(warning.message):
            width, height = figure.get_size_inches()
            raise NotApplicableError(f"its text leaves no room for panels on {width:g} by {height:g} inches")
        warnings.warn_explicit(warning.message, warning.category, warning.filename, warning.lineno)
    figure.set_layout_engine("none")
