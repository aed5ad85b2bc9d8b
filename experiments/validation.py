"""What Hydra cannot check: ranges, and settings that contradict each other.

Every problem is one line that names the key, its value and what would be valid; all of a configuration's problems are
found together, before anything runs.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from difflib import get_close_matches
from itertools import pairwise
from math import isfinite
from typing import TYPE_CHECKING, Any

from experiments.config import (
    Config,
    Encoder,
    FixedInit,
    MomentumOptimizer,
    MseCriterion,
    NormalInit,
    Parity,
    QuickpropOptimizer,
    ToleranceCriterion,
    UniformInit,
    hidden_layers,
)
from experiments.identity import literal, run_name
from nn_core import ACTIVATIONS, ENGINES, LOSSES, count_weights
from tracking.record import LONGEST_NAME, LONGEST_PARAM

if TYPE_CHECKING:
    from experiments.jobs import Job

LARGEST_LAYER = 4096
LARGEST_TRIALS = 100_000
LARGEST_SEED = 2**62
LARGEST_PARITY = 12
LARGEST_EPOCHS = 10**9
LARGEST_PER_DECADE = 1000

NAMES: dict[str, Sequence[str]] = {
    "activation": tuple(ACTIVATIONS),
    "loss": tuple(LOSSES),
    "update": ("batch", "online"),
    "engine": ENGINES,
}
"""Valid values of the keys that take a name."""

MOST_OF_A_KEY = 5
"""Bad values of a key that a sweep's problems list one by one."""


def layer_sizes(config: Config) -> tuple[int, ...]:
    """Units per layer, inputs first, outputs last; for valid configurations."""
    task = config.task
    if isinstance(task, Encoder):
        inputs, outputs = task.width, task.width
    elif isinstance(task, Parity):
        inputs, outputs = task.bits, 1
    else:
        inputs, outputs = 3, 1
    return (inputs, *hidden_layers(config.hidden), outputs)


def problems(config: Config) -> list[str]:
    """Everything that is wrong with a configuration; empty if it can run."""
    found = [*_top_level(config), *_groups(config)]
    # What contradicts what can only be told of values that make sense by themselves.
    return found or list(_contradictions(config))


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and isfinite(value)


def _is_whole(value: Any, low: int, high: int) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and low <= value <= high


def _number(key: str, value: Any, valid: str, ok: Callable[[float], bool]) -> Iterable[str]:
    if not (_is_number(value) and ok(value)):
        yield f"{key}={literal(value)}: valid is {valid}"


def _whole(key: str, value: Any, low: int, high: int) -> Iterable[str]:
    if not _is_whole(value, low, high):
        yield f"{key}={literal(value)}: valid is a whole number from {low} to {high:,}"


def _one_of(key: str, value: Any) -> Iterable[str]:
    names = NAMES[key]
    if value not in names:
        close = get_close_matches(str(value), names, n=1)
        hint = f"; did you mean {close[0]}?" if close else ""
        yield f"{key}={literal(value)}: valid is one of {', '.join(names)}{hint}"


def _top_level(config: Config) -> Iterable[str]:
    yield from _number("lr", config.lr, "a finite number above 0", lambda v: v > 0)
    if not _is_whole(config.seed, 0, LARGEST_SEED):
        yield f"seed={config.seed}: valid is a whole number from 0 to 2^62"
    layers = hidden_layers(config.hidden)
    if not layers or not all(_is_whole(width, 1, LARGEST_LAYER) for width in layers):
        yield (
            f"hidden={literal(config.hidden)}: valid is a whole number from 1 to {LARGEST_LAYER:,}, "
            "or a list of such, like [8,4]"
        )
    yield from _whole("epochs", config.epochs, 1, LARGEST_EPOCHS)
    yield from _whole("trials", config.trials, 1, LARGEST_TRIALS)
    name = config.experiment
    if not name.strip() or not name.isprintable() or len(name) > LONGEST_NAME:
        yield f"experiment={name!r}: valid is a name of 1 to {LONGEST_NAME} printable characters, not all blank"
    yield from _one_of("activation", config.activation)
    yield from _number("derivative_offset", config.derivative_offset, "a finite number, 0 or above", lambda v: v >= 0)
    if config.bias is not None:
        yield from _number("bias", config.bias, "null, or a finite number other than 0", lambda v: v != 0)
    yield from _one_of("loss", config.loss)
    yield from _number("weight_decay", config.weight_decay, "a finite number, 0 or above", lambda v: v >= 0)
    yield from _one_of("update", config.update)
    yield from _whole("record.per_decade", config.record.per_decade, 1, LARGEST_PER_DECADE)
    yield from _one_of("engine", config.engine)


def _groups(config: Config) -> Iterable[str]:
    task = config.task
    for key in ("low", "high", "target_low", "target_high"):
        yield from _number(f"task.{key}", getattr(task, key), "a finite number", lambda _: True)
    if isinstance(task, Parity):
        yield from _whole("task.bits", task.bits, 1, LARGEST_PARITY)
    if isinstance(task, Encoder):
        yield from _whole("task.width", task.width, 2, LARGEST_LAYER)

    init = config.init
    if isinstance(init, UniformInit):
        yield from _number("init.low", init.low, "a finite number", lambda _: True)
        yield from _number("init.high", init.high, "a finite number", lambda _: True)
    elif isinstance(init, NormalInit):
        yield from _number("init.std", init.std, "a finite number above 0", lambda v: v > 0)
    elif isinstance(init, FixedInit):
        if not all(_is_number(w) for w in init.weights):
            yield f"init.weights={literal(init.weights)}: valid is a list of finite numbers"
        if len(str(init.weights)) > LONGEST_PARAM:
            yield f"init.weights has {len(init.weights)} numbers: valid are as many as {LONGEST_PARAM} characters hold"

    optimizer = config.optimizer
    if isinstance(optimizer, MomentumOptimizer):
        yield from _number("optimizer.momentum", optimizer.momentum, "a finite number, 0 or above", lambda v: v >= 0)
    elif isinstance(optimizer, QuickpropOptimizer):
        yield from _number("optimizer.mu", optimizer.mu, "a finite number above 0", lambda v: v > 0)

    criterion = config.criterion
    if isinstance(criterion, ToleranceCriterion):
        yield from _number("criterion.tolerance", criterion.tolerance, "a finite number above 0", lambda v: v > 0)
    elif isinstance(criterion, MseCriterion):
        yield from _number("criterion.below", criterion.below, "a finite number above 0", lambda v: v > 0)


def _contradictions(config: Config) -> Iterable[str]:
    task, init, criterion = config.task, config.init, config.criterion
    if task.low == task.high:
        yield f"task.low={task.low} task.high={task.high}: valid are two different values, or all patterns are alike"
    if task.target_low == task.target_high:
        yield (
            f"task.target_low={task.target_low} task.target_high={task.target_high}: valid are two different values, "
            "or there is nothing to learn"
        )
        return

    if isinstance(init, UniformInit) and init.low >= init.high:
        yield f"init.low={init.low} init.high={init.high}: valid is a low below the high"
    if isinstance(init, FixedInit):
        needed = count_weights(layer_sizes(config), config.bias)
        if len(init.weights) != needed:
            shape = "-".join(map(str, layer_sizes(config)))
            bias = "without bias" if config.bias is None else "with bias"
            yield f"init.weights has {len(init.weights)} numbers: valid for a {shape} network {bias} are {needed}"
        if config.trials > 1:
            yield f"trials={config.trials} with init=fixed: valid is trials=1, all trials would be the same network"

    optimizer = config.optimizer
    if isinstance(optimizer, MomentumOptimizer) and optimizer.scaled and optimizer.momentum >= 1:
        yield (
            f"optimizer.momentum={optimizer.momentum} with optimizer.scaled=true: valid is a momentum below 1, "
            "since the gradient is multiplied by (1 - momentum)"
        )

    targets = (task.target_low, task.target_high)
    target_range = abs(task.target_high - task.target_low)
    if isinstance(criterion, ToleranceCriterion) and criterion.tolerance > target_range / 2:
        yield (
            f"criterion.tolerance={criterion.tolerance}: valid is at most {target_range / 2:g}, half the range of the "
            "targets, or one output could be right for both"
        )
    activation = ACTIVATIONS[config.activation]
    for key, target in zip(("target_low", "target_high"), targets, strict=True):
        missed_by = max(activation.low - target, target - activation.high)
        unreachable = missed_by >= criterion.tolerance if isinstance(criterion, ToleranceCriterion) else missed_by > 0
        if unreachable:
            yield (
                f"task.{key}={target} with activation={config.activation}: valid is a value that an output between "
                f"{activation.low:g} and {activation.high:g} can reach to meet the criterion"
            )
    if config.loss == "arctanh" and max(abs(t - end) for t in targets for end in (activation.low, activation.high)) > 1:
        yield (
            f"loss=arctanh with activation={config.activation}: valid are targets that differ from no output by more "
            "than 1, such as those of symmetric_sigmoid with targets of -0.5 and 0.5"
        )


def sweep_problems(jobs: "Sequence[Job]") -> list[str]:
    """Everything that is wrong with the jobs of a grid, taken one by one and together."""
    return job_problems(jobs) or list(_duplicates(jobs)) or list(_overlaps(jobs))


def job_problems(jobs: "Sequence[Job]") -> list[str]:
    """Everything that is wrong with jobs, taken one by one."""
    by_message: dict[str, int] = {}
    for job in jobs:
        for problem in problems(job.config):
            by_message[problem] = by_message.get(problem, 0) + 1
    return list(_abridged(by_message, len(jobs)))


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
    spans: dict[str, list[tuple[int, int]]] = {}
    for config in (job.config for job in jobs):
        condition = repr(replace(config, seed=0, trials=1, hidden=hidden_layers(config.hidden)))
        spans.setdefault(condition, []).append((config.seed, config.trials))
        if isinstance(config.init, FixedInit) and len(spans[condition]) > 1:
            (seed, _), (other, _) = spans[condition]
            yield f"seed={seed},{other} with init=fixed: valid is one seed, all would be the same network"
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
