"""A view of a sweep in MLflow's UI: its runs side by side, what was swept in columns, loss curves on log axes.

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
from tracking.reader import Condition, Reader
from tracking.record import Run
from tracking.store import Store

CURVES = (names.LOSS, *names.LOSS_QUANTILES)
RESULTS = (
    names.CONVERGED,
    names.CONVERGED_AT_END,
    names.EPOCHS_TO_CONVERGE,
    names.FINAL_LOSS,
    names.MAX_ERROR,
    names.CONVERGENCE_RATE,
    names.ERT,
    names.MEDIAN_EPOCHS_TO_CONVERGE,
)

SHOWN_RUNS = 20
"""The most runs that the UI's charts show at first; with the seed sorted first, the same seed of many conditions."""


def save_view(store: Store, sweep: Run) -> str:
    """Keep the view of a sweep in its experiment, and return the part of the link that opens it."""
    key = f"sweep-{sweep.run_id}"
    jobs = store.reader.jobs(sweep)
    made: Condition = (f"tags.{names.SWEEP_ID}", "=", sweep.run_id)
    own = _finished(store.reader, made)
    example = own or _finished(
        store.reader, ("attributes.run_id", "IN", [job["run_id"] for job in jobs if job["origin"] == "reused"][:1])
    )
    swept = [name for name in _swept(jobs) if example and name in example.params]
    state = view(sweep.run_id if own else None, swept, example.metrics if example else ())
    store.writer.tag_experiment(f"mlflow.sharedViewState.{key}", json.dumps(state))
    return runs_page(store.experiment_id, viewStateShareKey=key, compareRunsMode="CHART")


def runs_page(experiment_id: str, **parameters: str) -> str:
    """Part of a link that opens the runs of an experiment."""
    return f"#/experiments/{experiment_id}/runs?{urlencode({'workflowType': 'machine_learning', **parameters})}"


def view(sweep_id: str | None, swept: Sequence[str], metrics: Collection[str]) -> Mapping[str, Any]:
    """Describe a view in the terms of MLflow's UI: of a sweep's runs, or all of the experiment's.

    `swept` are the params that the sweep varies, `metrics` those that its runs have.
    """
    curves = [key for key in CURVES if key in metrics]
    results = [key for key in RESULTS if key in metrics]
    charts = [_curves(curves)] if curves else []
    if swept and results:
        target = "final_loss" if "final_loss" in results else results[0]
        charts.append(_chart("PARALLEL", "swept", "curves", selectedParams=swept, selectedMetrics=[target]))
    charts += [_chart("BAR", key, "results", metricKey=key, dataAccessKey=key) for key in results]
    return {
        "searchFilter": f"tags.{names.SWEEP_ID} = '{sweep_id}'" if sweep_id else "",
        # Sorted by its time, a run is folded under its parent; sorted by anything else it is not.
        "orderByKey": "params.`seed`",
        "orderByAsc": True,
        "startTime": "ALL",
        "lifecycleFilter": "Active",
        "datasetsFilter": [],
        "modelVersionFilter": "All Runs",
        "selectedColumns": [*(f"params.`{key}`" for key in swept), *(f"metrics.`{key}`" for key in results)],
        "runsHiddenMode": f"FIRST_{SHOWN_RUNS}_RUNS",
        "hideEmptyCharts": True,
        "compareRunCharts": charts,
        "compareRunSections": [_section("curves", "Curves", columns=2), _section("results", "Results", columns=3)],
    }


def _finished(reader: Reader, condition: Condition) -> Run | None:
    """One finished run that meets a condition; the runs of a sweep have the same params and metrics."""
    finished = reader.rows(["attributes.run_id"], condition, ("attributes.status", "=", "FINISHED"), newest=1)
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
