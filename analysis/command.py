"""What the commands have in common: ``key=value`` arguments in the manner of Hydra, and how errors end them."""

import atexit
import difflib
import gc
import os
import sys
import textwrap
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, fields
from typing import Any, TypeVar, cast, get_type_hints

from omegaconf import OmegaConf
from omegaconf.errors import OmegaConfBaseException
from yaml import YAMLError


class OptionError(Exception):
    """One or more arguments are wrong; the message names them all."""


def names(about: str) -> Any:
    """A key that takes one name or several, for the dataclass of a command's options."""
    return field(default_factory=list, metadata={"help": about})


def word(about: str, default: str = "") -> Any:
    """A key that takes one word."""
    return field(default=default, metadata={"help": about})


@dataclass
class Selection:
    """Which runs to read, and how their parameters are shown."""

    sweep: list[str] = names(
        "latest (the default), a parent's run id or its beginning, or several: [a,b], which are pooled unless "
        "they differ in parameters that vary only together"
    )
    compare: list[str] = names("sweeps to put side by side, each named as for sweep")
    labels: list[str] = names("what to call the compared sweeps; by default 1, 2, ...")
    filter: str = word("an MLflow search filter, as \"params.lr = '0.5'\"; alone, over the whole store")
    where: dict[str, Any] = field(
        default_factory=dict, metadata={"help": "keep some levels only: where.hidden=4 where.lr=[0.1,0.5]"}
    )
    x: str = word("the parameter along the horizontal axis")
    hue: str = word("the parameter by colour")
    col: str = word("the parameter by columns of panels")
    row: str = word("the parameter by rows of panels")

    @property
    def sweeps(self) -> list[str]:
        """The sweeps named."""
        return self.compare or self.sweep or ([] if self.filter else ["latest"])

    @property
    def names_of_compared(self) -> list[str]:
        """What the compared sweeps are called, those being compared."""
        return self.labels or [str(i + 1) for i in range(len(self.compare))]

    @property
    def axes(self) -> dict[str, str]:
        """The axes chosen."""
        return {key: axis for key in ("x", "hue", "col", "row") if (axis := getattr(self, key))}

    def problems(self) -> list[str]:
        """What is wrong with these values, as far as can be told without the data."""
        found = []
        if self.compare and self.sweep:
            found.append("compare and sweep exclude each other: compare names the sweeps")
        if self.labels and len(self.labels) != len(self.compare):
            found.append(f"labels: {len(self.labels)} given for {len(self.compare)} compared sweeps")
        for f in fields(self):
            given, length = getattr(self, f.name), f.metadata.get("length")
            if given and length and len(given) != length:
                found.append(f"{f.name}={given}: {f.metadata['help']}")
        return found


Options = TypeVar("Options", bound=Selection)


def run(
    schema: type[Options], module: str, purpose: str, arguments: Sequence[str], work: Callable[[Options], object]
) -> int:
    """Do a command's work with its options, an instance of `schema`; returns its exit code.

    Work finds everything that the options name before it imports what draws, which takes seconds.
    """
    command = f"python -m {module}"
    if {"-h", "--help"} & set(arguments):
        print(usage(schema, command, purpose))
        return 0
    try:
        options = parse(schema, arguments)
    except OptionError as error:
        print(error, file=sys.stderr)
        return 2
    # What is imported now stays to the end; to look for garbage among it takes as long as importing it.
    gc.set_threshold(50_000)
    atexit.register(gc.freeze)
    os.environ["MPLBACKEND"] = "Agg"  # figures go to files, also where there is a screen
    from analysis.loading import SelectionError
    from tracking.errors import TrackingError

    try:
        work(options)
    except (SelectionError, TrackingError) as error:
        print(error, file=sys.stderr)
        return 1
    return 0


def suggestion(name: str, valid: Iterable[str]) -> str:
    """Ask whether a name that is not valid was meant for one that is."""
    close = difflib.get_close_matches(name, list(valid), 1)
    return f", did you mean {close[0]}?" if close else ""


def parse(schema: type[Options], arguments: Sequence[str]) -> Options:
    """Read ``key=value`` arguments; raises `OptionError` that names all that is wrong, and what is valid."""
    types = get_type_hints(schema)
    config: Any = OmegaConf.structured(schema)
    problems = []
    for argument in arguments:
        key, equals, text = argument.partition("=")
        root, _, axis = key.partition(".")
        if any("\ud800" <= letter <= "\udfff" for letter in argument):
            problems.append(f"{argument!a}: that is not UTF-8")
        elif not equals:
            problems.append(f"{argument}: arguments have the form key=value")
        elif root not in types or (key != root and root != "where"):
            problems.append(f"{key}: no such key{suggestion(key, types)}; valid are {', '.join(types)}")
        else:
            try:
                if root == "where":  # the values of parameters, whose names have dots
                    config.where.update({axis: _value(text)} if axis else _flat(_value(text)))
                elif types[key] == list[Any]:
                    config[key] = _value(text)
                else:  # names stay text, or a run id like 12e4 would become a number
                    config[key] = _names(text) if types[key] == list[str] else text
            except (OmegaConfBaseException, YAMLError, ValueError, AttributeError) as error:
                problems.append(f"{argument}: {str(error).splitlines()[0]}")
    options: Any = OmegaConf.to_object(config)
    if problems := problems + options.problems():
        raise OptionError("\n".join(problems))
    return cast("Options", options)


def usage(schema: type[Selection], command: str, purpose: str) -> str:
    """What ``--help`` prints."""
    lines = [f"usage: {command} [key=value ...]", "", purpose, ""]
    for f in fields(schema):
        figure = f.metadata.get("figure")
        lines += entry(f.name, f"{f'of {figure}: ' if figure else ''}{f.metadata['help']}")
    return "\n".join(lines)


def entry(name: str, text: str) -> list[str]:
    """Lines of help for one name."""
    return textwrap.wrap(f"{name:<11} {text}", 110, initial_indent="  ", subsequent_indent=" " * 14)


def _names(value: str) -> list[str]:
    inner = value.removeprefix("[").removesuffix("]") if value.startswith("[") else value
    return [name.strip().strip("'\"") for name in inner.split(",") if name.strip()]


def _flat(nested: dict[str, Any], prefix: str = "") -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for key, value in nested.items():
        flat |= _flat(value, f"{prefix}{key}.") if isinstance(value, dict) else {f"{prefix}{key}": value}
    return flat


def _value(text: str) -> Any:
    """A value in Hydra's and OmegaConf's notation."""
    return OmegaConf.to_container(OmegaConf.from_dotlist([f"value={text}"]), resolve=False)["value"]  # type: ignore[call-overload,index]
