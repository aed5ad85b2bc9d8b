"""What a measurement depends on besides the code."""

import datetime
import importlib.metadata
import importlib.util
import os
import platform
from pathlib import Path

from numba.core.registry import cpu_target

VECTORS = {"avx512f": "AVX-512", "avx2": "AVX2", "avx": "AVX", "neon": "NEON"}
"""Vector extensions as LLVM calls them, the widest first."""


def machine() -> str:
    """Name the machine: cores, processor, its family as LLVM calls it, widest vectors."""
    model, cpuinfo = platform.processor() or platform.machine(), Path("/proc/cpuinfo")
    if cpuinfo.exists():
        lines = cpuinfo.read_text().splitlines()
        model = next((line.split(":")[1].strip() for line in lines if line.startswith("model name")), model)
    _, family, features = cpu_target.target_context.codegen().magic_tuple()
    vectors = next((name for feature, name in VECTORS.items() if f"+{feature}" in features.split(",")), "no vectors")
    return f"{os.cpu_count()} cores of {model}, {family}, {vectors}"


def circumstances() -> str:
    """Say when, with what and beside what is measured."""
    packages = [name for name in ("numpy", "numba", "mlflow", "torch", "jax") if importlib.util.find_spec(name)]
    versions = ", ".join(f"{name} {importlib.metadata.version(name)}" for name in packages)
    return (
        f"Measured on {datetime.date.today():%-d %B %Y}: Python {platform.python_version()}, {versions}; "
        f"load before: {os.getloadavg()[0]:.1f}."
    )
