"""What a task is: a table.

Row p of the inputs is shown to the network, row p of the targets is what it should answer.
"""

from abc import abstractmethod
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields, replace
from functools import cached_property
from math import isfinite
from typing import TYPE_CHECKING, NamedTuple, Self

import numpy as np
from numpy.typing import NDArray

from nn_core.parts import Array, Condition, Part, number, one_of, require_valid

if TYPE_CHECKING:
    from nn_core.activations import Activation

Bits = NDArray[np.bool_]

CODINGS = ("unit", "symmetric", "auto")


class Patterns(NamedTuple):
    """The table of a task."""

    inputs: Array  # shape (patterns, inputs)
    targets: Array  # shape (patterns, outputs)
    names: tuple[str, ...]  # one a pattern


@dataclass(frozen=True)
class Task(Part, kind="task"):
    """Patterns with their targets; an option that is not valid raises `ValueError` when these are first looked at."""

    @abstractmethod
    def patterns(self) -> Patterns:
        """Make the table; asked for once."""

    @cached_property
    def _table(self) -> Patterns:
        require_valid(self)
        table = self.patterns()
        for array in (table.inputs, table.targets):
            array.setflags(write=False)
        return table

    @property
    def inputs(self) -> Array:
        """What is shown, shape (patterns, inputs)."""
        return self._table.inputs

    @property
    def targets(self) -> Array:
        """What should be answered, shape (patterns, outputs)."""
        return self._table.targets

    @property
    def pattern_names(self) -> tuple[str, ...]:
        """One name a pattern."""
        return self._table.names

    @property
    def shape(self) -> tuple[int, int, int]:
        """How many patterns, inputs and outputs there are; a task that can be huge knows it without its table."""
        return *self.inputs.shape, self.targets.shape[1]

    @property
    def sizes(self) -> tuple[int, int]:
        """How many inputs and outputs a network for this task has."""
        return self.shape[1:]

    @property
    def target_ends(self) -> Mapping[str, float]:
        """The lowest and the highest target, each by what a user would call it."""
        return {"the lowest target": float(self.targets.min()), "the highest target": float(self.targets.max())}

    def coded_for(self, activation: "type[Activation]") -> Self:
        """Write out the values that the task leaves to the activation of the network; here none."""
        return self


@dataclass(frozen=True, kw_only=True)
class BitTask(Task):
    """A task of bits, and the values that encode them.

    A pattern's name is its input bits joined by hyphens (``0-1-1``), whatever values encode them. Each of the four
    values that is not set is as the `coding` says: ``unit``, 0 and 1; ``symmetric``, -1 and 1; ``auto``, 0 and 1 for
    inputs, and for targets the ends of the activation's range, which `coded_for` has to be told.

    Examples
    --------
    >>> from nn_core import SymmetricSigmoid, Xor
    >>> Xor(coding="auto").coded_for(SymmetricSigmoid).targets.ravel().tolist()
    [-0.5, 0.5, 0.5, -0.5]
    """

    low: float = number(0.0, "value of an input bit that is 0")
    high: float = number(1.0, "value of an input bit that is 1")
    target_low: float = number(0.0, "value of a target bit that is 0")
    target_high: float = number(1.0, "value of a target bit that is 1")
    coding: str = one_of(
        "unit",
        "the four values, where not set: 0 and 1, or -1 and 1, or 0 and 1 with targets at the ends of the activation's "
        "range",
        lambda: CODINGS,
        shorthand=True,
    )

    @abstractmethod
    def in_bits(self) -> tuple[Bits, Bits]:
        """Input and target bits, shapes (patterns, inputs) and (patterns, outputs)."""

    def coded_for(self, activation: "type[Activation]") -> Self:
        if self.coding not in CODINGS or self.coding == "unit":
            return self
        low, high = (-1.0, 1.0) if self.coding == "symmetric" else _range(activation)
        values = {"target_low": low, "target_high": high}
        if self.coding == "symmetric":
            values |= {"low": low, "high": high}
        unset = {entry.name for entry in fields(self) if getattr(self, entry.name) == entry.default}
        return replace(self, coding="unit", **{name: value for name, value in values.items() if name in unset})

    def patterns(self) -> Patterns:
        if self.coding != "unit":
            raise ValueError(f"task.coding={self.coding}: coded_for(activation) writes out what values bits have")
        inputs, targets = self.in_bits()
        return Patterns(
            np.where(inputs, float(self.high), float(self.low)),
            np.where(targets, float(self.target_high), float(self.target_low)),
            tuple("-".join(str(int(bit)) for bit in row) for row in inputs),
        )

    @property
    def target_ends(self) -> Mapping[str, float]:
        return {"task.target_low": self.target_low, "task.target_high": self.target_high}

    def problems(self, condition: Condition) -> Iterator[str]:
        inputs = {"task.low": self.low, "task.high": self.high}
        for ends, otherwise in ((inputs, "all patterns are alike"), (self.target_ends, "there is nothing to learn")):
            if len(set(ends.values())) == 1:
                given = " ".join(f"{key}={value}" for key, value in ends.items())
                yield f"{given}: valid are two different values, or {otherwise}"


def _range(activation: "type[Activation]") -> tuple[float, float]:
    """The ends of an activation's range; where one is infinite, 1 away from the other."""
    low, high = activation.low, activation.high
    if not isfinite(low):
        return (high - 1.0, high) if isfinite(high) else (0.0, 1.0)
    return low, high if isfinite(high) else low + 1.0


def all_patterns(bits: int) -> Bits:
    """Count from 0 to 2^bits - 1 in binary, most significant bit first; shape (2^bits, bits)."""
    numbers = np.arange(2**bits)[:, np.newaxis]
    return np.asarray((numbers >> np.arange(bits)[::-1]) & 1 == 1)
