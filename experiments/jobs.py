"""From a command line to the jobs of a sweep.

Hydra would compose every job from files, which costs 60 ms a job. Here each combination of *configuration groups* is
composed once, by Hydra, and every swept plain value is converted once, by OmegaConf, in that composed configuration;
a job is then a copy of a typed configuration with some fields replaced.
"""

import itertools
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from difflib import get_close_matches
from typing import Any

from hydra.core.config_loader import ConfigLoader
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Override, RangeSweep
from hydra.errors import CompactHydraException
from hydra.types import RunMode
from omegaconf import DictConfig, OmegaConf, flag_override
from omegaconf.errors import OmegaConfBaseException

from experiments import identity
from experiments.config import Config, known_keys


class ConfigurationError(CompactHydraException):
    """A configuration that cannot run; the message names every problem. Hydra prints it without a traceback."""


@dataclass(frozen=True)
class Job:
    """One run of a sweep.

    Attributes
    ----------
    overrides : tuple of str
        What the command line and the sweep's parameters made of this job, as Hydra overrides.
    config : Config
    params : dict
        The configuration, flat; see `identity.params`.
    config_hash : str
    """

    overrides: tuple[str, ...]
    config: Config
    params: dict[str, str]
    config_hash: str


def typed(composed: DictConfig) -> Config:
    """Turn a composed configuration (with or without its `hydra` node) into a typed one.

    Raises
    ------
    ConfigurationError
        If a value is missing or of the wrong type.
    """
    try:
        config = OmegaConf.to_object(_without_hydra(composed))
    except OmegaConfBaseException as error:
        raise ConfigurationError(str(error).splitlines()[0] + _key_of(error)) from error
    assert isinstance(config, Config)
    return config


def _without_hydra(composed: DictConfig) -> DictConfig:
    own = composed.copy()
    with flag_override(own, ["struct", "readonly"], [False, False]):
        own.pop("hydra", None)
    return own


def _key_of(error: OmegaConfBaseException) -> str:
    return f" (key: {error.full_key})" if error.full_key else ""


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


def expand(
    loader: ConfigLoader, config_name: str, hydra_overrides: Sequence[str], arguments: Sequence[str], most: int
) -> list[Job]:
    """Expand a command line into jobs, in the order of Hydra's own sweeper: the last override varies fastest.

    Parameters
    ----------
    loader : ConfigLoader
    config_name : str
        The primary configuration.
    hydra_overrides : sequence of str
        The command line's ``hydra.*`` overrides, which hold for all jobs.
    arguments : sequence of str
        Its other overrides, swept and plain.
    most : int
        The largest number of jobs allowed.

    Raises
    ------
    CompactHydraException
        If an override cannot be parsed or applied.
    ConfigurationError
        If there are more jobs than `most`, none at all, or a value is of the wrong type.
    """
    parser = OverridesParser.create(config_loader=loader)
    composer = _Composer(loader, config_name, tuple(hydra_overrides))
    given = [_axis(loader, override, most) for override in parser.parse_overrides(list(arguments))]
    _refuse_unsweepable(given)
    jobs: list[Job] = []
    for axes in _with_sweep_parameters(composer, parser, loader, given, most):
        jobs.extend(_jobs(composer, axes, most - len(jobs)))
    return jobs


def _refuse_unsweepable(axes: Iterable[_Axis]) -> None:
    for axis in axes:
        if len(axis.values) > 1 and axis.path in identity.NOT_PART_OF_A_RUN:
            raise ConfigurationError(
                f"{axis.key}={','.join(v.split('=', 1)[1] for v in axis.values)}: valid is one value for the whole "
                f"sweep, {axis.path} is not part of a run"
            )


def _axis(loader: ConfigLoader, override: Override, most: int) -> _Axis:
    key = override.get_key_element()
    is_group = bool(loader.list_groups(override.key_or_group)) or loader.get_group_options(override.key_or_group) != []
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
        _check_range(override, sweep, most)
    values = [f"{key}={value}" for value in override.sweep_string_iterator()]
    if not values:
        raise ConfigurationError(f"{override.input_line}: valid is a sweep of at least one value, this one is empty")
    return _Axis(key, values, is_group)


def _check_range(override: Override, sweep: RangeSweep, most: int) -> None:
    """Look at a range before it is spelled out: a typo can ask for more values than there is memory."""
    if not sweep.step:
        raise ConfigurationError(f"{override.input_line}: valid is a step other than 0")
    assert sweep.start is not None
    assert sweep.stop is not None
    count = (sweep.stop - sweep.start) / sweep.step
    if count > most:
        raise ConfigurationError(_too_many(f"{override.input_line}: {count:,.0f} values", most))


def _too_many(what: str, most: int) -> str:
    return (
        f"{what}: valid is at most {most:,} jobs; for more networks of one configuration use trials=N, "
        f"or allow more with hydra.sweeper.max_jobs=N"
    )


def _with_sweep_parameters(
    composer: "_Composer", parser: OverridesParser, loader: ConfigLoader, given: Sequence[_Axis], most: int
) -> Iterator[list[_Axis]]:
    """Fix all groups, and add what each combination's own ``hydra.sweeper.params`` sweep.

    A study brings its sweep along; with ``+study=a,b`` there are two, and each has its own jobs. What the command line
    says of a key goes before what a study says.
    """
    swept_groups = [axis for axis in given if axis.is_group and len(axis.values) > 1]
    for choice in itertools.product(*(axis.values for axis in swept_groups)):
        chosen = dict(zip((axis.key for axis in swept_groups), choice, strict=True))
        fixed = [replace(axis, values=[chosen[axis.key]]) if axis.key in chosen else axis for axis in given]
        composed = composer.compose(axis.values[0] for axis in fixed if axis.is_group or len(axis.values) == 1)
        parameters = composed.hydra.sweeper.params or {}
        known = {axis.path for axis in fixed}
        lines = [f"{key}={value}" for key, value in parameters.items() if key.lstrip("+~").split("@")[0] not in known]
        added = [_axis(loader, override, most) for override in parser.parse_overrides(lines)]
        if not added:
            yield fixed
            continue
        _refuse_unsweepable(added)
        yield from _with_sweep_parameters(composer, parser, loader, [*added, *fixed], most)


def _jobs(composer: "_Composer", axes: Sequence[_Axis], most: int) -> Iterator[Job]:
    """All combinations of one combination of groups."""
    count = 1
    for axis in axes:
        count *= len(axis.values)
    if count > most:
        raise ConfigurationError(_too_many(f"{count:,} jobs", most))
    variants = _Variants(composer, axes)
    for overrides in itertools.product(*(axis.values for axis in axes)):
        config = variants.config(overrides)
        flat = identity.params(config)
        yield Job(overrides, config, flat, identity.config_hash(flat))


class _Composer:
    """Lets Hydra compose configurations, each set of overrides once."""

    def __init__(self, loader: ConfigLoader, config_name: str, hydra_overrides: tuple[str, ...]) -> None:
        self._loader, self._config_name, self._hydra_overrides = loader, config_name, hydra_overrides
        self._cache: dict[tuple[str, ...], DictConfig] = {}

    def compose(self, overrides: Iterable[str]) -> DictConfig:
        """Compose, or return what these overrides gave before."""
        key = tuple(overrides)
        if key not in self._cache:
            self._cache[key] = self.load(key)
        return self._cache[key]

    def load(self, overrides: Sequence[str]) -> DictConfig:
        """Compose."""
        return self._loader.load_configuration(
            config_name=self._config_name,
            overrides=[*self._hydra_overrides, *overrides],
            run_mode=RunMode.RUN,
        )


class _Variants:
    """Typed configurations that differ from a composed one in some plain values."""

    def __init__(self, composer: _Composer, axes: Sequence[_Axis]) -> None:
        self._composer = composer
        self._positions = [position for position, axis in enumerate(axes) if len(axis.values) > 1]
        self._swept = [axes[position] for position in self._positions]
        self._base = _without_hydra(composer.compose(axis.values[0] for axis in axes if len(axis.values) == 1))
        # What depends on other keys, or changes which keys there are, is left to Hydra, job by job.
        self._by_hydra = "${" in OmegaConf.to_yaml(self._base) or any(
            "${" in line or line[0] in "+~" for axis in self._swept for line in axis.values
        )
        self._typed: Config | None = None
        self._values: dict[str, Any] = {}
        if not self._by_hydra:
            self._typed = typed(self._base)
            problems = [problem for axis in self._swept for problem in self._convert(axis)]
            if problems:
                raise ConfigurationError("\n".join(problems))

    def _convert(self, axis: _Axis) -> Iterator[str]:
        """Convert each value of an axis as OmegaConf does for its key; yields what is wrong."""
        scratch = self._base.copy()
        parser = OverridesParser.create()
        for line in axis.values:
            text = line.split("=", 1)[1]
            # Seeds come by the ten thousand, and Hydra's grammar takes 0.1 ms for each.
            plain = text.isascii() and text.isdigit() and (text == "0" or text[0] != "0")
            try:
                value = int(text) if plain else parser.parse_override(line).value()
                OmegaConf.update(scratch, axis.path, value, merge=True)
                converted = OmegaConf.select(scratch, axis.path)
            except OmegaConfBaseException as error:
                yield f"{line}: {str(error).splitlines()[0]}{_suggestion(axis.path, self._base)}"
                continue
            self._values[line] = OmegaConf.to_object(converted) if OmegaConf.is_config(converted) else converted

    def config(self, overrides: Sequence[str]) -> Config:
        """Return the configuration of a job, given its overrides."""
        if self._typed is None:
            return typed(self._composer.load(overrides))
        config = self._typed
        for axis, position in zip(self._swept, self._positions, strict=True):
            config = _replaced(config, axis.path.split("."), self._values[overrides[position]])
        return config


def _replaced(node: Any, path: Sequence[str], value: Any) -> Any:
    """Copy frozen dataclasses along a path, with the field at its end replaced."""
    head, *rest = path
    return replace(node, **{head: _replaced(getattr(node, head), rest, value) if rest else value})


def _suggestion(path: str, composed: DictConfig) -> str:
    keys = known_keys(composed)
    if path in keys:
        return ""
    close = get_close_matches(path, keys, n=1)
    return f"; did you mean {close[0]}?" if close else ""
