"""How much memory training takes, and how much there is: an ensemble that does not fit is better not begun.

What is counted are the arrays of `nn_core.training`, of `nn_core.compiled` and of `nn_core.results` at their most.
"""

import os
import resource
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import numpy as np

from nn_core.condition import Condition
from nn_core.initializers import count_weights
from nn_core.training import recorded_epochs

LANES = 32  # networks side by side in the compiled engine, at most
OBJECTS = 128  # what Python needs to hold a network and its result, in float64s


def needed(condition: Condition, networks: int, epochs: int, engine: str) -> int:
    """Bytes that it takes to train an ensemble for that many epochs by an engine, ``numba`` or ``numpy``."""
    patterns, inputs, outputs = condition.training.task.shape
    units, widest = sum(condition.sizes[1:]), max(condition.sizes[1:])
    weights = count_weights(condition.fans)
    probe = [np.zeros((1, 2, 2))]
    network = weights * (1 + sum(np.size(M) for Ms in condition.optimizer.init(probe) for M in Ms) // probe[0].size)
    # A pass over all patterns keeps the outputs of all layers, and needs room to work on one of them.
    shown = patterns * (units + 4 * widest)
    table = patterns * (2 * inputs + outputs + 1)
    if engine == "numpy":
        # The ensemble as it was at first, before an epoch, after it, and where it goes on; gradients and steps.
        most = table + networks * (4 * network + 2 * weights + shown)
    else:
        # As it was drawn, at first, before a slice, in the kernel and after it; only then are results read.
        chosen = os.environ.get("NUMBA_NUM_THREADS", "")
        threads = min(int(chosen) if chosen.isdigit() else os.cpu_count() or 1, -(-networks // LANES))
        blocks = threads * (table + LANES * 2 * (patterns * units + network))
        most = 2 * table + max(blocks + networks * 5 * network, networks * (network + shown))
    losses = 3 * len(recorded_epochs(condition.training.per_decade, epochs))
    return 8 * (most + networks * (losses + OBJECTS))


def available() -> int:
    """Bytes of memory that can be had: what the machine has free, or as much as our control groups allow."""
    free = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    with suppress(OSError):  # elsewhere than in Linux
        facts = dict(line.split(":", 1) for line in Path("/proc/meminfo").read_text().splitlines())
        free = 1024 * int(facts["MemAvailable"].split()[0])
        groups = Path("/proc/self/cgroup").read_text()
        ours = 1024 * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        free = min([free, *(max(0, limit - ours) for limit in limits(groups, Path("/sys/fs/cgroup")))])
    return free


def limits(groups: str, mounted: Path) -> Iterator[int]:
    """Limits of control groups, as ``/proc/self/cgroup`` lists them, and of those that they are in."""
    for line in groups.splitlines():
        _, controllers, group = line.split(":", 2)
        if controllers not in ("", "memory"):
            continue
        top, file = (mounted / "memory", "memory.limit_in_bytes") if controllers else (mounted, "memory.max")
        own = top / group.lstrip("/")
        for folder in (own, *own.parents):
            with suppress(OSError, ValueError):  # groups that are not shown to us, or have no limit: "max"
                yield int((folder / file).read_text())
