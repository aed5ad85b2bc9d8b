"""Decision surfaces of a few networks beside each other, as SVG, which MLflow shows on the page of their condition.

The gallery of ``python -m analysis.figures`` is the careful picture. This one is there as soon as a sweep has ended, so
it has to cost next to nothing: a coarse grid in a few colours, and no plotting library.
"""

import io
import zlib
from collections.abc import Mapping, Sequence
from html import escape
from itertools import groupby
from zipfile import BadZipFile

import numpy as np
from numpy.typing import NDArray

from nn_core import Activation, Task, forward

Array = NDArray[np.float64]

CELLS = 30
"""Cells along each side of a surface."""

LEVELS = 11
"""Different colours, an odd number: the middle one is half-way between the targets."""

_SIDE, _GAP, _TOP = 240, 24, 58  # pixels
_LOW, _MIDDLE, _HIGH = (49, 90, 160), (247, 247, 247), (217, 106, 20)  # blue, almost white, orange


def varying_inputs(task: Task) -> tuple[int, int] | None:
    """The two inputs that vary, of a task that can be drawn: one with two of them and one output."""
    patterns, _, outputs = task.shape
    if patterns > 64 or outputs != 1:
        return None
    inputs = np.flatnonzero(np.ptp(task.inputs, axis=0) > 0)
    return (int(inputs[0]), int(inputs[1])) if len(inputs) == 2 else None


def weights_in(content: bytes) -> list[Array]:
    """Read the weights of a network from its artifact; raises `ValueError` if that is damaged."""
    try:
        with np.load(io.BytesIO(content)) as file:
            return [np.asarray(file[f"weights{depth}"], np.float64) for depth in range(1, len(file.files) + 1)]
    except (OSError, EOFError, LookupError, TypeError, BadZipFile, zlib.error) as error:
        raise ValueError(f"the weights cannot be read: {error}") from error


def draw(params: Mapping[str, str], networks: Mapping[str, Sequence[Array]]) -> bytes:
    """Draw networks of one condition, by their titles; nothing if its task is no square.

    The networks are their weights, layer by layer. A title may have several lines. Raises `ValueError` if weights are
    of another network.
    """
    task = Task.from_params(dict(params))
    inputs = varying_inputs(task)
    if inputs is None or not networks:
        return b""
    width = len(networks) * (_SIDE + _GAP) + _GAP
    low, high = task.target_ends.values()
    told = f"Blue: {low:g}, the low target. White: half-way. Orange: {high:g}, the high one. Circles: the patterns."
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {_TOP + _SIDE + 40}" width="{width}" '
        f'height="{_TOP + _SIDE + 40}" font-family="sans-serif" font-size="13">',
        f'<rect width="{width}" height="{_TOP + _SIDE + 40}" fill="white"/>',
    ]
    for place, (title, weights) in enumerate(networks.items()):
        left = _GAP + place * (_SIDE + _GAP)
        for line, text in enumerate(title.split("\n")):
            parts.append(f'<text x="{left}" y="{20 + 17 * line}">{escape(text)}</text>')
        parts.append(f'<svg x="{left}" y="{_TOP}" width="{_SIDE}" height="{_SIDE}" viewBox="0 0 {CELLS} {CELLS}">')
        parts += [*_surface(params, task, inputs, weights), "</svg>"]
    parts += [f'<text x="{_GAP}" y="{_TOP + _SIDE + 24}" font-size="11">{told}</text>', "</svg>"]
    return "\n".join(parts).encode()


def _surface(params: Mapping[str, str], task: Task, inputs: tuple[int, int], weights: Sequence[Array]) -> list[str]:
    """Draw one network in a square of `CELLS` cells a side, its first varying input to the right, the other upwards."""
    i, j = inputs
    ends = np.array([task.inputs[:, [i, j]].min(axis=0), task.inputs[:, [i, j]].max(axis=0)])
    origin, size = ends[0] - 0.25 * (ends[1] - ends[0]), 1.5 * (ends[1] - ends[0])
    ticks = (np.arange(CELLS) + 0.5) / CELLS
    shown = np.repeat(task.inputs[:1], CELLS**2, axis=0)  # inputs that never vary keep their value
    right, up = np.meshgrid(ticks, ticks[::-1])
    shown[:, i], shown[:, j] = origin[0] + size[0] * right.ravel(), origin[1] + size[1] * up.ravel()
    bias = None if params.get("bias", "null") == "null" else float(params["bias"])
    shortcuts = params.get("shortcuts") == "true"
    with np.errstate(over="ignore", invalid="ignore"):  # weights may be as large as float64 allows
        answers = forward(weights, shown, Activation.from_params(dict(params)), bias, shortcuts)[-1]
    low, high = task.target_ends.values()
    levels = _levels(answers, low, high).reshape(CELLS, CELLS)
    rows = []
    for y, row in enumerate(levels.tolist()):
        x = 0
        for level, cells in groupby(row):
            wide = len([*cells])
            rows.append(f'<rect x="{x}" y="{y}" width="{wide + 0.05:g}" height="1.05" fill="{_COLORS[level]}"/>')
            x += wide
    for pattern, level in zip(task.inputs[:, [i, j]], _levels(task.targets, low, high).ravel().tolist(), strict=True):
        x, y = ((pattern - origin) / size * CELLS).tolist()
        circle = f'cx="{x:.2f}" cy="{CELLS - y:.2f}" r="0.9" fill="{_COLORS[level]}"'
        rows.append(f'<circle {circle} stroke="black" stroke-width="0.2"/>')
    return rows


def _levels(outputs: Array, low: float, high: float) -> NDArray[np.int64]:
    """Which of the colours each output has; one that is not a number has that of the middle."""
    share = (outputs - low) / (high - low) if high > low else np.full_like(outputs, 0.5)
    share = np.nan_to_num(share, nan=0.5, posinf=1.0, neginf=0.0)
    return np.clip((share * LEVELS).astype(np.int64), 0, LEVELS - 1)


def _color(share: float) -> str:
    start, end, within = (_LOW, _MIDDLE, 2 * share) if share < 0.5 else (_MIDDLE, _HIGH, 2 * share - 1)
    mixed = (round(a + (b - a) * within) for a, b in zip(start, end, strict=True))
    return "#{:02x}{:02x}{:02x}".format(*mixed)


_COLORS = [_color(level / (LEVELS - 1)) for level in range(LEVELS)]
