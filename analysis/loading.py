"""From MLflow to two tidy frames: `trials`, one row per trained network, and `curves`, one row per recorded loss."""

import io
import itertools
import json
import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace
from types import NoneType
from typing import Any

import numpy as np
import pandas as pd

from analysis.levels import ordered
from nn_core import PartError, Training, part
from nn_core.parts import options
from tracking import names
from tracking.errors import FilterError, UnreadableFileError
from tracking.lookup import LATEST, originals
from tracking.reader import NO_SUMMARY, Condition, Reader
from tracking.record import Run

log = logging.getLogger(__name__)

_SHORT = 12
_A_FILTER = "\"filter=params.lr = '0.5'\""
_OUTCOME = {
    names.CONVERGED: 0.0, names.CONVERGED_AT_END: np.nan, names.EPOCHS_TO_CONVERGE: np.inf, names.FINAL_LOSS: np.nan,
    names.MAX_ERROR: np.nan,
}  # fmt: skip
"""What is known of each trial, and its value if that is not said."""

_FINISHED: Condition = ("attributes.status", "=", "FINISHED")


class SelectionError(Exception):
    """What was asked for is not in the store; the message says what is."""


@dataclass(frozen=True)
class Sweep:
    """A sweep: one multirun under one parent run."""

    parent: Run
    experiment: str  # its name
    label: str  # what figures call it when sweeps are compared; else empty
    jobs: int
    loaded: int  # of these, those that have a finished run that can be read
    unreadable: int = 0  # those whose finished run cannot

    @property
    def name(self) -> str:
        """What the user called it."""
        return self.parent.name or self.parent.run_id

    @property
    def title(self) -> str:
        """Its name, after its label if it has one."""
        return f"{self.label}: {self.name}" if self.label else self.name

    @property
    def short_id(self) -> str:
        """The beginning of the run id that holds its time to the millisecond: enough to name the sweep by."""
        return self.parent.run_id[:_SHORT]

    @property
    def what(self) -> str:
        """What those that are loaded have in common."""
        return f"finished, {self.unreadable:,} more unreadable" if self.unreadable else "finished"

    @property
    def commit(self) -> str:
        """The git commit that ran, shortened, with ``+`` if it had uncommitted changes; empty if unknown."""
        commit = self.parent.tags.get("git_commit", "")[:10]
        return commit + ("+" if commit and self.parent.tags.get("git_dirty", "").lower() == "true" else "")


@dataclass(frozen=True)
class Data:
    """What was loaded.

    `trials` has a row for each network and cut-off: ``sweep`` (label, categorical), ``run_id``, ``trial`` (its place in
    the run), ``seed``, a column for each parameter, ``converged`` (at any pass), ``converged_at_end`` (at the last; NA
    where that is unknown), ``epochs_to_converge`` (float, inf for failures), ``final_loss``, ``max_error`` and
    ``diverged`` (the epoch; NaN where it does not apply), ``prediction/<bits>``.

    `curves` has a row for each recorded loss: ``run_id`` (categorical), ``quantile`` (NaN for the curve of a single
    network; 0.1, 0.5, 0.9 over the networks of a run with several), ``epoch``, ``loss``.
    """

    trials: pd.DataFrame
    curves: pd.DataFrame
    parameters: tuple[str, ...]  # columns of `trials` that may make a condition
    sweeps: tuple[Sweep, ...]  # in the order asked for; empty if a filter alone was given
    run_filter: str  # MLflow's, or ""
    runs: dict[str, Run]  # those that `trials` come from, by run id


def load(reader: Reader, sweeps: Sequence[str] = ("latest",), labels: Sequence[str] = (), run_filter: str = "") -> Data:
    """Load sweeps, or what a filter finds.

    A run that belongs to several of the sweeps counts once under each label. The same trial from two runs (a sweep
    that was run again, or overlapping seeds) counts once.

    Each of the `sweeps` is ``latest``, a parent's run id, or a unique beginning of one; without any, `run_filter`, in
    MLflow's search syntax (``params.lr = '0.5'``), selects over the whole store.

    `labels`, one a sweep, keep sweeps apart in the column ``sweep``. Without them sweeps are pooled, unless parameters
    that each of them holds constant differ between them, and only together: then they are kept apart as 1, 2, ...
    (pooled, an effect of all these parameters would look like that of one).

    Raises `SelectionError` if a sweep is not found or not unique, or nothing finished was selected.
    """
    parents = _find_sweeps(reader, sweeps) if sweeps else []
    if labels and len(labels) != len(parents):
        raise SelectionError(f"labels: {len(labels)} given for {len(parents)} sweeps")
    filtered = dict.fromkeys(_search(reader, run_filter)) if run_filter else {}
    experiments = {experiment.id: experiment.name for experiment in reader.experiments()}
    networks: dict[str, list[dict[str, Any]]] = {}
    parts, described = [], []
    for parent, label in zip(parents, labels or [""] * len(parents), strict=True):
        jobs, members = _members(reader, parent)
        read = _read(reader, members, networks)
        unreadable = len(members) - len(read)
        described.append(Sweep(parent, experiments[parent.experiment_id], label, jobs, len(read), unreadable))
        parts.append((label, [run for run in read if not run_filter or run.run_id in filtered]))
    if not parents:
        found = [run for run in _finished(reader, list(filtered)).values() if "lr" in run.params]
        parts = [("", _read(reader, found, networks))]
    if not any(members for _, members in parts):
        where = f" in {', '.join(sweep.name for sweep in described)}" if described else ""
        how = f" with the filter {run_filter!r}" if run_filter else ""
        raise SelectionError(f"no finished run was found{where}{how}")
    if not labels and _confounded([members for _, members in parts if members]):
        parts = [(str(i + 1), members) for i, (_, members) in enumerate(parts)]
        described = [replace(sweep, label=label) for sweep, (label, _) in zip(described, parts, strict=True)]
    used = {m.run_id: m for _, members in parts for m in members}
    trials, parameters = _trials(parts, networks)
    curves = _curves(reader, [used[run_id] for run_id in trials["run_id"].unique()])
    return Data(trials, curves, parameters, tuple(described), run_filter, used)


def counted(count: int, noun: str) -> str:
    """Write a number of things: 1 job, 2,400 jobs."""
    return f"{count:,} {noun}{'' if count == 1 else 's'}"


def keep_longest(trials: pd.DataFrame, parameters: Sequence[str]) -> pd.DataFrame:
    """One row per network: of those trained to several cut-offs, the longest.

    What happened up to a shorter cut-off is the beginning of the same training, so counting both would count one
    network twice.
    """
    identity = ["sweep", "seed", *(p for p in parameters if p != "epochs")]
    return trials.sort_values("epochs", kind="stable").drop_duplicates(identity, keep="last").sort_index()


def _find_sweeps(reader: Reader, wanted: Sequence[str]) -> list[Run]:
    parents = reader.sweeps()[::-1]
    known = ", ".join(f"{p.run_id[:_SHORT]} ({p.name})" for p in parents[:5])
    if not parents:
        single = sum(1 for _ in reader.rows(["attributes.run_id"], ("params.lr", "LIKE", "%"), NO_SUMMARY, _FINISHED))
        way_out = (
            f"; it holds {counted(single, 'finished single run')}, which a filter draws, as "
            f"\"filter=attributes.status = 'FINISHED'\" or {_A_FILTER}"
        )
        without = ": run one, with python -m experiments.train -m ..."
        raise SelectionError(f"there is no sweep in this store yet{way_out if single else without}")
    found: list[Run] = []
    problems = []
    for name in wanted:
        matches = originals(parents)[:1] if name == LATEST else [p for p in parents if p.run_id.startswith(name)]
        found += matches
        if len(matches) != 1:
            what = f"the beginning of {len(matches)} run ids" if matches else "no sweep here"
            problems.append(f"sweep={name} is {what}")
    if problems:
        raise SelectionError(f"{'; '.join(problems)}. Newest first: latest, {known}")
    return found


def _search(reader: Reader, run_filter: str) -> list[str]:
    """Ids of the runs that a filter finds."""
    try:
        return reader.search(run_filter)
    except FilterError as error:
        works = f"One that works, as an argument in quotes: {_A_FILTER}"
        raise SelectionError(f"filter={run_filter}: MLflow says: {error}. {works}") from error


def _confounded(sweeps: Sequence[Sequence[Run]]) -> bool:
    """Whether two parameters that each sweep holds constant differ between sweeps, and only together.

    A parameter that not every sweep has (the momentum of one of two optimizers) goes with the choice that brings it.
    """
    held = [{key: {m.params.get(key) for m in members} for key in members[0].params} for members in sweeps]
    shared = set.intersection(*map(set, held)) - {*names.NO_CONDITION}
    constant = {key: [next(iter(s[key])) for s in held] for key in shared if all(len(s[key]) == 1 for s in held)}
    differing = [values for values in constant.values() if len(set(values)) > 1]
    return any(len({*zip(a, b, strict=True)}) == len({*a}) for a, b in itertools.permutations(differing, 2))


def _members(reader: Reader, sweep: Run) -> tuple[int, list[Run]]:
    """How many jobs a sweep has, and the finished runs that belong to it, as its table of jobs says if it has one."""
    made = reader.trials((f"tags.{names.SWEEP_ID}", "=", sweep.run_id), _FINISHED)
    latest = {run.tags.get(names.CONFIG_HASH, run.run_id): run for run in made}
    table = reader.jobs(sweep)
    if not table:
        return len(latest), list(latest.values())
    runs = {run.run_id: run for run in made}
    runs |= _finished(reader, [job["run_id"] for job in table if job["run_id"] and job["run_id"] not in runs])
    # A sweep that was killed could not write down the runs it had made since it planned them.
    found = (runs.get(job["run_id"]) if job["run_id"] else latest.get(job["config_hash"]) for job in table)
    jobs = max(len(table), int(sweep.metrics.get(names.JOBS, 0)))
    return jobs, list({run.run_id: run for run in found if run is not None}.values())


def _finished(reader: Reader, run_ids: Sequence[str]) -> dict[str, Run]:
    """The finished runs among some."""
    found = reader.by_ids(run_ids).items()
    return {
        run_id: run
        for run_id, run in found
        if run.status == "FINISHED" and run.tags.get(names.KIND, names.TRIAL) == names.TRIAL
    }


def _read(reader: Reader, runs: Sequence[Run], networks: dict[str, list[dict[str, Any]]]) -> list[Run]:
    """Read what became of the networks of runs; returns the runs that can be read, and logs which cannot."""
    problems = []
    for run in runs:
        try:
            networks[run.run_id] = _networks(reader, run)
        except UnreadableFileError as error:
            problems.append(str(error))
        except ValueError as error:
            problems.append(f"run {run.run_id} has {error}")
    if problems:
        more = f"; and {counted(len(problems) - 5, 'run')} more" if len(problems) > 5 else ""
        log.warning("left out: %s%s", "; ".join(problems[:5]), more)
    return [run for run in runs if run.run_id in networks]


def _trials(
    parts: list[tuple[str, list[Run]]], networks: Mapping[str, list[dict[str, Any]]]
) -> tuple[pd.DataFrame, tuple[str, ...]]:
    members = [(label, run, len(networks[run.run_id])) for label, runs in parts for run in runs]
    params = _complete(pd.DataFrame([run.params for _, run, _ in members], dtype="str")).apply(typed)
    params = params.drop(columns=[c for c in names.NO_CONDITION if c in params])
    several = np.repeat(np.arange(len(members)), [count for _, _, count in members])
    outcomes = [{"sweep": label, **network} for label, run, _ in members for network in networks[run.run_id]]
    frame = pd.concat([params.iloc[several].reset_index(drop=True), pd.DataFrame(outcomes)], axis=1)
    predictions = sorted(c for c in frame.columns if c.startswith(names.PREDICTION))
    labels = pd.CategoricalDtype(list(dict.fromkeys(label for label, _ in parts)), ordered=True)
    parameters = tuple(map(str, params))
    frame = (
        frame.assign(converged_at_end=_at_end(frame))
        .astype({"sweep": labels})
        .sort_values(["sweep", *parameters, "seed", "started", "run_id"], kind="stable")
        .drop_duplicates(["sweep", *parameters, "seed"])
        .reset_index(drop=True)
    )
    frame = frame[["sweep", "run_id", "trial", "seed", *parameters, *_OUTCOME, "diverged", *predictions]]
    return frame.assign(**{p: ordered(frame[p]) for p in parameters}), parameters


def _at_end(trials: pd.DataFrame) -> "pd.Series[Any]":
    """Whether each trial's last pass met the criterion; older runs, which do not say so, can be judged by tolerance."""
    said = trials[names.CONVERGED_AT_END].map({True: True, False: False}).astype("boolean")
    if "criterion.tolerance" not in trials:
        return said
    error = trials["max_error"].astype(float)
    tolerance = pd.to_numeric(trials["criterion.tolerance"], errors="coerce")
    known = error.notna() & tolerance.notna()
    return said.fillna((error < tolerance).astype("boolean").where(known))


def _complete(params: pd.DataFrame) -> pd.DataFrame:
    """Fill in options that joined a configuration after some of the runs were made: their default value held there."""
    for key in params.columns[params.isna().any()]:
        kind, _, option = key.rpartition(".")
        chosen = params[kind] if kind in params else pd.Series("", params.index)
        defaults = {name: _default(kind, name, option) for name in chosen.dropna().unique()}
        params[key] = params[key].where(params[key].notna(), chosen.map(defaults))
    return params


def _default(kind: str, name: str, option: str) -> str | None:
    """What an option of a part is if nothing is said, as a literal; None if the part has no such option."""
    try:
        declared = options(part(kind, name)) if kind else fields(Training)
    except (PartError, KeyError):  # a part that is not here, or a key that belongs to none
        return None
    default = {entry.name: entry.default for entry in declared}.get(option)
    return json.dumps(default) if isinstance(default, bool | int | float) else None


def _holds_several(run: Run) -> bool:
    """Whether it trained several networks."""
    return run.params.get(names.TRIALS, "1") != "1"


def _networks(reader: Reader, run: Run) -> list[dict[str, Any]]:
    """What became of each network of a run, a row of `Data.trials` without the parameters.

    Raises `UnreadableFileError` if its ``trials.parquet`` is missing or damaged, and `ValueError` that says which of
    its params or tags is not what a run has.
    """
    if missing := [key for key in ("lr", "hidden", "task") if key not in run.params]:
        raise ValueError(f"no {' and no '.join(missing)}")
    diverged = run.tags.get(names.DIVERGED, "nan")
    numbers = {"seed": run.params.get("seed", ""), "epochs": run.params.get("epochs", ""), names.DIVERGED: diverged}
    if odd := [f"{key}={text}" for key, text in numbers.items() if not (text.isdecimal() or text == "nan")]:
        raise ValueError(", ".join(odd))
    known: dict[str, Any] = {"run_id": run.run_id, "started": run.start_ms, "diverged": float(diverged)}
    if not _holds_several(run):
        found = {key: run.metrics.get(key, default) for key, default in _OUTCOME.items()}
        found |= {key: value for key, value in run.metrics.items() if key.startswith(names.PREDICTION)}
        return [known | found | {"trial": 0, "seed": int(numbers["seed"]), "converged": found["converged"] == 1.0}]
    try:
        table = pd.read_parquet(io.BytesIO(reader.artifact(run, names.TRIALS_TABLE) or b""))
        table = table.astype({"seed": np.int64, "converged": "boolean"}).astype({"converged": bool})
        table = table.astype(dict.fromkeys([*_OUTCOME][2:], np.float64)).fillna({names.EPOCHS_TO_CONVERGE: np.inf})
        if len(table) != int(run.params[names.TRIALS]):
            raise ValueError(f"{len(table)} rows, and not {run.params[names.TRIALS]}")
    except (OSError, ValueError, LookupError, TypeError, RuntimeError) as error:
        raise UnreadableFileError(f"{names.TRIALS_TABLE} of run {run.run_id} cannot be read ({error})") from error
    rows: Any = table.to_dict("records")
    return [{**_OUTCOME, **row, **known, "trial": i} for i, row in enumerate(rows)]


def _curves(reader: Reader, runs: Sequence[Run]) -> pd.DataFrame:
    """Loss curves of all runs; those that hold several networks have three, of quantiles."""
    run_ids = pd.Index([run.run_id for run in runs])
    several = np.array([_holds_several(run) for run in runs])
    parts = []
    for wanted, quantiles in ((~several, {names.LOSS: np.nan}), (several, names.LOSS_QUANTILES)):
        chosen = np.flatnonzero(wanted)
        points = reader.histories(list(run_ids[chosen]), list(quantiles))
        columns = {
            "run_id": pd.Categorical.from_codes(chosen[points.run], categories=run_ids),
            "quantile": np.array(list(quantiles.values()))[points.key],
            "epoch": points.step,
            "loss": np.where(points.value < np.finfo(np.float64).max, points.value, np.inf),  # as MLflow keeps infinity
        }
        parts.append(pd.DataFrame(columns))
    return pd.concat(parts, ignore_index=True)


def typed(column: "pd.Series[Any]") -> "pd.Series[Any]":
    """Give a column of Hydra literals its type: whole numbers, numbers, booleans, or else text.

    ``null`` and what a run does not have (the momentum of plain gradient descent) are missing: NaN in a column of
    numbers, ``none`` in one of text.
    """
    values: dict[str, object] = {text: _literal(text) for text in column.dropna().unique()}
    kinds = {type(value) for value in values.values()} | ({NoneType} if column.isna().any() else set())
    parsed = column.map(values)
    if kinds == {bool}:
        return parsed.astype(bool)
    if kinds == {int} and parsed.abs().max() < 2**63:
        return parsed.astype(np.int64)
    if {NoneType} != kinds <= {int, float, NoneType}:
        return parsed.astype(np.float64)
    return column.fillna("none").replace("null", "none").astype("str")


def _literal(text: str) -> object:
    lowered = text.strip().lower()
    constants = {"null": None, "none": None, "": None, "true": True, "false": False}
    if lowered in constants:
        return constants[lowered]
    for kind in (int, float):
        try:
            return kind(lowered)
        except ValueError:
            continue
    return text
