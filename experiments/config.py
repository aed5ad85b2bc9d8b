"""What a run is: its configuration, made of parts.

Parts and their options are declared in `nn_core`; the keys that a run has beside them stand here. Hydra's groups, its
schemas, and what is known of each key (default, meaning, what is valid) are derived from both. `conf/train.yaml` lies
over it. Hydra checks names and types; what remains, ranges and settings that contradict each other, is
`experiments.validation`'s.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import MISSING as NO_DEFAULT
from dataclasses import Field, dataclass, field, fields, is_dataclass, make_dataclass, replace
from difflib import get_close_matches
from functools import cache
from pathlib import Path
from typing import Any

from hydra.core.config_store import ConfigStore
from omegaconf import MISSING, DictConfig, OmegaConf

import nn_core
from nn_core import Optimizer, Part
from nn_core.parts import Valid, flag, is_whole, number, number_or_null, one_of, options, parts, whole

CONF = Path(__file__).resolve().parent.parent / "conf"

GROUPS = ("task", "init", "optimizer", "criterion")
"""Kinds of parts that have options, and so are groups of Hydra's; other kinds are chosen by a plain value."""

LARGEST_LAYER = 4096
LONGEST_NAME = 250


@dataclass(frozen=True)
class Record:
    """How densely the loss curve is kept."""

    per_decade: int = whole(80, "epochs per factor of ten whose loss is kept", 1, 1000)


def _lr() -> Any:
    (rate,) = (entry for entry in fields(Optimizer) if entry.metadata.get("key") == "lr")
    return field(default=rate.default, metadata=rate.metadata)


def _are_widths(value: Any) -> bool:
    layers = hidden_layers(value)
    return bool(layers) and all(is_whole(width, 1, LARGEST_LAYER) for width in layers)


def _is_name(text: str) -> bool:
    return bool(text.strip()) and text.isprintable() and len(text) <= LONGEST_NAME


_WIDTHS = Valid(f"a whole number from 1 to {LARGEST_LAYER:,}, or a list of such, like [8,4]", _are_widths)
_NAME = Valid(f"a name of 1 to {LONGEST_NAME} printable characters, not all blank", _is_name)


def _option(default: Any, about: str, valid: Valid, **facts: Any) -> Any:
    return field(default=default, metadata={"about": about, "valid": valid, **facts})


def _part(default: str, kind: str, about: str) -> Any:
    """A part that has options, chosen by the group of its kind."""
    return field(default=MISSING, metadata={"about": about, "kind": kind, "chosen": default})


def _name_of(default: str, kind: str, about: str) -> Any:
    """A part without options, chosen by its name."""
    return one_of(default, about, lambda: parts(kind), kind=kind)


@dataclass(frozen=True)
class Config:
    """One run."""

    lr: float = _lr()
    seed: int = whole(0, "of the initial weights, in a run of several networks those of the first", 0, 2**62)
    # An int or a list of ints, a union that OmegaConf does not have.
    hidden: Any = _option(4, "hidden width, or a list for more layers: [8,4]", _WIDTHS)
    epochs: int = whole(10000, "cut-off", 1, 10**9)
    trials: int = whole(1, "networks in this run, with seeds seed, seed+1, ...", 1, 100_000)
    experiment: str = _option("xor", "MLflow experiment", _NAME, shown=repr)
    task: Any = _part("xor", "task", "what is to be learned")
    activation: str = _name_of("sigmoid", "activation", "of all hidden units and outputs")
    derivative_offset: float = number(0.0, "added to every activation derivative", at_least=0)
    bias: float | None = number_or_null("value of a bias unit feeding every layer, or null for none")
    shortcuts: bool = flag(False, "whether the inputs feed the outputs too, past the hidden layers", later=True)
    init: Any = _part("uniform", "init", "where the weights start")
    loss: str = _name_of("sse", "loss", "what is descended")
    weight_decay: float = number(0.0, "added to the gradient, times the weight", at_least=0)
    optimizer: Any = _part("gradient_descent", "optimizer", "how a step follows from the gradient")
    update: str = _name_of("batch", "update", "how many patterns make a step")
    order_seed: int = whole(0, "of the order in which patterns are shown, where it is drawn", 0, 2**62, later=True)
    criterion: Any = _part("tolerance", "criterion", "when a network has learned")
    stop_when_converged: bool = flag(False, "whether a network stops learning at its first success")
    record: Record = field(default_factory=Record, metadata={"valid": Valid("a record.per_decade", bool)})
    engine: str = one_of("auto", "what trains: auto is numba where all parts have a twin", lambda: nn_core.ENGINES)
    resume: bool = flag(True, "sweeps: skip what this experiment already holds as finished")
    dry_run: bool = flag(False, "sweeps: show the jobs and what would be done, and do nothing")
    fail_fast: bool = flag(False, "sweeps: stop at the first job that fails")


def hidden_layers(hidden: Any) -> tuple[int, ...]:
    """Widths of the hidden layers: ``4`` and ``[4]`` are the same network."""
    return tuple(hidden) if isinstance(hidden, list | tuple) else (hidden,)


def seeds(config: Config) -> range:
    """The seeds of a configuration's trials."""
    return range(config.seed, config.seed + config.trials)


def condition(config: Config) -> nn_core.Condition:
    """What a configuration trains, in the terms of `nn_core`; for values that make sense by themselves."""

    def named(kind: str) -> Any:
        return nn_core.part(kind, getattr(config, kind))()

    training = nn_core.Training(
        task=config.task,
        activation=named("activation"),
        derivative_offset=config.derivative_offset,
        bias=config.bias,
        shortcuts=config.shortcuts,
        loss=named("loss"),
        weight_decay=config.weight_decay,
        update=named("update"),
        order_seed=config.order_seed,
        criterion=config.criterion,
        stop_when_converged=config.stop_when_converged,
        per_decade=config.record.per_decade,
    )
    optimizer = replace(config.optimizer, learning_rate=config.lr)
    return nn_core.Condition(training, hidden_layers(config.hidden), config.init, optimizer)


def entries(config: Any) -> Iterator[tuple[str, Field[Any], Any]]:
    """All keys of a configuration, dotted, with declaration and value; a part's name comes before its options."""
    for entry in fields(config):
        value = getattr(config, entry.name)
        nested = is_dataclass(value)
        if isinstance(value, Part) or not nested:
            yield entry.name, entry, value.name if nested else value
        for option in options(value.__class__) if nested else ():
            yield f"{entry.name}.{option.name}", option, getattr(value, option.name)


@cache
def schemas(group: str) -> dict[str, type]:
    """Schemas of a group's options, by name: dataclasses of Hydra's, whose first field says which part was chosen."""
    return {name: _schema(part) for name, part in parts(group).items()}


def _schema(part: type[Part]) -> type:
    """Derive a schema from a part's options; those without a default are lists of numbers."""
    entries: list[tuple[str, Any, Any]] = [("name", str, part.name)]
    for option in options(part):
        kind, default = type(option.default), option.default
        entries.append((option.name, list[float], MISSING) if default is NO_DEFAULT else (option.name, kind, default))
    made = make_dataclass(part.__name__, entries, namespace={"__doc__": part.__doc__})
    made.__module__ = __name__
    if made.__name__ in globals():
        made.__name__ = made.__qualname__ = f"{part.__name__}_{part.kind}"
    globals()[made.__name__] = made
    return made


def __getattr__(name: str) -> Any:
    """Make the schemas for a process that was sent a configuration, and looks for their names here."""
    for group in GROUPS:
        schemas(group)
    if name in globals():
        return globals()[name]
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def from_schemas(config: Config) -> Config:
    """Put the parts themselves in the place of what Hydra made of their schemas."""
    made: dict[str, Any] = {}
    for group in GROUPS:
        given = getattr(config, group)
        part = parts(group)[given.name]
        made[group] = part(**{option.name: getattr(given, option.name) for option in options(part)})
    return replace(config, **made)


def coded(config: Config) -> Config:
    """Write out the values that the task leaves to the activation; the same configuration if there are none."""
    activation = parts("activation").get(config.activation)
    task = config.task.coded_for(activation) if activation else config.task
    return config if task is config.task else replace(config, task=task)


def register() -> None:
    """Make schema and group options known to Hydra, and the names of parts to its help."""
    store = ConfigStore.instance()
    schema = OmegaConf.structured(Config)
    for node in (schema, schema.record):
        OmegaConf.set_readonly(node, False)  # as OmegaConf takes frozen dataclasses to be
    store.store(name="train_schema", node=schema, provider="experiments")
    for group in GROUPS:
        for name, options_of_part in schemas(group).items():
            store.store(group=group, name=name, node=options_of_part, provider="experiments")
    OmegaConf.register_new_resolver("names_of", lambda kind: ", ".join(parts(kind)), replace=True)


def known_keys(node: DictConfig, prefix: str = "") -> Iterator[str]:
    """All keys of a configuration that can be set, dotted, groups and their options alike."""
    for key in map(str, node):
        if key == "name" and prefix.removesuffix(".") in GROUPS:
            continue  # says which part was chosen; choosing is done by the group
        yield f"{prefix}{key}"
        child = node._get_node(key)
        if isinstance(child, DictConfig) and not child._is_none():
            yield from known_keys(child, f"{prefix}{key}.")


def declared() -> Iterator[tuple[str, str, Field[Any]]]:
    """All keys that any configuration may have, dotted, each with the name of the part that it is an option of."""
    for entry in fields(Config):
        yield entry.name, "", entry
    for option in options(Record):
        yield f"record.{option.name}", "", option
    for group in GROUPS:
        for name, part in parts(group).items():
            for option in options(part):
                yield f"{group}.{option.name}", name, option


def all_keys() -> list[str]:
    """All keys that any configuration may have, dotted."""
    return list(dict.fromkeys(key for key, _, _ in declared()))


def remedy(key: str, known: Sequence[str]) -> str:
    """Say what may have been meant by a key that is not among those known."""
    group, _, option = key.partition(".")
    if group in GROUPS and option == "name":
        return f"a part is chosen by {group}=NAME"
    if owners := [f"{group}={part}" for other, part, _ in declared() if other == key and part]:
        return f"{key} is an option of {' and '.join(owners)}"
    if close := get_close_matches(key, known, n=1):
        return f"did you mean {close[0]}?"
    return f"valid keys are {', '.join(known)}"


def suggestion(given: str, names: Iterable[str]) -> str:
    """Ask whether a name was meant that resembles the given one; empty if none does."""
    close = get_close_matches(given, names, n=1)
    return f"; did you mean {close[0]}?" if close else ""


def what_is_valid(entry: Field[Any]) -> str:
    """Say which values a key may have, in words that complete the sentence "valid is ..."."""
    valid, kind = entry.metadata.get("valid"), entry.metadata.get("kind")
    if valid is not None:
        return str(valid.words)
    return f"one of {', '.join(parts(kind) if kind else entry.metadata['names']())}"


def what_is_wrong(error: Exception) -> str:
    """Say, in one line, what OmegaConf found wrong with a value, and, for wrong types, what would be valid."""
    told = str(error).partition("\n")[0]
    valid = next((valid for words, valid in _VALID_TYPES.items() if words in told), None)
    return f"{told}; valid is {valid}" if valid else told


_VALID_TYPES = {
    "could not be converted to Float": "a number",
    "could not be converted to Integer": "a whole number, written in digits alone",
    "is not a valid bool": "true or false",
}
