"""One job by itself: the task that Hydra calls for a single run, and that job-by-job launchers call for each job."""

import logging
import sys

from omegaconf import DictConfig
from tqdm import tqdm

import nn_core
from experiments import ensemble, identity, runs
from experiments.ensemble import Outcome, Unit
from experiments.interruption import Interrupted, Interruption
from experiments.jobs import ConfigurationError, Job, typed
from experiments.sweep import JobsFailed, Sweep
from experiments.tracking.provenance import provenance
from experiments.tracking.record import RunRecord
from experiments.tracking.store import open_store
from experiments.validation import problems

log = logging.getLogger(__name__)


class TrainingFailedError(Exception):
    """A training raised; the message is the traceback, which is on the FAILED run, too."""


def train_one(composed: DictConfig, sweep: Sweep | None = None, interruption: Interruption | None = None) -> None:
    """Train, track and report one run.

    Parameters
    ----------
    composed : DictConfig
        The configuration, as Hydra composed it.
    sweep : Sweep or None
        The sweep that the run belongs to; without one, its predictions are printed.
    interruption : Interruption or None
        That of the sweep, where it runs in this process.

    Raises
    ------
    ConfigurationError
        If the configuration cannot run; nothing has been created then.
    TrackingError
        If the run cannot be tracked.
    TrainingFailedError
        If the training raised.
    JobsFailed
        Instead, in a sweep with ``fail_fast``.
    """
    if interruption is not None:
        interruption.check()
    config = typed(composed)
    if found := problems(config):
        raise ConfigurationError("\n".join(found))
    flat = identity.params(config)
    job = Job((), config, flat, identity.config_hash(flat))
    if sweep is None and config.dry_run:
        print(f"Would train {identity.run_name(flat)}: {' '.join(f'{k}={v}' for k, v in flat.items())}")
        return

    if sweep is None:
        outcome, record = _single_run(job)
    else:
        outcome = _trained(job)
        record = runs.record(outcome, sweep.run_name(flat), sweep.run_tags)
    (run_id,) = open_store(config.experiment).write([record])

    if outcome.error is not None:
        log.error("%s failed:\n%s", record.name, outcome.error)
        if sweep is not None and config.fail_fast:
            raise JobsFailed
        raise TrainingFailedError(outcome.error)
    if sweep is not None:
        log.info("%s: %s", record.name, ", ".join(sorted({result.status.value for result in outcome.results})))
        return
    print(runs.report(config, outcome.results))
    print(f"Run {run_id}; to see it: python -m experiments.sweeps ui")


def _single_run(job: Job) -> tuple[Outcome, RunRecord]:
    """Train a run that belongs to no sweep: it carries its own provenance, and Ctrl-C ends it."""
    made_by = provenance(engine=job.config.engine, launcher="none")
    try:
        with Interruption(None) as interruption:
            outcome = _trained(job)
    except Interrupted:
        print(f"Stopped; nothing was tracked. To run it again: {made_by.tags['command']}", file=sys.stderr)
        raise SystemExit(interruption.exit_code) from None
    return outcome, runs.record(outcome, identity.run_name(job.params), made_by.tags, made_by.artifacts)


def _trained(job: Job) -> Outcome:
    """Train a job, showing how far it is when that takes a while."""
    with tqdm(total=job.config.epochs, unit="epoch", delay=1.0, leave=False, dynamic_ncols=True) as bar:

        def after_slice(epoch: int) -> None:
            bar.update(epoch - bar.n)

        advance = nn_core.engine(job.config.engine)
        ((outcome,),) = ensemble.train_chunk([Unit((job,))], advance, after_slice)
    return outcome
