"""Try a sweep's best conditions again on fresh seeds: ``python -m experiments.confirm sweep=latest best=3``.

What is the best of many in a sweep owes some of that to the luck of its seeds. On seeds that had no part in the picking
it shows what it is worth, and its intervals hold what they promise.
"""

import difflib
import logging
import re
import sys
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, fields, replace

from hydra import initialize_config_dir
from hydra.core.global_hydra import GlobalHydra
from hydra.errors import HydraException

from experiments import batches, config, interruption, startup, trust
from experiments.conditions import RANKINGS, of_sweep, ranked
from experiments.config import Config
from experiments.jobs import Job, expand, refuse
from experiments.launchers import MOST_JOBS, EnsembleLauncher
from experiments.leaderboard import beside
from experiments.session import SweepSession
from nn_core import ENGINES
from tracking import names
from tracking.errors import TrackingError
from tracking.lookup import find_sweep
from tracking.store import find_stores, open_store
from tracking.terminal import printing

USAGE = """usage: python -m experiments.confirm [key=value ...]

Run the best conditions of a sweep again on seeds that had no part in picking them, and say what they come to. It is a
sweep of its own, which knows the one that it confirms: the report of that one shows both.

  sweep       latest (the default), a run id, the beginning of one, or a name
  best        how many conditions to run, 3 by default; none whose networks unlearn
  by          what they are the best by: ert (the default), median, rate or final_loss
  seed        seeds that the sweep does not have, such as 'seed=range(1000,1100)', in Hydra's notation; by default the
              first hundred from the next thousand on"""

DEFAULT_SEEDS = 100


@dataclass(frozen=True)
class Options:
    """What the command can be told."""

    sweep: str = "latest"
    best: str = "3"
    by: str = "ert"
    seed: str = ""


def parse(arguments: Sequence[str]) -> Options:
    """Read ``key=value`` arguments; raises `ConfigurationError` that names all that is wrong with them."""
    keys = [entry.name for entry in fields(Options)]
    given, problems = {}, []
    for argument in arguments:
        key, equals, given[key] = argument.partition("=")
        if not equals or key not in keys:
            close = difflib.get_close_matches(key, keys, 1)
            meant = f", did you mean {close[0]}?" if close else ""
            problems.append(f"{argument}: no such key{meant}; valid are {', '.join(f'{key}=...' for key in keys)}")
    if not re.fullmatch("[1-9][0-9]{0,5}", given.get("best", Options.best)):
        problems.append(f"best={given['best']}: valid is a whole number from 1 on")
    if (by := given.get("by", Options.by)) not in RANKINGS:
        problems.append(f"by={by}: valid is one of {', '.join(RANKINGS)}")
    refuse(problems)
    return Options(**given)


def main(arguments: Sequence[str]) -> int:
    """Run the command line; returns the exit code."""
    if {"-h", "--help"} & set(arguments):
        print(USAGE)
        return 0
    try:
        return confirm(parse(arguments))
    except (HydraException, TrackingError) as error:
        print(error, file=sys.stderr)
        return 1
    except interruption.Interrupted:
        return interruption.exit_code()


def confirm(options: Options) -> int:
    """Do it; returns the exit code. Raises `ConfigurationError` before anything runs, or `TrackingError`."""
    store, sweep = find_sweep(find_stores(), options.sweep)
    conditions = of_sweep(store, sweep)
    picked = ranked(conditions, options.by)[: int(options.best)]
    if not picked:
        told = "has no finished run" if not conditions else "has no condition whose networks do not unlearn"
        raise TrackingError(f"sweep {sweep.run_id} ({sweep.name}) {told}")
    used = {seed for condition in conditions for seed in condition.seeds}
    engine = sweep.tags.get("engine", "")
    engine = engine if engine in ENGINES else Config.engine
    jobs = [
        replace(job, config=replace(job.config, experiment=store.experiment, engine=engine))
        for job in _jobs([condition.params for condition in picked], options.seed or _next_seeds(used))
    ]
    again = sorted(used & {job.config.seed for job in jobs})
    refuse([f"seed={options.seed}: valid are seeds that the sweep does not have; it has {again[0]}"] if again else [])
    refuse(batches.problems(jobs))
    store = open_store(store.experiment)
    name, tags = f"confirms {sweep.name}", {names.CONFIRMS: sweep.run_id}
    with SweepSession(jobs[0].config, EnsembleLauncher(), name, tags=tags, store=store) as session:
        session.run(jobs)
    interruption.check()
    if session.ending != "FINISHED":
        return 1
    parent = store.reader.run(session.run_id)
    assert parent is not None
    print(beside(picked, of_sweep(store, parent), options.by, len(conditions)))
    print(f"\nBoth in one report:  python -m analysis.report sweep={sweep.run_id}")
    return 0


def _next_seeds(used: Collection[int]) -> str:
    first = (max(used) // 1000 + 1) * 1000
    return f"range({first},{first + DEFAULT_SEEDS})"


def _jobs(conditions: Sequence[Mapping[str, str]], seeds: str) -> list[Job]:
    """Make the jobs of conditions, each with all seeds; what stands in a store may not be more than plain values."""
    refuse(
        f"{key}={value}: valid are parameters of runs, with plain values"
        for condition in conditions
        for key, value in condition.items()
        if key not in config.all_keys() or "$" in value
    )
    config.register()
    GlobalHydra.instance().clear()
    with initialize_config_dir(str(config.CONF), version_base="1.3"), trust.only_in_known_code():
        loader = GlobalHydra.instance().config_loader()
        return [
            job
            for condition in conditions
            for job in expand(
                loader,
                "train",
                [],
                [*(f"{key}={value}" for key, value in condition.items()), f"seed={seeds}"],
                MOST_JOBS,
            )
        ]


if __name__ == "__main__":
    interruption.end_silently()
    startup.collect_garbage_seldom()
    told = "[%(asctime)s][%(name)s][%(levelname)s] - %(message)s"  # in the manner of Hydra
    logging.basicConfig(level=logging.INFO, format=told, stream=sys.stdout)
    with interruption.listening(), printing():
        code = main(sys.argv[1:])
    sys.exit(code)
