"""A sweep's home.

Creates store, experiment and parent run, validates every job, decides what is left to do, has it done by a launcher,
and closes the parent whatever happens. What came of the jobs is read back from the store, so that all launchers are
believed alike.
"""

import functools
import logging
import shlex
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Literal

from hydra.core.hydra_config import HydraConfig
from hydra.core.plugins import Plugins
from hydra.core.utils import configure_log, setup_globals
from hydra.types import HydraContext, TaskFunction
from omegaconf import DictConfig, OmegaConf, open_dict, read_write

from experiments import jobs as command_line
from experiments import summary
from experiments.ensemble_launcher import EnsembleLauncher
from experiments.interruption import Interrupted, Interruption
from experiments.jobs import ConfigurationError, Job
from experiments.sweep import JobsFailed, Sweep
from experiments.tracking import outcomes
from experiments.tracking.errors import TrackingError
from experiments.tracking.provenance import provenance
from experiments.tracking.record import LONGEST_TAG, RunUpdate
from experiments.tracking.store import Store, find_store, open_store
from experiments.validation import sweep_problems

log = logging.getLogger(__name__)

LONGEST_LIST = 20
"""Failed jobs that are listed one by one."""

Ending = Literal["FINISHED", "FAILED", "KILLED"]

Runs = dict[str, tuple[str, str]]
"""From config_hash to run id and origin: new, reused or failed."""


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
    SystemExit
        With 1 if a job failed or could not be tracked, 130 after Ctrl-C, 143 after SIGTERM.
    """
    jobs = command_line.expand(
        hydra_context.config_loader,
        config.hydra.job.config_name,
        list(config.hydra.overrides.hydra),
        arguments,
        max_jobs,
    )
    if problems := sweep_problems([job.config for job in jobs], [job.config_hash for job in jobs]):
        raise ConfigurationError("\n".join(problems))
    settings = jobs[0].config
    hashes = [job.config_hash for job in jobs]
    if settings.dry_run:
        _dry_run(jobs)
        return

    store = open_store(settings.experiment)
    finished = store.finished(hashes) if settings.resume else {}
    failed = store.failed(hashes) if settings.resume else {}
    to_do = [job for job in jobs if job.config_hash not in finished]
    _set_up_logging(config)
    log.info(summary.plan_line(len(jobs), len(to_do), len(finished), sum(j.config_hash in failed for j in to_do)))

    keys = summary.swept_keys(jobs)
    made_by = provenance(engine=settings.engine, launcher=config.hydra.runtime.choices["hydra/launcher"])
    reused: Runs = {config_hash: (run_id, "reused") for config_hash, run_id in finished.items()}
    parent = store.start_parent(_sweep_name(arguments, config), {"kind": "sweep", **made_by.tags})
    ending: Ending = "FAILED"
    with Interruption(None if _in_other_processes(config) else "the runs in hand") as interruption:
        try:
            store.update_parent(
                parent, RunUpdate(artifacts={**made_by.artifacts, **_plan_artifacts(config, jobs, reused)})
            )
            ending = _launch(hydra_context, task, config, to_do, Sweep(parent, keys), store, interruption)
        finally:
            ending = _close(config, store, parent, jobs, keys, reused, ending)
    if ending == "KILLED":
        log.warning("Stopped. To go on from here: %s", made_by.tags["command"])
        raise SystemExit(interruption.exit_code)
    if ending == "FAILED":
        raise SystemExit(1)


def _dry_run(jobs: Sequence[Job]) -> None:
    store = find_store(jobs[0].config.experiment)
    hashes = [job.config_hash for job in jobs]
    finished = store.finished(hashes) if store and jobs[0].config.resume else {}
    failed = store.failed(hashes) if store and jobs[0].config.resume else {}
    to_do = [job for job in jobs if job.config_hash not in finished]
    print(summary.plan_table(jobs, finished, failed))
    print(summary.plan_line(len(jobs), len(to_do), len(finished), sum(j.config_hash in failed for j in to_do)))


def _set_up_logging(config: DictConfig) -> None:
    """Log into the sweep's folder, as Hydra's jobs do into theirs."""
    setup_globals()
    sweep_dir = Path(config.hydra.sweep.dir)
    sweep_dir.mkdir(parents=True, exist_ok=True)
    with read_write(config.hydra.runtime), open_dict(config.hydra.runtime):
        config.hydra.runtime.output_dir = str(sweep_dir.absolute())
    HydraConfig.instance().set_config(config)
    configure_log(config.hydra.job_logging, config.hydra.verbose)
    OmegaConf.save(config, sweep_dir / "multirun.yaml")


def _sweep_name(arguments: Sequence[str], config: DictConfig) -> str:
    return " ".join(arguments) or str(config.hydra.job.config_name)


def _in_other_processes(config: DictConfig) -> bool:
    """Whether Ctrl-C reaches the jobs by itself, so that there is nothing to finish here."""
    return config.hydra.runtime.choices["hydra/launcher"] not in {"ensemble", "basic"}


def _plan_artifacts(config: DictConfig, jobs: Sequence[Job], runs: Runs) -> dict[str, bytes]:
    return {"multirun.yaml": OmegaConf.to_yaml(config).encode(), "jobs.csv": summary.jobs_csv(jobs, runs)}


def _launch(
    hydra_context: HydraContext,
    task: TaskFunction,
    config: DictConfig,
    jobs: Sequence[Job],
    sweep: Sweep,
    store: Store,
    interruption: Interruption,
) -> Ending:
    """Have the jobs done; whether they succeeded is another question."""
    if not jobs:
        return "FINISHED"
    in_process = None if _in_other_processes(config) else interruption
    launcher = Plugins.instance().instantiate_launcher(
        hydra_context=hydra_context,
        task_function=functools.partial(task, sweep=sweep, interruption=in_process),
        config=config,
    )
    try:
        if isinstance(launcher, EnsembleLauncher):
            launcher.train(jobs, sweep, store, interruption)
        else:
            launcher.launch([list(job.overrides) for job in jobs], initial_job_idx=0)
            _set_up_logging(config)  # job-by-job launchers leave the last job's behind
    except Interrupted:
        return "KILLED"
    except JobsFailed:
        return "FAILED"
    except TrackingError as error:
        log.error("%s", error)
        return "FAILED"
    return "FINISHED"


def _close(
    config: DictConfig,
    store: Store,
    parent: str,
    jobs: Sequence[Job],
    keys: Sequence[str],
    reused: Runs,
    ending: Ending,
) -> Ending:
    """Read back what came of the jobs, write it on the parent run, and end that."""
    made = outcomes.children(store, parent)
    runs: Runs = {
        **reused,
        **{h: (child.run_id, "new") for h, child in made.items() if child.status == "FINISHED"},
        **{h: (child.run_id, "failed") for h, child in made.items() if child.status == "FAILED"},
    }
    failed = [job for job in jobs if runs.get(job.config_hash, ("", ""))[1] == "failed"]
    missing = [job for job in jobs if job.config_hash not in runs]
    if ending == "FINISHED" and (failed or missing):
        ending = "FAILED"
    counts = {
        "jobs": len(jobs),
        "finished": sum(origin == "new" for _, origin in runs.values()),
        "reused": len(reused),
        "failed": len(failed),
    }
    rates = outcomes.convergence_rates(store, [run_id for run_id, _ in runs.values()])
    successes = {
        job.config_hash: (round(rates[run_id] * job.config.trials), job.config.trials)
        for job in jobs
        for run_id, _ in [runs.get(job.config_hash, ("", ""))]
        if run_id in rates
    }
    table = summary.convergence_table(jobs, keys, successes)
    jobs_csv = summary.jobs_csv(jobs, runs)
    (Path(config.hydra.sweep.dir) / "jobs.csv").write_bytes(jobs_csv)
    store.update_parent(
        parent,
        RunUpdate(
            metrics=counts,
            tags={"mlflow.note.content": _note(counts, table)},
            artifacts={"jobs.csv": jobs_csv},
            status=ending,
        ),
    )
    store.analyze()
    _report(counts, table, failed, missing if ending == "FAILED" else [])
    return ending


def _note(counts: Mapping[str, int], table: str) -> str:
    listed = ", ".join(f"{count:,} {what}" for what, count in counts.items())
    note = f"{listed}\n\n{table}"
    return note if len(note) <= LONGEST_TAG else f"{note[: LONGEST_TAG - 40].rsplit(chr(10), 1)[0]}\n\n... and more."


def _report(counts: Mapping[str, int], table: str, failed: Sequence[Job], missing: Sequence[Job]) -> None:
    print(f"\n{table}\n")
    log.info(", ".join(f"{count:,} {what}" for what, count in counts.items()))
    for what, group in (("failed", failed), ("left no run", missing)):
        for job in group[:LONGEST_LIST]:
            log.error("%s: python -m experiments.train %s", what, shlex.join(job.overrides))
        if len(group) > LONGEST_LIST:
            log.error("... and %s more that %s; all are in jobs.csv", f"{len(group) - LONGEST_LIST:,}", what)
    if not failed and not missing:
        print("See it in the MLflow UI:  python -m experiments.sweeps ui")
        print("Draw its figures:         python -m analysis.figures sweep=latest")
