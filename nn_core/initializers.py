"""Initial weights: where a trial starts.

Weights are drawn layer by layer from input to output, one array of shape (units below [+ 1 for the bias row, last],
units above) each, so that anyone with a NumPy generator and the seed can redraw them.
"""

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


class Initializer(Protocol):
    """Draws the weights of one layer after the other."""

    def draw(self, rng: np.random.Generator, fan_in: int, fan_out: int, biases: int) -> Array:
        """Weights of the next layer, shape (fan_in + biases, fan_out); `biases` is 1 with a bias row, else 0."""
        ...


@dataclass(frozen=True)
class Uniform:
    """Uniform on [low, high)."""

    low: float = 0.0
    high: float = 1.0

    def draw(self, rng: np.random.Generator, fan_in: int, fan_out: int, biases: int) -> Array:
        """One call of ``rng.uniform(low, high, size=(fan_in + biases, fan_out))``."""
        return rng.uniform(self.low, self.high, size=(fan_in + biases, fan_out))


@dataclass(frozen=True)
class Normal:
    """Normal with mean 0 and standard deviation `std`."""

    std: float = 1.0

    def draw(self, rng: np.random.Generator, fan_in: int, fan_out: int, biases: int) -> Array:
        """One call of ``rng.normal(0, std, size=(fan_in + biases, fan_out))``."""
        return rng.normal(0.0, self.std, size=(fan_in + biases, fan_out))


@dataclass(frozen=True)
class Xavier:
    """Uniform on +-sqrt(6 / (fan_in + fan_out)), the bias row included (Glorot & Bengio 2010, eq. 16).

    The bias unit is not counted in fan_in.
    """

    def draw(self, rng: np.random.Generator, fan_in: int, fan_out: int, biases: int) -> Array:
        """One call of ``rng.uniform(-limit, limit, size=(fan_in + biases, fan_out))``."""
        limit = np.sqrt(6.0 / (fan_in + fan_out))
        return rng.uniform(-limit, limit, size=(fan_in + biases, fan_out))


@dataclass(frozen=True)
class Fixed:
    """Given weights, unit by unit: a unit's incoming weights, then its bias; hidden units first, outputs last."""

    weights: tuple[float, ...]

    def matrices(self, sizes: Sequence[int], bias: float | None) -> list[Array]:
        """Cut the flat list into layers.

        Raises
        ------
        ValueError
            If the number of weights is not that of the network.
        """
        needed = count_weights(sizes, bias)
        if len(self.weights) != needed:
            raise ValueError(
                f"{len(self.weights)} fixed weights given, a {'-'.join(map(str, sizes))} network "
                f"{'without' if bias is None else 'with'} bias has {needed}"
            )
        flat = np.array(self.weights, dtype=np.float64)
        layers, start = [], 0
        for fan_in, fan_out in _fans(sizes, bias):
            stop = start + fan_in * fan_out
            layers.append(np.ascontiguousarray(flat[start:stop].reshape(fan_out, fan_in).T))
            start = stop
        return layers


def _fans(sizes: Sequence[int], bias: float | None) -> list[tuple[int, int]]:
    """Shapes of the weight matrices of a network."""
    biases = 0 if bias is None else 1
    return [(below + biases, above) for below, above in itertools.pairwise(sizes)]


def count_weights(sizes: Sequence[int], bias: float | None) -> int:
    """Count the weights, biases included, of a network with these layer sizes."""
    return sum(fan_in * fan_out for fan_in, fan_out in _fans(sizes, bias))


def initial_weights(
    initializer: Initializer | Fixed,
    sizes: Sequence[int],
    bias: float | None,
    rng: np.random.Generator,
) -> list[Array]:
    """Draw one network.

    Parameters
    ----------
    initializer : Initializer or Fixed
    sizes : sequence of int
        Units per layer, inputs first.
    bias : float or None
        With anything but None, every matrix gets a last row for the bias unit.
    rng : numpy Generator
        A trial's is ``np.random.default_rng(seed)``.

    Returns
    -------
    list of arrays, shapes (units below [+ 1], units above)
    """
    if isinstance(initializer, Fixed):
        return initializer.matrices(sizes, bias)
    biases = 0 if bias is None else 1
    return [initializer.draw(rng, below, above, biases) for below, above in itertools.pairwise(sizes)]


def initial_ensemble(
    initializer: Initializer | Fixed,
    sizes: Sequence[int],
    bias: float | None,
    seeds: Sequence[int],
) -> list[Array]:
    """Draw one network per seed and stack them; shapes (len(seeds), units below [+ 1], units above)."""
    networks = [initial_weights(initializer, sizes, bias, np.random.default_rng(seed)) for seed in seeds]
    return [np.stack(layer) for layer in zip(*networks, strict=True)]
