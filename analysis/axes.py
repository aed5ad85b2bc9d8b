"""Which parameters a sweep varied, and which axis of a figure shows which of them."""

import difflib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import pandas as pd

from analysis.levels import EVERYDAY, LABELS, NONE, listed
from analysis.loading import SelectionError

MAX_LEVELS = 12  # colours and markers that can still be told apart
MAX_PANELS = 48


@dataclass(frozen=True)
class Layout:
    """What each axis of a figure shows: a column of the trials each, or nothing.

    There is one panel for each combination of `panels`; the last of several makes columns, the others rows. A single
    one makes rows if it is `stacked`, and else wraps.
    `together` are the axes on which more was varied than their name says, with what varies only along with them.
    """

    x: str | None
    hue: str | None
    panels: tuple[str, ...]
    together: tuple[tuple[str, tuple[str, ...]], ...] = ()
    stacked: bool = False

    @property
    def conditions(self) -> list[str]:
        """Every column shown: together they tell conditions apart."""
        return [axis for axis in (*self.panels, self.hue, self.x) if axis]

    def along_epochs(self) -> "Layout":
        """Rearrange for a figure whose horizontal axis is training time: what was along x becomes panels."""
        shown = [axis for axis in (self.hue, self.x) if axis and axis != "epochs"]
        kept = replace(self, x=None, hue=None, panels=tuple(p for p in self.panels if p != "epochs"))
        return replace(kept.with_panel(*shown[1:]), hue=shown[0] if shown else None)

    def with_panel(self, *axes: str) -> "Layout":
        """More panels: rows, so that what makes columns stays there, unless rows are all there is."""
        rows = self.panels if self.stacked else self.panels[:-1]
        panels = (*rows, *axes, *self.panels[len(rows) :])
        return replace(self, panels=panels, stacked=self.stacked and len(panels) == 1)

    @property
    def warning(self) -> str:
        """What no figure can tell apart, in a sentence for each such axis; empty if everything varied by itself."""
        return " ".join(
            f"{axis} varies only together with {listed(others)}: their effects cannot be told apart."
            for axis, others in self.together
        )


def varied(trials: pd.DataFrame, parameters: Sequence[str]) -> list[str]:
    """Columns that the trials differ in, the everyday ones first, without those that follow from another one.

    A parameter that takes one value for each value of another (the momentum that only one of two optimizers has, a
    learning rate tuned to each task) tells no further conditions apart. What follows from the sweep is shown as the
    sweep: of sweeps side by side that differ in several parameters, none may take the credit for the others.
    """
    order = list(dict.fromkeys([*EVERYDAY, "sweep", *parameters]))
    found: list[str] = []
    for axis in sorted(order, key=lambda a: a != "sweep"):
        varies = axis in trials and len(trials[axis].unique()) > 1
        if varies and not any(_follows(trials, axis, other) for other in found):
            found.append(axis)
    return sorted(found, key=order.index)


def _together(trials: pd.DataFrame, parameters: Sequence[str], axis: str, shown: Sequence[str]) -> tuple[str, ...]:
    """Parameters without an axis of their own that vary along with this one.

    Left out is what not every trial has (the momentum of one of two optimizers): it goes with the choice it is part of.
    """
    hidden = [other for other in parameters if other not in shown and len(trials[other].unique()) > 1]
    optional = [other for other in hidden if "." in other and trials[other].eq(NONE).any()]
    return tuple(other for other in hidden if other not in optional and _follows(trials, other, axis))


def lay_out(trials: pd.DataFrame, parameters: Sequence[str], chosen: Mapping[str, str]) -> Layout:
    """Give every varied parameter an axis: those that the user chose for any of x, hue, col and row first.

    The rest is filled in: learning rate along x, hidden width by colour, cut-off in columns, or what was varied in
    their stead. Raises `SelectionError` if an axis does not exist or is chosen twice, or there are more levels than a
    figure can show.
    """
    valid = [*parameters, "sweep"]
    problems = [
        f"{key}={axis}: not a parameter of these runs{_meant(axis, valid)}; valid are {', '.join(valid)}"
        for key, axis in chosen.items()
        if axis not in valid
    ]
    if len(set(chosen.values())) < len(chosen):
        problems.append("x, hue, col and row must differ")
    if problems:
        raise SelectionError("\n".join(problems))

    taken = list(chosen.values())
    free = [axis for axis in varied(trials, parameters) if not any(_follows(trials, axis, other) for other in taken)]
    col = chosen.get("col") or _pop(free, "epochs")
    x = chosen.get("x") or _pop(free, "lr", *free)
    if x is None:
        x, col = (col, None) if "col" not in chosen and col else ("lr", col)
    hue = chosen.get("hue") or _pop(free, "hidden", *free)
    free.sort(key=lambda axis: -trials[axis].nunique())  # a page is higher than wide
    panels = tuple(axis for axis in (chosen.get("row"), *free, col) if axis)
    layout = Layout(x, hue, panels, stacked=panels == (chosen.get("row"),))
    shown = layout.conditions
    together = ((axis, _together(trials, parameters, axis, shown)) for axis in shown)
    layout = replace(layout, together=tuple((axis, others) for axis, others in together if others))
    for arranged in (layout, layout.along_epochs()):
        _check_levels(trials, arranged)
    return layout


def _meant(name: str, valid: Sequence[str]) -> str:
    called = {LABELS.get(axis, axis).replace(" ", "_"): axis for axis in valid} | {axis: axis for axis in valid}
    close = difflib.get_close_matches(name, called, 1)
    return f", did you mean {called[close[0]]}?" if close else ""


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
