"""What trained networks make of the input square."""

from collections.abc import Sequence
from typing import Any

import matplotlib as mpl
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from numpy.typing import NDArray

from analysis.axes import level_name, levels
from analysis.figures.drawing import Drawing, NotApplicableError, View, finish, of_hue
from analysis.figures.style import axis_name, named, packed, plain
from analysis.loading import SelectionError
from analysis.networks import answers, task_of, weights_of

_RESOLUTION = 121
_EXAMPLES = 3


def draw(view: View) -> Drawing:
    """Decision surfaces of chosen runs; by default of a typical converged network and of a stuck one."""
    _check_task(view.trials)
    if view.runs:
        chosen, which = _named_runs(view), "chosen runs"
    else:
        converged, stuck = _split(view.trials)
        chosen = pd.concat([_spaced(converged, 1), _spaced(stuck, 1)])
        which = "the trial with the median time to converge, and of one that is stuck, if any"
    fit = max(1, int(view.style.page / (1.9 * view.style.scale)))
    trials = [row for _, row in chosen.iterrows()]
    rows = [trials[i : i + fit] for i in range(0, len(trials), fit)]
    return _drawn(
        view, rows, [""] * len(rows), "surface", "Decision surfaces", f"Output of {which}, over the input square"
    )


def draw_gallery(view: View) -> Drawing:
    """Decision surfaces of converged and of stuck networks of each hidden width."""
    trials = view.trials
    _check_task(trials)
    axis = "hidden" if len(levels(trials["hidden"])) > 1 else (view.layout.hue or "hidden")
    groups = [_split(of_hue(trials, axis, level)) for level in levels(trials[axis])]
    kinds = [kind for kind in (0, 1) if any(len(group[kind]) for group in groups)]
    rows: list[list[pd.Series[Any] | None]] = []
    for group in groups:
        rows.append([])
        for kind in kinds:
            found = [trial for _, trial in _spaced(group[kind], _EXAMPLES).iterrows()]
            rows[-1] += [*found, *[None] * (_EXAMPLES - len(found))]
    names = [f"{axis_name(axis)} {plain(level_name(level), 12)}" for level in levels(trials[axis])]
    shown = ["that converged (fast, median, slow)", "that did not"]
    which = f"Output of networks {' and of networks '.join(shown[kind] for kind in kinds)}, by {axis_name(axis)}"
    return _drawn(view, rows, names, "gallery", "Gallery of decision surfaces", which)


def _check_task(trials: pd.DataFrame) -> None:
    task = task_of(trials.iloc[0])
    if len(trials["task"].unique()) > 1 or len(_varying(task.inputs)) != 2 or task.targets.shape[1] != 1:
        raise NotApplicableError("a surface needs one task with two varying inputs and one output")


def _varying(inputs: NDArray[np.float64]) -> list[int]:
    return [int(i) for i in np.flatnonzero(np.ptp(inputs, axis=0) > 0)]


def _split(trials: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Converged trials from the fastest to the slowest, and failed ones, those trained longest first."""
    usable = trials[trials["final_loss"].notna()]
    converged = usable[usable["converged"]].sort_values("epochs_to_converge", kind="stable")
    failed = usable[~usable["converged"]]
    return converged, failed[failed["epochs"] == failed["epochs"].max()]


def _spaced(trials: pd.DataFrame, count: int) -> pd.DataFrame:
    """Evenly spaced rows, of one the middle."""
    if count == 1:
        return trials.iloc[[len(trials) // 2]] if len(trials) else trials
    return trials.iloc[np.unique(np.linspace(0, len(trials) - 1, min(count, len(trials))).round().astype(int))]


def _named_runs(view: View) -> pd.DataFrame:
    found, problems = [], []
    for name in view.runs:
        matches = view.trials[view.trials["run_id"].str.startswith(name)]
        runs = matches["run_id"].unique()
        if len(runs) == 1:
            found.append(matches.iloc[[0]])
        else:
            problems.append(f"runs={name}: the beginning of {len(runs)} run ids of the selection")
    if problems:
        raise SelectionError("\n".join(problems))
    return pd.concat(found)


def _drawn(
    view: View,
    rows: Sequence[Sequence["pd.Series[Any] | None"]],
    names: Sequence[str],
    name: str,
    title: str,
    lead: str,
) -> Drawing:
    style = view.style
    task = task_of(view.trials.iloc[0])
    low, high = task.target_low, task.target_high
    colors = mpl.colormaps["cividis"]
    norm = mpl.colors.Normalize(low, high)
    columns = max(len(row) for row in rows)
    width = style.column if columns <= 2 and len(rows) == 1 else style.page
    side = (width - 0.9 * style.scale) / columns
    small = 0.75 * style.font
    room = max(8, int(side / (0.6 * small / 72)))
    headings = {id(trial): _heading(view, trial, room) for row in rows for trial in row if trial is not None}
    above = (max(heading.count("\n") for heading in headings.values()) + 1.8) * 1.25 * small / 72
    figure = plt.figure(figsize=(width, len(rows) * (side + above)), layout="constrained")
    grid = figure.subplots(len(rows), columns, squeeze=False)
    shown = []
    for r, (row, row_name) in enumerate(zip(rows, names, strict=True)):
        for c in range(columns):
            trial = row[c] if c < len(row) else None
            ax = grid[r, c]
            if trial is None:
                ax.set_axis_off()
            else:
                shown.append(trial)
                _surface(ax, view, trial, colors, norm)
                ax.set_title(headings[id(trial)], fontsize=small)
            if c == 0 and row_name:
                ax.annotate(
                    row_name, (-0.12, 0.5), xycoords="axes fraction", rotation=90, ha="right", va="center",
                    fontsize=style.font,
                )  # fmt: skip
    bar = figure.colorbar(
        ScalarMappable(norm, colors), ax=grid.ravel().tolist(), aspect=14, shrink=min(1.0, 2.0 / len(rows)),
        pad=0.02, ticks=[low, (low + high) / 2, high],
    )  # fmt: skip
    bar.set_label("output")
    bar.outline.set_visible(False)
    trials = pd.DataFrame(shown)
    caption = view.caption(
        f"{lead}. White line: output half-way between the targets. Circles: the patterns, filled with their targets.",
        trials if shown else view.trials,
    )
    finish(figure, style, caption)
    columns_ = [*dict.fromkeys([*view.layout.conditions, "seed", "run_id"])]
    table = trials[[*columns_, "converged", "epochs_to_converge", "final_loss", "max_error"]].reset_index(drop=True)
    return Drawing(name, title, caption, figure, table, table)


def _heading(view: View, trial: "pd.Series[Any]", room: int) -> str:
    values = {axis: trial[axis] for axis in view.layout.conditions if axis not in ("epochs", "hidden")}
    varied = [value if isinstance(value, str) else named(axis, value) for axis, value in values.items()]
    epochs = level_name(trial["epochs_to_converge"] if trial["converged"] else trial["epochs"])
    end = f"{epochs} epochs" if trial["converged"] else f"not by {epochs}"
    return packed([*varied, f"seed {trial['seed']}"], room) + f"\n{end}"


def _surface(ax: Axes, view: View, trial: "pd.Series[Any]", colors: Any, norm: Any) -> None:
    task = task_of(trial)
    i, j = _varying(task.inputs)
    span = np.ptp(task.inputs[:, i])
    low, high = task.inputs[:, i].min() - 0.25 * span, task.inputs[:, i].max() + 0.25 * span
    ticks = np.linspace(low, high, _RESOLUTION)
    inputs = np.repeat(task.inputs[:1], _RESOLUTION**2, axis=0)  # inputs that never vary keep their value
    inputs[:, i], inputs[:, j] = (axis.ravel() for axis in np.meshgrid(ticks, ticks))
    weights = weights_of(view.data.artifact_uris[trial["run_id"]], int(trial["trial"]))
    output = answers(trial, weights, inputs).reshape(_RESOLUTION, _RESOLUTION)
    ax.imshow(
        output,
        aspect="auto",
        origin="lower",
        extent=(low, high, low, high),
        cmap=colors,
        norm=norm,
        interpolation="bilinear",
    )
    middle = (task.target_low + task.target_high) / 2
    if output.min() < middle < output.max():
        ax.contour(ticks, ticks, output, levels=[middle], colors="white", linewidths=0.13 * view.style.font)
    ax.scatter(
        task.inputs[:, i], task.inputs[:, j], c=task.targets[:, 0], cmap=colors, norm=norm,
        s=(0.6 * view.style.font) ** 2, edgecolors="white", linewidths=0.1 * view.style.font, zorder=3, clip_on=False,
    )  # fmt: skip
    ax.set_box_aspect(1)
    ax.set_xticks([])
    ax.set_yticks([])
    ax.spines[:].set_visible(False)
