"""Parity, the task that a network without hidden units cannot do."""

from dataclasses import dataclass

from nn_core.parts import whole
from nn_core.tasks.task import Bits, BitTask, all_patterns


@dataclass(frozen=True)
class Parity(BitTask, name="parity"):
    """N-bit parity: 1 when an odd number of input bits is 1; two bits are XOR.

    2^bits patterns, `bits` inputs, 1 output (Minsky & Papert 1969; Rumelhart, Hinton & Williams 1986).

    Examples
    --------
    >>> Parity(bits=3).targets.ravel().tolist()
    [0.0, 1.0, 1.0, 0.0, 1.0, 0.0, 0.0, 1.0]
    """

    bits: int = whole(2, "input bits", 1, 12)

    def in_bits(self) -> tuple[Bits, Bits]:
        patterns = all_patterns(self.bits)
        return patterns, patterns.sum(axis=1, keepdims=True) % 2 == 1

    @property
    def shape(self) -> tuple[int, int, int]:
        return 2**self.bits, self.bits, 1
