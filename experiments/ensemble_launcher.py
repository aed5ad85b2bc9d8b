"""The launcher behind a bare ``-m``: compatible jobs train together, and are tracked a chunk at a time.

Hydra imports this module whenever it looks for plugins, even for ``--help``; what is slow to import waits for `train`.
"""

import logging
from collections.abc import Sequence
from typing import TYPE_CHECKING

from hydra.core.utils import JobReturn
from hydra.errors import CompactHydraException
from hydra.plugins.launcher import Launcher
from hydra.types import HydraContext, TaskFunction
from omegaconf import DictConfig

if TYPE_CHECKING:
    from experiments.jobs import Job
    from experiments.sweep import Sweep
    from tracking.store import Store

log = logging.getLogger(__name__)


class EnsembleLauncher(Launcher):
    """Trains a sweep's jobs as ensembles, in this process."""

    def setup(self, *, hydra_context: HydraContext, task_function: TaskFunction, config: DictConfig) -> None:
        """Nothing to set up: the sweeper hands over typed jobs."""

    def launch(self, job_overrides: Sequence[Sequence[str]], initial_job_idx: int) -> Sequence[JobReturn]:
        """Refuse: other sweepers hand over strings alone."""
        raise CompactHydraException("hydra/launcher=ensemble: valid is basic or joblib with a sweeper other than atlas")

    def train(self, jobs: "Sequence[Job]", sweep: "Sweep", store: "Store") -> None:
        """Train and track jobs.

        Raises
        ------
        Interrupted
            After the chunk in hand, if the user asked to stop.
        SweepStopped
            With ``fail_fast``, at the first failure.
        TrackingError
            If runs cannot be stored.
        """
        from tqdm.contrib.logging import logging_redirect_tqdm

        import nn_core
        from experiments import ensemble, interruption, progress, runs
        from experiments.sweep import SweepStopped

        advance = nn_core.engine(jobs[0].config.engine)
        with logging_redirect_tqdm(), progress.bar(len(jobs), "run", smoothing=0.1) as bar:

            def after_slice(epoch: int) -> None:
                bar.set_postfix_str(f"epoch {epoch:,}", refresh=False)
                bar.update(0)

            for units in ensemble.chunks(jobs):
                for outcomes in ensemble.train_chunk(units, advance, after_slice):
                    with interruption.held():
                        store.write([runs.record(o, sweep.run_name(o.job.params), sweep.run_tags) for o in outcomes])
                    bar.update(len(outcomes))
                    failed = [outcome for outcome in outcomes if outcome.error is not None]
                    for outcome in failed:
                        log.error("%s failed:\n%s", sweep.run_name(outcome.job.params), outcome.error)
                    if failed and outcomes[0].job.config.fail_fast:
                        raise SweepStopped
                interruption.check()
