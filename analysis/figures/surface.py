"""What trained networks make of the input square."""

import itertools
import math
from collections.abc import Mapping
from typing import Any, TypeAlias

import matplotlib as mpl
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from numpy.typing import NDArray

from analysis.axes import varied
from analysis.figures.drawing import Drawing, NotApplicableError
from analysis.figures.panels import color_bar, empty_figure, finish
from analysis.figures.style import wrapped
from analysis.figures.view import RunId, View
from analysis.levels import assignments, level_name, level_names, levels, names_by_axis, parameter_name
from analysis.trials import answers, task_of, tasks_of, weights_of
from tracking.errors import TrackingError

_RESOLUTION = 121
_EXAMPLES = 3
_COLORS = mpl.colormaps["cividis"]

Cells: TypeAlias = "Mapping[tuple[int, int], pd.Series[Any] | str]"
"""What stands in which row and column: a trial, or words where there is none."""


def surface(view: View, *, runs: tuple[RunId, ...] = ()) -> Drawing:
    """Output over the input square, of chosen networks or of a typical converged one and the worst failure.

    Parameters
    ----------
    runs
        ids of runs, or their beginnings, whose decision surfaces to draw
    """
    if runs:
        chosen = pd.concat(view.trials[view.trials["run_id"].str.startswith(run)].head(1) for run in runs)
        which = "chosen runs"
    else:
        _check_tasks(view.longest)
        converged, failed = _split(view.longest)
        chosen = pd.concat([_spaced(converged, 1), failed.head(1)])
        which = "the trial with the median time to converge, and of the one furthest from its targets, if any failed"
    columns = min(len(chosen), max(1, int(view.style.page / (1.9 * view.style.scale))))
    cells = {divmod(i, columns): trial for i, (_, trial) in enumerate(chosen.iterrows())}
    return _drawn(view, cells, ("surface", "Decision surfaces", f"Output of {which}, over the input square"))


def gallery(view: View) -> Drawing:
    """The same for converged networks of each hidden width (fast, median, slow) and for its worst failures."""
    trials = view.longest
    _check_tasks(trials)
    axis = "hidden" if len(levels(trials["hidden"])) > 1 else (view.layout.along_epochs().hue or "hidden")
    names = level_names(levels(trials[axis]), 12)
    groups = [_split(trials[trials[axis] == level]) for level in names]
    kinds = [kind for kind in (0, 1) if any(len(group[kind]) for group in groups)]
    cells: dict[tuple[int, int], pd.Series[Any] | str] = {}
    for (r, group), (k, kind) in itertools.product(enumerate(groups), enumerate(kinds)):
        examples = group[1].head(_EXAMPLES) if kind else _spaced(group[0], _EXAMPLES)
        cells[r, k * _EXAMPLES] = "none failed" if kind else "none converged"
        cells |= {(r, k * _EXAMPLES + i): trial for i, (_, trial) in enumerate(examples.iterrows())}
    told = ["that converged (fast, median, slow)", "that did not (furthest from their targets)"]
    which = f"Output of networks {' and of networks '.join(told[kind] for kind in kinds)}, by {parameter_name(axis)}"
    rows = {r: f"{parameter_name(axis)} {name}" for r, name in enumerate(names.values())}
    return _drawn(view, cells, ("gallery", "Gallery of decision surfaces", which), rows, axis)


def _check_tasks(trials: pd.DataFrame) -> None:
    """Every task among the trials must be a function of the input square."""
    for task in tasks_of(trials):
        inputs, outputs = len(_varying(task.inputs)), task.targets.shape[1]
        if (inputs, outputs) != (2, 1):
            raise NotApplicableError(
                f"a surface needs two varying inputs and one output; {task.name} here has {inputs} and {outputs} "
                "(choose other runs with where or runs)"
            )


def _varying(inputs: NDArray[np.float64]) -> list[int]:
    return [int(i) for i in np.flatnonzero(np.ptp(inputs, axis=0) > 0)]


def _split(trials: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Converged trials from the fastest to the slowest, and failed ones from the worst to the best."""
    usable = trials[trials["final_loss"].notna()]
    converged = usable[usable["converged"]].sort_values("epochs_to_converge", kind="stable")
    return converged, usable[~usable["converged"]].sort_values("max_error", ascending=False, kind="stable")


def _spaced(trials: pd.DataFrame, count: int) -> pd.DataFrame:
    """Evenly spaced rows, of one the middle."""
    if count == 1:
        return trials.iloc[[len(trials) // 2]] if len(trials) else trials
    return trials.iloc[np.unique(np.linspace(0, len(trials) - 1, min(count, len(trials))).round().astype(int))]


def _drawn(
    view: View, cells: Cells, what: tuple[str, str, str], names: Mapping[int, str] | None = None, named_by_row: str = ""
) -> Drawing:
    """Draw trials in a grid, with the names of its rows, which tell levels of one parameter."""
    style, names = view.style, names or {}
    shown = {place: trial for place, trial in cells.items() if not isinstance(trial, str)}
    if not shown:
        raise NotApplicableError("every trial diverged, so there is no trained network to show")
    trials = view.trials.loc[[trial.name for trial in shown.values()]]
    _check_tasks(trials)
    rows, columns = (1 + max(place[i] for place in cells) for i in (0, 1))
    columns = math.ceil(columns / _EXAMPLES) * _EXAMPLES if names else columns
    width = style.column if columns <= 2 and rows == 1 else style.page
    side = (width - 1.1 * style.scale) / columns
    small = 0.75 * style.font
    keys = [k for k in varied(view.trials, [*view.data.parameters]) if k not in ("epochs", named_by_row)]
    differing = names_by_axis(trials, [k for k in keys if len(trials[k].unique()) > 1])
    headings = {
        place: wrapped("\n".join([*assignments(trial, differing), *_outcome(trial)]), 0.97 * side, small)
        for place, trial in shown.items()
    }
    above = (max(text.count("\n") for text in headings.values()) + 2.2) * 1.25 * small / 72
    figure = empty_figure(width, rows * (side + above) + 2 * small / 72, style)
    axes = figure.subplots(rows, columns, squeeze=False)
    for (r, c), ax in np.ndenumerate(axes):
        ax.set_box_aspect(1)
        ax.set(xticks=[], yticks=[])
        ax.spines[:].set_visible(False)
        if (r, c) in shown:
            i, j = _surface(ax, view, shown[r, c])
            ax.set_title(headings[r, c], fontsize=small)
            is_lowest = not any((below, c) in shown for below in range(r + 1, rows))
            ax.set_xlabel(f"input {i + 1}" if is_lowest else "", fontsize=small)
            ax.set_ylabel(f"input {j + 1}" if c == 0 else "", fontsize=small)
        else:
            ax.text(0.5, 0.5, cells.get((r, c), ""), transform=ax.transAxes, ha="center", va="center", fontsize=small)
        if c == 0 and r in names:
            ax.set_ylabel(f"{names[r]}\n{ax.get_ylabel()}".strip(), fontsize=small)
    ranges = {tuple(task.target_ends.values()) for task in tasks_of(trials)}
    ticks = ["low\ntarget", "half-way", "high\ntarget"]
    scaled = " Colour: from the low to the high target of each network's own task."
    if len(ranges) == 1:
        ((low, high),) = ranges
        ticks, scaled = [level_name(v) for v in (low, (low + high) / 2, high)], ""
    color_bar(figure, axes.ravel().tolist(), _COLORS, "output", ticks, aspect=14, shrink=min(1.0, 2.0 / rows), pad=0.02)
    lost = " Lost: met the criterion once, and no longer does." if any(map(_is_lost, shown.values())) else ""
    caption = view.caption(
        f"{what[2]}. White line: output half-way between the targets. Circles: the patterns, filled with their "
        f"targets.{scaled} Error: the largest difference from a target, at the end.{lost}",
        trials,
    )
    finish(figure, style, caption)
    told = dict.fromkeys([*view.layout.conditions, "seed", "run_id"])
    table = trials[
        [*told, "converged", "converged_at_end", "epochs_to_converge", "final_loss", "max_error"]
    ].reset_index(drop=True)
    return Drawing(*what[:2], caption, figure, table, table)


def _outcome(trial: "pd.Series[Any]") -> list[str]:
    """Which trial it is and what became of it, in lines."""
    when = f"{level_name(trial['epochs_to_converge'])} epochs"
    if not trial["converged"]:
        when = f"not by {level_name(trial['epochs'])}"
    elif _is_lost(trial):
        when += ", lost"
    return [f"seed {trial['seed']}, error {trial['max_error']:.3f}", when]


def _is_lost(trial: "pd.Series[Any]") -> bool:
    return bool(trial["converged"]) and trial["converged_at_end"] is False


def _surface(ax: Axes, view: View, trial: "pd.Series[Any]") -> tuple[int, int]:
    """Draw what one network answers over the square of its two varying inputs; returns which inputs these are."""
    task = task_of(trial)
    i, j = _varying(task.inputs)
    low, high = task.inputs[:, i].min(), task.inputs[:, i].max()
    low, high = low - 0.25 * (high - low), high + 0.25 * (high - low)
    ticks = np.linspace(low, high, _RESOLUTION)
    inputs = np.repeat(task.inputs[:1], _RESOLUTION**2, axis=0)  # inputs that never vary keep their value
    inputs[:, i], inputs[:, j] = (axis.ravel() for axis in np.meshgrid(ticks, ticks))
    try:
        weights = weights_of(view.store, view.data.runs[trial["run_id"]], trial)
    except TrackingError as error:
        raise NotApplicableError(str(error)) from error
    output = answers(trial, weights, inputs).reshape(_RESOLUTION, _RESOLUTION)
    low_target, high_target = task.target_ends.values()
    look: dict[str, Any] = {"cmap": _COLORS, "norm": mpl.colors.Normalize(low_target, high_target)}
    ax.imshow(output, aspect="auto", origin="lower", extent=(low, high, low, high), interpolation="bilinear", **look)
    middle = (low_target + high_target) / 2
    if output.min() < middle < output.max():
        ax.contour(ticks, ticks, output, levels=[middle], colors="white", linewidths=0.13 * view.style.font)
    ax.scatter(
        task.inputs[:, i], task.inputs[:, j], c=task.targets[:, 0], **look,
        s=(0.6 * view.style.font) ** 2, edgecolors="white", linewidths=0.1 * view.style.font, zorder=3, clip_on=False,
    )  # fmt: skip
    ax.set(xticks=[], yticks=[])
    return i, j
