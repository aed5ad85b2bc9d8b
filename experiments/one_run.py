"""One job by itself: the task that Hydra calls for a single run, and that job-by-job launchers call for each job."""

import contextlib
import ctypes
import logging
import multiprocessing
import os
import signal
import sys

from hydra.core.hydra_config import HydraConfig
from omegaconf import DictConfig
from tqdm.contrib.logging import logging_redirect_tqdm

import nn_core
from experiments import description, ensemble, identity, interruption, progress
from experiments.description import Parent
from experiments.ensemble import Trained, Unit
from experiments.interruption import Interrupted, SweepStopped
from experiments.jobs import Job, refuse, typed
from experiments.validation import problems
from tracking.errors import TrackingError
from tracking.provenance import Provenance, provenance
from tracking.stale import Life, life
from tracking.store import open_store

log = logging.getLogger(__name__)

_PR_SET_PDEATHSIG = 1  # of prctl(2): the signal that a process gets when its parent ends


class JobFailedError(Exception):
    """A training raised. Its traceback is on the FAILED run and in the log; this tells the launcher."""


def train_one(composed: DictConfig, parent: Parent | None = None) -> None:
    """Train, track and report one run; one that belongs to no sweep prints its predictions.

    Raises `ConfigurationError` if it cannot run, and `Interrupted` if the user asked to stop; nothing has been created
    then. If training raised, or the run cannot be tracked, it raises `SystemExit`, or in a sweep `JobFailedError`, or
    `SweepStopped` where that is not to go on.
    """
    interruption.check()
    config = typed(composed)
    refuse(problems(config))
    job = Job((), config)
    # hydra.job.chdir moves jobs into folders of their own, but all share the store of the folder they were launched in.
    with contextlib.chdir(HydraConfig.get().runtime.cwd), logging_redirect_tqdm():
        if parent is None:
            _single(job)
        else:
            _of_sweep(job, parent)


def _single(job: Job) -> None:
    name = identity.run_name(job.params)
    if job.config.dry_run:
        print(f"Would train {name}: {' '.join(f'{key}={value}' for key, value in job.params.items())}")
        return
    engines = ensemble.engines([job.config])
    if why := ensemble.reason(engines):
        log.warning(why)
    made_by = provenance(engine=next(iter(engines)), launcher="none")
    try:
        trained, run_id = _train_and_track(job, name, made_by)
    except TrackingError as error:
        sys.exit(str(error))
    except Interrupted:
        print(f"\nStopped. To run it again: {made_by.tags['command']}", file=sys.stderr)
        raise
    if trained.error is not None:
        log.error("%s failed:\n%s", name, trained.error)
        sys.exit(1)
    print(description.report(job.config, trained.results))
    if not run_id:
        sys.exit(1)
    print(f"Run {run_id}; to see it: python -m experiments.sweeps ui")


def _of_sweep(job: Job, parent: Parent) -> None:
    name = parent.name(job)
    _end_with(parent)
    try:
        trained, _ = _train_and_track(job, name, parent)
    except TrackingError as error:
        log.error("%s: %s", name, error)
        raise SweepStopped from error
    if trained.error is not None:
        log.error("%s failed:\n%s", name, trained.error)
        raise SweepStopped if job.config.fail_fast else JobFailedError(trained.error)
    log.info("%s: %s", name, ", ".join(sorted({result.status.value for result in trained.results})))


def _end_with(parent: Parent) -> None:
    """End this process at once if that of its sweep has ended, which `kill -9` leaves it no time to say.

    On Linux the system does so by itself from now on, if it is a process of that one's.
    """
    if sys.platform == "linux" and os.getppid() == int(parent.process["pid"]):
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if life(parent.process) is Life.DEAD:
        os._exit(1)


def _train_and_track(job: Job, name: str, origin: Parent | Provenance) -> tuple[Trained, str]:
    """Do a job; returns its run's id, too, or no id if the server was away and the run is kept on disk."""
    store = open_store(job.config.experiment)
    trained = _train(job)
    record = description.describe(trained, name, origin.tags, origin.artifacts)
    if isinstance(origin, Parent):
        _end_with(origin)
    with interruption.held():
        (run_id,) = store.write([record])
    return trained, run_id


def _train(job: Job) -> Trained:
    """Train a job, showing how far it is when that takes a while and nobody else does so in the same terminal."""
    hidden = multiprocessing.parent_process() is not None
    with progress.bar(job.config.epochs, "epoch", delay=1.0, leave=False, disable=hidden) as bar:

        def after_slice(epoch: int) -> None:
            bar.update(epoch - bar.n)

        advance = nn_core.engine(job.config.engine)
        ((trained,),) = ensemble.train_chunk([Unit((job,))], advance, after_slice)
    return trained
