"""The page of a report: question, answer, design, figures, tables, provenance."""

import base64
import datetime
import html
import io
import itertools
import shlex
from collections.abc import Sequence
from pathlib import Path
from string import Template
from typing import Any

import matplotlib.pyplot as plt
import pandas as pd

from analysis.figures.catalog import FIGURES
from analysis.figures.drawing import Drawing, settle
from analysis.figures.style import applied
from analysis.figures.view import View, criterion
from analysis.levels import level_name, levels, plain, unordered
from analysis.loading import Sweep, counted
from analysis.report.confirmed import confirmed, told
from analysis.report.findings import findings, question
from analysis.statistics import paired_rates, seeds_needed
from analysis.tables import cell


def page(view: View, difference: float, command: str) -> str:
    """Compose the report, one HTML file that holds everything it shows: no network, no scripts.

    It says how many seeds would find a `difference` of convergence rates, and which `command` makes this report.
    """
    again = confirmed(view)
    title = plain("; ".join(sweep.title for sweep in view.data.sweeps) or view.data.run_filter, 120)
    body = [
        f"<h1>{_text(title)}</h1>",
        f"<p class=question>{_text(question(view.layout, levels(view.trials['task'])))}</p>",
        "<h2>The answer</h2>",
        *(
            f"<p>{_text(finding.text)}</p>"
            for finding in [
                *findings(view.trials, view.longest, view.layout, view.data.sweeps if again.empty else ()),
                *told(again),
            ]
        ),
        "<h2>The design</h2>",
        f"<p>{_text(criterion(view.trials))}</p>",
        _table(_design(view)),
        *(["<h2>On fresh seeds</h2>", _table(again)] if len(again) else []),
        "<h2>Figures</h2>",
    ]
    skipped = ""
    for name, figure in FIGURES.items():
        drawing = figure.draw(view)
        if isinstance(drawing, Drawing):
            body.append(_figure(drawing, view))
        else:
            skipped += f"<li>{_text(name)}: {_text(str(drawing))}</li>"
    body += [
        *([f"<p>Not drawn:</p><ul>{skipped}</ul>"] if skipped else []),
        "<h2>How many seeds?</h2>",
        _sample_size(view, difference),
        "<h2>Provenance</h2>",
        *map(_provenance, view.data.sweeps),
        f"<p>This report: <code>{_text(_printable(command))}</code></p>",
    ]
    template = Template(Path(__file__).with_name("page.html").read_text("utf-8"))
    return template.substitute(title=_text(title), body="\n".join(body))


def command_of(view: View, arguments: Sequence[str]) -> str:
    """Write a command that makes the same report whatever was run since: ``latest`` becomes a run id."""
    kept = [a for a in arguments if a.partition("=")[0] not in ("sweep", "compare")]
    ids = ",".join(sweep.short_id for sweep in view.data.sweeps)
    key = "compare" if view.selection.compare else "sweep"
    sweeps = [f"{key}={ids}" if len(view.data.sweeps) == 1 else f"{key}=[{ids}]"] if ids else []
    return shlex.join(["python", "-m", "analysis.report", *sweeps, *kept])


def _figure(drawing: Drawing, view: View) -> str:
    buffer = io.BytesIO()
    with applied(view.style):
        settle(drawing.figure)
        drawing.figure.savefig(buffer, format="png", dpi=200, metadata={"Software": None})
    plt.close(drawing.figure)
    image = base64.b64encode(buffer.getvalue()).decode()
    return (
        f"<figure><figcaption>{_text(drawing.title)}</figcaption>"
        f'<img alt="{_text(drawing.caption)}" src="data:image/png;base64,{image}"></figure>'
        f"<details><summary>Table: {_text(drawing.title.lower())}</summary>{_table(drawing.table)}</details>"
    )


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
    return f"<p>{_text(lead)}</p><details><summary>Table: seeds needed</summary>{_table(needed)}</details>"


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


def _table(table: pd.DataFrame) -> str:
    table = unordered(table)
    header = "".join(f"<th>{_text(str(c))}</th>" for c in table.columns)
    number = [" class=n" if pd.api.types.is_numeric_dtype(table[c]) else "" for c in table.columns]
    rows = "\n".join(
        "<tr>" + "".join(f"<td{n}>{_text(cell(v))}</td>" for n, v in zip(number, row, strict=True)) + "</tr>"
        for row in table.head(300).itertuples(index=False)
    )
    return f"<table><thead><tr>{header}</tr></thead><tbody>{rows}</tbody></table>"
