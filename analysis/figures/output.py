"""Where figures and reports go: a folder of their own, and the parent run of the sweep they show."""

import hashlib
import sys
from collections.abc import Sequence
from pathlib import Path

from analysis.figures.view import View
from tracking import artifacts
from tracking.errors import TrackingError


def folder_of(view: View) -> Path:
    """Make the folder for a view, safe whatever names users give: the sweeps' ids, a digest of what narrows them."""
    name = "-".join(sweep.short_id for sweep in view.data.sweeps)
    if view.data.run_filter or view.where:
        levels = sorted((axis, *map(str, chosen)) for axis, chosen in view.where.items())
        digest = hashlib.sha256(f"{view.data.run_filter}\n{levels}".encode()).hexdigest()[:8]
        name = f"{name or 'runs'}-part-{digest}"
    folder = Path("figures") / name
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def attach(view: View, paths: Sequence[Path]) -> None:
    """Log files under ``figures/`` of the sweep's parent run, if they show that whole sweep and no other."""
    if len(view.data.sweeps) != 1 or view.data.run_filter or view.where:
        return
    figures = {f"figures/{path.name}": path.read_bytes() for path in paths}
    try:
        artifacts.save(view.store.uri, view.data.sweeps[0].parent.artifact_uri, figures)
    except TrackingError as error:
        print(f"not attached to the sweep's run: {error}", file=sys.stderr)
