"""The one place where Hydra discovers this project's plugins; their logic is in `experiments`."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from hydra.core.config_store import ConfigStore
from hydra.core.utils import JobReturn
from hydra.errors import CompactHydraException
from hydra.plugins.launcher import Launcher
from hydra.plugins.sweeper import Sweeper
from hydra.types import HydraContext, TaskFunction
from omegaconf import DictConfig

from experiments import launchers


class EnsembleLauncher(launchers.EnsembleLauncher, Launcher):
    """``hydra/launcher=ensemble``; the sweeper hands it typed jobs."""

    def setup(self, *, hydra_context: HydraContext, task_function: TaskFunction, config: DictConfig) -> None:
        """Nothing to set up."""

    def launch(self, job_overrides: Sequence[Sequence[str]], initial_job_idx: int) -> Sequence[JobReturn]:
        """Refuse: other sweepers hand over strings alone."""
        raise CompactHydraException("hydra/launcher=ensemble: valid is basic or joblib with a sweeper other than atlas")


class AtlasSweeper(Sweeper):
    """``hydra/sweeper=atlas``; see `experiments.sweeper`."""

    def __init__(self, params: dict[str, Any], max_jobs: int) -> None:
        self._max_jobs = max_jobs  # `params` are read from each composed configuration: every study brings its own

    def setup(self, *, hydra_context: HydraContext, task_function: TaskFunction, config: DictConfig) -> None:
        """Keep what Hydra hands over."""
        self._hydra_context, self._task_function, self._config = hydra_context, task_function, config

    def sweep(self, arguments: list[str]) -> None:
        """Run the sweep that a command line asks for."""
        from experiments.sweeper import run_sweep  # slow to import, and Hydra imports this module for --help, too

        run_sweep(self._hydra_context, self._task_function, self._config, arguments, self._max_jobs)


@dataclass
class _SweeperOptions:
    _target_: str = "hydra_plugins.atlas.AtlasSweeper"
    params: dict[str, Any] = field(default_factory=dict)
    max_jobs: int = launchers.MOST_JOBS


@dataclass
class _LauncherOptions:
    _target_: str = "hydra_plugins.atlas.EnsembleLauncher"


_STORE = ConfigStore.instance()
_STORE.store(group="hydra/sweeper", name="atlas", node=_SweeperOptions, provider="convergence-atlas")
_STORE.store(group="hydra/launcher", name="ensemble", node=_LauncherOptions, provider="convergence-atlas")
