"""What is wrong with jobs that are to be run together, told before any of them is."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import pairwise
from operator import attrgetter

from experiments import validation
from experiments.identity import run_name
from experiments.jobs import MOST_OF_A_KEY, Job


def problems(jobs: Sequence[Job]) -> list[str]:
    """Everything that is wrong with jobs, taken one by one."""
    by_message: Counter[str] = Counter()
    for members in _conditions(jobs):
        # What is valid of seeds and trials are ranges: if the ends are, all between them is.
        ends = [end(members, key=attrgetter(f"config.{key}")) for key in ("seed", "trials") for end in (min, max)]
        if any(validation.problems(job.config) for job in {id(job): job for job in ends}.values()):
            by_message.update(problem for job in members for problem in validation.problems(job.config))
    return list(_abridged(by_message, len(jobs)))


def grid_problems(jobs: Sequence[Job]) -> list[str]:
    """Everything that is wrong with the jobs of a grid, taken one by one and together."""
    return problems(jobs) or list(_duplicates(jobs)) or list(_overlaps(jobs))


def _conditions(jobs: Iterable[Job]) -> Iterable[Sequence[Job]]:
    """Put jobs together that differ in nothing but their seeds and the number of their trials."""
    found: dict[tuple[str, ...], list[Job]] = {}
    for job in jobs:
        shared = {**job.params, "seed": "", "trials": ""}
        # As params, the width 4 and the text '4' are alike; only one of them is valid.
        found.setdefault((repr(job.config.hidden), *shared, *shared.values()), []).append(job)
    return found.values()


def _abridged(by_message: Mapping[str, int], jobs: int) -> Iterator[str]:
    """Say each problem once, with the number of jobs that have it; of many values of a key only the first few."""
    by_key: dict[str, list[str]] = {}
    for message, count in by_message.items():
        by_key.setdefault(message.partition("=")[0], []).append(f"{message}  ({count:,} of {jobs:,} jobs)")
    for key, messages in by_key.items():
        yield from messages[:MOST_OF_A_KEY]
        if len(messages) > MOST_OF_A_KEY:
            yield f"... and {len(messages) - MOST_OF_A_KEY:,} more values of {key}"


def _duplicates(jobs: Sequence[Job]) -> Iterator[str]:
    seen: dict[str, int] = {}
    again = [number for number, job in enumerate(jobs) if seen.setdefault(job.config_hash, number) != number]
    if again:
        job = jobs[again[0]]
        yield (
            f"{len(jobs):,} jobs, {len(seen):,} different: jobs {seen[job.config_hash]} and {again[0]}, for one, are "
            f"both {run_name(job.params)}; valid is to give every value once"
        )


def _overlaps(jobs: Sequence[Job]) -> Iterator[str]:
    """Find jobs that would train the same network twice, because their seeds overlap or do not matter."""
    for members in _conditions(jobs):
        networks = sorted((job.config.seed, job.config.trials) for job in members)
        first = members[0].config
        if not first.init.is_random and len(members) > 1:
            both = f"seed={first.seed},{members[1].config.seed}"
            yield f"{both} with init={first.init.name}: valid is one seed, all would be the same network"
            return
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
