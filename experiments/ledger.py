"""What came of every job of a sweep, and so of the sweep: the one place that knows.

A sweep that closes, one that is gone on with, the upload of runs that were kept on disk, and whoever asks how a sweep
is doing fill the same ledger, from the same two sources: the table of jobs, and what the store says of their runs.
"""

import csv
import io
import math
import re
import shlex
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING

from tracking import names
from tracking.record import LONGEST_TAG, Ending, Outcome, RunUpdate
from tracking.view import sweep_links

if TYPE_CHECKING:
    from experiments.jobs import Job
    from tracking.record import Run
    from tracking.store import Store

CUT = "\n\n... and more."

MOST_ROWS = 60
"""Rows that a table for the eye may have."""


class State(Enum):
    """What came of a job, from worst to best: of several runs of a job, the best counts.

    A state has MLflow's word for the run, the table's for where it comes from (from nowhere if it has not ended), and
    the sweep's for the jobs that it counts.
    """

    LEFT = "", "", "left"
    KILLED = "KILLED", "", "killed"
    RUNNING = "RUNNING", "", "running"
    FAILED = "FAILED", "failed", "failed"
    REUSED = "FINISHED", "reused", "reused"
    NEW = "FINISHED", "new", "finished"

    def __init__(self, status: str, origin: str, counted: str) -> None:
        self.status, self.origin, self.counted = status, origin, counted


_RANK = {state: rank for rank, state in enumerate(State)}
_BY_STATUS = {state.status: state for state in State}  # FINISHED is NEW: whoever reuses a run says so

_SEED = re.compile(r"\+*seed=")
_OWN_SEED = re.compile(r"(?:^|[ '+])seed=([0-9]+)")

RESULTS = ("converged", "converged_at_end", "epochs_to_converge", "final_loss", "max_error")
"""Columns of the table of jobs that say what came of each."""


@dataclass(slots=True)
class Entry:
    """A job, and what came of it."""

    overrides: str  # as a shell reads them
    params: Mapping[str, str]  # empty if nobody has asked for them
    state: State = State.LEFT
    run: Outcome = Outcome("", "", "")  # that, for a job that has no run
    failed_before: bool = False  # whether the experiment holds a failed run of it

    @property
    def done(self) -> bool:
        """Whether there is a finished run."""
        return self.state in (State.NEW, State.REUSED)

    @property
    def seed(self) -> int:
        """Its own seed: params may be those of another job of its condition."""
        typed = _OWN_SEED.search(self.overrides)
        return int(typed[1] if typed else self.params["seed"])


class Ledger:
    """The jobs of a sweep, in their order, by config_hash."""

    def __init__(self, jobs: "Iterable[Job]" = ()) -> None:
        self._entries: dict[str, Entry] = {}
        self.add(jobs)

    @classmethod
    def read(
        cls, table: Iterable[Mapping[str, str]], made: Iterable[Outcome], others: Mapping[str, Outcome]
    ) -> "Ledger":
        """Make a sweep's ledger out of its table of jobs, the runs that it made, and others by their ids."""
        ledger = cls()
        for row in table:
            ledger._entries[row["config_hash"]] = entry = Entry(row["overrides"], {})
            if row["origin"] == State.REUSED.origin:
                run = Outcome(row["run_id"], row["config_hash"], State.REUSED.status)
                entry.state, entry.run = State.REUSED, others.get(row["run_id"], run)
        ledger.note(made)
        return ledger

    def look_up(self, params: Callable[[str], Mapping[str, str]]) -> None:
        """Look up the params of jobs by their runs; once for all jobs that differ in nothing but the seed."""
        from experiments.identity import in_order

        by_condition: dict[tuple[str, ...], list[Entry]] = {}
        for entry in self:
            condition = (override for override in shlex.split(entry.overrides) if not _SEED.match(override))
            by_condition.setdefault(tuple(condition), []).append(entry)
        found: dict[str, str] = {}
        for overrides, entries in by_condition.items():
            if run_id := next((entry.run.run_id for entry in entries if entry.run.run_id), ""):
                found = in_order(params(run_id))
            else:  # params differ from those of other jobs where the overrides do
                typed = dict(override.lstrip("+").split("=", 1) for override in overrides if "=" in override)
                found = {key: typed.get(key, value) for key, value in found.items()}
            for entry in entries:
                entry.params = found

    def add(self, jobs: "Iterable[Job]") -> None:
        """Take in jobs; those that are known stay as they are."""
        for job in jobs:
            if job.config_hash not in self._entries:
                self._entries[job.config_hash] = Entry(shlex.join(job.overrides), job.params)

    def note(self, runs: Iterable[Outcome]) -> None:
        """Note runs that the sweep made, oldest first: the best of each job, of equals the last."""
        for run in runs:
            entry, state = self._entries.get(run.config_hash), _BY_STATUS.get(run.status, State.LEFT)
            if entry is not None and _RANK[state] >= _RANK[entry.state]:
                entry.state, entry.run = state, run

    def reuse(self, runs: Iterable[Outcome]) -> None:
        """Note runs that the experiment holds already, oldest first: finished ones need not be made again."""
        for run in runs:
            entry = self._entries.get(run.config_hash)
            if entry is not None and entry.state is not State.NEW:
                if run.status == State.REUSED.status:
                    entry.state, entry.run = State.REUSED, run
                entry.failed_before |= run.status == State.FAILED.status

    def __getitem__(self, config_hash: str) -> Entry:
        return self._entries[config_hash]

    def __iter__(self) -> Iterator[Entry]:
        return iter(self._entries.values())

    def __len__(self) -> int:
        return len(self._entries)

    def having(self, *states: State) -> list[Entry]:
        """Jobs that are in one of some states."""
        return [entry for entry in self if entry.state in states]

    @property
    def counts(self) -> dict[str, int]:
        """The number of jobs, and of those in each state but left."""
        found = Counter(entry.state for entry in self)
        shown = (State.NEW, State.REUSED, State.FAILED, State.KILLED, State.RUNNING)
        return {names.JOBS: len(self), **{state.counted: found[state] for state in shown}}

    @property
    def left(self) -> int:
        """How many jobs have not come to an end."""
        return len(self.having(State.LEFT, State.KILLED, State.RUNNING))

    def ending(self, *, interrupted: bool) -> Ending:
        """What a sweep ends as that does no more than this."""
        if self.left and interrupted:
            return "KILLED"
        return "FAILED" if self.left or self.having(State.FAILED) else "FINISHED"

    @property
    def convergence_rate(self) -> float | None:
        """Share of all trials that converged; None if there are none."""
        known = [(entry.run.converged, entry.run.trials) for entry in self if entry.run.converged is not None]
        trials = sum(number for _, number in known)
        return sum(rate * number for rate, number in known) / trials if trials else None

    @property
    def swept(self) -> tuple[str, ...]:
        """Params that tell jobs apart, in the order in which params are listed.

        One that a job lacks differs. What takes one value for each value of another, as an option does that only one
        of two optimizers has, tells nothing that the other does not; of two that follow each other the choice stays,
        rather than an option.
        """
        all_params = [entry.params for entry in self if entry.params]
        first = all_params[0] if all_params else {}
        keys = dict.fromkeys(first)
        swept: set[str] = set()
        for params in all_params:
            if params.keys() != first.keys():
                keys.update(dict.fromkeys(params))
                swept.update(first.keys() ^ params.keys())
            swept.update(key for key, value in params.items() if first.get(key, value) != value)
        telling: list[str] = []
        for key in sorted((key for key in keys if key in swept and key != "seed"), key=lambda key: "." in key):
            pairs = ({(params.get(other), params.get(key)) for params in all_params} for other in telling)
            if not any(len(pair) == len({value for value, _ in pair}) for pair in pairs):
                telling.append(key)
        return tuple(key for key in keys if key in telling or (key == "seed" and key in swept))

    @property
    def table(self) -> bytes:
        """The table of jobs, as CSV: what belongs to the sweep, where its run is and what came of it."""
        text = io.StringIO()
        rows = csv.writer(text, lineterminator="\n")
        rows.writerow(["job", "config_hash", "overrides", "run_id", "origin", *RESULTS])
        for number, (config_hash, entry) in enumerate(self._entries.items()):
            run, origin = entry.run, entry.state.origin
            results = [_written(getattr(run, column)) for column in RESULTS]
            rows.writerow([number, config_hash, entry.overrides, run.run_id if origin else "", origin, *results])
        return text.getvalue().encode()

    @property
    def description(self) -> str:
        """The sweep in a few lines of Markdown: its counts, and its convergence by condition."""
        parts = [_jobs(count) if word == "jobs" else f"{count:,} {word}" for word, count in self._ended.items()]
        text = "\n\n".join(filter(None, [", ".join(parts), self._convergence()]))
        return _fitting(text)

    def update(self, ending: Ending | None, links: str) -> RunUpdate:
        """What the parent run is to say, with links from its page, and to end as."""
        note = _fitting("\n\n".join([links, self.description]))
        return RunUpdate(self._ended, {names.NOTE: note}, {names.JOBS_CSV: self.table}, ending)

    @property
    def _ended(self) -> dict[str, int]:
        """Counts that stay true when the sweep has ended."""
        return {word: count for word, count in self.counts.items() if word not in ("killed", "running")}

    def _convergence(self) -> str:
        """Tabulate the convergence rate by condition: all that is swept but the seed, which it is repeated over."""
        from nn_core.statistics import wilson_interval

        conditions = [key for key in self.swept if key != "seed"]
        sums: dict[tuple[str, ...], list[float]] = {}
        for entry in self:
            if (rate := entry.run.converged) is not None:
                number, last = entry.run.trials, entry.run.converged_at_end
                counts = rate * number, math.nan if last is None else last * number, number
                condition = tuple(entry.params.get(key, "") for key in conditions)
                sums[condition] = [sum(pair) for pair in zip(sums.get(condition, (0, 0, 0)), counts, strict=True)]
        if not sums:
            return ""
        rows = []
        for values, (converged, at_end, trials) in list(sums.items())[:MOST_ROWS]:
            low, high = wilson_interval(round(converged), trials)
            rates = f"{converged / trials:.2f}", f"{low:.2f} to {high:.2f}", f"{at_end / trials:.2f}"
            rows.append(
                [*values, f"{round(converged):,}", f"{trials:,}", *(text.replace("nan", "?") for text in rates)]
            )
        text = _markdown([*conditions, "converged", "trials", "rate", "95% interval", "at the end"], rows)
        return text if len(sums) <= MOST_ROWS else f"{text}\n\n... and {len(sums) - MOST_ROWS:,} more conditions."


def plan(entries: Sequence[Entry]) -> str:
    """Say what is left to do: ``1,000 jobs: 640 to do, 350 already finished, 10 failed before (will run again)``."""
    finished = sum(entry.done for entry in entries)
    failed = sum(entry.failed_before and not entry.done for entry in entries)
    parts = [f"{len(entries) - finished - failed:,} to do"]
    if finished:
        parts.append(f"{finished:,} already finished")
    if failed:
        parts.append(f"{failed:,} failed before (will run again)")
    return f"{_jobs(len(entries))}: {', '.join(parts)}"


def preview(entries: Sequence[Entry]) -> str:
    """List jobs and what would be done with each, for a dry run."""
    lines = []
    for number, entry in enumerate(entries[:MOST_ROWS]):
        fate = "failed before, would run again" if entry.failed_before else "would run"
        if entry.done:
            fate = f"finished, run {entry.run.run_id}"
        overrides = [override for override in shlex.split(entry.overrides) if not override.startswith("dry_run=")]
        lines.append(f"{number:>6}  {shlex.join(overrides)}  ({fate})")
    if len(entries) > MOST_ROWS:
        lines.append(f"   ...  and {len(entries) - MOST_ROWS:,} more")
    return "\n".join(lines)


def ledgers(store: "Store", sweeps: "Iterable[Run]") -> Iterator[Ledger]:
    """Read what came of sweeps of an experiment, each as its table of jobs and the runs themselves say."""
    runs = {run.run_id: run for run in store.reader.outcomes()}
    made: dict[str | None, list[Outcome]] = {}
    for run in runs.values():
        made.setdefault(run.sweep_id, []).append(run)
    for sweep in sweeps:
        yield Ledger.read(store.reader.jobs(sweep), made.get(sweep.run_id, ()), runs)


def revise(store: "Store", sweep_id: str, now_ms: int) -> Ledger | None:
    """Have a sweep that has ended say what is there of it now; doing so again changes nothing.

    Returned is what came of its jobs; None if nobody knows.
    """
    sweep = store.reader.run(sweep_id)
    if sweep is None or sweep.end_ms is None:
        return None
    (ledger,) = ledgers(store, [sweep])
    if not len(ledger) or len(ledger) < sweep.metrics.get(names.JOBS, 0):  # with a damaged table nobody knows
        return None
    ledger.look_up(lambda run_id: run.params if (run := store.reader.run(run_id)) else {})
    ending = None if ledger.left else ledger.ending(interrupted=False)
    update = ledger.update(ending, sweep_links(store.experiment_id, sweep_id))
    says = update.status or sweep.status, update.metrics, update.tags[names.NOTE], update.artifacts[names.JOBS_CSV]
    said = sweep.status, sweep.metrics, sweep.tags.get(names.NOTE), store.reader.artifact(sweep, names.JOBS_CSV)
    if says != said:
        # Later than what it said itself when it ended, which MLflow's client would keep otherwise.
        store.writer.update(sweep_id, update, max(sweep.end_ms, now_ms) + 1)
    return ledger


def _fitting(text: str) -> str:
    """As many lines of a text as MLflow keeps."""
    return text if len(text) <= LONGEST_TAG else text[: LONGEST_TAG - 40].rpartition("\n")[0] + CUT


def _jobs(count: int) -> str:
    return f"{count:,} {'job' if count == 1 else 'jobs'}"


def _written(number: float | None) -> str:
    """Write a result: whole numbers without a point, and what there is not as nothing."""
    return "" if number is None else str(int(number)) if number == int(number) else repr(number)


def _markdown(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    cells = [header, *rows]
    widths = [max(len(row[column]) for row in cells) for column in range(len(header))]

    def line(row: Sequence[str]) -> str:
        return "| " + " | ".join(cell.rjust(width) for cell, width in zip(row, widths, strict=True)) + " |"

    rule = "|" + "|".join("-" * (width + 1) + ":" for width in widths) + "|"
    return "\n".join([line(cells[0]), rule, *(line(row) for row in cells[1:])])
