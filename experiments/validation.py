"""What Hydra cannot check: ranges, and settings that contradict each other.

Every problem is one line that names the key, its value and what would be valid; all of a configuration's problems are
found together, before anything runs. What is valid is declared with each key and part; here it is asked for.
"""

from collections.abc import Iterator
from dataclasses import Field
from typing import Any

from experiments.config import Config, condition, entries, suggestion, what_is_valid
from experiments.identity import literal
from nn_core import without_twin
from tracking.record import LONGEST_PARAM


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
