"""Conditions of a sweep: what the trials that differ in nothing but their seeds say together.

Their trials are those that belong to the sweep, made by it or reused, as its ledger has them.
"""

import io
import json
import logging
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from experiments import notes, surfaces
from experiments.identity import condition_hash, run_name
from experiments.ledger import Entry, Ledger, ledgers
from experiments.ledger import revise as revised
from experiments.trials import Trials, finite_or_inf, loss_quantiles
from nn_core import PartError, Task, recorded_epochs
from tracking import names
from tracking.artifacts import local_folder
from tracking.errors import UnreadableFileError
from tracking.reader import Reader, of_kind
from tracking.record import Curve, Outcome, Run, RunRecord, RunUpdate, now_ms
from tracking.store import Store
from tracking.view import curve_page, run_page, view_page

log = logging.getLogger(__name__)


@dataclass(frozen=True, eq=False)
class Condition:
    """All settings but the seed, and the trials of a sweep that have them."""

    params: Mapping[str, str]  # in their order, without `names.NO_CONDITION`
    swept: Mapping[str, str]  # those of them that the sweep varies
    runs: tuple[Outcome, ...]  # finished ones, in the order of the sweep's jobs
    seeds: tuple[int, ...]  # of the trials
    trials: Trials = field(repr=False)

    @property
    def name(self) -> str:
        """What tells it from the sweep's other conditions: ``lr=0.5 hidden=4``."""
        return run_name(self.swept or self.params, tuple(self.swept))


MOST_CURVES = 500
"""The most conditions whose loss curves are read back; of more, nobody could look at them."""

PER_DECADE = 10
"""Epochs per factor of ten at which a condition's curves have points: an eighth of what its trials usually have."""

MOST_DRAWN = 24
"""The most conditions whose networks are drawn: the best and the worst half of that."""

RANKINGS: dict[str, Callable[[Trials], tuple[float, ...]]] = {
    "ert": lambda trials: (trials.ert.value, -trials.rate.value, trials.median_loss.value),
    "median": lambda trials: (trials.median.value, trials.ert.value, trials.median_loss.value),
    "rate": lambda trials: (-trials.rate.value, trials.ert.value, trials.median_loss.value),
    "final_loss": lambda trials: (trials.median_loss.value, trials.ert.value),
}
"""What conditions can be ranked by, least first; what comes after the first decides between equals."""


def ranked(conditions: Iterable[Condition], by: str = "ert") -> list[Condition]:
    """Put conditions in order, the best first, by one of `RANKINGS`.

    Those whose networks unlearn are left out: a condition whose convergence does not last is never the best, and what
    it lacks is not speed.
    """
    lasting = [condition for condition in conditions if not condition.trials.unlearn]
    return sorted(lasting, key=lambda condition: RANKINGS[by](condition.trials))


def of_sweep(store: Store, sweep: Run) -> list[Condition]:
    """Read the conditions of a sweep, in the order of its jobs; those that have no finished trial are left out."""
    (ledger,) = ledgers(store, [sweep])
    ledger.look_up(lambda run_id: run.params if (run := store.reader.run(run_id)) else {})
    return of_ledger(store.reader, ledger)


def of_ledger(reader: Reader, ledger: Ledger) -> list[Condition]:
    """Group the jobs of a ledger that has their params, and are finished, by condition."""
    swept = [key for key in ledger.swept if key not in names.NO_CONDITION]
    found: dict[tuple[str | None, ...], list[Entry]] = {}
    for entry in ledger:
        if entry.done and entry.params:
            found.setdefault(tuple(entry.params.get(key) for key in swept), []).append(entry)
    several = _several(reader, [entry.run for entry in ledger if entry.done and entry.run.trials > 1])
    made = (_condition(entries, swept, several) for entries in found.values())
    return [condition for condition in made if len(condition.trials)]


def track(store: Store, sweep_id: str, ledger: Ledger) -> int:
    """Make a run of each condition of a sweep whose trials are runs that differ in their seeds; returns how many.

    All of them at once, or none; none either where they are there already, where no condition has several runs, or
    where a run holds several networks, and is a condition by itself.
    """
    conditions = of_ledger(store.reader, ledger)
    trials = [run for condition in conditions for run in condition.runs]
    if max((len(condition.runs) for condition in conditions), default=0) < 2 or any(run.trials > 1 for run in trials):
        return 0
    there: Iterable[object] = store.reader.rows(["attributes.run_id"], *of_kind(names.CONDITION, sweep_id), newest=1)
    if list(there):
        return 0
    start_ms = now_ms()
    order = ranked(conditions)
    ranks = {id(condition): float(rank) for rank, condition in enumerate(order, start=1)}
    order += [condition for condition in conditions if id(condition) not in ranks]
    shown = {id(condition) for half in (order[: MOST_DRAWN // 2], order[-MOST_DRAWN // 2 :]) for condition in half}
    records = [
        _record(
            condition,
            sweep_id,
            start_ms,
            ranks.get(id(condition), np.nan),
            curves=_curves(condition, store.reader) if len(conditions) <= MOST_CURVES else {},
            drawn=_surfaces(condition, store.reader) if id(condition) in shown else b"",
        )
        for condition in conditions
    ]
    run_ids = store.write_together(records)
    table = _conditions_table(conditions, ranks, run_ids)
    tags = {names.TABLES: json.dumps([{"path": names.CONDITIONS_JSON, "type": "table"}])}
    store.update_parent(sweep_id, RunUpdate(tags=tags, artifacts={names.CONDITIONS_JSON: table}))
    return len(records)


def revise(store: Store, sweep_id: str, now_ms: int) -> None:
    """Have a sweep that has ended say what is there of it now, and track its conditions; again changes nothing."""
    if (ledger := revised(store, sweep_id, now_ms)) is not None:
        track(store, sweep_id, ledger)


def _conditions_table(conditions: Sequence[Condition], ranks: Mapping[int, float], run_ids: Sequence[str]) -> bytes:
    """Write an MLflow table with a row per condition, the best first; those whose networks unlearn are last."""
    keys = list(dict.fromkeys(key for condition in conditions for key in condition.swept))
    rows = []
    for condition, run_id in zip(conditions, run_ids, strict=True):
        trials = condition.trials
        numbers = (
            ranks.get(id(condition), np.inf), len(trials), trials.rate.value, trials.rate.low, trials.rate.high,
            trials.rate_at_end.value, trials.ert.value, trials.ert.low, trials.ert.high, trials.median.value,
        )  # fmt: skip
        known = [float(f"{number:.6g}") if np.isfinite(number) else None for number in numbers]
        rows.append([*known[:1], *(condition.swept.get(key, "") for key in keys), *known[1:], run_id])
    rows.sort(key=lambda row: np.inf if row[0] is None else row[0])
    header = ["rank", *keys, "trials", "rate", "rate low", "rate high", "at the end", "ERT", "ERT low", "ERT high"]
    return json.dumps({"columns": [*header, "median epochs", "run_id"], "data": rows}).encode()


def _record(
    condition: Condition, sweep_id: str, start_ms: int, rank: float, *, curves: Mapping[str, Curve], drawn: bytes
) -> RunRecord:
    trials = condition.trials
    metrics = {names.TRIALS: float(len(trials)), names.RANK: rank, **trials.metrics}
    hashed = condition_hash(condition.params)
    return RunRecord(
        name=condition.name,
        params=condition.params,
        metrics={key: value for key, value in metrics.items() if np.isfinite(value)},
        step=0,  # the UI draws bars of what is at step 0, and curves of one point of what is not
        curves=curves,
        tags={
            names.KIND: names.CONDITION,
            names.SWEEP_ID: sweep_id,
            names.PARENT: sweep_id,
            names.CONDITION_HASH: hashed,
            names.NOTE: _note(condition, sweep_id, rank, hashed, drawn=bool(drawn)),
            names.TABLES: json.dumps([{"path": names.TRIALS_JSON, "type": "table"}]),
        },
        artifacts={names.TRIALS_JSON: _trials_table(condition), **({names.SURFACES: drawn} if drawn else {})},
        start_ms=start_ms,
        end_ms=now_ms(),
    )


def _note(condition: Condition, sweep_id: str, rank: float, condition_hash: str, *, drawn: bool) -> str:
    own = names.OWN_EXPERIMENT, names.OWN_RUN
    picture = {"Decision surfaces": run_page(*own, f"artifacts/{names.SURFACES}")} if drawn else {}
    pages = {
        **picture,
        "Loss on a log scale": curve_page(*own, *names.LOSS_QUANTILES),
        "Its trials": run_page(*own, f"artifacts/{names.TRIALS_JSON}"),
        **{
            f"the {which} one": run_page(names.OWN_EXPERIMENT, condition.runs[place].run_id)
            for which, place in _examples(condition).items()
        },
        "as runs": notes.same_condition(condition_hash),
        "All conditions, best first": view_page(names.OWN_EXPERIMENT, sweep_id),
    }
    place = f"Rank {rank:.0f} by ERT." if np.isfinite(rank) else "It has no rank."
    params = (f"{key}={value}" for key, value in condition.params.items())
    words = ["python", "-m", "experiments.train", "-m", *params, f"seed={spans(condition.seeds)}"]
    return notes.of_condition(condition.trials, place, words, pages)


def _examples(condition: Condition) -> dict[str, int]:
    """Places of three of a condition's trials: the fastest, the one in the middle, and the last."""
    order = np.lexsort((condition.trials.final_loss, condition.trials.epochs_to_converge)).tolist()
    return {"fastest": order[0], "median": order[(len(order) - 1) // 2], "last": order[-1]}


def _surfaces(condition: Condition, reader: Reader) -> bytes:
    """Draw what a few networks of a condition have learned, where that is in a folder; else it would take too long."""
    trials, examples = condition.trials, _examples(condition)
    runs = reader.by_ids([condition.runs[place].run_id for place in examples.values()])
    networks = {}
    try:
        if surfaces.varying_inputs(Task.from_params(dict(condition.params))) is None:
            return b""
        for which, place in examples.items():
            run = runs[condition.runs[place].run_id]
            if local_folder(run.artifact_uri) is None:
                return b""
            when = f"after {trials.epochs_to_converge[place]:,.0f}" if trials.converged[place] else "not converged in"
            when += " epochs" if trials.converged[place] else f" {trials.cutoff:,}"
            title = f"The {which}: seed {condition.seeds[place]}\n{when}, final loss {trials.final_loss[place]:.2g}"
            networks[title] = surfaces.weights_in(reader.artifact(run, names.WEIGHTS) or b"")
        return surfaces.draw(condition.params, networks)
    except (PartError, LookupError, ValueError, UnreadableFileError) as error:
        log.debug("no surfaces of %s: %s", condition.name, error)
        return b""


def spans(seeds: Sequence[int]) -> str:
    """Write seeds so that Hydra reads them: a range if they are one."""
    consecutive = sorted(seeds) == list(range(min(seeds), max(seeds) + 1))
    return f"range({min(seeds)},{max(seeds) + 1})" if consecutive else ",".join(map(str, sorted(seeds)))


def _trials_table(condition: Condition) -> bytes:
    """Write an MLflow table with a row per trial, the fastest first."""
    trials = condition.trials
    columns = (trials.converged, trials.at_end, trials.epochs_to_converge, trials.final_loss)
    rows = [
        [seed, *(float(value) if np.isfinite(value) else None for value in values), run.run_id]
        for seed, run, *values in zip(condition.seeds, condition.runs, *columns, strict=True)
    ]
    order = np.lexsort((trials.final_loss, trials.epochs_to_converge)).tolist()
    header = ["seed", names.CONVERGED, names.CONVERGED_AT_END, names.EPOCHS_TO_CONVERGE, names.FINAL_LOSS, "run_id"]
    return json.dumps({"columns": header, "data": [rows[place] for place in order]}).encode()


def _curves(condition: Condition, reader: Reader) -> dict[str, Curve]:
    """Quantiles of the trials' loss curves, at a few of the epochs that these have, and at the end."""
    trials, per_decade = condition.trials, int(condition.params["record.per_decade"])
    grid = recorded_epochs(per_decade if per_decade % PER_DECADE else PER_DECADE, trials.cutoff)
    steps = np.unique(np.append(grid, trials.cutoff))
    points = reader.histories([run.run_id for run in condition.runs], [names.LOSS], grid.tolist())
    losses = np.full((len(trials), len(steps)), np.nan)
    losses[points.run, np.searchsorted(steps, points.step)] = points.value
    losses[:, -1] = trials.final_loss
    quantiles = loss_quantiles(losses, trials.final_loss)
    finite = {key: np.isfinite(curve) for key, curve in quantiles.items()}
    return {key: Curve(steps[finite[key]], curve[finite[key]]) for key, curve in quantiles.items()}


def _condition(entries: Sequence[Entry], swept: Sequence[str], several: Mapping[str, "_Columns"]) -> Condition:
    params = {key: value for key, value in entries[0].params.items() if key not in names.NO_CONDITION}
    readable = [entry for entry in entries if entry.run.trials == 1 or entry.run.run_id in several]
    columns = [several.get(entry.run.run_id) or _single(entry) for entry in readable]
    epochs, at_end, losses = (
        np.concatenate([np.empty(0), *(getattr(one, key) for one in columns)]) for key in _OUTCOME
    )
    return Condition(
        params,
        {key: params[key] for key in swept if key in params},
        tuple(entry.run for entry in readable),
        tuple(int(seed) for one in columns for seed in one.seed),
        Trials(int(params["epochs"]), epochs, at_end, finite_or_inf(losses)),
    )


@dataclass(frozen=True, eq=False)
class _Columns:
    """What is read of the trials of a run."""

    seed: Sequence[int]
    epochs_to_converge: Sequence[float]
    converged_at_end: Sequence[float]
    final_loss: Sequence[float]


_OUTCOME = (names.EPOCHS_TO_CONVERGE, names.CONVERGED_AT_END, names.FINAL_LOSS)


def _single(entry: Entry) -> _Columns:
    """Read a run of one network."""
    run = entry.run

    def known(number: float | None, otherwise: float) -> list[float]:
        return [otherwise if number is None else number]

    return _Columns(
        [entry.seed],
        known(run.epochs_to_converge, np.inf),
        known(run.converged_at_end, np.nan),
        known(run.final_loss, np.inf),
    )


def _several(reader: Reader, runs: Sequence[Outcome]) -> dict[str, _Columns]:
    """Read the tables of runs that hold several networks, by their ids; those that are damaged are named and left."""
    found = {}
    for run_id, run in reader.by_ids([run.run_id for run in runs]).items():
        try:
            found[run_id] = _table(reader.artifact(run, names.TRIALS_TABLE) or b"")
        except (UnreadableFileError, OSError, ValueError, LookupError, TypeError) as error:
            log.warning("left out: %s of run %s cannot be read (%s)", names.TRIALS_TABLE, run_id, error)
    return found


def _table(content: bytes) -> _Columns:
    from pyarrow import parquet

    table = parquet.read_table(io.BytesIO(content))

    def column(name: str, missing: float) -> list[float]:
        values = table.column(name).to_pylist() if name in table.column_names else [None] * len(table)
        return [missing if value is None else float(value) for value in values]

    epochs = column(names.EPOCHS_TO_CONVERGE, np.inf)
    return _Columns(
        table.column("seed").to_pylist(),
        epochs,
        column(names.CONVERGED_AT_END, np.nan),
        column(names.FINAL_LOSS, np.inf),
    )
