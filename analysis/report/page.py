"""The page of a report: question, answer, design, figures, tables, provenance."""

import base64
import datetime
import hashlib
import html
import io
import itertools
import shlex
from collections.abc import Container, Sequence
from pathlib import Path
from string import Template
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from PIL import Image

from analysis.figures.catalog import FIGURES
from analysis.figures.drawing import Drawing, settle
from analysis.figures.style import applied
from analysis.figures.view import View, criterion
from analysis.levels import axis_name, level_name, levels, plain, unordered
from analysis.loading import Sweep, counted
from analysis.report.charts import charts, library
from analysis.report.confirmed import TABLE as CONFIRMED
from analysis.report.confirmed import confirmed, readable, told
from analysis.report.findings import Finding, findings, question
from analysis.report.leaderboard import COLUMNS, conditions, shown
from analysis.statistics import paired_rates, seeds_needed
from analysis.tables import cell
from tracking.addresses import is_server

LOCAL_UI = "http://127.0.0.1:5000"
"""Where ``mlflow ui`` and ``python -m experiments.sweeps ui`` are found if nothing else is said."""

_ROWS = 300  # of a table
_LARGEST_SVG = 250_000  # bytes


def page(view: View, difference: float, command: str, ui: str = "") -> str:
    """Compose the report, one HTML file that holds everything it shows and asks no network.

    Scripts make its tables fold and sort and its charts answer to the mouse; all it says and shows is there without
    them. It says how many seeds would find a `difference` of convergence rates, and which `command` makes this report.
    `ui` is the address of the MLflow UI, if it is not the one that the store tells.
    """
    again = confirmed(view)
    drawings = {name: figure.draw(view) for name, figure in FIGURES.items()}
    drawn = {name: drawing for name, drawing in drawings.items() if isinstance(drawing, Drawing)}
    table = conditions(view.longest, view.layout.along_epochs().conditions)
    there = {"conditions", "design", *drawn, *([CONFIRMED] if len(again) else [])}
    sentences = [
        *findings(view.trials, view.longest, view.layout, view.data.sweeps if again.empty else ()),
        *told(again),
    ]
    curves = {name: drawn[name].data for name in ("loss", "survival") if name in drawn}
    address = _address(view, ui)
    specification = charts(view, table, curves, address)
    title = plain("; ".join(sweep.title for sweep in view.data.sweeps) or view.data.run_filter, 400)
    skipped = "".join(f"<li>{_text(n)}: {_text(str(d))}</li>" for n, d in drawings.items() if n not in drawn)
    body = [
        f"<h1>{_heading(title)}</h1>",
        f"<p class=question>{_text(question(view.layout, levels(view.trials['task'])))}</p>",
        "<h2>The answer</h2>",
        *(_finding(finding, there) for finding in sentences),
        "<h2>The conditions</h2>",
        "<p>Each at its longest cut-off, with 95% intervals that hold for all conditions at once, so for whichever is "
        "picked; best at the end first. A click on a column's name sorts.</p>",
        _leaderboard(table),
        _explore(address),
        "<h2>The design</h2>",
        f"<p>{_text(criterion(view.trials))}</p>",
        _table(_design(view), "design"),
        *(["<h2>On fresh seeds</h2>", _table(readable(again), CONFIRMED)] if len(again) else []),
        "<h2>Figures</h2>",
        *(_figure(drawing, view) for drawing in drawn.values()),
        *([f"<p>Not drawn:</p><ul>{skipped}</ul>"] if skipped else []),
        "<h2>How many seeds?</h2>",
        _sample_size(view, difference),
        "<h2>Provenance</h2>",
        *map(_provenance, view.data.sweeps),
        f"<p>This report: <code>{_text(_printable(command))}</code></p>",
    ]
    here = Path(__file__)
    scripts = [library(), here.with_name("page.js").read_text("utf-8")]
    template = Template(here.with_name("page.html").read_text("utf-8"))
    return template.substitute(
        title=_text(title), body="\n".join(body), specification=specification, hashes=" ".join(map(_hash, scripts)),
        library=scripts[0], script=scripts[1],
    )  # fmt: skip


def _address(view: View, ui: str) -> str:
    """Where the MLflow UI is that shows the store: given, or a tracking server's own, or that of ``mlflow ui``."""
    if ui or not is_server(view.store.uri):
        return (ui or LOCAL_UI).rstrip("/")
    parts = urlsplit(view.store.uri)
    return urlunsplit(parts._replace(netloc=parts.netloc.rpartition("@")[2], query="", fragment="")).rstrip("/")


def _hash(script: str) -> str:
    """A script as the page's policy names it: no other one runs."""
    return f"'sha256-{base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()}'"


def _heading(title: str) -> str:
    """A title that breaks between its words, not within ``optimizer=momentum,rprop`` unless that fills a line."""
    return " ".join(f"<span class=fact>{_text(word)}</span>" for word in title.split(" "))


def _finding(finding: Finding, there: Container[str]) -> str:
    """A sentence with links to the tables that hold its numbers."""
    tables = [name for name in finding.tables if name in there] or ["conditions"]
    links = ", ".join(f'<a href="#table-{name}">{name}</a>' for name in tables)
    return f"<p class=finding>{_text(finding.text)}<span class=rests> [{links}]</span></p>"


def _explore(address: str) -> str:
    return f"""<section id=explore hidden>
<h2>Explore</h2>
<p>Point at a mark to read its condition, turn the wheel or drag to zoom, double-click to go back, choose levels to see
only these conditions. A click on a trial opens its run in the MLflow UI at <code>{_text(address)}</code>, which must be
running (<code>python -m experiments.sweeps ui</code>); another address is chosen by <code>ui=</code>.</p>
<div id=filters></div>
<div id=charts></div>
<p id=run aria-live=polite></p>
</section>
<noscript><p>Scripts do not run here: charts that answer to the mouse are left out, figures are below.</p></noscript>"""


def _leaderboard(table: pd.DataFrame) -> str:
    """The conditions with what came of them, each column with a button that sorts by it."""
    axes = list(table.columns[: table.columns.get_loc(next(iter(COLUMNS)))])
    titles = [*map(axis_name, axes), *(title for title, _ in COLUMNS.values()), "trials"]
    header = "".join(f"<th><button type=button disabled>{_text(title)}</button></th>" for title in titles)
    ranks = {axis: {level: i for i, level in enumerate(levels(table[axis]))} for axis in axes}
    rows = []
    for _, row in table.iterrows():
        cells = [(cell(row[axis]), str(ranks[axis][row[axis]])) for axis in axes]
        cells += [(shown(row, name), _number(row[name])) for name in COLUMNS]
        cells += [(f"{int(row['n']):,}", str(int(row["n"])))]
        rows.append("<tr>" + "".join(f'<td data-value="{value}">{_text(text)}</td>' for text, value in cells) + "</tr>")
    body = "\n".join(rows)
    return (
        f"<div class=scroll><table class=sortable id=table-conditions><thead><tr>{header}</tr></thead>"
        f"<tbody>{body}</tbody></table></div>"
    )


def _number(value: float) -> str:
    """A number as JavaScript reads it; what is unknown comes first."""
    return "Infinity" if np.isposinf(value) else "-1" if np.isnan(value) else f"{value:.10g}"


def command_of(view: View, arguments: Sequence[str]) -> str:
    """Write a command that makes the same report whatever was run since: ``latest`` becomes a run id."""
    kept = [a for a in arguments if a.partition("=")[0] not in ("sweep", "compare")]
    ids = ",".join(sweep.short_id for sweep in view.data.sweeps)
    key = "compare" if view.selection.compare else "sweep"
    sweeps = [f"{key}={ids}" if len(view.data.sweeps) == 1 else f"{key}=[{ids}]"] if ids else []
    return shlex.join(["python", "-m", "analysis.report", *sweeps, *kept])


def _figure(drawing: Drawing, view: View) -> str:
    """A figure as SVG, or as PNG if it has so many marks that this is smaller, with its table."""
    with applied(view.style):
        settle(drawing.figure)
        kind, content = "svg+xml", _image(drawing, format="svg", metadata={"Date": None, "Creator": None})
        if len(content) > _LARGEST_SVG:
            kind, content = "png", _reduced(_image(drawing, format="png", dpi=200))
    plt.close(drawing.figure)
    image = base64.b64encode(content).decode()
    return (
        f"<figure><figcaption>{_text(drawing.title)}</figcaption>"
        f'<img alt="{_text(drawing.caption)}" src="data:image/{kind};base64,{image}"></figure>'
        f"<details open><summary>Table: {_text(drawing.title.lower())}</summary>"
        f"{_table(drawing.table, drawing.name)}</details>"
    )


def _image(drawing: Drawing, **options: Any) -> bytes:
    buffer = io.BytesIO()
    drawing.figure.savefig(buffer, **options)
    return buffer.getvalue()


def _reduced(picture: bytes) -> bytes:
    """A PNG of 256 colours, a third as large, and to the eye the same."""
    buffer = io.BytesIO()
    colors = Image.open(io.BytesIO(picture)).convert("RGB").quantize(256, dither=Image.Dither.NONE)
    colors.save(buffer, "png", optimize=True)
    return buffer.getvalue()


def _design(view: View) -> pd.DataFrame:
    """Each parameter with the levels it took, in each sweep; those that were varied first."""
    parts = {str(sweep): members for sweep, members in view.trials.groupby("sweep", observed=True)}
    header = [f"sweep {sweep}" for sweep in parts] if len(parts) > 1 else ["values"]
    parameters = sorted(("seed", *view.data.parameters), key=lambda p: len(levels(view.trials[str(p)])) == 1)
    rows = [[p, *(_values(members[p]) for members in parts.values())] for p in parameters]
    return pd.DataFrame(rows, columns=["parameter", *header])


def _values(column: "pd.Series[Any]") -> str:
    names = [level_name(v) for v in levels(column)]
    return ", ".join(names) if len(names) <= 12 else f"{len(names):,} values from {names[0]} to {names[-1]}"


def _sample_size(view: View, difference: float) -> str:
    """What it would take to find a given difference, with this sweep as the pilot."""
    conditions, axis = view.layout.along_epochs().conditions, view.layout.x or ""
    pairs = list(itertools.combinations(levels(view.longest[axis]), 2)) if axis in conditions else []
    comparisons = paired_rates(view.longest, axis, pairs, [a for a in conditions if a != axis])
    if comparisons.empty:
        return "<p>This sweep compares no two conditions on the same initial weights.</p>"
    needed = seeds_needed(comparisons, difference)
    lead = (
        f"To find a difference of {100 * difference:g} percentage points between two values of {axis} with a power "
        "of 80% at the 5% level (McNemar's exact test, same seeds), this sweep as a pilot suggests "
        f"{needed['estimate'].min():,.0f} to {needed['estimate'].max():,.0f} seeds; to be safe, plan with the "
        "column high, which allows for the pilot's own uncertainty."
    )
    return (
        f"<p>{_text(lead)}</p><details open><summary>Table: seeds needed</summary>{_table(needed, 'seeds')}</details>"
    )


def _provenance(sweep: Sweep) -> str:
    """Everything known about how a sweep was made, in full, to be copied."""
    started = datetime.datetime.fromtimestamp(sweep.parent.start_ms / 1000, datetime.UTC)
    status = f"{sweep.parent.status}, {sweep.loaded:,} of {counted(sweep.jobs, 'job')} {sweep.what}"
    rows = {"sweep": sweep.title, "run id": sweep.parent.run_id, "experiment": sweep.experiment}
    rows |= {"started": f"{started:%Y-%m-%d %H:%M} UTC", "status": status}
    shown = ("git_commit", "git_dirty", "command", "python", "versions", "machine", "host", "engine", "launcher")
    rows |= {key: sweep.parent.tags[key] for key in shown if key in sweep.parent.tags}
    cells = "\n".join(f"<tr><td>{_text(k)}</td><td>{_text(_printable(v))}</td></tr>" for k, v in rows.items())
    return f"<table class=whole><tbody>{cells}</tbody></table>"


def _printable(text: str) -> str:
    return "".join(c if c.isprintable() or c == "\n" else " " for c in text)


def _text(text: str) -> str:
    return html.escape(text, quote=True)


def _table(table: pd.DataFrame, name: str) -> str:
    total, table = len(table), unordered(table.head(_ROWS))
    header = "".join(f"<th>{_text(str(c))}</th>" for c in table.columns)
    number = [" class=n" if pd.api.types.is_numeric_dtype(table[c]) else "" for c in table.columns]
    rows = "\n".join(
        "<tr>" + "".join(f"<td{n}>{_text(cell(v))}</td>" for n, v in zip(number, row, strict=True)) + "</tr>"
        for row in table.itertuples(index=False)
    )
    more = f"<p>The first {_ROWS} of {total:,} rows; all are in the figure's own files.</p>" if total > _ROWS else ""
    return (
        f"<div class=scroll><table id=table-{name}><thead><tr>{header}</tr></thead><tbody>{rows}</tbody></table></div>"
        f"{more}"
    )
