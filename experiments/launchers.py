"""Who has a sweep's jobs done: together in this process, or one by one by a launcher of Hydra's.

Hydra imports this module whenever it looks for plugins, even for ``--help``; what is slow to import waits until it is
needed.
"""

import functools
import itertools
import logging
import warnings
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, cast

from hydra.core.hydra_config import HydraConfig
from hydra.core.utils import configure_log, setup_globals
from hydra.plugins.launcher import Launcher as HydraPlugin
from hydra.types import HydraContext, TaskFunction
from omegaconf import DictConfig

from experiments import interruption
from experiments.interruption import SweepStopped

if TYPE_CHECKING:
    from experiments.description import Parent
    from experiments.jobs import Job
    from tracking.store import Store

MOST_JOBS = 200_000
"""Jobs of a sweep, unless the user allows more."""

MOST_WORKERS = 1024
"""Processes of joblib's, which starts all that it is told to, be there jobs for them or not."""

log = logging.getLogger(__name__)
logging.raiseExceptions = False  # or a full disk would be told with a traceback for every line of the log


class Launcher(ABC):
    """Has jobs done; all launchers leave the same runs behind."""

    name: str  # what a user calls it

    def problems(self, jobs: "Sequence[Job]") -> list[str]:
        """Say what of these jobs it cannot do, and what would be valid; asked before there is any run."""
        return []

    @abstractmethod
    def run(self, jobs: "Sequence[Job]", parent: "Parent", store: "Store") -> None:
        """Do jobs that are different from each other, each a run of the parent's in the store.

        Raises `Interrupted` after the jobs in hand if the user asked to stop, `SweepStopped` at the first failure with
        ``fail_fast``, and `TrackingError` if runs cannot be stored.
        """


class EnsembleLauncher(Launcher):
    """Trains jobs as ensembles, in this process, and tracks them a chunk at a time."""

    name = "ensemble"

    def run(self, jobs: "Sequence[Job]", parent: "Parent", store: "Store") -> None:
        from tqdm.contrib.logging import logging_redirect_tqdm

        import nn_core
        from experiments import description, ensemble, progress

        advance = nn_core.engine(jobs[0].config.engine)
        with logging_redirect_tqdm(), progress.bar(len(jobs), "run", smoothing=0.1) as bar:

            def after_slice(epoch: int) -> None:
                bar.set_postfix_str(f"epoch {epoch:,}", refresh=False)
                bar.update(0)

            for units in ensemble.chunks(jobs):
                for trained in ensemble.train_chunk(units, advance, after_slice):
                    with interruption.held():
                        store.write([description.describe(one, parent.name(one.job), parent.tags) for one in trained])
                    bar.update(len(trained))
                    failed = [one for one in trained if one.error is not None]
                    for one in failed:
                        log.error("%s failed:\n%s", parent.name(one.job), one.error)
                    if failed and jobs[0].config.fail_fast:
                        raise SweepStopped
                interruption.check()


class HydraLauncher(Launcher):
    """Hands jobs to a launcher of Hydra's, which composes each from its overrides and calls the task with it.

    It is made of a plugin, and of what Hydra hands to a sweeper.
    """

    def __init__(
        self, plugin: HydraPlugin, hydra_context: HydraContext, task: TaskFunction, config: DictConfig
    ) -> None:
        self.name = str(config.hydra.runtime.choices["hydra/launcher"])
        self._plugin, self._context, self._task, self._config = plugin, hydra_context, task, config
        self._launched = 0

    def problems(self, jobs: "Sequence[Job]") -> list[str]:
        if len({job.overrides for job in jobs}) < len({job.config_hash for job in jobs}):
            told = "valid are jobs that differ in their overrides, all that Hydra is told"
            return [f"hydra/launcher={self.name}: {told}"]
        return _wrong_with_joblib(self._config.hydra.launcher) if self.name == "joblib" else []

    def run(self, jobs: "Sequence[Job]", parent: "Parent", store: "Store") -> None:
        task = cast("TaskFunction", functools.partial(cast("Callable[..., Any]", self._task), parent=parent))
        self._plugin.setup(hydra_context=self._context, task_function=task, config=self._config)
        first, self._launched = self._launched, self._launched + len(jobs)
        try:
            with interruption.not_for_children():
                self._plugin.launch(_UntilStopped(list(job.overrides) for job in jobs), initial_job_idx=first)
        finally:
            log_into_folder(self._config)  # job-by-job launchers leave the last job's logging behind


def _wrong_with_joblib(options: DictConfig) -> list[str]:
    """Have joblib judge its options, by putting its threads to work that is none."""
    import joblib
    from hydra_plugins.hydra_joblib_launcher._core import process_joblib_cfg

    if options.n_jobs > MOST_WORKERS:
        return [f"hydra.launcher.n_jobs={options.n_jobs}: valid are at most {MOST_WORKERS:,} processes"]
    given: dict[str, Any] = {str(key): value for key, value in options.items() if key != "_target_"}
    process_joblib_cfg(given)
    try:
        with warnings.catch_warnings(action="ignore"):  # of options that threads do without
            quiet = {**given, "backend": "threading", "verbose": 0}
            if joblib.Parallel(**quiet)(joblib.delayed(abs)(number) for number in range(3)) == [0, 1, 2]:
                return []
        why = "nothing would be done"
    except Exception as error:
        why = str(error)
    shown = next(
        (f"hydra.launcher.{key}={given[key]}" for key in given if why.startswith(key)), "hydra/launcher=joblib"
    )
    return [f"{shown}: valid is what joblib.Parallel takes ({why})"]


class _UntilStopped(list[list[str]]):
    """Jobs for a launcher to go through; once the user has asked to stop, there are no more."""

    def __iter__(self) -> Iterator[list[str]]:
        return itertools.takewhile(lambda _: not interruption.exit_code(), super().__iter__())


def log_into_folder(config: DictConfig) -> None:
    """Log into the sweep's folder, as Hydra's jobs do into theirs."""
    setup_globals()
    HydraConfig.instance().set_config(config)
    configure_log(config.hydra.job_logging, config.hydra.verbose)
