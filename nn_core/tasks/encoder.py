"""The encoder, whose hidden layer becomes a code."""

from dataclasses import dataclass

import numpy as np

from nn_core.parts import whole
from nn_core.tasks.task import Bits, BitTask


@dataclass(frozen=True)
class Encoder(BitTask, name="encoder"):
    """Encoder: reproduce one-hot patterns through a narrow hidden layer, which becomes their code.

    `width` patterns, inputs and outputs (Ackley, Hinton & Sejnowski 1985).

    Examples
    --------
    >>> Encoder(width=3).targets.tolist()
    [[1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]]
    """

    width: int = whole(8, "patterns, inputs and outputs", 2, 4096)

    def in_bits(self) -> tuple[Bits, Bits]:
        one_hot = np.eye(self.width, dtype=np.bool_)
        return one_hot, one_hot

    @property
    def shape(self) -> tuple[int, int, int]:
        return self.width, self.width, self.width
