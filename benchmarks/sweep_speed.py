"""What a tracked run costs, end to end, and where the time goes.

Launches real sweeps, each in a new folder, and the same thing done with Hydra's basic launcher, a NumPy loop and
careful MLflow calls (`benchmarks.careful_baseline`), a run of which is then compared with a run of ours.
"""

import os
import pstats
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from benchmarks.document import table

ROOT = Path(__file__).resolve().parent.parent
BASELINE_RUNS = 40
START = "from experiments.startup import collect_garbage_seldom\ncollect_garbage_seldom()\n"


@dataclass(frozen=True)
class Measured:
    """A command's wall time in seconds and the largest memory it held in MiB."""

    seconds: float
    peak_mib: float


def command(folder: Path, *arguments: str) -> Measured:
    began = time.perf_counter()
    process = subprocess.Popen(
        [sys.executable, *arguments], cwd=folder, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
    )
    assert process.stderr is not None
    errors = process.stderr.read()
    _, status, usage = os.wait4(process.pid, 0)
    if status:
        raise RuntimeError(f"{arguments} failed:\n{errors[-2000:]}")
    return Measured(time.perf_counter() - began, usage.ru_maxrss / 1024)


def sweep(folder: Path, *overrides: str) -> Measured:
    return command(folder, "-m", "experiments.train", "-m", *overrides)


def new_folder(root: Path, name: str) -> Path:
    """A folder with a store in it, and everything compiled: what there is after anybody's first run."""
    folder = root / name
    folder.mkdir()
    sweep(folder, "seed=0,1", "epochs=10")
    return folder


def startup(root: Path) -> str:
    folder = new_folder(root, "startup")
    rows = [
        ("`python -m experiments.train --help`", command(folder, "-m", "experiments.train", "--help")),
        ("one run of 10,000 epochs, existing store", command(folder, "-m", "experiments.train")),
        ("a sweep of 2 runs of 10 epochs, existing store", sweep(folder, "seed=2,3", "epochs=10")),
        (
            "of which, in both: importing MLflow's SQLAlchemy models",
            command(folder, "-c", f"{START}import mlflow.store.tracking.dbmodels.models"),
        ),
    ]
    return table(["command", "seconds"], [(what, f"{measured.seconds:.2f}") for what, measured in rows])


def per_run(root: Path) -> str:
    """1000 runs of ours against a sample of the baseline's, the start-up of both taken off."""
    rows = []
    script = str(ROOT / "benchmarks" / "careful_baseline.py")
    for epochs in (1500, 10_000):
        folder = root / f"baseline-{epochs}"
        folder.mkdir()
        command(folder, script, "-m", "seed=0", f"epochs={epochs}")  # makes the store
        many = command(folder, script, "-m", f"seed=range(1,{BASELINE_RUNS + 2})", f"epochs={epochs}")
        one = command(folder, script, "-m", "seed=1000", f"epochs={epochs}")
        theirs = (many.seconds - one.seconds) / BASELINE_RUNS

        folder = new_folder(root, f"ours-{epochs}")
        ours_many = sweep(folder, "seed=range(1000)", f"epochs={epochs}")
        ours_one = sweep(folder, "seed=1000", f"epochs={epochs}")
        ours = (ours_many.seconds - ours_one.seconds) / 999
        milliseconds = f"{theirs * 1e3:.0f}", f"{ours * 1e3:.2f}"
        rows.append((f"{epochs:,}", *milliseconds, f"{theirs / ours:.0f}", f"{ours_many.seconds:.1f}"))
    return table(["epochs", "baseline, ms a run", "ours, ms a run", "ratio", "ours, 1000 runs, s"], rows)


def size(root: Path) -> str:
    """Time and memory of sweeps of growing size, 10,000 epochs up to 10,000 runs and 100 beyond."""
    rows = []
    for count in (1000, 10_000, 100_000):
        epochs = 10_000 if count <= 10_000 else 100
        folder = new_folder(root, f"size-{count}")
        measured = sweep(folder, f"seed=range({count})", f"epochs={epochs}")
        times = f"{measured.seconds:.1f}", f"{measured.seconds / count * 1e3:.2f}"
        rows.append((f"{count:,}", f"{epochs:,}", *times, f"{measured.peak_mib:,.0f}"))
    return table(["runs", "epochs", "seconds", "ms a run", "peak memory, MiB"], rows)


def shared_cutoffs() -> str:
    """Time for training and reading the results, in this process: both cut-offs against the longer one."""
    import nn_core
    from experiments import ensemble
    from experiments.config import Config
    from experiments.jobs import Job
    from nn_core import GradientDescent, Tolerance, Uniform, Xor

    groups = {"task": Xor(), "init": Uniform(), "optimizer": GradientDescent(), "criterion": Tolerance()}

    def train(*cutoffs: int) -> float:
        configs = (Config(seed=seed, epochs=cutoff, **groups) for seed in range(1000) for cutoff in cutoffs)
        chunks = list(ensemble.chunks(Job((), config) for config in configs))
        began = time.perf_counter()
        for chunk in chunks:
            for _ in ensemble.train_chunk(chunk, nn_core.engine("numba"), lambda _: None):
                pass
        return time.perf_counter() - began

    train(10)  # compiled
    pairs = [(train(1500, 10_000), train(10_000)) for _ in range(25)]
    both, longer = map(median, zip(*pairs, strict=True))
    ratio = median(one / other for one, other in pairs)
    measured = {"`epochs=10000`": longer, "`epochs=1500,10000`": both, "ratio": ratio}
    return table(["1000 networks, median of 25 pairs", "seconds"], [(what, f"{m:.3f}") for what, m in measured.items()])


def where_time_goes(root: Path) -> str:
    """Profile a sweep of 1000 runs in a process of its own, and sum up by stage."""
    folder = new_folder(root, "profile")
    output = folder / "profile.out"
    program = (
        f"{START}import cProfile, sys\n"
        "from experiments import train\n"
        "sys.argv = ['train', '-m', 'seed=range(1000)', 'epochs=10000']\n"
        f"cProfile.run('train.main()', {str(output)!r})\n"
    )
    command(folder, "-c", program)
    stages = {
        "expanding and checking jobs": [("jobs.py", "expand"), ("batches.py", "grid_problems")],
        "training": [("ensembles.py", "train"), ("results.py", "results"), ("ensemble.py", "start")],
        "describing runs (metrics, curves, three small files)": [("description.py", "describe")],
        "writing runs": [("tracking/store.py", "write")],
        "reading back and closing the parent": [("session.py", "_read_back"), ("session.py", "close")],
    }
    profile = pstats.Stats(str(output))
    cumulative = {(file, function): entry[3] for (file, _, function), entry in profile.stats.items()}  # type: ignore[attr-defined]
    seconds = {
        stage: sum(
            spent
            for (file, function), spent in cumulative.items()
            if any(function == wanted and file.endswith(name) for name, wanted in functions)
        )
        for stage, functions in stages.items()
    }
    seconds["the rest: start-up, imports, the parent run"] = profile.total_tt - sum(seconds.values())  # type: ignore[attr-defined]
    lines = table(["stage", "ms a run"], [(stage, f"{spent:.2f}") for stage, spent in seconds.items()])
    return f"{lines}\n\nUnder a profiler, which makes what is Python about twice as slow and leaves training alone."


def report() -> str:
    """All of it, as Markdown."""
    with tempfile.TemporaryDirectory() as name:
        root = Path(name)
        sections = {
            "Start-up": startup(root),
            "A tracked run, end to end": per_run(root),
            "Sweeps of growing size": size(root),
            "Jobs that differ only in their cut-off": shared_cutoffs(),
            "Where the time of 1000 runs goes": where_time_goes(root),
        }
    return "\n\n".join(f"#### {title}\n\n{results}" for title, results in sections.items())
