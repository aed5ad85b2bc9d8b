import os
import subprocess
import sys

import pytest

PART = """
from dataclasses import dataclass
import numpy as np
from nn_core.optimizers import Optimizer, per_matrix, zeros_like
from nn_core.parts import flag, number

@dataclass(frozen=True)
class Leaky(Optimizer, name="leaky", twin="leaky_twin:leaky"):
    leak: float = number(0.5, "share of past gradients that is kept")
    slowing: bool = flag(True, "whether steps shrink with every update")

    def init(self, weights):
        return zeros_like(weights), [np.ones((*weights[0].shape[:-2], 1, 1))]

    def update(self, gradients, memory, weights):
        past, (age,) = memory
        sums = [per_matrix(self.leak) * p + g for p, g in zip(past, gradients)]
        rate = per_matrix(self.learning_rate) / age if self.slowing else per_matrix(self.learning_rate)
        return [-rate * s / s.shape[-2] for s in sums], (sums, [age + 1.0])
"""

TWIN = """
from nn_core.compiled.lanes import fma, inline

@inline
def leaky(own, weight, gradient, memory, fan_in):
    past, age = memory
    total = fma(own.leak, past, gradient)
    rate = own.learning_rate / age if own.slowing else own.learning_rate
    return weight - rate * total / fan_in, (total, age + 1.0)
"""

SCRIPT = """
import logging, sys
import numpy as np
import nn_core as nn
from leaky import Leaky
logging.basicConfig(level=logging.INFO, format="%(message)s")
worst = 0.0
for update in nn.Batch(), nn.Online():
    for slowing in True, False:
        weights = nn.initial_ensemble(nn.Uniform(-1.0, 1.0), nn.layer_fans((2, 3, 1), 1.0), range(20))
        training = nn.Training(nn.Parity(2), bias=1.0, update=update)
        state = nn.start(training, Leaky(0.3, leak=np.linspace(0.1, 0.6, 20), slowing=slowing), weights)
        ours, theirs = nn.engine("numba")(nn.engine("numba")(state, 7), 30), nn.engine("numpy")(state, 30)
        for A, B in zip((ours.weights, *ours.memory), (theirs.weights, *theirs.memory), strict=True):
            worst = max(worst, *(np.abs(a - b).max() for a, b in zip(A, B, strict=True)))
print("close" if worst < 1e-9 else worst)
"""


@pytest.fixture
def train(tmp_path):
    """Train by a stranger's optimizer, compiled and not, in a process of its own; return what that says."""
    (tmp_path / "leaky.py").write_text(PART)
    environment = {**os.environ, "PYTHONPATH": str(tmp_path), "NUMBA_CACHE_DIR": str(tmp_path / "cache")}

    def run(twin=TWIN):
        (tmp_path / "leaky_twin.py").write_text(twin)
        return subprocess.run(
            [sys.executable, "-c", SCRIPT], env=environment, check=False, capture_output=True, text=True
        )

    return run


def test_a_twin_from_elsewhere_is_compiled_kept_and_compiled_again_when_it_changes(train):
    first, second = train(), train()
    assert first.stdout == "close\n", first.stderr
    assert first.stderr.startswith("compiling for these parts")
    assert (second.stdout, second.stderr) == ("close\n", "")
    changed = train(TWIN.replace("/ fan_in", "* 0.9 / fan_in"))
    assert changed.stdout != "close\n"
    assert changed.stderr.startswith("compiling for these parts")


def test_memory_of_the_network_comes_last(train, tmp_path):
    (tmp_path / "leaky.py").write_text(
        PART.replace(
            "zeros_like(weights), [np.ones((*weights[0].shape[:-2], 1, 1))]",
            "[np.ones((20, 1, 1))], zeros_like(weights)",
        )
    )
    assert "Leaky remembers something of the network before something of its weights" in train().stderr
