"""Compile the kernel and the twins of all parts that are not in the cache yet: ``python -m nn_core.compiled``."""

from dataclasses import replace
from typing import Any

import numpy as np

from nn_core import GradientDescent, Optimizer, Training, Xor, parts, start
from nn_core.compiled import advance


def main() -> None:
    """Train a network by each part that has a twin."""
    usual, weights = Training(Xor()), [np.ones((1, 3, 1))]
    for kind in ("activation", "loss", "criterion", "optimizer"):
        for made in (part() for part in parts(kind).values() if part.twin):
            changed: Any = {} if isinstance(made, Optimizer) else {kind: made}
            optimizer = made if isinstance(made, Optimizer) else GradientDescent()
            advance(start(replace(usual, **changed), optimizer, weights), 1)


if __name__ == "__main__":
    main()
