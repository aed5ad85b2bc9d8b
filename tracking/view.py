"""A view of a sweep in MLflow's UI: its conditions side by side, what was swept in columns, loss curves on log axes.

Left alone, the UI opens an experiment on a page about language models, folds a sweep's runs under their parent, and
draws a chart of every metric. A saved view, kept as a tag of the experiment, changes that for whoever follows
its link.
"""

import json
import re
import shlex
from collections.abc import Collection, Mapping, Sequence
from functools import lru_cache
from typing import Any
from urllib.parse import urlencode

from tracking import names
from tracking.reader import Condition, Reader, of_kind
from tracking.record import LONGEST_TAG, Run
from tracking.store import Store

CURVES = (names.LOSS, *names.LOSS_QUANTILES)
MEDIAN = "loss/q50"
RESULTS = (
    names.RANK,
    names.TRIALS,
    names.CONVERGED,
    names.CONVERGENCE_RATE,
    f"{names.CONVERGENCE_RATE}/low",
    f"{names.CONVERGENCE_RATE}/high",
    names.CONVERGED_AT_END,
    names.ERT,
    names.MEDIAN_EPOCHS_TO_CONVERGE,
    names.EPOCHS_TO_CONVERGE,
    names.FINAL_LOSS,
    names.MAX_ERROR,
)
"""Metrics that have a column, in this order, where runs have them."""

CHARTED = (
    names.CONVERGENCE_RATE,
    names.CONVERGED_AT_END,
    names.ERT,
    names.MEDIAN_EPOCHS_TO_CONVERGE,
    names.CONVERGED,
    names.EPOCHS_TO_CONVERGE,
    names.FINAL_LOSS,
    names.MAX_ERROR,
)
"""Metrics that have a chart of bars."""

SHOWN_RUNS = 20
"""The most runs that the UI's charts show at first: the best conditions, or the same seed of many of them."""

MOST_NAMED = 100
"""The most runs that a filter names one by one."""

MOST_LISTED = 20
"""The most sweeps that an experiment's description lists."""

_OPENING = "[Newest sweep, best conditions first]"
"""How the description of an experiment begins, unless somebody else has written one."""


def save_view(store: Store, sweep: Run) -> str:
    """Keep the view of a sweep in its experiment, and return the part of the link that opens it."""
    jobs = store.reader.jobs(sweep)
    members = [job["run_id"] for job in jobs if job["run_id"]]
    own: Condition = (f"tags.{names.SWEEP_ID}", "=", sweep.run_id)
    if example := _newest(store.reader, *of_kind(names.CONDITION, sweep.run_id)):
        shown = f"tags.{names.KIND} = '{names.CONDITION}' AND tags.{names.SWEEP_ID} = '{sweep.run_id}'"
    elif 0 < len(members) <= MOST_NAMED:  # reused ones among them
        example = _newest(store.reader, ("attributes.run_id", "IN", members))
        shown = f"attributes.run_id IN ({', '.join(map(repr, members))})"
    else:
        example = _newest(store.reader, own)
        shown = f"tags.{names.SWEEP_ID} = '{sweep.run_id}'"
    swept = [name for name in _swept(jobs) if example and name in example.params]
    state = view(shown if example else "", swept, example.metrics if example else ())
    store.writer.tag_experiment(f"mlflow.sharedViewState.{view_key(sweep.run_id)}", json.dumps(state))
    _list_sweeps(store)
    return view_page(store.experiment_id, sweep.run_id)


def sweep_links(experiment_id: str, sweep_id: str) -> str:
    """Where to go from the page of a sweep, in Markdown: one line, for MLflow folds all but the first few."""
    links = {
        "Conditions, best first": view_page(experiment_id, sweep_id),
        "as a table": run_page(experiment_id, sweep_id, f"artifacts/{names.CONDITIONS_JSON}"),
        "its figures": run_page(experiment_id, sweep_id, "artifacts/figures"),
        "its report": run_page(experiment_id, sweep_id, "artifacts/figures/report.html"),
    }
    drawn = f"`python -m analysis.figures sweep={sweep_id}`, `python -m analysis.report sweep={sweep_id}`"
    return f"{linked(links)} (once drawn: {drawn})"


def linked(links: Mapping[str, str]) -> str:
    """Write links, by their words, as Markdown."""
    return " · ".join(f"[{words}]({page})" for words, page in links.items())


def plain(text: str) -> str:
    """Escape what means something in Markdown."""
    return re.sub(r"([\\`*_{}\[\]()#+!|<>~$])", r"\\\1", " ".join(text.split()))


def view_key(sweep_id: str) -> str:
    """What the view of a sweep is called."""
    return f"sweep-{sweep_id}"


@lru_cache
def view_page(experiment_id: str, sweep_id: str) -> str:
    """Part of a link that opens the view of a sweep."""
    return runs_page(experiment_id, viewStateShareKey=view_key(sweep_id), compareRunsMode="CHART")


def runs_page(experiment_id: str, **parameters: str) -> str:
    """Part of a link that opens the runs of an experiment, some of them by a ``searchFilter``."""
    return f"#/experiments/{experiment_id}/runs?{urlencode({'workflowType': 'machine_learning', **parameters})}"


def run_page(experiment_id: str, run_id: str, tab: str = "") -> str:
    """Part of a link that opens a run, or one of its tabs, such as ``artifacts``."""
    return f"#/experiments/{experiment_id}/runs/{run_id}{f'/{tab}' if tab else ''}?workflowType=machine_learning"


@lru_cache
def curve_page(experiment_id: str, run_id: str, *keys: str) -> str:
    """Part of a link that opens curves of a run on a logarithmic scale, which the page of the run itself has not."""
    shown = {"runs": [run_id], "metric": keys[0], "experiments": [experiment_id], "plot_metric_keys": list(keys)}
    lists = {key: json.dumps(value, separators=(",", ":")) for key, value in shown.items()}
    scale = {"plot_layout": "{}", "x_axis": "step", "y_axis_scale": "log", "line_smoothness": "1"}
    rest = {"show_point": "false", "deselected_curves": "[]", "last_linear_y_axis_range": "[]"}
    return f"#/metric?{urlencode({**lists, **scale, **rest, 'workflowType': 'machine_learning'}, safe='{}')}"


def _list_sweeps(store: Store) -> None:
    """Have the description of the experiment list its newest sweeps, unless it says something else."""
    said = store.reader.experiment_tag(names.NOTE)
    sweeps = store.reader.sweeps()[::-1][:MOST_LISTED]
    if not sweeps or (said and not said.startswith(_OPENING)):
        return
    first = f"{_OPENING}({view_page(store.experiment_id, sweeps[0].run_id)}): {plain(sweeps[0].name)}"
    lines = []
    for sweep in sweeps:
        pages = view_page(store.experiment_id, sweep.run_id), run_page(store.experiment_id, sweep.run_id)
        lines.append(f"- [{plain(sweep.name)}]({pages[0]}), [its own page]({pages[1]})")
    note = "\n".join([first, "", *lines])
    if note != said:
        store.writer.tag_experiment(names.NOTE, note if len(note) < LONGEST_TAG else first)


def view(shown: str, swept: Sequence[str], metrics: Collection[str]) -> Mapping[str, Any]:
    """Describe a view in the terms of MLflow's UI, of the runs that a filter finds.

    `swept` are the params that the sweep varies, `metrics` those that its runs have.
    """
    curves = [key for key in CURVES if key in metrics]
    columns = [key for key in RESULTS if key in metrics]
    results = [key for key in CHARTED if key in metrics]
    charts = [_curves("median loss" if MEDIAN in curves else "loss", curves[-2:][:1])] if curves else []
    if MEDIAN in curves:
        charts.append(_curves("loss, 10% to 90% of the trials", curves))
    if swept and results:
        target = names.FINAL_LOSS if names.FINAL_LOSS in results else results[0]
        charts.append(_chart("PARALLEL", "swept", "curves", selectedParams=swept, selectedMetrics=[target]))
    charts += [_bars(key, "results") for key in results]
    # The UI draws a chart of every metric that has none, in front of these.
    charts += [_bars(key, "rest") for key in sorted(set(metrics) - {*results, names.LOSS})]
    return {
        "searchFilter": shown,
        # Sorted by its time, a run is folded under its parent; sorted by anything else it is not.
        "orderByKey": f"metrics.`{names.RANK}`" if names.RANK in metrics else "params.`seed`",
        "orderByAsc": True,
        "startTime": "ALL",
        "lifecycleFilter": "Active",
        "datasetsFilter": [],
        "modelVersionFilter": "All Runs",
        "selectedColumns": [*(f"params.`{key}`" for key in swept), *(f"metrics.`{key}`" for key in columns)],
        "runsHiddenMode": f"FIRST_{SHOWN_RUNS}_RUNS",
        "hideEmptyCharts": True,
        "compareRunCharts": charts,
        "compareRunSections": [
            _section("curves", "Curves", columns=2),
            _section("results", "Results", columns=3),
            _section("rest", "All other numbers", columns=3, display=False),
        ],
    }


def _newest(reader: Reader, *conditions: Condition) -> Run | None:
    """One finished run that meets conditions; the runs of a sweep have the same params and metrics."""
    finished = reader.rows(["attributes.run_id"], *conditions, ("attributes.status", "=", "FINISHED"), newest=1)
    return next((reader.run(run_id) for (run_id,) in list(finished)), None)


def _swept(jobs: Sequence[Mapping[str, str]]) -> list[str]:
    """Keys of a sweep's overrides that take more than one value, in their order."""
    values: dict[str, set[str]] = {}
    for job in jobs:
        typed = job["overrides"]
        for override in shlex.split(typed) if "'" in typed else typed.split():  # the latter in no time
            key, _, value = override.partition("=")
            values.setdefault(key.lstrip("+"), set()).add(value)
    return [key for key, different in values.items() if len(different) > 1]


def _curves(name: str, keys: Sequence[str]) -> dict[str, Any]:
    return _chart(
        "LINE", name, "curves", metricKey=keys[0], selectedMetricKeys=list(keys),
        xAxisKey="step", useGlobalXaxisKey=False, xAxisScaleType="log", scaleType="log",
        lineSmoothness=0, range={}, yAxisKey="metric", yAxisExpressions=[],
    )  # fmt: skip


def _bars(key: str, section: str) -> dict[str, Any]:
    return _chart("BAR", key, section, metricKey=key, dataAccessKey=key)


def _chart(kind: str, name: str, section: str, **details: Any) -> dict[str, Any]:
    return {
        "uuid": f"{section}-{name}",
        "type": kind,
        "displayName": name,
        "metricSectionId": section,
        "runsCountToCompare": SHOWN_RUNS,
        "deleted": False,
        "isGenerated": False,
        **details,
    }


def _section(identifier: str, name: str, columns: int, *, display: bool = True) -> dict[str, Any]:
    return {
        "uuid": identifier,
        "name": name,
        "display": display,
        "columns": columns,
        "isReordered": False,
        "deleted": False,
        "isGenerated": False,
    }
