"""Parts: what an experiment is put together from, each declared in one place.

A part is a frozen dataclass of one of the kinds task, activation, init, loss, optimizer, update and criterion. Its
class names it, its docstring explains it, and its fields are its options, each with a default, a word on what it is,
and the values that are valid. Defining the class is all it takes; whoever offers parts to a user reads them from here:

    @dataclass(frozen=True)
    class Momentum(Optimizer, name="momentum"):
        \"\"\"Heavy-ball momentum: ...\"\"\"

        momentum: Numbers = number(0.9, "share of the last step that is kept", at_least=0)
        scaled: bool = flag(False, "whether the gradient's term is multiplied by (1 - momentum)")

Other packages bring parts by the entry point group ``convergence_atlas.parts``: each entry point names a module, and
importing that defines them.
"""

from abc import ABC
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import MISSING, Field, dataclass, field, fields
from functools import cache
from importlib import import_module
from importlib.metadata import entry_points
from inspect import cleandoc
from math import inf, isfinite
from pkgutil import iter_modules
from typing import TYPE_CHECKING, Any, ClassVar, Self, TypeAlias, cast

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from nn_core import condition as conditions

Array = NDArray[np.float64]
Condition: TypeAlias = "conditions.Condition"
"""For annotations of parts, which are there before the class is: a condition is made of parts."""

ENTRY_POINTS = "convergence_atlas.parts"


class PartError(Exception):
    """A part that cannot be declared, found or made."""


@dataclass(frozen=True)
class Valid:
    """Which values an option may have."""

    words: str  # completes the sentence "valid is ..."
    holds: Callable[[Any], bool]  # whether a value is among them; never raises


def _option(default: Any, about: str, valid: Valid | None, **facts: Any) -> Any:
    return field(default=default, metadata={"about": about, "valid": valid, **facts})


def number(
    default: float, about: str, *, above: float = -inf, at_least: float = -inf, below: float = inf, **facts: Any
) -> Any:
    """Declare a finite number; of an optimizer, each network of an ensemble may have its own.

    Of the bounds, only `at_least` is itself valid. Facts, which all kinds of options may have, are ``key``, where a
    configuration has it if not among the part's own options; ``later=True`` if the option joined a part that runs had
    been made with, and at its default value is left out of what tells runs apart; and ``shorthand=True`` if it stands
    for values of other options, and so is left out of what is written of a run.
    """
    words = "a finite number"
    words += f" above {above:g}" if above > -inf else f", {at_least:g} or above" if at_least > -inf else ""
    words += f" and below {below:g}" if below < inf else ""
    valid = Valid(words, lambda v: _is_number(v) and above < v < below and v >= at_least)
    return _option(default, about, valid, **facts)


def number_or_null(about: str, **facts: Any) -> Any:
    """Declare a finite number other than 0, or none, which is the default."""
    valid = Valid("null, or a finite number other than 0", lambda v: v is None or (_is_number(v) and v != 0))
    return _option(None, about, valid, **facts)


def whole(default: int, about: str, low: int, high: int, **facts: Any) -> Any:
    """Declare a whole number from `low` to `high`."""
    largest = f"{high:,}" if high < 2**40 else f"2^{high.bit_length() - 1}"
    valid = Valid(f"a whole number from {low} to {largest}", lambda v: is_whole(v, low, high))
    return _option(default, about, valid, **facts)


def numbers(about: str, **facts: Any) -> Any:
    """Declare a list of finite numbers, which has no default."""
    valid = Valid("a list of finite numbers", lambda values: all(map(_is_number, values)))
    return _option(MISSING, about, valid, **facts)


def flag(default: bool, about: str, **facts: Any) -> Any:
    """Declare something that is so or not."""
    return _option(default, about, Valid("true or false", lambda v: isinstance(v, bool)), **facts)


def one_of(default: str, about: str, names: Callable[[], Iterable[str]], **facts: Any) -> Any:
    """Declare one of some names; ``names()`` lists them."""
    return _option(default, about, None, names=names, **facts)


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and isfinite(value)


def is_whole(value: Any, low: int, high: int) -> bool:
    """Whether a value is a whole number within these bounds, which are valid."""
    return isinstance(value, int) and not isinstance(value, bool) and low <= value <= high


_registry: dict[str, dict[str, type["Part"]]] = {}


@dataclass(frozen=True)
class Part(ABC):  # noqa: B024  # what is abstract, a kind says
    """What all parts share.

    A kind of parts is a subclass that says so, ``class Optimizer(Part, kind="optimizer")``; a part is a subclass of
    its kind that has a name, ``class Momentum(Optimizer, name="momentum")``.
    """

    kind: ClassVar[str] = ""  # the key of a configuration that chooses among parts of this kind
    name: ClassVar[str] = ""  # the value of that key that chooses this one
    twin: ClassVar[str | None] = None  # where `nn_core.compiled` has it once more, ``module:name``; None if it has not

    def __init_subclass__(cls, kind: str = "", name: str = "", twin: str | None = None, **others: Any) -> None:
        super().__init_subclass__(**others)
        if kind:
            cls.kind = kind
            _registry.setdefault(kind, {})
        # What a part inherits is its mathematics, not its name, nor a twin of other mathematics.
        cls.name, cls.twin = name, twin
        if not name:
            return
        there = _registry[cls.kind].setdefault(name, cls)
        if (there.__module__, there.__qualname__) != (cls.__module__, cls.__qualname__):
            raise PartError(f"{cls.kind}={name} is declared twice: in {there.__module__} and in {cls.__module__}")

    def problems(self, condition: Condition) -> Iterator[str]:
        """Say what it cannot tolerate, of its own options together or of other parts: key, value and what is valid."""
        return iter(())

    @classmethod
    def from_params(cls, params: Mapping[str, Any]) -> Self:
        """Make the part of this kind that the params of a run name; `PartError` if there is none of that name.

        ``kind`` is the part's name and ``kind.option`` an option, as text as MLflow has them or of a type already. What
        is missing (``none`` and NaN in a table of several kinds of runs) has its default value.
        """
        of = part(cls.kind, str(params[cls.kind]))
        given = {option: params.get(f"{cls.kind}.{option.name}") for option in options(of)}
        return cast("Self", of(**{o.name: _typed(o, value) for o, value in given.items() if not _is_missing(value)}))


def parts(kind: str) -> Mapping[str, type[Part]]:
    """All parts of a kind by name, those of other packages after ours; `PartError` if such a package does not load."""
    _import_entry_points()
    return _registry[kind]


def part(kind: str, name: str) -> type[Part]:
    """Find a part by its name, or raise a `PartError` that lists those there are."""
    found = parts(kind).get(name)
    if found is None:
        raise PartError(f"{kind}={name}: valid is one of {', '.join(parts(kind))}")
    return found


@cache  # asked for several times a job
def options(of: type[Any]) -> tuple[Field[Any], ...]:
    """Fields of a part, or of another dataclass of options, that a configuration has, in their order."""
    return tuple(entry for entry in fields(of) if "about" in entry.metadata and "key" not in entry.metadata)


def _is_missing(value: Any) -> bool:
    return value is None or value != value or value in ("none", "null")  # NaN is not itself


def _typed(entry: Field[Any], value: Any) -> Any:
    if isinstance(entry.default, bool):
        return str(value).lower() == "true"
    if isinstance(entry.default, int | float | str):
        return type(entry.default)(value)
    return tuple(float(each) for each in (value.strip("[]").split(",") if isinstance(value, str) else value))


def require_valid(part: Part) -> None:
    """Refuse a part that no table or network can be made of: `ValueError` if the value of an option is not valid."""
    for option in options(type(part)):
        value, valid = getattr(part, option.name), option.metadata["valid"] or _among(option.metadata["names"]())
        if not valid.holds(value):
            raise ValueError(f"{part.kind}.{option.name}={value}: valid is {valid.words}")


def _among(names: Iterable[str]) -> Valid:
    return Valid(f"one of {', '.join(names)}", lambda value: value in names)


def summary(of: type[Part]) -> str:
    """First line of a part's docstring."""
    return cleandoc(of.__doc__ or "").partition("\n")[0]


def import_modules(package: str, path: Sequence[str]) -> None:
    """Import all modules of a package, so that a part in a new file is found."""
    for module in iter_modules(path):
        import_module(f"{package}.{module.name}")


@cache
def _import_entry_points() -> None:
    for entry_point in entry_points(group=ENTRY_POINTS):
        try:
            entry_point.load()
        except PartError:
            raise
        except Exception as error:
            package = entry_point.dist.name if entry_point.dist else "a package"
            origin = f"{entry_point.value}, which brings parts of {package},"
            raise PartError(f"{origin} cannot be imported ({type(error).__name__}: {error})") from error
