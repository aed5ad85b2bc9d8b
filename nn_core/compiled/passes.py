"""What is done to one layer of a block of networks, in terms of a part's twin.

A *block* is as many networks as there are lanes, laid out in one array of vectors; positions in it are counted in
vectors. Each pass is compiled once for every twin (`nn_core.compiled.linking`) and called through a pointer, so all
take the same arguments, for a `Layer`, from pattern `first` to before pattern `last`:

    part, own        the part's twin, and its numbers
    block            outputs and slopes of units, weights and memory
    table            numbers that all networks share: what comes in from input and bias units, and targets
    now, new         where the block's weights are, and where they are to go when they are updated (which may be there)
"""

from typing import Any, NamedTuple

from nn_core.compiled.lanes import Lanes, as_bits, fma, inline, load, splat, store


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
    shared: int  # from the first weight to what the optimizer remembers of the network, for this layer
    layers: int  # from that to the next such thing
    derivative_offset: float
    weight_decay: float


class Optimizer(NamedTuple):
    """An optimizer's twin, with access to what it remembers.

    Attributes
    ----------
    update : (own, weight, gradient, memory, fan_in) -> weight, memory
    of_weight : (block, at, stride) -> memory
    of_network : (block, at, stride) -> memory
    keep_weight, keep_network : (block, at, stride, memory)
        Store the part of the memory that is of the weight, or of the network.
    """

    update: Any
    of_weight: Any
    of_network: Any
    keep_weight: Any
    keep_network: Any


RESULT = 0
"""Where a pass leaves a vector for the kernel."""


@inline
def forward(
    part: Any, own: Any, block: Any, table: Any, layer: Layer, now: int, _new: int, first: int, last: int
) -> int:
    """Outputs of the layer's units, by an `Activation`."""
    patterns, columns = layer.patterns, layer.columns
    for j in range(columns):
        weights, out = now + layer.weights + j, layer.above + j * patterns
        p = first
        while p + 4 <= last:  # four patterns share the weight that was read
            z0, z1, z2, z3 = splat(0.0), splat(0.0), splat(0.0), splat(0.0)
            w = weights
            for i in range(layer.units):
                x, weight = layer.below + i * patterns + p, load(block, w)
                z0 = fma(load(block, x), weight, z0)
                z1 = fma(load(block, x + 1), weight, z1)
                z2 = fma(load(block, x + 2), weight, z2)
                z3 = fma(load(block, x + 3), weight, z3)
                w += columns
            for i in range(layer.constants):
                c, weight = layer.table + i * patterns + p, load(block, w)
                z0 = fma(table[c], weight, z0)
                z1 = fma(table[c + 1], weight, z1)
                z2 = fma(table[c + 2], weight, z2)
                z3 = fma(table[c + 3], weight, z3)
                w += columns
            store(block, out + p, part.value(own, z0))
            store(block, out + p + 1, part.value(own, z1))
            store(block, out + p + 2, part.value(own, z2))
            store(block, out + p + 3, part.value(own, z3))
            p += 4
        while p < last:
            z, w = splat(0.0), weights
            for i in range(layer.units):
                z = fma(load(block, layer.below + i * patterns + p), load(block, w), z)
                w += columns
            for i in range(layer.constants):
                z = fma(table[layer.table + i * patterns + p], load(block, w), z)
                w += columns
            store(block, out + p, part.value(own, z))
            p += 1
    return 0


@inline
def successes(
    part: Any, own: Any, block: Any, table: Any, layer: Layer, _now: int, _new: int, first: int, last: int
) -> int:
    """Which networks meet a `Criterion`, as bits; of the output layer."""
    total = splat(0.0)
    for j in range(layer.columns):
        for p in range(first, last):
            at = j * layer.patterns + p
            total = total + part.term(own, table[layer.targets + at], load(block, layer.above + at))
    return int(as_bits(part.met(own, total, float(layer.columns * (last - first)))))


@inline
def loss(part: Any, own: Any, block: Any, table: Any, layer: Layer, _now: int, _new: int, first: int, last: int) -> int:
    """Put what a `Loss` says of the output layer to `RESULT`."""
    total = splat(0.0)
    for j in range(layer.columns):
        for p in range(first, last):
            at = j * layer.patterns + p
            total = total + part.term(own, table[layer.targets + at], load(block, layer.above + at))
    store(block, RESULT, total)
    return 0


@inline
def slopes(
    part: Any, own: Any, block: Any, table: Any, layer: Layer, _now: int, _new: int, first: int, last: int
) -> int:
    """dE/d(output) of the output layer, by a `Loss`."""
    for j in range(layer.columns):
        for p in range(first, last):
            at = j * layer.patterns + p
            y = load(block, layer.above + at)
            store(block, layer.above + at + layer.slopes, part.slope(own, table[layer.targets + at], y))
    return 0


@inline
def deltas(
    part: Any, own: Any, block: Any, _table: Any, layer: Layer, _now: int, _new: int, first: int, last: int
) -> int:
    """dE/dz of the output layer, from dE/d(output), by an `Activation`."""
    for j in range(layer.columns):
        for y in range(layer.above + j * layer.patterns + first, layer.above + j * layer.patterns + last):
            _to_delta(part, own, block, layer, y, load(block, y + layer.slopes))
    return 0


@inline
def _to_delta(part: Any, own: Any, block: Any, layer: Layer, y: int, slope: Lanes) -> None:
    derivative = part.derivative(own, load(block, y)) + layer.derivative_offset
    store(block, y + layer.slopes, slope * derivative)


@inline
def blame(
    part: Any, own: Any, block: Any, _table: Any, layer: Layer, now: int, _new: int, first: int, last: int
) -> int:
    """dE/dz of the units below, from that of the layer's, through its weights, by the `Activation` below."""
    patterns, columns = layer.patterns, layer.columns
    above = layer.above + layer.slopes
    for i in range(layer.units):
        weights, below = now + layer.weights + i * columns, layer.below + i * patterns
        p = first
        while p + 4 <= last:
            s0, s1, s2, s3 = splat(0.0), splat(0.0), splat(0.0), splat(0.0)
            for j in range(columns):
                d, weight = above + j * patterns + p, load(block, weights + j)
                s0 = fma(load(block, d), weight, s0)
                s1 = fma(load(block, d + 1), weight, s1)
                s2 = fma(load(block, d + 2), weight, s2)
                s3 = fma(load(block, d + 3), weight, s3)
            _to_delta(part, own, block, layer, below + p, s0)
            _to_delta(part, own, block, layer, below + p + 1, s1)
            _to_delta(part, own, block, layer, below + p + 2, s2)
            _to_delta(part, own, block, layer, below + p + 3, s3)
            p += 4
        while p < last:
            s = splat(0.0)
            for j in range(columns):
                s = fma(load(block, above + j * patterns + p), load(block, weights + j), s)
            _to_delta(part, own, block, layer, below + p, s)
            p += 1
    return 0


@inline
def update(part: Any, own: Any, block: Any, table: Any, layer: Layer, now: int, new: int, first: int, last: int) -> int:
    """Update the layer's weights by an optimizer, from patterns `first` on; return whose are finite, as bits."""
    patterns = layer.patterns
    shared = part.of_network(block, now + layer.shared, layer.layers)
    fan_in = float(layer.units + layer.constants)
    checked = splat(0.0)
    at = layer.weights
    for i in range(layer.units):
        x = layer.below + i * patterns
        for j in range(layer.columns):
            d = layer.above + layer.slopes + j * patterns
            w = load(block, now + at)
            gradient = layer.weight_decay * w
            p = first
            while p + 4 <= last:
                gradient = fma(load(block, x + p), load(block, d + p), gradient)
                gradient = fma(load(block, x + p + 1), load(block, d + p + 1), gradient)
                gradient = fma(load(block, x + p + 2), load(block, d + p + 2), gradient)
                gradient = fma(load(block, x + p + 3), load(block, d + p + 3), gradient)
                p += 4
            while p < last:
                gradient = fma(load(block, x + p), load(block, d + p), gradient)
                p += 1
            w = _step(part, own, block, layer, now, new, at, w, gradient, shared, fan_in)
            checked = fma(w, 0.0, checked)
            at += 1
    for i in range(layer.constants):
        c = layer.table + i * patterns
        for j in range(layer.columns):
            d = layer.above + layer.slopes + j * patterns
            w = load(block, now + at)
            gradient = layer.weight_decay * w
            p = first
            while p + 4 <= last:
                gradient = fma(table[c + p], load(block, d + p), gradient)
                gradient = fma(table[c + p + 1], load(block, d + p + 1), gradient)
                gradient = fma(table[c + p + 2], load(block, d + p + 2), gradient)
                gradient = fma(table[c + p + 3], load(block, d + p + 3), gradient)
                p += 4
            while p < last:
                gradient = fma(table[c + p], load(block, d + p), gradient)
                p += 1
            w = _step(part, own, block, layer, now, new, at, w, gradient, shared, fan_in)
            checked = fma(w, 0.0, checked)
            at += 1
    return int(as_bits(checked == 0.0))


@inline
def _step(
    part: Any,
    own: Any,
    block: Any,
    layer: Layer,
    now: int,
    new: int,
    at: int,
    w: Lanes,
    gradient: Lanes,
    shared: Any,
    fan_in: float,
) -> Lanes:
    """Update one weight and what is remembered of it."""
    memory = part.of_weight(block, now + at + layer.remembered, layer.remembered)
    w, memory = part.update(own, w, gradient, memory + shared, fan_in)
    part.keep_weight(block, new + at + layer.remembered, layer.remembered, memory)
    part.keep_network(block, new + layer.shared, layer.layers, memory)
    store(block, new + at, w)
    return w
