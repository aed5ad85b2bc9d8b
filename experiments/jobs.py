"""From a command line to the jobs of a sweep.

Hydra would compose every job from files, which costs 60 ms a job. Here it composes each combination of *configuration
groups* once, OmegaConf converts every swept plain value once, in that composed configuration, and a job is then a copy
of a typed configuration with some fields replaced.
"""

import itertools
import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, fields, is_dataclass, replace
from decimal import Decimal
from functools import cache
from typing import Any

from hydra.core.config_loader import ConfigLoader
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Override, RangeSweep
from hydra.errors import CompactHydraException
from hydra.types import RunMode
from omegaconf import DictConfig, OmegaConf, flag_override
from omegaconf.errors import OmegaConfBaseException

from experiments import identity
from experiments.config import (
    GROUPS,
    Config,
    Record,
    coded,
    declared,
    from_schemas,
    known_keys,
    remedy,
    schemas,
    what_is_valid,
    what_is_wrong,
)

Load = Callable[[tuple[str, ...]], DictConfig]

MOST_OF_A_KEY = 5
"""Bad values of a key that a sweep's problems list one by one."""


class ConfigurationError(CompactHydraException):
    """A configuration that cannot run; the message names every problem. Hydra prints it without a traceback."""


def refuse(problems: Iterable[str]) -> None:
    """Raise a `ConfigurationError` if there are any problems."""
    if found := list(dict.fromkeys(problems)):
        raise ConfigurationError("\n".join(found))


@dataclass(frozen=True, slots=True)
class Job:
    """One run of a sweep; some 1.3 KB."""

    overrides: tuple[str, ...]  # what command line and sweep's parameters made of this job
    config: Config
    params: Mapping[str, str] = field(default_factory=dict)  # see `identity.params`; made if not given
    config_hash: str = field(init=False)

    def __post_init__(self) -> None:
        if not self.params:
            object.__setattr__(self, "params", identity.params(self.config))
        object.__setattr__(self, "config_hash", identity.config_hash(self.params))


def typed(composed: DictConfig) -> Config:
    """Turn a composed configuration (with or without its `hydra` node) into a typed one, with nothing left open.

    Raises `ConfigurationError` if a key does not exist, or a value is missing or of the wrong type.
    """
    return coded(_uncoded(composed))


def _uncoded(composed: DictConfig) -> Config:
    """Turn it into one in which the task may leave values to the activation, as sweeps put others in its place."""
    own = _without_hydra(composed)
    if OmegaConf.get_type(own) is not Config:
        raise ConfigurationError("the primary configuration: valid is one with train_schema first in its defaults")
    try:
        refuse([*_unknown_keys(own), *_missing_values(own)])
        config = OmegaConf.to_object(own)
    except OmegaConfBaseException as error:
        raise ConfigurationError(f"{error.full_key}: {what_is_wrong(error)}") from None
    assert isinstance(config, Config)
    refuse(_wrong_types(config))
    return from_schemas(config)


def _without_hydra(composed: DictConfig) -> DictConfig:
    own = composed.copy()
    with flag_override(own, ["struct", "readonly"], [False, False]):
        own.pop("hydra", None)
    return own


def _unknown_keys(own: DictConfig) -> Iterator[str]:
    """Find what ``+key=value``, or a file, has added to the schema."""
    added: dict[str, Any] = {}
    nodes: dict[str, Any] = {"": own, **{f"{key}.": own._get_node(key) for key in map(str, own)}}
    for prefix, node in nodes.items():
        schema = OmegaConf.get_type(node) if isinstance(node, DictConfig) else None
        if is_dataclass(schema) and not node._is_interpolation():
            names = {entry.name for entry in fields(schema)}
            added.update({f"{prefix}{key}": node._get_node(key) for key in map(str, node) if key not in names})
    known = [key for key in known_keys(own) if not any(f"{key}.".startswith(f"{other}.") for other in added)]
    for key, value in added.items():
        yield f"{key}={value}: there is no such key; {remedy(key, known)}"


def _missing_values(own: DictConfig) -> Iterator[str]:
    missing = OmegaConf.missing_keys(own)
    for key, entry in {key: entry for key, _, entry in declared() if key in missing}.items():
        yield f"{key} has no value: valid is {what_is_valid(entry)}"


def _wrong_types(config: Config) -> Iterator[str]:
    """Find what OmegaConf does not check: the types of interpolated nodes, and what stands in the place of a group."""
    for group in GROUPS:
        value, known = getattr(config, group), schemas(group)
        if type(value) not in known.values():
            yield f"{group}={value}: valid is one of {', '.join(known)}"
            continue
        for entry in fields(value):
            given = getattr(value, entry.name)
            if entry.name == "name" and given != entry.default:
                yield f"{group}.name={given}: there is no such key; {remedy(f'{group}.name', [])}"
            if entry.type == list[float] and not isinstance(given, list):
                yield f"{group}.{entry.name}={given}: valid is a list of numbers"
    if not isinstance(config.record, Record):
        yield f"record={config.record}: valid is a record.per_decade"


@dataclass(frozen=True)
class _Axis:
    """One override of a sweep: the values it takes, each as a complete override string."""

    key: str  # as typed, with its +, ++ or ~
    values: Sequence[str]
    is_group: bool

    @property
    def path(self) -> str:
        """The configuration key alone."""
        return self.key.lstrip("+~").split("@")[0]

    def __str__(self) -> str:
        shown = [line.split("=", 1)[1] for line in self.values[:MOST_OF_A_KEY]]
        return f"{self.key}={','.join(shown)}{',...' if len(shown) < len(self.values) else ''}"


def expand(
    loader: ConfigLoader, config_name: str, hydra_overrides: Sequence[str], arguments: Sequence[str], most: int
) -> list[Job]:
    """Expand a command line into jobs, in the order of Hydra's own sweeper: the last override varies fastest.

    Its ``hydra.*`` overrides hold for all jobs; `arguments` are the others, swept and plain. Raises a
    `CompactHydraException` if an override cannot be parsed or applied, and as such a `ConfigurationError` if there are
    more jobs than `most`, none at all, or a value is of the wrong type.
    """
    parser = OverridesParser.create(config_loader=loader)

    def parse(lines: Sequence[str]) -> list[_Axis]:
        return [_axis(loader, override, most) for override in parser.parse_overrides(list(lines))]

    def load(overrides: tuple[str, ...]) -> DictConfig:
        try:
            return loader.load_configuration(config_name, [*hydra_overrides, *overrides], RunMode.RUN)
        except CompactHydraException:
            raise
        except Exception as error:  # impossible overrides meet assertions and the like in Hydra
            raise ConfigurationError(f"{' '.join(overrides)}: {what_is_wrong(error)}") from None

    compose = cache(load)
    # Of a key that is given more than once, Hydra takes the last value, in the place of the first.
    given = list({axis.key: axis for axis in parse(arguments)}.values())
    combinations = list(_with_sweep_parameters(compose, parse, given))
    count = sum(_count(axes) for axes in combinations)
    if count > most:
        raise _too_many(f"{count:,} jobs", most)
    make_job = {
        _groups(axes, [axis.values[0] for axis in axes]): _job_maker(load, compose(_fixed(axes)), axes)
        for axes in combinations
    }
    return [
        make_job[_groups(axes, overrides)](overrides)
        for axes in _in_order(combinations)
        for overrides in itertools.product(*(axis.values for axis in axes))
    ]


def _count(axes: Sequence[_Axis]) -> int:
    return math.prod(len(axis.values) for axis in axes)


def _fixed(axes: Iterable[_Axis]) -> tuple[str, ...]:
    return tuple(axis.values[0] for axis in axes if len(axis.values) == 1)


def _groups(axes: Sequence[_Axis], overrides: Sequence[str]) -> tuple[str, ...]:
    return tuple(line for axis, line in zip(axes, overrides, strict=True) if axis.is_group)


def _in_order(combinations: Sequence[Sequence[_Axis]]) -> Iterator[Sequence[_Axis]]:
    """Put combinations of groups together again, since the last override varies fastest, be it a group or not.

    Only where combinations each bring sweeps of their own, they stay one after the other.
    """
    for _, alike in itertools.groupby(combinations, key=_plain_values):
        together = list(alike)
        whole = [
            replace(column[0], values=list(dict.fromkeys(value for axis in column for value in axis.values)))
            for column in zip(*together, strict=True)
        ]
        yield from [whole] if _count(whole) == sum(map(_count, together)) else together


def _plain_values(axes: Sequence[_Axis]) -> list[tuple[str, Sequence[str]]]:
    return [(axis.key, () if axis.is_group else axis.values) for axis in axes]


def _axis(loader: ConfigLoader, override: Override, most: int) -> _Axis:
    key = override.get_key_element()
    is_group = any(source.is_group(override.key_or_group) for source in loader.get_sources())
    if override.is_delete():
        return _Axis(key, [override.input_line or key], is_group)
    if not override.is_sweep_override():
        return _Axis(key, [f"{key}={override.get_value_element_as_str()}"], is_group)
    if not override.is_discrete_sweep():
        raise ConfigurationError(
            f"{override.input_line}: valid are discrete sweeps, such as {key}=0.1,0.5 or {key}=range(0,10)"
        )
    sweep = override.value()
    if isinstance(sweep, RangeSweep):
        override = replace(override, _value=_exact(override, sweep, most))
    axis = _Axis(key, [f"{key}={value}" for value in override.sweep_string_iterator()], is_group)
    if not axis.values:
        raise ConfigurationError(f"{override.input_line}: valid is a sweep of at least one value, this one is empty")
    if axis.path in identity.NOT_PART_OF_A_RUN and len(axis.values) > 1:
        raise ConfigurationError(f"{axis}: valid is one value for the whole sweep, {axis.path} is not part of a run")
    return axis


def _exact(override: Override, sweep: RangeSweep, most: int) -> RangeSweep:
    """Have a range step in decimals, not in floats, whose range(0.1,0.4,0.1) has 0.30000000000000004 and 0.4.

    It is looked at before it is spelled out: a typo can ask for more values than there is memory.
    """
    if not sweep.step:
        raise ConfigurationError(f"{override.input_line}: valid is a step other than 0")
    assert sweep.start is not None
    assert sweep.stop is not None
    count = (sweep.stop - sweep.start) / sweep.step
    if not math.isfinite(count) or not math.isfinite(sweep.step):
        raise ConfigurationError(f"{override.input_line}: valid are a finite start, stop and step")
    if count > most:
        raise _too_many(f"{override.input_line}: {count:,.0f} values", most)
    ends = {"start": sweep.start, "stop": sweep.stop, "step": sweep.step}
    exact: dict[str, Any] = {key: Decimal(str(end)) if isinstance(end, float) else end for key, end in ends.items()}
    return replace(sweep, **exact)


def _too_many(what: str, most: int) -> ConfigurationError:
    instead = "for more networks of one configuration use trials=N, or allow more with hydra.sweeper.max_jobs=N"
    return ConfigurationError(f"{what}: valid is at most {most:,} jobs; {instead}")


def _with_sweep_parameters(
    compose: Load, parse: Callable[[Sequence[str]], list[_Axis]], given: Sequence[_Axis]
) -> Iterator[list[_Axis]]:
    """Fix all groups, and add what each combination's own ``hydra.sweeper.params`` sweep.

    A study brings its sweep along; with ``+study=a,b`` there are two, and each has its own jobs. What the command line
    says of a key goes before what a study says.
    """
    swept_groups = [axis for axis in given if axis.is_group and len(axis.values) > 1]
    for choice in itertools.product(*(axis.values for axis in swept_groups)):
        chosen = dict(zip((axis.key for axis in swept_groups), choice, strict=True))
        fixed = [replace(axis, values=[chosen[axis.key]]) if axis.key in chosen else axis for axis in given]
        swept = compose(_fixed(fixed)).hydra.sweeper.params or {}
        of_study = parse([f"{key}={value}" for key, value in swept.items()])
        by_path = {axis.path: axis for axis in fixed}
        new = {axis.path for axis in of_study} - by_path.keys()
        # Hydra puts a study's sweeps before those of the command line; a key of both stays where the study has it.
        merged = {axis.path: by_path.get(axis.path, axis) for axis in of_study}
        axes = [*merged.values(), *(axis for axis in fixed if axis.path not in merged)]
        yield from _with_sweep_parameters(compose, parse, axes) if new else [axes]


def _job_maker(load: Load, composed: DictConfig, axes: Sequence[_Axis]) -> Callable[[tuple[str, ...]], Job]:
    """Prepare the jobs that differ from a composed configuration in plain values: each value is converted once."""
    base = _without_hydra(composed)
    swept = {place: axis for place, axis in enumerate(axes) if len(axis.values) > 1}
    known = list(known_keys(base))
    elements = {axis.path for axis in swept.values() if axis.path.rpartition(".")[2].isdecimal()}  # of lists
    unknown = [axis for axis in swept.values() if axis.path not in {*known, *elements}]
    refuse(f"{axis}: there is no such key; {remedy(axis.path, known)}" for axis in unknown)
    # What depends on other keys, or on the order of overrides, is left to Hydra, job by job.
    paths = [f"{axis.path}." for axis in axes if not axis.is_group]
    if (
        elements
        or "${" in OmegaConf.to_yaml(base)
        or any("$" in line or line[0] in "+~" for axis in swept.values() for line in axis.values)
        or any(a != b and (a.startswith(b) or b.startswith(a)) for a, b in itertools.combinations(paths, 2))
    ):
        return lambda overrides: Job(overrides, typed(load(overrides)))

    values: dict[str, Any] = {}
    refuse(problem for axis in swept.values() for problem in _convert(base, axis, values))
    first = base.copy()  # with values for keys that have none but in the sweep
    for axis in swept.values():
        OmegaConf.update(first, axis.path, values[axis.values[0]])
    config = _uncoded(first)
    params = identity.params(config)
    # What each value changes: a job's params are put together from these, which takes less time and memory.
    changes = {
        line: identity.params(_with_values(config, {axis.path: values[line]})).items() - params.items()
        for axis in swept.values()
        for line in axis.values
    }

    def job(overrides: tuple[str, ...]) -> Job:
        lines = {axis.path: overrides[place] for place, axis in swept.items()}
        uncoded = _with_values(config, {path: values[line] for path, line in lines.items()})
        complete = coded(uncoded)
        if complete is not uncoded:
            return Job(overrides, complete)
        own = dict(params)
        for line in lines.values():
            own.update(changes[line])
        return Job(overrides, complete, own)

    return job


def _convert(base: DictConfig, axis: _Axis, values: dict[str, Any]) -> Iterator[str]:
    """Convert each value of an axis as OmegaConf does for its key; yields what is wrong with the first few."""
    scratch = base.copy()
    parser = OverridesParser.create()
    problems = 0
    for line in axis.values:
        text = line.split("=", 1)[1]
        # Seeds come by the ten thousand, and Hydra's grammar takes 0.1 ms for each.
        plain = text.isascii() and text.isdigit() and (text == "0" or text[0] != "0")
        try:
            value = int(text) if plain else parser.parse_override(line).value()
            if isinstance(value, dict):
                scratch = base.copy()  # or it would be merged into the value before
            OmegaConf.update(scratch, axis.path, value, merge=True)
            converted = OmegaConf.select(scratch, axis.path)
        except OmegaConfBaseException as error:
            yield f"{line}: {what_is_wrong(error)}"
            problems += 1
            if problems == MOST_OF_A_KEY:
                return
        else:
            values[line] = OmegaConf.to_object(converted) if OmegaConf.is_config(converted) else converted


def _with_values(config: Config, values: Mapping[str, Any]) -> Config:
    """Replace values of a typed configuration, each under its dotted key."""
    changes: dict[str, Any] = {}
    for key, value in values.items():
        head, _, option = key.partition(".")
        node = changes.get(head, getattr(config, head))
        changes[head] = replace(node, **{option: value}) if option else value
    return replace(config, **changes)
