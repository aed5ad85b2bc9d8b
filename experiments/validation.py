"""What Hydra cannot check: ranges, and settings that contradict each other.

Every problem is one line that names the key, its value and what would be valid; all of a configuration's problems are
found together, before anything runs. What is valid is declared with each key and part; here it is asked for.
"""

from collections.abc import Iterator
from dataclasses import Field
from typing import Any

from experiments import memory
from experiments.config import Config, condition, entries, suggestion, what_is_valid
from experiments.identity import literal
from nn_core import without_twin
from nn_core.memory import available
from nn_core.parts import is_whole, options
from tracking.record import LONGEST_PARAM

LITTLE = 2**26  # bytes that every machine has


def problems(config: Config) -> list[str]:
    """Everything that is wrong with a configuration; empty if it can run."""
    found = [problem for key, entry, value in entries(config) for problem in _invalid(key, entry, value)]
    # What contradicts what can only be told of values that make sense by themselves.
    return found or list(_contradictions(config))


def _invalid(key: str, entry: Field[Any], value: Any) -> Iterator[str]:
    """Compare a value with what its declaration calls valid."""
    if "names" in entry.metadata:
        names = list(entry.metadata["names"]())
        if value not in names:
            yield f"{key}={literal(value)}: valid is {what_is_valid(entry)}{suggestion(str(value), names)}"
    elif (valid := entry.metadata.get("valid")) is not None:
        if not valid.holds(value):
            shown = entry.metadata.get("shown", literal)(value)
            yield f"{key}={shown}: valid is {valid.words}"
        elif isinstance(value, list | tuple) and len(literal(value)) > LONGEST_PARAM:
            yield f"{key} has {len(value)} numbers: valid are as many as {LONGEST_PARAM} characters hold"


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
    yield from _too_large(config)


def _too_large(config: Config) -> Iterator[str]:
    """Compare what a run takes, its trials being trained together, with what there is."""
    takes = memory.of_jobs(config)
    if takes < LITTLE or takes <= (there := available()):
        return
    task = {f"task.{o.name}": getattr(config.task, o.name) for o in options(config.task.__class__)}
    sizes = {"hidden": config.hidden, **{key: size for key, size in task.items() if is_whole(size, 0, 2**62)}}
    given = " ".join(f"{key}={literal(value)}" for key, value in {"trials": config.trials, **sizes}.items())
    reference = memory.of_jobs(config, engine="numpy")
    instead = f", as engine=numpy does with {_gigabytes(reference)}" if reference <= there else ""
    yield f"{given}: training takes {_gigabytes(takes)} of memory, valid is what fits into {_gigabytes(there)}{instead}"


def _gigabytes(size: int) -> str:
    return f"{size / 1e9:,.1f} GB" if size < 1e10 else f"{size / 1e9:,.0f} GB"
