"""Conditions of a sweep: what the trials that differ in nothing but their seeds say together.

Their trials are those that belong to the sweep, made by it or reused, as its ledger has them.
"""

import io
import logging
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from experiments.identity import run_name
from experiments.ledger import Entry, Ledger, ledgers
from experiments.trials import Trials
from tracking import names
from tracking.errors import UnreadableFileError
from tracking.reader import Reader
from tracking.record import Outcome, Run
from tracking.store import Store

log = logging.getLogger(__name__)

NO_CONDITION = ("seed", "trials")
"""Params that tell trials of a condition apart, and are no part of it."""


@dataclass(frozen=True, eq=False)
class Condition:
    """All settings but the seed, and the trials of a sweep that have them."""

    params: Mapping[str, str]  # in their order, without `NO_CONDITION`
    swept: Mapping[str, str]  # those of them that the sweep varies
    runs: tuple[Outcome, ...]  # finished ones, in the order of the sweep's jobs
    seeds: tuple[int, ...]  # of the trials
    trials: Trials = field(repr=False)

    @property
    def name(self) -> str:
        """What tells it from the sweep's other conditions: ``lr=0.5 hidden=4``; empty if there is no other."""
        return run_name(self.swept, tuple(self.swept))


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
    swept = [key for key in ledger.swept if key not in NO_CONDITION]
    found: dict[tuple[str | None, ...], list[Entry]] = {}
    for entry in ledger:
        if entry.done and entry.params:
            found.setdefault(tuple(entry.params.get(key) for key in swept), []).append(entry)
    several = _several(reader, [entry.run for entry in ledger if entry.done and entry.run.trials > 1])
    made = (_condition(entries, swept, several) for entries in found.values())
    return [condition for condition in made if len(condition.trials)]


def _condition(entries: Sequence[Entry], swept: Sequence[str], several: Mapping[str, "_Columns"]) -> Condition:
    params = {key: value for key, value in entries[0].params.items() if key not in NO_CONDITION}
    readable = [entry for entry in entries if entry.run.trials == 1 or entry.run.run_id in several]
    columns = [several.get(entry.run.run_id) or _single(entry) for entry in readable]
    epochs, at_end, losses = (
        np.concatenate([np.empty(0), *(getattr(one, key) for one in columns)]) for key in _OUTCOME
    )
    losses = np.where(np.isfinite(losses), losses, np.inf)
    return Condition(
        params,
        {key: params[key] for key in swept if key in params},
        tuple(entry.run for entry in readable),
        tuple(int(seed) for one in columns for seed in one.seed),
        Trials(int(params["epochs"]), epochs, at_end, losses),
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
