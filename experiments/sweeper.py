"""A sweep's home.

Creates store, experiment and parent run, validates every job, decides what is left to do, has it done by a launcher,
and closes the parent whatever happens. What came of the jobs is read back from the store, so that all launchers are
believed alike.
"""

import functools
import itertools
import logging
import shlex
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, cast

import numpy as np
from hydra.core.hydra_config import HydraConfig
from hydra.core.plugins import Plugins
from hydra.core.utils import configure_log, setup_globals
from hydra.types import HydraContext, TaskFunction
from omegaconf import DictConfig, OmegaConf, open_dict, read_write

from experiments import interruption, summary
from experiments import jobs as command_line
from experiments.ensemble_launcher import EnsembleLauncher
from experiments.fates import Fates
from experiments.identity import NOT_PART_OF_A_RUN
from experiments.interruption import Interrupted
from experiments.jobs import ConfigurationError, Job
from experiments.sweep import Sweep, SweepStopped
from experiments.validation import sweep_problems
from tracking import files, outcomes, overview
from tracking.errors import StoreUnreachableError, TrackingError
from tracking.provenance import Provenance, provenance
from tracking.record import LONGEST_TAG, RunUpdate
from tracking.stale import repair
from tracking.store import Store, find_store, open_store

log = logging.getLogger(__name__)
logging.raiseExceptions = False  # or a full disk would be told with a traceback for every line of the log

LONGEST_LIST = 20
"""Failed jobs that are listed one by one."""

DIFF = "git_diff.patch"
"""What a dirty checkout adds to its commit, among the artifacts that `provenance` gives."""

Ending = Literal["FINISHED", "FAILED", "KILLED"]

_ORIGINS = {"FINISHED": "new", "FAILED": "failed"}


def run_sweep(
    hydra_context: HydraContext, task: TaskFunction, config: DictConfig, arguments: Sequence[str], max_jobs: int
) -> None:
    """Run the sweep that a command line asks for.

    Parameters
    ----------
    hydra_context, task, config
        What Hydra hands to a sweeper.
    arguments : sequence of str
        The command line's overrides, without those of Hydra itself.
    max_jobs : int
        The largest number of jobs allowed.

    Raises
    ------
    ConfigurationError
        If any job cannot run; nothing has been created then.
    Interrupted
        If the user asked to stop; the parent run has been ended then.
    SystemExit
        With 1 if a job failed, with a message if the store cannot be used.
    """
    jobs = command_line.expand(
        hydra_context.config_loader,
        config.hydra.job.config_name,
        cast("list[str]", OmegaConf.to_container(config.hydra.overrides.hydra)),  # interpolations as they were typed
        arguments,
        max_jobs,
    )
    sweeps = _sweeps(jobs)
    if problems := dict.fromkeys(itertools.chain.from_iterable(map(sweep_problems, sweeps))):
        raise ConfigurationError("\n".join(problems))
    endings: list[Ending] = []
    try:
        for group in sweeps:
            interruption.check()
            if group[0].config.dry_run:
                _dry_run(group)
                continue
            endings.append(_run(hydra_context, task, config, arguments, group))
            if endings[-1] != "FINISHED" and group[0].config.fail_fast:
                break
    except TrackingError as error:
        sys.exit(str(error))
    interruption.check()
    if set(endings) - {"FINISHED"}:
        sys.exit(1)


def _sweeps(jobs: Sequence[Job]) -> list[list[Job]]:
    """Divide jobs by where and how they are to be run: studies that are swept over bring experiments of their own."""
    keys = sorted(NOT_PART_OF_A_RUN)
    ways: dict[tuple[Any, ...], list[Job]] = {}
    for job in jobs:
        ways.setdefault(tuple(getattr(job.config, key) for key in keys), []).append(job)
    return list(ways.values())


def _run(
    hydra_context: HydraContext, task: TaskFunction, config: DictConfig, arguments: Sequence[str], jobs: Sequence[Job]
) -> Ending:
    """Do what is left to do, and leave a parent run that says what came of it."""
    settings = jobs[0].config
    folder = Path(config.hydra.sweep.dir)
    with _in_folder(folder):
        files.try_to_write(folder)  # before a store is made for a sweep that cannot be
    store = open_store(settings.experiment)
    _make_folder(config)
    _log_there(config)
    for run in repair(store):
        log.warning("%s was called RUNNING, but its process is dead; it is KILLED now", run.name)
    plan = _plan(store, jobs)
    log.info(plan.line)
    made_by = provenance(engine=settings.engine, launcher=config.hydra.runtime.choices["hydra/launcher"])
    if others := _other_code(store, plan.finished, made_by):
        log.warning("Finished runs come from other code: %s. resume=false would run them again", ", ".join(others))
    sweep: Sweep | None = None
    ending: Ending = "FAILED"
    interruption.check()
    try:
        with interruption.held():
            parent = store.start_parent(_name(arguments, config), {"kind": "sweep", **made_by.tags})
            sweep = Sweep(parent, summary.swept_keys(jobs))
            store.update_parent(parent, RunUpdate(artifacts={**made_by.artifacts, **_planned(config, plan)}))
        if plan.to_do:
            _launch(hydra_context, task, config, plan.to_do, sweep, store)
    except (Interrupted, SweepStopped):
        pass
    except TrackingError as error:
        log.error("%s", error)
    except OSError as error:
        log.error("The launcher failed: %s", error)  # a disk that is full, a folder that cannot be made
    except Exception:
        log.exception("The launcher failed")
    finally:
        if sweep is not None:
            with interruption.held("Closing the sweep; once more to leave it as it is."):
                ending = _close(config, store, sweep, plan, made_by.tags["command"])
    return ending


@dataclass(frozen=True)
class _Plan:
    """What a sweep finds, and what is left to do."""

    jobs: Sequence[Job]
    finished: Mapping[str, str]  # config_hash to run id
    failed: Mapping[str, str]

    @functools.cached_property
    def to_do(self) -> list[Job]:
        return [job for job in self.jobs if job.config_hash not in self.finished]

    def fates(self) -> Fates:
        """What is known before anything is done; a new one each time, to be added to."""
        fates = Fates(np.array([job.config_hash.encode() for job in self.jobs]))
        fates.settle((config_hash, run_id, "reused") for config_hash, run_id in self.finished.items())
        return fates

    @property
    def line(self) -> str:
        failed = sum(job.config_hash in self.failed for job in self.to_do) if self.failed else 0
        return summary.plan_line(len(self.jobs), len(self.to_do), len(self.finished), failed)


def _plan(store: Store | None, jobs: Sequence[Job]) -> _Plan:
    if store is None or not jobs[0].config.resume:
        return _Plan(jobs, {}, {})
    hashes = {job.config_hash for job in jobs}
    return _Plan(jobs, store.finished(hashes), store.failed(hashes))


def _planned(config: DictConfig, plan: _Plan) -> dict[str, bytes]:
    """What a sweep keeps of itself from the start."""
    return {
        "multirun.yaml": OmegaConf.to_yaml(config).encode(),
        "jobs.csv": summary.jobs_csv(plan.jobs, plan.fates()),
    }


def _other_code(store: Store, finished: Mapping[str, str], made_by: Provenance) -> list[str]:
    """Name the versions of the code, other than the present one, that finished runs were made by."""
    if not finished:
        return []
    children = overview.children(store)
    sweeps = {sweep.run_id: sweep for sweep in overview.sweeps(store)}
    origins = {children[run_id].sweep_id or run_id for run_id in finished.values()}
    others = set()
    for origin in origins:
        run = sweeps.get(origin) or overview.run(store, origin)
        if run is None:
            continue
        commit, diff = run.tags.get("git_commit"), overview.read_artifact(store, run, DIFF) or b""
        if (commit, diff) != (made_by.tags["git_commit"], made_by.artifacts.get(DIFF, b"")):
            others.add(f"{commit or 'unknown'}{' with uncommitted changes' if diff else ''}")
    return sorted(others)


def _dry_run(jobs: Sequence[Job]) -> None:
    plan = _plan(find_store(jobs[0].config.experiment), jobs)
    print(summary.plan_table(jobs, plan.finished, plan.failed))
    print(plan.line)


@contextmanager
def _in_folder(folder: Path) -> Iterator[None]:
    """Say that a folder cannot be written to, in the terms of the key that names it."""
    try:
        yield
    except OSError as error:
        raise ConfigurationError(
            f"hydra.sweep.dir={folder}: valid is a folder to write to ({error.strerror})"
        ) from error


def _make_folder(config: DictConfig) -> None:
    """Make the sweep's folder; its default name is the time, which sweeps that start together have in common."""
    wanted = Path(config.hydra.sweep.dir)
    chosen_by_user = any(override.startswith("hydra.sweep.dir=") for override in config.hydra.overrides.hydra)
    with _in_folder(wanted):
        wanted.parent.mkdir(parents=True, exist_ok=True)
        for number in itertools.count(1):
            folder = wanted if number == 1 else wanted.with_name(f"{wanted.name}-{number}")
            with suppress(FileExistsError):
                folder.mkdir()
                break
            if chosen_by_user:
                break
        with read_write(config.hydra), open_dict(config.hydra):
            config.hydra.sweep.dir = str(folder)
            config.hydra.runtime.output_dir = str(folder.absolute())
        OmegaConf.save(config, folder / "multirun.yaml")


def _log_there(config: DictConfig) -> None:
    """Log into the sweep's folder, as Hydra's jobs do into theirs."""
    setup_globals()
    HydraConfig.instance().set_config(config)
    configure_log(config.hydra.job_logging, config.hydra.verbose)


def _name(arguments: Sequence[str], config: DictConfig) -> str:
    return " ".join(arguments) or str(config.hydra.job.config_name)


def _launch(
    hydra_context: HydraContext,
    task: TaskFunction,
    config: DictConfig,
    jobs: Sequence[Job],
    sweep: Sweep,
    store: Store,
) -> None:
    """Have the jobs done; whether they succeeded is another question."""
    launcher = Plugins.instance().instantiate_launcher(
        hydra_context=hydra_context,
        task_function=functools.partial(cast("Callable[..., Any]", task), sweep=sweep),
        config=config,
    )
    with interruption.held("Stopping after the runs in hand; once more to stop at once."):
        if isinstance(launcher, EnsembleLauncher):
            launcher.train(jobs, sweep, store)
            return
        try:
            with interruption.not_for_children():
                launcher.launch(_UntilStopped(list(job.overrides) for job in jobs), initial_job_idx=0)
        finally:
            _log_there(config)  # job-by-job launchers leave the last job's logging behind


class _UntilStopped(list[list[str]]):
    """Jobs for a launcher to go through; once the user has asked to stop, there are no more."""

    def __iter__(self) -> Iterator[list[str]]:
        return itertools.takewhile(lambda _: not interruption.exit_code(), super().__iter__())


def _close(config: DictConfig, store: Store, sweep: Sweep, plan: _Plan, resume_command: str) -> Ending:
    """Read back what came of the jobs, write it on the parent run, and end that."""
    jobs, fates = plan.jobs, plan.fates()
    under_way: list[str] = []

    def ended() -> Iterator[tuple[str, str, str]]:
        for child in outcomes.children(store, sweep.run_id):
            if child.status in _ORIGINS:
                yield child.config_hash, child.run_id, _ORIGINS[child.status]
            elif child.status == "RUNNING":
                under_way.append(child.run_id)

    try:
        fates.settle(ended())
        fates.note_rates(outcomes.convergence_rates(store))
    except StoreUnreachableError:
        store.update_parent(sweep.run_id, RunUpdate(status="FAILED"))  # kept on disk like the runs
        log.warning("To go on from here, after python -m experiments.sweeps sync: %s", resume_command)
        raise
    for run_id in under_way:  # through MLflow's client, a run is there before it is finished
        store.update_parent(run_id, RunUpdate(status="KILLED"))
    origins = [origin for _, origin in fates]
    counts = outcomes.counts(origins)
    missing = origins.count("")
    done = not missing and not counts["failed"]
    ending: Ending = "KILLED" if missing and interruption.exit_code() else "FINISHED" if done else "FAILED"
    table = summary.convergence_table(jobs, sweep.keys, fates.rates) if not np.isnan(fates.rates).all() else ""
    jobs_csv = summary.jobs_csv(jobs, fates)
    store.update_parent(
        sweep.run_id,
        RunUpdate(
            metrics=counts,
            tags={"mlflow.note.content": _note(counts, table)},
            artifacts={"jobs.csv": jobs_csv},
            status=ending,
        ),
    )
    copy = Path(config.hydra.sweep.dir) / "jobs.csv"
    try:
        copy.write_bytes(jobs_csv)
    except OSError as error:
        log.warning("%s could not be written (%s); the artifact of that name is", copy, error.strerror)
    store.analyze()
    log.info("%s\n", _note(counts, table))
    failed = np.flatnonzero(np.array(origins) == "failed")
    for number in failed[:LONGEST_LIST]:
        log.error("failed: python -m experiments.train %s", shlex.join(jobs[number].overrides))
    if len(failed) > LONGEST_LIST:
        log.error("... and %s more that failed; all are in jobs.csv", f"{len(failed) - LONGEST_LIST:,}")
    if missing:
        log.warning("%s jobs are left. To go on from here: %s", f"{missing:,}", resume_command)
    if ending == "FINISHED":
        print("See it in the MLflow UI:  python -m experiments.sweeps ui")
        print("Draw its figures:         python -m analysis.figures sweep=latest")
    return ending


def _note(counts: Mapping[str, int], table: str) -> str:
    note = f"{outcomes.counted(counts)}\n\n{table}"
    return note if len(note) <= LONGEST_TAG else f"{note[: LONGEST_TAG - 40].rsplit(chr(10), 1)[0]}\n\n... and more."
