"""The sweeper behind a bare ``-m``: a command line is expanded into jobs, and a session has them done."""

import itertools
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, cast

from hydra.core.plugins import Plugins
from hydra.types import HydraContext, TaskFunction
from omegaconf import DictConfig, OmegaConf, open_dict, read_write

from experiments import batches, interruption
from experiments import jobs as command_line
from experiments.identity import NOT_PART_OF_A_RUN
from experiments.jobs import ConfigurationError, Job, refuse
from experiments.launchers import EnsembleLauncher, HydraLauncher, Launcher, log_into_folder
from experiments.ledger import Ledger, plan, preview
from experiments.session import SweepSession
from tracking import disk
from tracking.errors import TrackingError, without_secrets
from tracking.record import Ending
from tracking.store import find_store, open_store

_JOB_NUMBER = "${hydra.job.num}"  # the name that Hydra gives a job's folder if nobody asks for another


def run_sweep(
    hydra_context: HydraContext, task: TaskFunction, config: DictConfig, arguments: Sequence[str], max_jobs: int
) -> None:
    """Run the sweep that a command line asks for: its overrides, without those of Hydra itself, are the `arguments`.

    Raises `ConfigurationError` if any job cannot run, or there are more than `max_jobs`; nothing has been created then.
    Raises `Interrupted` if the user asked to stop; the parent run has been ended then. Exits with 1 if a job failed, or
    with a message if the store cannot be used.
    """
    jobs = command_line.expand(
        hydra_context.config_loader,
        config.hydra.job.config_name,
        cast("list[str]", OmegaConf.to_container(config.hydra.overrides.hydra)),  # interpolations as they were typed
        arguments,
        max_jobs,
    )
    job = str(config.hydra.job.name)
    refuse([f"hydra.job.name={job}: valid is a name without /, that of the log file"] if "/" in job else [])
    refuse(_needless_folders(config))
    grids = _grids(jobs)
    plugin = Plugins.instance().instantiate_launcher(hydra_context=hydra_context, task_function=task, config=config)
    launcher = plugin if isinstance(plugin, Launcher) else HydraLauncher(plugin, hydra_context, task, config)
    refuse(problem for grid in grids for problem in batches.grid_problems(grid) or launcher.problems(grid))
    endings: list[Ending | None] = []
    try:
        for grid in grids:
            interruption.check()
            if grid[0].config.dry_run:
                _announce(grid)
                continue
            endings.append(_run(config, " ".join(arguments), launcher, grid))
            if endings[-1] != "FINISHED" and grid[0].config.fail_fast:
                break
    except TrackingError as error:
        sys.exit(str(error))
    interruption.check()
    if set(endings) - {"FINISHED"}:
        sys.exit(1)


def _needless_folders(config: DictConfig) -> Iterator[str]:
    """Find a folder that is asked for each job, where none gets one."""
    typed = OmegaConf.to_container(config.hydra.sweep, resolve=False)
    assert isinstance(typed, dict)
    if config.hydra.runtime.choices["hydra/launcher"] == EnsembleLauncher.name and typed["subdir"] != _JOB_NUMBER:
        told = "valid is its default, or hydra/launcher=basic or joblib; ensemble makes no folders for jobs"
        yield f"hydra.sweep.subdir={typed['subdir']}: {told}"


def _grids(jobs: Sequence[Job]) -> list[list[Job]]:
    """Divide jobs by where and how they are to be run: studies that are swept over bring experiments of their own."""
    ways: dict[tuple[Any, ...], list[Job]] = {}
    for job in jobs:
        ways.setdefault(tuple(getattr(job.config, key) for key in NOT_PART_OF_A_RUN), []).append(job)
    return list(ways.values())


def _run(config: DictConfig, name: str, launcher: Launcher, jobs: Sequence[Job]) -> Ending | None:
    """Do what is left to do, and leave a parent run that says what came of it."""
    folder = Path(config.hydra.sweep.dir)
    with _in_folder(folder):
        disk.try_to_write(folder)  # before a store is made for a sweep that cannot be
    settings = jobs[0].config
    store = open_store(settings.experiment)
    folder = _make_folder(config)
    log_into_folder(config)
    interruption.check()
    name = name or str(config.hydra.job.config_name)
    artifacts = {"multirun.yaml": without_secrets(OmegaConf.to_yaml(config)).encode()}
    with SweepSession(settings, launcher, name, artifacts, folder, store) as session:
        session.run(jobs)
    if session.ending == "FINISHED":
        print("See it in the MLflow UI:  python -m experiments.sweeps ui")
        print("Draw its figures:         python -m analysis.figures sweep=latest")
    return session.ending


def _announce(jobs: Sequence[Job]) -> None:
    """Say what would be done."""
    ledger, settings = Ledger(jobs), jobs[0].config
    if settings.resume and (store := find_store(settings.experiment)) is not None:
        ledger.reuse(store.reader.outcomes())
    print(preview(list(ledger)))
    print(plan(list(ledger)))


@contextmanager
def _in_folder(folder: Path) -> Iterator[None]:
    """Say that a folder cannot be written to, in the terms of the key that names it."""
    try:
        yield
    except OSError as error:
        raise ConfigurationError(
            f"hydra.sweep.dir={folder}: valid is a folder to write to ({error.strerror})"
        ) from error


def _make_folder(config: DictConfig) -> Path:
    """Make the sweep's folder; its default name is the time, which sweeps that start together have in common."""
    wanted = Path(config.hydra.sweep.dir)
    chosen_by_user = any(override.startswith("hydra.sweep.dir=") for override in config.hydra.overrides.hydra)
    with _in_folder(wanted):
        wanted.parent.mkdir(parents=True, exist_ok=True)
        for number in itertools.count(1):
            folder = wanted if number == 1 else wanted.with_name(f"{wanted.name}-{number}")
            with suppress(FileExistsError):
                folder.mkdir(exist_ok=chosen_by_user)
                break
        with read_write(config.hydra), open_dict(config.hydra):
            config.hydra.sweep.dir = str(folder)
            config.hydra.runtime.output_dir = str(folder.absolute())
        (folder / "multirun.yaml").write_text(without_secrets(OmegaConf.to_yaml(config)), "utf-8")
    return folder
