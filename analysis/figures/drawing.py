"""A finished figure with its tables, and where they go: the same bytes for the same data.

Files have a folder of their own, and hang on the parent run of the sweep that they show.
"""

import hashlib
import html
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import matplotlib.pyplot as plt
import pandas as pd
from matplotlib.figure import Figure

from analysis.figures.view import View
from analysis.levels import level_name, plain, unordered
from tracking import artifacts
from tracking.disk import explained
from tracking.errors import TrackingError

_ROWS_IN_MARKDOWN = 300


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


def save(drawing: Drawing, folder: Path) -> list[Path]:
    """Write a figure as PNG and SVG, its data as CSV and its table as Markdown; returns the four paths."""
    paths = [folder / f"{drawing.name}.{ending}" for ending in ("png", "svg", "csv", "md")]
    settle(drawing.figure)
    text = f"# {markdown_text(drawing.title)}\n\n{markdown_text(drawing.caption)}\n\n{markdown(drawing.table)}"
    with explained(folder):
        drawing.figure.savefig(paths[0], metadata={"Software": None})
        drawing.figure.savefig(paths[1], metadata={"Date": None, "Creator": None})
        no_formulas(drawing.data).to_csv(paths[2], index=False, lineterminator="\n", float_format="%.10g")
        paths[3].write_text(text, "utf-8", newline="\n")
    plt.close(drawing.figure)
    return paths


def no_formulas(table: pd.DataFrame) -> pd.DataFrame:
    """A table for a CSV file: a text that a spreadsheet would take for a formula begins with ``'`` instead."""
    table = unordered(table).rename(columns=lambda name: _no_formula(str(name)))
    texts = table.select_dtypes(["object", "str"])
    return table.assign(**{str(name): texts[name].map(_no_formula) for name in texts})


def _no_formula(value: object) -> object:
    return f"'{value}" if isinstance(value, str) and value.startswith(("=", "+", "-", "@", "\t", "\r")) else value


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

    Panels of a fixed shape find their place only in the second pass.
    """
    for _ in range(2):
        figure.draw_without_rendering()
    figure.set_layout_engine("none")


def cell(value: object) -> str:
    """One value of a table as text: four significant digits, ``none`` for what does not apply, NA as nothing."""
    if value is pd.NA:
        return ""
    if isinstance(value, float) and value == float("inf"):
        return "inf"
    if isinstance(value, float) and value == value and not value.is_integer():
        return f"{value:.4g}"
    return plain(level_name(value), 80)


def markdown_text(text: str) -> str:
    """Text that Markdown shows as it is, whatever it holds."""
    escaped = html.escape(text, quote=False)
    return "".join(f"\\{c}" if c in "\\`*_[]|~$" else c for c in escaped)


def markdown(table: pd.DataFrame) -> str:
    """A frame as a Markdown table; of a long one the beginning."""
    table = unordered(table)
    header = " | ".join(markdown_text(plain(str(c))) for c in table.columns)
    rules = " | ".join("---:" if pd.api.types.is_numeric_dtype(table[c]) else "---" for c in table.columns)
    rows = [
        " | ".join(markdown_text(cell(value)) for value in row)
        for row in table.head(_ROWS_IN_MARKDOWN).itertuples(index=False)
    ]
    lines = [f"| {line} |" for line in (header, rules, *rows)]
    if len(table) > _ROWS_IN_MARKDOWN:
        lines += ["", f"The first {_ROWS_IN_MARKDOWN} of {len(table):,} rows; all are in the CSV file."]
    return "\n".join(lines) + "\n"
