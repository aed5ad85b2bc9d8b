"""Levels of parameters: the order they stand in, and how they and their parameters are written."""

import os
import re
import unicodedata
from collections.abc import Mapping, Sequence
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

EVERYDAY = ("lr", "hidden", "epochs")  # the parameters that every sweep has, in the order in which people name them
NONE = "none"  # the level of what does not apply to a trial: no bias, or the momentum of plain gradient descent


def ordered(column: "pd.Series[Any]") -> "pd.Series[Any]":
    """Make a parameter's column categorical, its levels in their natural order, which all that follows keeps.

    That is: none among numbers, numbers by size, layer widths by depth and size, then text.
    """
    values = column.astype(object).where(column.notna(), NONE)
    missing = [NONE] if column.isna().any() else []
    return values.astype(pd.CategoricalDtype([*missing, *sorted(column.dropna().unique(), key=_order)], ordered=True))


def _order(value: Any) -> tuple[int, list[float], str]:
    widths = str(value).strip("[]").split(",") if isinstance(value, str) else [value]
    try:
        return (len(widths), [float(width) for width in widths], "")
    except ValueError:
        return (99, [], value)


def unordered(frame: pd.DataFrame) -> pd.DataFrame:
    """Give categorical columns their plain types again, for tables: none among numbers becomes NaN."""
    frame = frame.copy()
    for axis in frame.select_dtypes("category"):
        kinds = frame[axis].cat.categories
        values = frame[axis].astype(object)
        if all(map(is_number, kinds)):
            frame[axis] = values.replace(NONE, np.nan).astype(float) if NONE in kinds else values.astype(kinds.dtype)
        else:
            frame[axis] = values.infer_objects()
    return frame


def levels(column: "pd.Series[Any]") -> list[Any]:
    """Distinct values in their order."""
    return list(column.drop_duplicates().sort_values())


def is_number(level: Any) -> bool:
    """Whether a level is a number, or none, which stands among numbers."""
    return level == NONE or not isinstance(level, str | bool | np.bool_)


def level_name(value: Any) -> str:
    """How a level is written: 0.05, 4, 10,000, [8,4], none."""
    if isinstance(value, str):
        return value
    if isinstance(value, bool | np.bool_):
        return str(value).lower()
    if pd.isna(value):
        return NONE
    number = float(value)
    return f"{int(number):,}" if number.is_integer() and abs(number) < 1e9 else f"{number:.6g}"


def listed(names: Sequence[str], last: str = "and") -> str:
    """Write a list: a, b and c."""
    return f" {last} ".join([", ".join(names[:-1]), names[-1]] if len(names) > 1 else names)


def plain(text: str, longest: int = 60) -> str:
    """A name from outside as one printable line that is not too long."""
    kept = "".join(c if unicodedata.category(c)[0] != "C" else " " for c in text)
    line = " ".join(kept.split())
    return line if len(line) <= longest else line[: longest - 1] + "…"


def level_names(levels: Sequence[Any], longest: int) -> dict[Any, str]:
    """How levels are written beside each other: of at most `longest` characters, and no two alike.

    Of long names that begin alike what differs is kept; if even that is too long, or alike, they are numbered.
    """
    full = [plain(level_name(level), 10_000) for level in levels]
    # Cut at the separators of lists, or half a number would be left.
    prefix = re.sub(r"[^,;=\[( ]*$", "", os.path.commonprefix(full))  # noqa: RUF071 (any text has a beginning)
    rests = [name[len(prefix) :] for name in full]
    ending = os.path.commonprefix([rest[::-1] for rest in rests])[::-1]  # noqa: RUF071
    suffix = re.sub(r"^[^,;\]) ]*", "", ending)
    short = [plain(name, longest) for name in full]
    middles = [f"…{rest.removesuffix(suffix)}{'…' if suffix.strip(']) ') else suffix}" for rest in rests]
    numbered = [plain(f"({i}) {name}", longest) for i, name in enumerate(full, 1)]
    fit = (n for n in (short, middles) if len({*n}) == len(n) and max(map(len, n), default=0) <= longest)
    return dict(zip(levels, next(fit, numbered), strict=True))


def axis_name(axis: str) -> str:
    """How a parameter is called along an axis."""
    return LABELS.get(axis, plain(axis))


def parameter_name(axis: str) -> str:
    """How a parameter is called in text: as along an axis, without the unit."""
    return axis_name(axis).partition(" (")[0]


def assignment(axis: str, name: str) -> str:
    """One level with its parameter, as in ``learning rate = 0.1``."""
    return f"{parameter_name(axis)} = {name}"


def names_by_axis(frame: pd.DataFrame, axes: Sequence[str], longest: int = 40) -> dict[str, dict[Any, str]]:
    """How the levels of several parameters are written, as for `assignments`."""
    return {axis: level_names(levels(frame[axis]), longest) for axis in axes}


def assignments(condition: "Mapping[str, Any] | pd.Series[Any]", names: Mapping[str, Mapping[Any, str]]) -> list[str]:
    """A condition, parameter by parameter: ``["learning rate = 0.1", ...]``."""
    return [assignment(axis, names_of_levels[condition[axis]]) for axis, names_of_levels in names.items()]
