"""Tuples for compiled code that are read from and written to memory: a part's numbers, layers, what is remembered.

A *record* is a named tuple of integers, float64 and truth values, in 8 bytes each; of lanes it has the position in the
block.
"""

from collections import namedtuple
from collections.abc import Iterable
from functools import lru_cache
from typing import Any

import numpy as np
from llvmlite import ir  # type: ignore[import-untyped]
from numba import types
from numba.extending import intrinsic
from numpy.typing import NDArray

from nn_core.compiled.lanes import address, inline, lanes

Kinds = tuple[tuple[str, types.Type], ...]  # names of a record's values, and their Numba types

_tuple: Any = types.Tuple
_named_tuple: Any = types.NamedTuple
FLOAT, INTEGER = ir.DoubleType(), ir.IntType(64)


def packed(values: Iterable[float]) -> NDArray[np.int64]:
    """Write a record."""
    return np.array([np.float64(v).view(np.int64) if isinstance(v, float) else v for v in values], dtype=np.int64)


def _value(builder: Any, block: Any, slot: Any, kind: types.Type) -> Any:
    if kind == types.float64:
        return builder.bitcast(slot, FLOAT)
    if kind == types.boolean:
        return builder.icmp_signed("!=", slot, INTEGER(0))
    if kind == lanes:
        return builder.load(address(builder, block, slot), align=8)
    return slot


@lru_cache
def reader(name: str, kinds: Kinds) -> Any:
    """Make a function for compiled code that reads one of many records: (block, pointer, index) -> named tuple."""
    record = _named_tuple(tuple(kind for _, kind in kinds), namedtuple(name, [field for field, _ in kinds]))

    def emit(context: Any, builder: Any, signature: Any, operands: Any) -> Any:
        block, pointer, index = operands
        start = builder.gep(pointer, [builder.mul(index, INTEGER(len(kinds)))])
        slots = [builder.load(builder.gep(start, [INTEGER(k)])) for k in range(len(kinds))]
        values = [_value(builder, block, slot, kind) for slot, (_, kind) in zip(slots, kinds, strict=True)]
        return context.make_tuple(builder, signature.return_type, values)

    return intrinsic(lambda _, block, pointer, _index: (record(block, pointer, types.int64), emit))


def _places(builder: Any, count: int, block: Any, at: Any, stride: Any) -> list[Any]:
    return [address(builder, block, builder.add(at, builder.mul(stride, INTEGER(k)))) for k in range(count)]


@lru_cache
def loader(count: int) -> Any:
    """Make a function for compiled code that loads vectors: (block, at, stride) -> tuple of `count`."""
    vectors = _tuple([lanes] * count)

    def emit(context: Any, builder: Any, signature: Any, operands: Any) -> Any:
        loaded = [builder.load(place, align=8) for place in _places(builder, count, *operands)]
        return context.make_tuple(builder, signature.return_type, loaded)

    read: Any = intrinsic(lambda _, block, at, stride: (vectors(block, at, stride), emit))
    return inline(lambda block, at, stride: read(block, at, stride))  # an intrinsic cannot be a member of a tuple


@lru_cache
def storer(skip: int, count: int) -> Any:
    """Make a function for compiled code that stores `count` vectors from `skip` on: (block, at, stride, vectors)."""

    def emit(context: Any, builder: Any, _signature: Any, operands: Any) -> Any:
        *where, vectors = operands
        for k, place in enumerate(_places(builder, count, *where), start=skip):
            builder.store(builder.extract_value(vectors, k), place, align=8)
        return context.get_dummy_value()

    write: Any = intrinsic(lambda _, block, at, stride, vectors: (types.none(block, at, stride, vectors), emit))
    return inline(lambda block, at, stride, vectors: write(block, at, stride, vectors))
