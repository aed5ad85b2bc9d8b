"""Tasks: the patterns a network is to learn.

A task is a table. Row p of `inputs` is shown to the network, row p of `targets` is what it should answer.
"""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Task:
    """Patterns with their targets.

    Attributes
    ----------
    name : str
        What is to be learned.
    inputs : array, shape (patterns, inputs)
    targets : array, shape (patterns, outputs)
    pattern_names : tuple of str
        One name per pattern, its input bits joined by hyphens (``0-1-1``), whatever values encode them.
    target_low, target_high : float
        The values that encode the target bits 0 and 1.
    """

    name: str
    inputs: Array
    targets: Array
    pattern_names: tuple[str, ...]
    target_low: float
    target_high: float


def _task(
    name: str,
    input_bits: NDArray[np.bool_],
    target_bits: NDArray[np.bool_],
    low: float,
    high: float,
    target_low: float,
    target_high: float,
) -> Task:
    """Encode bits by values."""
    inputs = np.where(input_bits, float(high), float(low))
    targets = np.where(target_bits, float(target_high), float(target_low))
    inputs.setflags(write=False)
    targets.setflags(write=False)
    names = tuple("-".join(str(int(bit)) for bit in row) for row in input_bits)
    return Task(name, inputs, targets, names, target_low, target_high)


def _all_patterns(bits: int) -> NDArray[np.bool_]:
    """Count from 0 to 2^bits - 1 in binary, most significant bit first; shape (2^bits, bits)."""
    numbers = np.arange(2**bits)[:, np.newaxis]
    return np.asarray((numbers >> np.arange(bits)[::-1]) & 1 == 1)


@lru_cache
def xor(low: float = 0.0, high: float = 1.0, target_low: float = 0.0, target_high: float = 1.0) -> Task:
    """Exclusive or of two bits, with the constant third input 1 that the lesson gives its network.

    Parameters
    ----------
    low, high : float
        The values that encode the input bits 0 and 1 (the third input is always bit 1).
    target_low, target_high : float
        The values that encode the target bits 0 and 1.

    Returns
    -------
    Task
        4 patterns, 3 inputs, 1 output.
    """
    bits = _all_patterns(2)
    constant = np.ones((4, 1), dtype=np.bool_)
    return _task(
        "xor",
        np.hstack([bits, constant]),
        bits[:, :1] ^ bits[:, 1:],
        low,
        high,
        target_low,
        target_high,
    )


@lru_cache
def parity(
    bits: int = 2,
    low: float = 0.0,
    high: float = 1.0,
    target_low: float = 0.0,
    target_high: float = 1.0,
) -> Task:
    """N-bit parity: 1 when an odd number of input bits is 1; two bits are XOR.

    Raises
    ------
    ValueError
        If `bits` is below 1.

    Returns
    -------
    Task
        2^bits patterns, `bits` inputs, 1 output (Minsky & Papert 1969; Rumelhart et al. 1986).
    """
    if bits < 1:
        raise ValueError(f"bits={bits}: parity needs at least 1 bit")
    patterns = _all_patterns(bits)
    odd = patterns.sum(axis=1, keepdims=True) % 2 == 1
    return _task("parity", patterns, odd, low, high, target_low, target_high)


@lru_cache
def encoder(
    width: int = 8,
    low: float = 0.0,
    high: float = 1.0,
    target_low: float = 0.0,
    target_high: float = 1.0,
) -> Task:
    """Encoder: reproduce `width` one-hot patterns through a narrow hidden layer, which becomes the code.

    Raises
    ------
    ValueError
        If `width` is below 2.

    Returns
    -------
    Task
        `width` patterns, inputs and outputs (Ackley, Hinton & Sejnowski 1985).
    """
    if width < 2:
        raise ValueError(f"width={width}: an encoder needs at least 2 patterns")
    one_hot = np.eye(width, dtype=np.bool_)
    return _task("encoder", one_hot, one_hot, low, high, target_low, target_high)
