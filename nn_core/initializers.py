"""Initial weights: where a trial starts.

Weights are drawn layer by layer from input to output, one array of shape (units below [+ 1 for the bias row, last],
units above) each, so that anyone with a NumPy generator and the seed can redraw them.
"""

from abc import abstractmethod
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import ClassVar, NamedTuple

import numpy as np

from nn_core.parts import Array, Condition, Part, number, numbers


class Fans(NamedTuple):
    """What a layer's weight matrix joins."""

    fan_in: int  # units that feed the layer, the bias unit not counted
    fan_out: int  # units of the layer
    biases: int  # rows for the bias unit, 0 or 1

    @property
    def shape(self) -> tuple[int, int]:
        """Of the weight matrix."""
        return self.fan_in + self.biases, self.fan_out


def layer_fans(sizes: Sequence[int], bias: float | None, shortcuts: bool = False) -> list[Fans]:
    """Say what each weight matrix of a network joins, given the units per layer, inputs first.

    With a bias unit, every matrix has a last row for it. With shortcuts the inputs feed the outputs too: the last
    matrix then has rows for them, after those of the layer below.
    """
    feeding = [*sizes[:-2], sizes[-2] + sizes[0] if shortcuts else sizes[-2]]
    return [Fans(below, above, int(bias is not None)) for below, above in zip(feeding, sizes[1:], strict=True)]


def count_weights(fans: Sequence[Fans]) -> int:
    """Count the weights of a network, biases included."""
    return sum(rows * units for rows, units in (layer.shape for layer in fans))


@dataclass(frozen=True)
class Initializer(Part, kind="init"):
    """Makes the initial weights of a network."""

    is_random: ClassVar[bool] = True  # whether another seed gives other weights

    @abstractmethod
    def matrices(self, fans: Sequence[Fans], rng: np.random.Generator) -> list[Array]:
        """Weights of a network from the input layer to the output layer, shapes ``fans.shape``; see `layer_fans`.

        A trial's generator is ``np.random.default_rng(seed)``.
        """


@dataclass(frozen=True)
class LayerByLayer(Initializer):
    """Draws one layer after the other from the same distribution."""

    @abstractmethod
    def draw(self, rng: np.random.Generator, fans: Fans) -> Array:
        """Weights of the next layer, shape ``fans.shape``."""

    def matrices(self, fans: Sequence[Fans], rng: np.random.Generator) -> list[Array]:
        return [self.draw(rng, layer) for layer in fans]


@dataclass(frozen=True)
class Uniform(LayerByLayer, name="uniform"):
    """Uniform on [low, high)."""

    low: float = number(0.0, "smallest weight")
    high: float = number(1.0, "weight that all are below")

    def draw(self, rng: np.random.Generator, fans: Fans) -> Array:
        return rng.uniform(self.low, self.high, size=fans.shape)

    def problems(self, condition: Condition) -> Iterator[str]:
        if not 0 < self.high - self.low < np.inf:
            width = "" if self.low >= self.high else " by a number that float64 holds"
            yield f"init.low={self.low} init.high={self.high}: valid is a low below the high{width}"


@dataclass(frozen=True)
class Normal(LayerByLayer, name="normal"):
    """Normal with mean 0 and standard deviation `std`."""

    std: float = number(1.0, "standard deviation", above=0, below=1e307)  # so that no draw is infinite

    def draw(self, rng: np.random.Generator, fans: Fans) -> Array:
        return rng.normal(0.0, self.std, size=fans.shape)


@dataclass(frozen=True)
class Xavier(LayerByLayer, name="xavier"):
    """Uniform on +-sqrt(6 / (fan_in + fan_out)), the bias row included (Glorot & Bengio 2010, eq. 16).

    The bias unit is not counted in fan_in.
    """

    def draw(self, rng: np.random.Generator, fans: Fans) -> Array:
        limit = np.sqrt(6.0 / (fans.fan_in + fans.fan_out))
        return rng.uniform(-limit, limit, size=fans.shape)


@dataclass(frozen=True)
class Fixed(Initializer, name="fixed"):
    """Given weights, unit by unit: a unit's incoming weights, then its bias; hidden units first, outputs last."""

    is_random = False

    weights: tuple[float, ...] = numbers("all weights of the network, unit by unit")

    def matrices(self, fans: Sequence[Fans], rng: np.random.Generator | None = None) -> list[Array]:
        """Cut the flat list into layers; `ValueError` if it has not as many numbers as the network has weights."""
        if len(self.weights) != count_weights(fans):
            raise ValueError(f"{len(self.weights)} fixed weights given, the network has {count_weights(fans)}")
        ends = np.cumsum([count_weights([layer]) for layer in fans])
        layers = np.split(np.array(self.weights, dtype=np.float64), ends[:-1])
        by_unit = [own.reshape(-1, fan.shape[0]) for own, fan in zip(layers, fans, strict=True)]
        return [np.ascontiguousarray(units.T) for units in by_unit]

    def problems(self, condition: Condition) -> Iterator[str]:
        needed = count_weights(condition.fans)
        if len(self.weights) != needed:
            shape = "-".join(map(str, condition.sizes))
            bias = "without bias" if condition.training.bias is None else "with bias"
            yield f"init.weights has {len(self.weights)} numbers: valid for a {shape} network {bias} are {needed}"


def initial_ensemble(initializer: Initializer, fans: Sequence[Fans], seeds: Sequence[int]) -> list[Array]:
    """Draw one network per seed and stack them; shapes (len(seeds), units below [+ 1], units above)."""
    networks = [initializer.matrices(fans, np.random.default_rng(seed)) for seed in seeds]
    return [np.stack(layer) for layer in zip(*networks, strict=True)]
