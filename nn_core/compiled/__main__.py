"""Compile the kernel and the twins of all parts that are not in the cache yet: ``python -m nn_core.compiled``."""

from dataclasses import replace
from typing import Any

import numpy as np

from nn_core import GradientDescent, Training, Xor, parts, start
from nn_core.compiled import advance


def main() -> None:
    """Train a network by each part that has a twin."""
    network = start(Training(Xor()), GradientDescent(), [np.ones((1, 3, 1))])
    for kind in ("activation", "loss", "criterion", "optimizer"):
        for part in parts(kind).values():
            made: Any = part()
            if kind == "optimizer":
                state = start(network.training, made, network.weights)
            else:
                state = replace(network, training=replace(network.training, **{kind: made}))
            if made.twin:
                advance(state, 1)


if __name__ == "__main__":
    main()
