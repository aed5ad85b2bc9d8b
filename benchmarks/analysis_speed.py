"""How long it takes to load 10,000 runs from MLflow and to draw all their figures.

Runs the everyday sweep (4 learning rates, 3 hidden widths, 2 cut-offs) with 417 seeds, 10,008 runs, in a temporary
folder, then times loading and each figure, from a SQLite store and, for loading, from a tracking server before it.
"""

import os
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import TypeVar

from benchmarks.document import table

Result = TypeVar("Result")


def timed(rows: list[tuple[str, float]], what: str, action: Callable[[], Result]) -> Result:
    began = time.perf_counter()
    result = action()
    rows.append((what, time.perf_counter() - began))
    return result


def sweep(folder: Path) -> None:
    command = [sys.executable, "-m", "experiments.train", "-m", "lr=0.05,0.1,0.5,1.0", "hidden=2,4,8"]
    subprocess.run([*command, "epochs=1500,10000", "seed=range(417)"], cwd=folder, check=True, stdout=2)


def by_server(folder: Path, rows: list[tuple[str, float]]) -> None:
    from analysis.loading import load
    from tracking.store import open_reader

    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "mlflow", "server", "--host", "127.0.0.1", "--port", str(port)]
    command += ["--backend-store-uri", f"sqlite:///{folder / 'mlflow.db'}"]
    with subprocess.Popen(command, cwd=folder, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as server:
        try:
            while not answers(port):
                with suppress(subprocess.TimeoutExpired):
                    server.wait(timeout=0.1)
                    raise SystemExit("the tracking server did not start")
            timed(rows, "load through a tracking server", lambda: load(open_reader(f"http://127.0.0.1:{port}")))
        finally:
            server.terminate()


def answers(port: int) -> bool:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/health", timeout=5):
            return True
    except OSError:
        return False


def report() -> str:
    """All of it, as Markdown."""
    before = Path.cwd()
    os.environ.pop("MLFLOW_TRACKING_URI", None)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        sweep(folder)
        os.chdir(folder)
        rows: list[tuple[str, float]] = []
        command = [sys.executable, "-m", "analysis.figures"]
        timed(rows, "whole command, python -m analysis.figures", lambda: subprocess.run(command, check=True, stdout=2))

        def imports() -> None:
            import mlflow  # noqa: F401

            import analysis.figures.panels  # noqa: F401

        timed(rows, "of which: importing MLflow, pandas, seaborn", imports)
        from analysis.figures.__main__ import FigureOptions
        from analysis.figures.catalog import FIGURES, Figure
        from analysis.figures.drawing import Drawing, folder_of, save
        from analysis.figures.style import applied
        from analysis.figures.view import View

        view = timed(rows, "loading, curves included", lambda: View.of(FigureOptions(), FigureOptions().look))

        def draw(figure: Figure) -> None:
            drawing = figure.draw(view)
            assert isinstance(drawing, Drawing), drawing
            with applied(view.style):
                save(drawing, folder_of(view), FigureOptions().endings)

        for name, figure in FIGURES.items():
            timed(rows, name, lambda figure=figure: draw(figure))  # type: ignore[misc]
        by_server(folder, rows)
        runs = view.trials["run_id"].nunique()
        points = len(view.data.curves)
        os.chdir(before)
    counts = f"{runs:,} runs, {points:,} points of loss curves, {os.cpu_count()} cores"
    return f"{counts}\n\n{table(['what', 'seconds'], [(what, f'{seconds:.1f}') for what, seconds in rows])}"
