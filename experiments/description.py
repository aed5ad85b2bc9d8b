"""From trained networks to what MLflow is told of them: params, metrics, curves, tags and artifacts of one run."""

import io
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, fields, is_dataclass
from functools import lru_cache
from types import MappingProxyType
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from experiments import identity, notes
from experiments.config import Config, seeds
from experiments.ensemble import Trained
from experiments.jobs import Job
from experiments.trials import Trials, finite_or_inf, loss_quantiles
from nn_core import Part, Result, Task, recorded_epochs
from nn_core.parts import options
from tracking import names
from tracking.record import Curve, RunRecord

Array = NDArray[np.float64]
Measured = tuple[dict[str, float], dict[str, Curve]]

MOST_PREDICTIONS = 16
"""Tasks of more patterns than this have their predictions in the artifact alone, not as a metric each."""


@dataclass(frozen=True)
class Parent:
    """A sweep, as its jobs see it: small enough to travel to other processes."""

    run_id: str
    keys: tuple[str, ...]  # what the sweep varies, in the order in which params are listed
    process: Mapping[str, str]  # that it runs in: its tags host, pid and process

    artifacts: ClassVar[Mapping[str, bytes]] = {}  # of its children, none: it keeps its provenance itself

    @property
    def tags(self) -> dict[str, str]:
        """What makes a run a child of this sweep."""
        return {names.SWEEP_ID: self.run_id, names.PARENT: self.run_id}

    def name(self, job: Job) -> str:
        """Name a child by what the sweep varies."""
        return identity.run_name(job.params, self.keys)


def describe(
    trained: Trained, name: str, tags: Mapping[str, str], artifacts: Mapping[str, bytes] = MappingProxyType({})
) -> RunRecord:
    """Describe a run that is over, trained or failed; its sweep or provenance adds `tags` and `artifacts`."""
    config, results = trained.job.config, trained.results
    metrics: dict[str, float] = {}
    curves: dict[str, Curve] = {}
    if trained.error is None:
        with np.errstate(over="ignore", invalid="ignore"):  # quantiles of what is infinite, or almost
            metrics, curves = _of_one_trial(config, results[0]) if config.trials == 1 else _of_many(config, results)
            own = _files(config, results)
        own_tags = {names.TABLES: json.dumps([{"path": names.PREDICTIONS, "type": "table"}])}
        if diverged := [result.diverged_at for result in results if result.diverged_at is not None]:
            own_tags[names.DIVERGED] = str(min(diverged))
    else:
        own = {"traceback.txt": trained.error.encode()}
        own_tags = {"error": trained.error.strip().splitlines()[-1][:500]}
    identity_tags = {**tags, **_identity(trained.job)}
    trials = _together(config, results) if len(results) > 1 else None
    own_tags[names.NOTE] = notes.of_run(trained, trials, identity_tags)
    return RunRecord(
        name=name,
        params=trained.job.params,
        metrics={key: value for key, value in metrics.items() if np.isfinite(value)},
        step=max((result.epochs for result in results), default=0),
        curves=curves,
        tags={**identity_tags, **own_tags},
        artifacts={**own, names.CONFIG: config_yaml(config), **artifacts},
        start_ms=trained.start_ms,
        end_ms=trained.end_ms,
        status="FINISHED" if trained.error is None else "FAILED",
    )


def _identity(job: Job) -> dict[str, str]:
    return {
        names.KIND: names.TRIAL,
        names.CONFIG_HASH: job.config_hash,
        names.CONDITION_HASH: identity.condition_hash(job.params),
    }


def config_yaml(config: Config) -> bytes:
    """Write the resolved configuration as YAML.

    By hand, because a YAML library takes longer for it than the kernel for the training: JSON's scalars and lists are
    YAML's, except that YAML wants a point in every float.
    """
    lines = []
    for entry in fields(config):
        value = getattr(config, entry.name)
        if not is_dataclass(value):
            lines.append(f"{entry.name}: {_yaml_value(value)}")
            continue
        keys = [*(["name"] if isinstance(value, Part) else []), *(option.name for option in options(value.__class__))]
        lines += [f"{entry.name}:", *(f"  {key}: {_yaml_value(getattr(value, key))}" for key in keys)]
    return "\n".join([*lines, ""]).encode()


def _yaml_value(value: Any) -> str:
    if isinstance(value, list | tuple):
        return f"[{', '.join(map(_yaml_value, value))}]"
    return _yaml_scalar(value)


@lru_cache(maxsize=4096, typed=True)  # most are common to the jobs of a sweep; 1, 1.0 and true are not the same
def _yaml_scalar(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=False)
    return text.replace("e", ".0e") if isinstance(value, float) and "." not in text else text


def report(config: Config, results: Sequence[Result]) -> str:
    """Say what came of a run: of one trial its final predictions beside the expected values, as the lesson does."""
    if config.trials > 1:
        metrics = _together(config, results).metrics
        rate, low, high = (metrics[f"{names.CONVERGENCE_RATE}{end}"] for end in ("", "/low", "/high"))
        return (
            f"{sum(result.converged for result in results):,} of {config.trials:,} trials converged: "
            f"rate {rate:.3f}, 95% interval {low:.3f} to {high:.3f}; ERT {metrics[names.ERT]:,.0f} epochs, "
            f"median epochs to converge {metrics[names.MEDIAN_EPOCHS_TO_CONVERGE]:,.0f}; "
            f"at the end {sum(result.converged_at_end for result in results):,} meet the criterion"
        )
    (result,) = results
    task = config.task
    width = max(len(name) for name in task.pattern_names)
    lines = [f"{'input':>{width}}  expected  predicted"]
    for name, targets, outputs in zip(task.pattern_names, task.targets, result.predictions, strict=True):
        expected = " ".join(f"{value:8g}" for value in targets)
        predicted = " ".join(f"{value:9.4f}" for value in outputs)
        lines.append(f"{name:>{width}}  {expected}  {predicted}")
    quality = f"final loss {result.final_loss:.4g}, largest error {result.max_error:.4g}"
    return "\n".join([*lines, quality, result.message])


def _predictions(task: Task, result: Result) -> dict[str, float]:
    """Predictions by pattern, of a task that is small enough to have them among its metrics."""
    if len(task.pattern_names) > MOST_PREDICTIONS or task.targets.shape[1] > 1:
        return {}
    outputs = result.predictions[:, 0].tolist()
    return {f"{names.PREDICTION}{name}": output for name, output in zip(task.pattern_names, outputs, strict=True)}


def _finite(epochs: NDArray[np.int64], losses: Array) -> Curve:
    kept = np.isfinite(losses)
    return Curve(epochs[kept], losses[kept])


def _of_one_trial(config: Config, result: Result) -> Measured:
    metrics = {
        names.FINAL_LOSS: result.final_loss,
        names.CONVERGED: float(result.converged),
        names.CONVERGED_AT_END: float(result.converged_at_end),
        names.LOST_AT_END: float(result.lost_at_end),
        names.MAX_ERROR: result.max_error,
    }
    if result.epochs_to_converge is not None:
        metrics[names.EPOCHS_TO_CONVERGE] = float(result.epochs_to_converge)
    return metrics | _predictions(config.task, result), {names.LOSS: _finite(result.loss_epochs, result.losses)}


def _together(config: Config, results: Sequence[Result]) -> Trials:
    return Trials(
        config.epochs,
        np.array([np.inf if r.epochs_to_converge is None else r.epochs_to_converge for r in results], np.float64),
        np.array([result.converged_at_end for result in results], np.float64),
        finite_or_inf([result.final_loss for result in results]),
    )


def _of_many(config: Config, results: Sequence[Result]) -> Measured:
    steps = np.unique(np.append(recorded_epochs(config.record.per_decade, config.epochs), config.epochs))
    trials = _together(config, results)
    losses = np.full((len(results), len(steps)), np.nan)
    for row, result in zip(losses, results, strict=True):
        row[: len(result.losses) - 1] = result.losses[:-1]
    quantiles = loss_quantiles(losses, trials.final_loss)
    return trials.metrics, {key: _finite(steps, curve) for key, curve in quantiles.items()}


def _files(config: Config, results: Sequence[Result]) -> dict[str, bytes]:
    """Predictions and weights; the weights of several trials are stacked, shapes (trials, units below, units above)."""
    weights = [np.stack(layer) for layer in zip(*(result.weights for result in results), strict=True)]
    named: dict[str, Any] = {
        f"weights{depth}": W if len(results) > 1 else W[0] for depth, W in enumerate(weights, start=1)
    }
    buffer = io.BytesIO()
    np.savez(buffer, **named)
    files = {names.PREDICTIONS: _predictions_table(config.task, results), names.WEIGHTS: buffer.getvalue()}
    if len(results) == 1 and not notes.are_few(results[0].weights):
        files[names.WEIGHTS_TXT] = notes.listed(results[0].weights).encode()
    return files if len(results) == 1 else {**files, names.TRIALS_TABLE: _trials_table(config, results)}


def _predictions_table(task: Task, results: Sequence[Result]) -> bytes:
    """Write an MLflow table with a row per pattern; of several trials the median, and two quantiles beside it."""
    predictions = np.stack([result.predictions for result in results])  # (trials, patterns, outputs)
    columns = {"prediction": np.median(predictions, axis=0)}
    if len(predictions) > 1:
        columns["q10"], columns["q90"] = np.quantile(predictions, [0.1, 0.9], axis=0)
    rows = [
        [name, inputs.tolist(), _cell(targets), *(_cell(column[p]) for column in columns.values())]
        for p, (name, inputs, targets) in enumerate(zip(task.pattern_names, task.inputs, task.targets, strict=True))
    ]
    return json.dumps({"columns": ["pattern", "inputs", "target", *columns], "data": rows}).encode()


def _cell(outputs: Array) -> Any:
    """One number for one output, a list for more."""
    return _or_null(outputs) if len(outputs) > 1 else _or_null(outputs)[0]


def _or_null(values: Iterable[float]) -> list[float | None]:
    """Numbers, and null where they are not finite, which JSON cannot say."""
    return [float(value) if np.isfinite(value) else None for value in values]


def _trials_table(config: Config, results: Sequence[Result]) -> bytes:
    import pyarrow as pa
    from pyarrow import parquet

    columns = {
        "seed": pa.array(seeds(config), pa.int64()),
        "converged": pa.array([result.converged for result in results], pa.bool_()),
        "converged_at_end": pa.array([result.converged_at_end for result in results], pa.bool_()),
        "epochs_to_converge": pa.array([result.epochs_to_converge for result in results], pa.int64()),
        "final_loss": pa.array(_or_null(result.final_loss for result in results), pa.float64()),
        "max_error": pa.array(_or_null(result.max_error for result in results), pa.float64()),
    }
    predictions = [_predictions(config.task, result) for result in results]
    columns |= {key: pa.array(_or_null(each[key] for each in predictions), pa.float64()) for key in predictions[0]}
    sink = io.BytesIO()
    parquet.write_table(pa.table(columns), sink)
    return sink.getvalue()
