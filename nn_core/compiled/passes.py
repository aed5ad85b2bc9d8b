"""What is done to a block of networks, in terms of a part's twin.

A *block* is as many networks as there are lanes, laid out in one array of vectors; positions in it are counted in
vectors. Each pass is compiled once for every twin (`nn_core.compiled.linking`) and called through a pointer, so all
take the same arguments: the part's twin, its numbers, and `Work`.
"""

from typing import Any, NamedTuple, get_type_hints

from numba import types

from nn_core.compiled.lanes import Lanes, as_bits, fma, inline, load, splat, store
from nn_core.compiled.records import reader


class Layer(NamedTuple):
    """Units and the weights that lead into them, in the kernel's terms.

    What comes in from below are first the outputs of units, each a vector, then constants, the same for all networks.
    Of each unit or constant, all patterns stand side by side.
    """

    patterns: int
    units: int  # that come in
    constants: int  # that come in: inputs and the bias unit
    columns: int  # units of this layer
    below: int  # position in the block of the first incoming unit
    above: int  # and of this layer's first unit
    slopes: int  # from a unit's output to its slope: dE/d(output), then dE/dz
    table: int  # position in the table of the first constant
    targets: int  # position in the table of the targets, of the output layer
    weights: int  # position of the layer's weights among all weights, row by row
    remembered: int  # from a weight to what the optimizer remembers of it, and from that to what else
    shared: int  # from the first weight to what the optimizer remembers of the network: one such thing for each layer
    derivative_offset: float
    weight_decay: float


_kinds = {int: types.int64, float: types.float64}
# block, layers, l -> layer l
layer_at = reader("Layer", tuple((name, _kinds[kind]) for name, kind in get_type_hints(Layer).items()))


class Work(NamedTuple):
    """What a pass works on, for patterns `first` to before `last`."""

    block: Any  # outputs and slopes of units, weights and memory
    table: Any  # numbers that all networks share: what comes in from input and bias units, and targets
    layers: Any  # a `Layer` each, from the lowest; see `layer_at`
    depth: int  # how many there are
    now: int  # where the block's weights are
    new: int  # where they are to go when they are updated, which may be there
    first: int
    last: int


class Optimizer(NamedTuple):
    """An optimizer's twin, with access to what it remembers: of a weight, then of the network."""

    update: Any  # (own, weight, gradient, memory, fan_in) -> weight, memory
    of_weight: Any  # (block, at, stride) -> memory
    of_network: Any
    keep_weight: Any  # (block, at, stride, memory): store the part of the memory that is of the weight
    keep_network: Any


RESULT = 0  # where a pass leaves a vector for the kernel


@inline
def forward(part: Any, own: Any, work: Work) -> int:
    """Outputs of all units, by an `Activation`."""
    block, table, last = work.block, work.table, work.last
    for at in range(work.depth):
        layer = layer_at(block, work.layers, at)
        patterns, columns = layer.patterns, layer.columns
        for j in range(columns):
            weights, y = work.now + layer.weights + j, layer.above + j * patterns
            constants = weights + layer.units * columns
            p = work.first
            while p + 4 <= last:
                z0, z1, z2, z3 = _four_sums(block, layer.below + p, patterns, weights, columns, layer.units)
                for i in range(layer.constants):
                    w, c = load(block, constants + i * columns), layer.table + i * patterns + p
                    z0, z1 = fma(table[c], w, z0), fma(table[c + 1], w, z1)
                    z2, z3 = fma(table[c + 2], w, z2), fma(table[c + 3], w, z3)
                store(block, y + p, part.value(own, z0))
                store(block, y + p + 1, part.value(own, z1))
                store(block, y + p + 2, part.value(own, z2))
                store(block, y + p + 3, part.value(own, z3))
                p += 4
            while p < last:
                z = _sum(block, layer.below + p, patterns, weights, columns, layer.units)
                for i in range(layer.constants):
                    z = fma(table[layer.table + i * patterns + p], load(block, constants + i * columns), z)
                store(block, y + p, part.value(own, z))
                p += 1
    return 0


@inline
def _four_sums(block: Any, x: int, patterns: int, weights: int, stride: int, count: int) -> tuple[Lanes, ...]:
    """Sum `count` units' numbers times weights, for four patterns, which share a weight that was read."""
    s0, s1, s2, s3 = splat(0.0), splat(0.0), splat(0.0), splat(0.0)
    for i in range(count):
        w, at = load(block, weights + i * stride), x + i * patterns
        s0, s1 = fma(load(block, at), w, s0), fma(load(block, at + 1), w, s1)
        s2, s3 = fma(load(block, at + 2), w, s2), fma(load(block, at + 3), w, s3)
    return s0, s1, s2, s3


@inline
def _sum(block: Any, x: int, patterns: int, weights: int, stride: int, count: int) -> Lanes:
    """The same for one pattern."""
    s = splat(0.0)
    for i in range(count):
        s = fma(load(block, x + i * patterns), load(block, weights + i * stride), s)
    return s


@inline
def successes(part: Any, own: Any, work: Work) -> int:
    """Which networks meet a `Criterion`, as bits."""
    layer = layer_at(work.block, work.layers, work.depth - 1)
    count = float(layer.columns * (work.last - work.first))
    return int(as_bits(part.met(own, _total(part, own, layer, work), count)))


@inline
def loss(part: Any, own: Any, work: Work) -> int:
    """Put what a `Loss` says to `RESULT`."""
    store(work.block, RESULT, _total(part, own, layer_at(work.block, work.layers, work.depth - 1), work))
    return 0


@inline
def _total(part: Any, own: Any, layer: Layer, work: Work) -> Lanes:
    """Sum a part's terms over outputs and patterns."""
    total = splat(0.0)
    for j in range(layer.columns):
        for p in range(j * layer.patterns + work.first, j * layer.patterns + work.last):
            total = total + part.term(own, work.table[layer.targets + p], load(work.block, layer.above + p))
    return total


@inline
def slopes(part: Any, own: Any, work: Work) -> int:
    """dE/d(output), by a `Loss`."""
    layer = layer_at(work.block, work.layers, work.depth - 1)
    for j in range(layer.columns):
        for p in range(j * layer.patterns + work.first, j * layer.patterns + work.last):
            slope = part.slope(own, work.table[layer.targets + p], load(work.block, layer.above + p))
            store(work.block, layer.above + layer.slopes + p, slope)
    return 0


@inline
def deltas(part: Any, own: Any, work: Work) -> int:
    """dE/dz of all units by an `Activation`: of outputs from dE/d(output), of others from the units above."""
    block, last = work.block, work.last
    layer = layer_at(block, work.layers, work.depth - 1)
    for j in range(layer.columns):
        y = layer.above + j * layer.patterns
        for p in range(work.first, last):
            _to_delta(part, own, block, layer, y + p, load(block, y + layer.slopes + p))
    for above in range(work.depth - 1, 0, -1):
        layer = layer_at(block, work.layers, above)
        patterns, columns = layer.patterns, layer.columns
        d = layer.above + layer.slopes
        for i in range(layer.units):
            weights, y = work.now + layer.weights + i * columns, layer.below + i * patterns
            p = work.first
            while p + 4 <= last:
                s0, s1, s2, s3 = _four_sums(block, d + p, patterns, weights, 1, columns)
                _to_delta(part, own, block, layer, y + p, s0)
                _to_delta(part, own, block, layer, y + p + 1, s1)
                _to_delta(part, own, block, layer, y + p + 2, s2)
                _to_delta(part, own, block, layer, y + p + 3, s3)
                p += 4
            while p < last:
                _to_delta(part, own, block, layer, y + p, _sum(block, d + p, patterns, weights, 1, columns))
                p += 1
    return 0


@inline
def _to_delta(part: Any, own: Any, block: Any, layer: Layer, y: int, slope: Lanes) -> None:
    derivative = part.derivative(own, load(block, y)) + layer.derivative_offset
    store(block, y + layer.slopes, slope * derivative)


@inline
def update(part: Any, own: Any, work: Work) -> int:
    """Update all weights by an `Optimizer`; return whose are finite, as bits."""
    block, table, now, new = work.block, work.table, work.now, work.new
    checked = splat(0.0)  # as long as all are finite, then NaN
    for at in range(work.depth):
        layer = layer_at(block, work.layers, at)
        shared = part.of_network(block, now + layer.shared, work.depth)
        weight = layer.weights
        for i in range(layer.units + layer.constants):
            x, c = layer.below + i * layer.patterns, layer.table + (i - layer.units) * layer.patterns
            for j in range(layer.columns):
                d = layer.above + layer.slopes + j * layer.patterns
                w = load(block, now + weight)
                gradient = layer.weight_decay * w if layer.weight_decay != 0.0 else splat(0.0)
                if i < layer.units:
                    for p in range(work.first, work.last):
                        gradient = fma(load(block, x + p), load(block, d + p), gradient)
                else:
                    for p in range(work.first, work.last):
                        gradient = fma(table[c + p], load(block, d + p), gradient)
                remembered = weight + layer.remembered
                memory = part.of_weight(block, now + remembered, layer.remembered) + shared
                w, memory = part.update(own, w, gradient, memory, float(layer.units + layer.constants))
                part.keep_weight(block, new + remembered, layer.remembered, memory)
                part.keep_network(block, new + layer.shared, work.depth, memory)
                store(block, new + weight, w)
                checked = fma(w, 0.0, checked)
                weight += 1
    return int(as_bits(checked == 0.0))
