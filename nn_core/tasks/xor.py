"""Exclusive or, as the lesson poses it."""

from dataclasses import dataclass

import numpy as np

from nn_core.tasks.task import Bits, BitTask, all_patterns


@dataclass(frozen=True)
class Xor(BitTask, name="xor"):
    """Exclusive or of two bits, with the constant third input 1 that the lesson gives its network.

    4 patterns, 3 inputs, 1 output. The third input is always bit 1, whatever value encodes that.

    Examples
    --------
    >>> Xor().inputs.tolist()
    [[0.0, 0.0, 1.0], [0.0, 1.0, 1.0], [1.0, 0.0, 1.0], [1.0, 1.0, 1.0]]
    >>> Xor().targets.ravel().tolist()
    [0.0, 1.0, 1.0, 0.0]
    """

    def in_bits(self) -> tuple[Bits, Bits]:
        two = all_patterns(2)
        constant = np.ones((4, 1), dtype=np.bool_)
        return np.hstack([two, constant]), two[:, :1] ^ two[:, 1:]
