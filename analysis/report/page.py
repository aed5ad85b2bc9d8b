"""The page of a report: question, answer, design, figures, tables, provenance."""

import base64
import datetime
import html
import io
import itertools
import shlex
from collections.abc import Sequence
from typing import Any

import matplotlib.pyplot as plt
import pandas as pd

from analysis.figures.catalog import FIGURES
from analysis.figures.drawing import Drawing, cell, settle
from analysis.figures.style import applied
from analysis.figures.view import View, criterion
from analysis.levels import level_name, levels, plain, unordered
from analysis.loading import Sweep, counted
from analysis.report.findings import findings, question
from analysis.statistics import paired_rates, seeds_needed


def page(view: View, difference: float, command: str) -> str:
    """Compose the report, one HTML file that holds everything it shows: no network, no scripts.

    Parameters
    ----------
    view : View
        What was selected.
    difference : float
        Of convergence rates, for the section on sample size.
    command : str
        That makes this report.
    """
    names = [f"{s.label}: {s.name}" if s.label else s.name for s in view.data.sweeps]
    title = plain("; ".join(names) or view.data.run_filter, 120)
    body = [
        f"<h1>{_text(title)}</h1>",
        f"<p class=question>{_text(question(view.layout, levels(view.trials['task'])))}</p>",
        "<h2>The answer</h2>",
        *(f"<p>{_text(sentence)}</p>" for sentence in findings(view.trials, view.longest, view.layout)),
        "<h2>The design</h2>",
        f"<p>{_text(criterion(view.trials))}</p>",
        _table(_design(view)),
        "<h2>Figures</h2>",
    ]
    skipped = []
    for name, figure in FIGURES.items():
        drawing = figure.draw(view)
        if isinstance(drawing, Drawing):
            body.append(_figure(drawing, view))
        else:
            skipped.append(f"<li>{_text(name)}: {_text(str(drawing))}</li>")
    if skipped:
        body.append(f"<p>Not drawn:</p><ul>{''.join(skipped)}</ul>")
    body.append("<h2>How many seeds?</h2>")
    body.append(_sample_size(view, difference))
    body.append("<h2>Provenance</h2>")
    body += [_provenance(sweep) for sweep in view.data.sweeps]
    body.append(f"<p>This report: <code>{_text(_printable(command))}</code></p>")
    return _PAGE.format(title=_text(title), body="\n".join(body))


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
    constant = {p: len(levels(view.trials[p])) == 1 for p in ("seed", *view.data.parameters)}
    rows = [
        [p, *(_values(members[p]) for members in parts.values())] for p in sorted(constant, key=constant.__getitem__)
    ]
    return pd.DataFrame(rows, columns=["parameter", *header])


def _values(column: "pd.Series[Any]") -> str:
    names = [level_name(v) for v in levels(column)]
    return ", ".join(names) if len(names) <= 12 else f"{len(names):,} values from {names[0]} to {names[-1]}"


def _sample_size(view: View, difference: float) -> str:
    """What it would take to find a given difference, with this sweep as the pilot."""
    layout = view.layout.along_epochs()
    axis = view.layout.x or ""
    pairs = list(itertools.combinations(levels(view.longest[axis]), 2)) if axis in layout.conditions else []
    by = [a for a in layout.conditions if a != axis]
    comparisons = paired_rates(view.longest, axis, pairs, by) if pairs else None
    if comparisons is None or comparisons.empty:
        return "<p>This sweep compares no two conditions on the same initial weights.</p>"
    needed = seeds_needed(comparisons, difference)
    lead = (
        f"To find a difference of {100 * difference:g} percentage points between two values of {axis} with a power "
        "of 80% at the 5% level (McNemar, same seeds), this sweep as a pilot suggests "
        f"{needed['estimate'].min():,.0f} to {needed['estimate'].max():,.0f} seeds; to be safe, plan with the "
        "column high, which allows for the pilot's own uncertainty."
    )
    return f"<p>{_text(lead)}</p><details><summary>Table: seeds needed</summary>{_table(needed)}</details>"


def _provenance(sweep: Sweep) -> str:
    """Everything known about how a sweep was made, in full, to be copied."""
    started = datetime.datetime.fromtimestamp(sweep.parent.start_ms / 1000, datetime.UTC)
    rows = {
        "sweep": f"{sweep.label}: {sweep.name}" if sweep.label else sweep.name,
        "run id": sweep.parent.run_id,
        "experiment": sweep.experiment,
        "started": f"{started:%Y-%m-%d %H:%M} UTC",
        "status": f"{sweep.parent.status}, {sweep.loaded:,} of {counted(sweep.jobs, 'job')} finished",
    }
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


_PAGE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; img-src data:; style-src 'unsafe-inline'">
<title>{title}</title>
<style>
body {{ font: 16px/1.5 system-ui, sans-serif; color: #222; max-width: 50rem; margin: 2rem auto; padding: 0 1rem; }}
h1 {{ line-height: 1.2; }} h2 {{ margin-top: 2.5rem; }}
.question {{ font-size: 1.2rem; color: #444; }}
figure {{ margin: 2rem 0 0.5rem; }} img {{ max-width: 100%; height: auto; }}
figcaption {{ font-weight: bold; }}
table {{ border-collapse: collapse; font-size: 0.85rem; margin: 0.5rem 0; display: block; overflow-x: auto; }}
th, td {{ text-align: left; padding: 0.15rem 0.8rem 0.15rem 0; border-bottom: 1px solid #e4e4e4; }}
.whole td, code {{ white-space: pre-wrap; overflow-wrap: anywhere; vertical-align: top; }}
.whole td:first-child {{ white-space: nowrap; }}
td.n {{ text-align: right; font-variant-numeric: tabular-nums; }}
summary {{ cursor: pointer; color: #0b5fa5; font-size: 0.85rem; }}
</style>
</head>
<body>
{body}
</body>
</html>
"""
