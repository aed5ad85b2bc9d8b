"""Levels of parameters: the order they stand in, and how they and their parameters are written."""

import os
import re
import unicodedata
from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

LABELS = {
    "lr": "learning rate",
    "hidden": "hidden width",
    "epochs": "cut-off (epochs)",
    "optimizer.momentum": "momentum",
    "task.bits": "bits",
}
"""What parameters are called in figures."""


def levels(column: "pd.Series[Any]") -> list[Any]:
    """Distinct values in their natural order: numbers by size, layer widths by depth and size, then text."""
    if isinstance(column.dtype, pd.CategoricalDtype):  # the user's order
        present = set(column.unique())
        return [level for level in column.cat.categories if level in present]
    return sorted(column.unique(), key=_order)


def _order(value: Any) -> tuple[int, list[float], str]:
    if not isinstance(value, str):
        return (0, [-np.inf if pd.isna(value) else float(value)], "")
    widths = value.strip("[]").split(",")
    try:
        return (len(widths), [float(width) for width in widths], "")
    except ValueError:
        return (99, [], value)


def level_name(value: Any) -> str:
    """How a level is written: 0.05, 4, 10,000, [8,4], none."""
    if isinstance(value, str):
        return value
    if isinstance(value, bool | np.bool_):
        return str(value).lower()
    if pd.isna(value):
        return "none"
    number = float(value)
    return f"{int(number):,}" if number.is_integer() and abs(number) < 1e9 else f"{number:.6g}"


def listed(names: Sequence[str]) -> str:
    """Write a list: a, b and c."""
    return " and ".join([", ".join(names[:-1]), names[-1]] if len(names) > 1 else names)


def plain(text: str, longest: int = 60) -> str:
    """A name from outside as one printable line that is not too long."""
    kept = "".join(c if unicodedata.category(c)[0] != "C" else " " for c in text)
    line = " ".join(kept.split())
    return line if len(line) <= longest else line[: longest - 1] + "…"


def level_names(levels: Sequence[Any], longest: int) -> list[str]:
    """How levels are written beside each other: of at most `longest` characters, and no two alike.

    Of long names that begin alike what differs is kept; if even that is too long, or alike, they are numbered.
    """
    full = [plain(level_name(level), 10_000) for level in levels]
    short = [plain(name, longest) for name in full]
    if len(set(short)) == len(short):
        return short
    # Cut at the separators of lists, or half a number would be left.
    prefix = re.sub(r"[^,;=\[( ]*$", "", _common_beginning(full))
    rests = [name[len(prefix) :] for name in full]
    suffix = re.sub(r"^[^,;\]) ]*", "", _common_beginning([rest[::-1] for rest in rests])[::-1])
    middles = [f"…{rest.removesuffix(suffix)}{'…' if suffix.strip(']) ') else suffix}" for rest in rests]
    if len(set(middles)) == len(middles) and max(map(len, middles)) <= longest:
        return middles
    return [plain(f"({i}) {name}", longest) for i, name in enumerate(full, 1)]


def _common_beginning(names: Sequence[str]) -> str:
    return os.path.commonprefix(names)  # noqa: RUF071 (it works on any text)


def axis_name(axis: str) -> str:
    """How a parameter is called along an axis."""
    return LABELS.get(axis, plain(axis))


def parameter_name(axis: str) -> str:
    """How a parameter is called in text: as along an axis, without the unit."""
    return axis_name(axis).partition(" (")[0]


def assignment(axis: str, name: str) -> str:
    """One level with its parameter, as in ``learning rate = 0.1``."""
    return f"{parameter_name(axis)} = {name}"
