"""Training many jobs together: each network trained once, in chunks, and each chunk tracked and forgotten."""

import traceback
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from operator import attrgetter

import numpy as np

import nn_core
from experiments import memory
from experiments.config import Config, condition, hidden_layers, seeds
from experiments.jobs import Job
from nn_core import Advance, Result, State
from tracking.record import now_ms

NETWORKS_PER_CHUNK = 1024
"""Enough to fill the kernel's blocks on many cores, few enough to be stored in one transaction."""

BYTES_PER_CHUNK = 2**29
"""Memory stays flat. A run whose networks take more is a chunk of its own."""


@dataclass(frozen=True)
class Unit:
    """Jobs, by ascending cut-off, that differ in nothing else: the same networks, read at different epochs."""

    jobs: tuple[Job, ...]

    @property
    def networks(self) -> int:
        """How many networks the unit trains: the trials of its jobs."""
        return self.jobs[0].config.trials


@dataclass(frozen=True)
class Trained:
    """A job that is over: one result per trial, or the traceback of what went wrong."""

    job: Job
    results: tuple[Result, ...]
    error: str | None
    start_ms: int
    end_ms: int


def engines(configs: Iterable[Config]) -> dict[str, set[str]]:
    """Say which engines train configurations, each with the choices that leave no other engine.

    Such as ``{"numba": set(), "numpy": {"criterion=gradient_norm"}}``.
    """
    # Of thousands of configurations, few differ in what decides that.
    deciding = {(c.engine, c.activation, c.loss, c.update, type(c.optimizer), type(c.criterion)): c for c in configs}
    found: dict[str, set[str]] = {}
    for config in deciding.values():
        parts = condition(config).parts
        lacking = nn_core.without_twin(parts) if config.engine == "auto" else []
        choices = found.setdefault(nn_core.choose(config.engine, parts), set())
        choices.update(f"{part.kind}={part.name}" for part in lacking)
    return found


def other_engines(configs: Iterable[Config], made_by: str) -> Iterator[str]:
    """Say which engine trained each of some configurations, as far as it is not the one that would train it now.

    They were `made_by` an engine, or by several (``numba, numpy``), which is what ``engine=auto`` makes of a sweep.
    """
    for config in configs:
        parts = condition(config).parts
        theirs = nn_core.choose("auto" if "," in made_by else made_by, parts)
        if theirs in nn_core.ENGINES and theirs != nn_core.choose(config.engine, parts):
            yield theirs


def reason(engines: dict[str, set[str]]) -> str:
    """Say why some networks train in the reference, unless that was asked for; empty if none do."""
    lacking = sorted(engines.get("numpy", ()))
    return f"{' and '.join(lacking)}: no compiled twin, so the slower NumPy reference trains" if lacking else ""


def family(config: Config) -> str:
    """What must be equal for networks to train together.

    Those of one family differ in nothing but their weights, the optimizer's numbers and the cut-off.
    """
    optimizer = replace(config.optimizer, **dict.fromkeys(config.optimizer.numbers(), 0.0))
    hidden = hidden_layers(config.hidden)
    return repr(replace(config, lr=0.0, seed=0, trials=1, epochs=0, hidden=hidden, init=None, optimizer=optimizer))


def start(configs: Sequence[Config]) -> State:
    """Put the trials of configurations of one `family` at epoch 0, in the order of the configurations."""
    conditions = [condition(config) for config in configs]
    weights = [
        nn_core.initial_ensemble(one.initializer, one.fans, seeds(config))
        for one, config in zip(conditions, configs, strict=True)
    ]
    trials = [config.trials for config in configs]
    training, optimizer = conditions[0].training, conditions[0].optimizer
    each = {
        name: np.repeat([getattr(one.optimizer, name) for one in conditions], trials) for name in optimizer.numbers()
    }
    together = [np.concatenate(matrices) for matrices in zip(*weights, strict=True)]
    return nn_core.start(training, replace(optimizer, **each), together)


def chunks(jobs: Iterable[Job]) -> Iterator[list[Unit]]:
    """Divide jobs into what trains together; the jobs of a chunk have all it takes in common."""
    families: dict[str, dict[tuple[str, ...], list[Job]]] = {}
    for job in jobs:
        same_networks = tuple(value for key, value in job.params.items() if key != "epochs")
        families.setdefault(family(job.config), {}).setdefault(same_networks, []).append(job)
    for units in families.values():
        longest = max((job.config for together in units.values() for job in together), key=attrgetter("epochs"))
        most = _networks_at_once(longest)
        room = 0
        chunk: list[Unit] = []
        for together in units.values():
            unit = Unit(tuple(sorted(together, key=lambda job: job.config.epochs)))
            if unit.networks > room:
                if chunk:
                    yield chunk
                room, chunk = most, []
            chunk.append(unit)
            room -= unit.networks
        yield chunk


def _networks_at_once(config: Config) -> int:
    """How many networks are trained together where each is like that of a configuration."""
    networks = NETWORKS_PER_CHUNK
    while networks > 1 and memory.of_jobs(replace(config, trials=1), networks) > BYTES_PER_CHUNK:
        networks //= 2
    return networks


def train_chunk(units: Sequence[Unit], advance: Advance, after_slice: Callable[[int], None]) -> Iterator[list[Trained]]:
    """Train a chunk from cut-off to cut-off, yielding the jobs that end at each.

    If anything raises, the units are tried again one by one, so that one that cannot be trained does not take the
    others with it.
    """
    done: set[str] = set()
    try:
        for trained in _train(units, advance, after_slice):
            yield trained
            done.update(one.job.config_hash for one in trained)
    except Exception:
        left = [Unit(tuple(job for job in unit.jobs if job.config_hash not in done)) for unit in units]
        left = [unit for unit in left if unit.jobs]
        if len(left) > 1:
            for unit in left:
                yield from train_chunk([unit], advance, after_slice)
            return
        now = now_ms()
        yield [Trained(job, (), traceback.format_exc(), now, now) for job in left[0].jobs]


def _train(units: Sequence[Unit], advance: Advance, after_slice: Callable[[int], None]) -> Iterator[list[Trained]]:
    start_ms = now_ms()
    state = start([unit.jobs[0].config for unit in units])
    owner = np.repeat(np.arange(len(units)), [unit.networks for unit in units])
    last_cutoff = np.array([unit.jobs[-1].config.epochs for unit in units])
    pace = nn_core.Pace()
    for cutoff in sorted({job.config.epochs for unit in units for job in unit.jobs}):
        state = nn_core.train(state, cutoff, advance, after_slice, pace)
        ending = {u: job for u, unit in enumerate(units) for job in unit.jobs if job.config.epochs == cutoff}
        # Stopped units may have had their last cut-off before; `owner` holds those that still train.
        read = np.flatnonzero(np.isin(owner, list(ending)))
        results = nn_core.results(state if len(read) == state.networks else state.take(read))
        by_unit: dict[int, list[Result]] = {u: [] for u in ending}
        for u, result in zip(owner[read].tolist(), results, strict=True):
            by_unit[u].append(result)
        end_ms = now_ms()
        yield [Trained(job, tuple(by_unit[u]), None, start_ms, end_ms) for u, job in ending.items()]
        going_on = np.flatnonzero(last_cutoff[owner] > cutoff)
        if len(going_on) < len(owner):
            state, owner = state.take(going_on), owner[going_on]
