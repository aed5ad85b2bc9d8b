"""A view of a sweep in MLflow's UI: its conditions side by side, what was swept in columns, loss curves on log axes.

Left alone, the UI opens an experiment on a page about language models, folds a sweep's runs under their parent, and
draws a chart of every metric. A saved view, kept as a tag of the experiment, changes that for whoever follows
its link.
"""

import json
import shlex
from collections.abc import Collection, Mapping, Sequence
from typing import Any
from urllib.parse import urlencode

from tracking import names
from tracking.reader import Condition, Reader, of_kind
from tracking.record import Run
from tracking.store import Store

CURVES = (names.LOSS, *names.LOSS_QUANTILES)
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


def save_view(store: Store, sweep: Run) -> str:
    """Keep the view of a sweep in its experiment, and return the part of the link that opens it."""
    jobs = store.reader.jobs(sweep)
    members = [job["run_id"] for job in jobs if job["run_id"]]
    conditions = of_kind(names.CONDITION, sweep.run_id)
    own: Condition = (f"tags.{names.SWEEP_ID}", "=", sweep.run_id)
    if example := _newest(store.reader, *conditions):
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
    return view_page(store.experiment_id, sweep.run_id)


def view_key(sweep_id: str) -> str:
    """What the view of a sweep is called."""
    return f"sweep-{sweep_id}"


def view_page(experiment_id: str, sweep_id: str) -> str:
    """Part of a link that opens the view of a sweep."""
    return runs_page(experiment_id, viewStateShareKey=view_key(sweep_id), compareRunsMode="CHART")


def runs_page(experiment_id: str, **parameters: str) -> str:
    """Part of a link that opens the runs of an experiment."""
    return f"#/experiments/{experiment_id}/runs?{urlencode({'workflowType': 'machine_learning', **parameters})}"


def run_page(experiment_id: str, run_id: str, tab: str = "") -> str:
    """Part of a link that opens a run, or one of its tabs, such as ``artifacts``."""
    return f"#/experiments/{experiment_id}/runs/{run_id}{f'/{tab}' if tab else ''}?workflowType=machine_learning"


def view(shown: str, swept: Sequence[str], metrics: Collection[str]) -> Mapping[str, Any]:
    """Describe a view in the terms of MLflow's UI, of the runs that a filter finds.

    `swept` are the params that the sweep varies, `metrics` those that its runs have.
    """
    curves = [key for key in CURVES if key in metrics]
    columns = [key for key in RESULTS if key in metrics]
    results = [key for key in CHARTED if key in metrics]
    charts = [_curves(curves)] if curves else []
    if swept and results:
        target = names.FINAL_LOSS if names.FINAL_LOSS in results else results[0]
        charts.append(_chart("PARALLEL", "swept", "curves", selectedParams=swept, selectedMetrics=[target]))
    charts += [_chart("BAR", key, "results", metricKey=key, dataAccessKey=key) for key in results]
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
        "compareRunSections": [_section("curves", "Curves", columns=2), _section("results", "Results", columns=3)],
    }


def _newest(reader: Reader, *conditions: Condition) -> Run | None:
    """One finished run that meets conditions; the runs of a sweep have the same params and metrics."""
    finished = reader.rows(["attributes.run_id"], *conditions, ("attributes.status", "=", "FINISHED"), newest=1)
    return next((reader.run(run_id) for (run_id,) in list(finished)), None)


def _swept(jobs: Sequence[Mapping[str, str]]) -> list[str]:
    """Keys of a sweep's overrides that take more than one value, in their order."""
    values: dict[str, set[str]] = {}
    for job in jobs:
        for override in shlex.split(job["overrides"]):
            key, _, value = override.partition("=")
            values.setdefault(key.lstrip("+"), set()).add(value)
    return [key for key, different in values.items() if len(different) > 1]


def _curves(keys: Sequence[str]) -> dict[str, Any]:
    return _chart(
        "LINE", "loss", "curves", metricKey=keys[0], selectedMetricKeys=list(keys),
        xAxisKey="step", useGlobalXaxisKey=False, xAxisScaleType="log", scaleType="log",
        lineSmoothness=0, range={}, yAxisKey="metric", yAxisExpressions=[],
    )  # fmt: skip


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


def _section(identifier: str, name: str, columns: int) -> dict[str, Any]:
    return {
        "uuid": identifier,
        "name": name,
        "display": True,
        "columns": columns,
        "isReordered": False,
        "deleted": False,
        "isGenerated": False,
    }
