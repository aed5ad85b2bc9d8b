import subprocess
import sys

import pytest

from nn_core.compiled import lanes

# Trains ensembles that leave lanes of the last block empty, with networks that end early, and prints what came of them.
SCRIPT = """
import hashlib, sys
from numba.core.registry import cpu_target
codegen = cpu_target.target_context.codegen()
triple, processor, features = codegen.magic_tuple()
codegen.magic_tuple = lambda: (triple, processor, sys.argv[1])
from nn_core.compiled import lanes
del codegen.magic_tuple
import numpy as np
import nn_core as nn
digest = hashlib.sha256()
for task, hidden, bias in (nn.Xor(), 4, None), (nn.Parity(3), 3, 1.0), (nn.Encoder(5), 2, 1.0):
    for optimizer in nn.GradientDescent(np.linspace(0.1, 9.0, 77)), nn.Momentum(0.5), nn.Quickprop(0.5):
        for update in nn.Batch(), nn.Online():
            sizes = (task.inputs.shape[1], hidden, task.targets.shape[1])
            weights = nn.initial_ensemble(nn.Uniform(-1.0, 1.0), nn.layer_fans(sizes, bias), range(77))
            training = nn.Training(task, bias=bias, update=update, stop_when_converged=True)
            state = nn.engine("numba")(nn.start(training, optimizer, weights), 200)
            for array in (*state.weights, state.losses, state.first_success, state.diverged_at):
                digest.update(array.tobytes())
print(lanes.LANES, digest.hexdigest())
"""


@pytest.mark.parametrize(
    ("features", "expected"),
    [("+avx,+avx2,+fma", 16), ("+avx2,+avx512f,+avx512vl", 32), ("-avx512f,+avx2", 16), ("", 16)],
)
def test_lanes_that_fit(features, expected):
    assert lanes.fitting(features) == expected


def test_the_number_of_lanes_makes_no_difference():
    said = {
        subprocess.run([sys.executable, "-c", SCRIPT, features], check=True, capture_output=True, text=True).stdout
        for features in ("+avx2", "+avx512f")
    }
    counts, digests = zip(*(line.split() for line in said), strict=True)
    assert sorted(counts) == ["16", "32"]
    assert len(set(digests)) == 1
