"""Which parameters a sweep varied, and which axis of a figure shows which of them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from analysis.loading import SelectionError

MAX_LEVELS = 12
"""Colours and markers that can still be told apart."""

MAX_PANELS = 48


@dataclass(frozen=True)
class Layout:
    """What each axis of a figure shows: a column of the trials each, or nothing.

    Attributes
    ----------
    x, hue : str or None
        Along the horizontal axis; by colour and marker.
    panels : tuple of str
        One panel for each combination of these; of exactly two, the first makes rows and the second columns.
    """

    x: str | None
    hue: str | None
    panels: tuple[str, ...]

    @property
    def conditions(self) -> list[str]:
        """Every column shown: together they tell conditions apart."""
        return [axis for axis in (*self.panels, self.hue, self.x) if axis]

    def along_epochs(self) -> "Layout":
        """Rearrange for a figure whose horizontal axis is training time: what was along x becomes panels."""
        shown = [axis for axis in (self.hue, self.x) if axis and axis != "epochs"]
        panels = (*(p for p in self.panels if p != "epochs"), *shown[1:])
        return Layout(None, shown[0] if shown else None, panels)


def varied(trials: pd.DataFrame, parameters: Sequence[str]) -> list[str]:
    """Columns that the trials differ in, the everyday ones first, without those that follow from another one.

    A parameter that takes one value for each value of another (the momentum that only one of two optimizers has,
    a learning rate tuned to each task) tells no further conditions apart.
    """
    everyday = ["lr", "hidden", "epochs", "sweep"]
    found: list[str] = []
    for axis in [*everyday, *(p for p in parameters if p not in everyday)]:
        if (
            axis in trials
            and len(trials[axis].unique()) > 1
            and not any(_follows(trials, axis, other) for other in found)
        ):
            found.append(axis)
    return found


def lay_out(trials: pd.DataFrame, parameters: Sequence[str], chosen: Mapping[str, str]) -> Layout:
    """Give every varied parameter an axis.

    Parameters
    ----------
    trials, parameters
        As loaded.
    chosen
        The user's choice for any of x, hue, col, row; the rest is filled in: learning rate along x, hidden width
        by colour, cut-off in columns, or what was varied in their stead.

    Raises
    ------
    SelectionError
        If an axis does not exist or is chosen twice, or there are more levels than a figure can show.
    """
    valid = [*parameters, "sweep"]
    problems = [
        f"{key}={axis}: not a parameter of these runs; valid are {', '.join(valid)}"
        for key, axis in chosen.items()
        if axis not in valid
    ]
    if len(set(chosen.values())) < len(chosen):
        problems.append("x, hue, col and row must differ")
    if problems:
        raise SelectionError("\n".join(problems))

    taken = list(chosen.values())
    free = [
        axis
        for axis in varied(trials, parameters)
        if axis not in taken and not any(_follows(trials, axis, other) for other in taken)
    ]
    col = chosen.get("col") or _pop(free, "epochs")
    x = chosen.get("x") or _pop(free, "lr", *free)
    if x is None:
        x, col = (col, None) if "col" not in chosen and col else ("lr", col)
    hue = chosen.get("hue") or _pop(free, "hidden", *free)
    layout = Layout(x, hue, tuple(axis for axis in (chosen.get("row"), *free, col) if axis))
    for arranged in (layout, layout.along_epochs()):
        _check_levels(trials, arranged)
    return layout


def _pop(free: list[str], *preferred: str) -> str | None:
    axis = next((a for a in preferred if a in free), None)
    if axis is not None:
        free.remove(axis)
    return axis


def _check_levels(trials: pd.DataFrame, layout: Layout) -> None:
    if layout.hue and len(trials[layout.hue].unique()) > MAX_LEVELS:
        raise SelectionError(
            f"{layout.hue} has more than {MAX_LEVELS} levels, too many for colours: "
            f"put it along x (x={layout.hue}) or choose some of them (where.{layout.hue}=[...])"
        )
    panels = len(trials[list(layout.panels)].drop_duplicates()) if layout.panels else 1
    if panels > MAX_PANELS:
        raise SelectionError(
            f"{' x '.join(layout.panels)} would make {panels} panels, more than {MAX_PANELS}: "
            f"choose some of their values, such as where.{layout.panels[0]}=..."
        )


def _follows(trials: pd.DataFrame, axis: str, other: str) -> bool:
    """Whether every value of `other` goes with one value of `axis` only."""
    return not trials[[axis, other]].drop_duplicates()[other].duplicated().any()


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
