import subprocess
import sys

import pytest

from nn_core.memory import available, limits

# Each ensemble is trained in a process of its own, by one that has compiled what it takes.
SCRIPT = """
import os
import nn_core as nn
from nn_core.memory import needed

def kilobytes(key):
    return next(int(line.split()[1]) for line in open("/proc/self/status") if line.startswith(key))

xor, parity = nn.Training(nn.Xor(), bias=1.0), nn.Training(nn.Parity(9), bias=1.0)
cases = [
    ("numpy", xor, (256, 256), nn.Momentum(), 32, 3),
    ("numpy", parity, (256,), nn.GradientDescent(), 16, 3),
    ("numpy", nn.Training(nn.Encoder(1024)), (4,), nn.GradientDescent(), 1, 2),
    ("numba", xor, (64, 64), nn.Momentum(), 1024, 3),
    ("numba", parity, (256,), nn.Momentum(), 32, 2),
    ("numba", xor, (2,), nn.GradientDescent(), 20_000, 100),
]
for optimizer in nn.GradientDescent(), nn.Momentum():
    nn.engine("numba")(nn.Condition(xor, (2,), nn.Uniform(), optimizer).start([0]), 1)
for engine, training, hidden, optimizer, networks, epochs in cases:
    if not os.fork():
        before = kilobytes("VmRSS")
        condition = nn.Condition(training, hidden, nn.Uniform(), optimizer)
        state = condition.start(range(networks))
        state = nn.train(state, epochs, nn.engine(engine))
        nn.results(state)
        took = 1024 * (kilobytes("VmHWM") - before)
        print(needed(condition, networks, epochs, engine) / took, flush=True)
        os._exit(0)
    os.wait()
"""


def test_what_training_needs_is_what_it_takes():
    said = subprocess.run([sys.executable, "-c", SCRIPT], check=True, capture_output=True, text=True).stdout
    ratios = [float(line) for line in said.split()]
    assert len(ratios) == 6
    assert all(0.7 < ratio < 2.0 for ratio in ratios), ratios


@pytest.mark.parametrize(
    ("groups", "files", "found"),
    [
        ("0::/\n", {"memory.max": "1000"}, [1000]),
        ("0::/jobs/7\n", {"jobs/7/memory.max": "max", "jobs/memory.max": "2000"}, [2000]),
        (
            "5:cpuset:/a\n4:memory:/job\n0::/\n",
            {"memory/job/memory.limit_in_bytes": "500", "memory/memory.limit_in_bytes": "9000"},
            [500, 9000],
        ),
        ("0::/not/shown\n", {}, []),
    ],
)
def test_limits_of_control_groups(groups, files, found, tmp_path):
    for name, limit in files.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(f"{limit}\n")
    assert list(limits(groups, tmp_path)) == found


def test_there_is_some_memory():
    assert 2**20 < available() < 2**60
