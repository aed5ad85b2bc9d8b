"""What Hydra cannot check: ranges, and settings that contradict each other.

Every problem is one line that names the key, its value and what would be valid; all of a configuration's problems are
found together, before anything runs. What is valid is declared with each key and part; here it is asked for.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import Field, fields
from difflib import get_close_matches
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from experiments.config import Config, condition, entries
from experiments.identity import literal, run_name
from nn_core import without_twin
from tracking.record import LONGEST_PARAM

if TYPE_CHECKING:
    from experiments.jobs import Job

_SEED = next(entry for entry in fields(Config) if entry.name == "seed")

MOST_OF_A_KEY = 5
"""Bad values of a key that a sweep's problems list one by one."""


def problems(config: Config) -> list[str]:
    """Everything that is wrong with a configuration; empty if it can run."""
    found = [problem for key, entry, value in entries(config) for problem in _invalid(key, entry, value)]
    # What contradicts what can only be told of values that make sense by themselves.
    return found or list(_contradictions(config))


def _invalid(key: str, entry: Field[Any], value: Any) -> Iterator[str]:
    """Compare a value with what its declaration calls valid."""
    if "names" in entry.metadata:
        yield from _unknown_name(key, value, list(entry.metadata["names"]()))
    elif (valid := entry.metadata.get("valid")) is not None:
        if not valid.holds(value):
            shown = entry.metadata.get("shown", literal)(value)
            yield f"{key}={shown}: valid is {valid.words}"
        elif isinstance(value, list | tuple) and len(literal(value)) > LONGEST_PARAM:
            yield f"{key} has {len(value)} numbers: valid are as many as {LONGEST_PARAM} characters hold"


def _unknown_name(key: str, value: str, names: Sequence[str]) -> Iterator[str]:
    if value not in names:
        close = get_close_matches(str(value), names, n=1)
        hint = f"; did you mean {close[0]}?" if close else ""
        yield f"{key}={literal(value)}: valid is one of {', '.join(names)}{hint}"


def _contradictions(config: Config) -> Iterator[str]:
    complete = condition(config)
    yield from complete.problems()
    init, update = complete.initializer, complete.training.update
    if config.trials > 1 and not init.is_random:
        yield f"trials={config.trials} with init={init.name}: valid is trials=1, all trials would be the same network"
    if config.order_seed and not update.is_seeded:
        yield f"order_seed={config.order_seed} with update={update.name}: valid is 0, patterns are shown in their order"
    if config.engine == "numba":
        for lacking in without_twin(complete.parts):
            yield (
                f"engine=numba with {lacking.kind}={lacking.name}: valid is engine=auto or engine=numpy, there is no "
                f"compiled {lacking.name}"
            )


def sweep_problems(jobs: "Sequence[Job]") -> list[str]:
    """Everything that is wrong with the jobs of a grid, taken one by one and together."""
    return job_problems(jobs) or list(_duplicates(jobs)) or list(_overlaps(jobs))


def job_problems(jobs: "Sequence[Job]") -> list[str]:
    """Everything that is wrong with jobs, taken one by one."""
    by_message: dict[str, int] = {}
    found: dict[tuple[str, ...], list[str]] = {}  # the same for all seeds, of which there are most
    for job in jobs:
        config = job.config
        seed = "" if _SEED.metadata["valid"].holds(config.seed) else str(config.seed)
        alike = (seed, config.experiment, config.engine, *_values(job, but=("seed",)))
        if alike not in found:
            found[alike] = problems(config)
        for problem in found[alike]:
            by_message[problem] = by_message.get(problem, 0) + 1
    return list(_abridged(by_message, len(jobs)))


def _values(job: "Job", but: Sequence[str]) -> tuple[str, ...]:
    """Values of a job's params, but for some."""
    return tuple([value for key, value in job.params.items() if key not in but])


def _abridged(by_message: Mapping[str, int], jobs: int) -> Iterable[str]:
    """Say each problem once, with the number of jobs that have it; of many values of a key only the first few."""
    by_key: dict[str, list[str]] = {}
    for message, count in by_message.items():
        by_key.setdefault(message.partition("=")[0], []).append(f"{message}  ({count:,} of {jobs:,} jobs)")
    for key, messages in by_key.items():
        yield from messages[:MOST_OF_A_KEY]
        if len(messages) > MOST_OF_A_KEY:
            yield f"... and {len(messages) - MOST_OF_A_KEY:,} more values of {key}"


def _duplicates(jobs: "Sequence[Job]") -> Iterable[str]:
    seen: dict[str, int] = {}
    again = [number for number, job in enumerate(jobs) if seen.setdefault(job.config_hash, number) != number]
    if again:
        job = jobs[again[0]]
        yield (
            f"{len(jobs):,} jobs, {len(seen):,} different: jobs {seen[job.config_hash]} and {again[0]}, for one, are "
            f"both {run_name(job.params)}; valid is to give every value once"
        )


def _overlaps(jobs: "Sequence[Job]") -> Iterable[str]:
    """Find jobs that would train the same network twice, because their seeds overlap or do not matter."""
    spans: dict[tuple[str, ...], list[tuple[int, int]]] = {}
    for job in jobs:
        config, shared = job.config, _values(job, but=("seed", "trials"))
        spans.setdefault(shared, []).append((config.seed, config.trials))
        if not config.init.is_random and len(spans[shared]) > 1:
            (seed, _), (other, _) = spans[shared]
            yield f"seed={seed},{other} with init={config.init.name}: valid is one seed, all would be the same network"
            return
    for networks in spans.values():
        networks.sort()
        for (seed, trials), (next_seed, next_trials) in pairwise(networks):
            if seed + trials > next_seed:
                apart = max(trials for _, trials in networks)
                last = min(seed + trials, next_seed + next_trials) - 1
                twice = f"seed {last}" if last == next_seed else f"seeds {next_seed} to {last}"
                yield (
                    f"seed={seed} trials={trials} and seed={next_seed} trials={next_trials} both train {twice}: valid "
                    f"are seeds at least {apart} apart, such as seed=range(0,{apart * len(networks)},{apart})"
                )
                return
