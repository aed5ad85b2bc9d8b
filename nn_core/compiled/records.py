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

from nn_core.compiled.lanes import Lanes, address, inline, lanes, load, store

Kinds = tuple[tuple[str, types.Type], ...]  # names of a record's values, and their Numba types

_named_tuple: Any = types.NamedTuple
_FLOAT, _INTEGER = ir.DoubleType(), ir.IntType(64)


def packed(values: Iterable[float]) -> NDArray[np.int64]:
    """Write a record."""
    return np.array([np.float64(v).view(np.int64) if isinstance(v, float) else v for v in values], dtype=np.int64)


def _value(builder: Any, block: Any, slot: Any, kind: types.Type) -> Any:
    if kind == types.float64:
        return builder.bitcast(slot, _FLOAT)
    if kind == types.boolean:
        return builder.icmp_signed("!=", slot, _INTEGER(0))
    if kind == lanes:
        return builder.load(address(builder, block, slot), align=8)
    return slot


@lru_cache
def reader(name: str, kinds: Kinds) -> Any:
    """Make a function for compiled code that reads one of many records: (block, pointer, index) -> named tuple."""
    record = _named_tuple(tuple(kind for _, kind in kinds), namedtuple(name, [field for field, _ in kinds]))

    def emit(context: Any, builder: Any, signature: Any, operands: Any) -> Any:
        block, pointer, index = operands
        start = builder.gep(pointer, [builder.mul(index, _INTEGER(len(kinds)))])
        slots = [builder.load(builder.gep(start, [_INTEGER(k)])) for k in range(len(kinds))]
        values = [_value(builder, block, slot, kind) for slot, (_, kind) in zip(slots, kinds, strict=True)]
        return context.make_tuple(builder, signature.return_type, values)

    return intrinsic(lambda _, block, pointer, _index: (record(block, pointer, types.int64), emit))


@lru_cache
def loader(count: int) -> Any:
    """Make a function for compiled code that loads vectors: (block, at, stride) -> tuple of `count`."""
    if count == 0:
        return inline(lambda _block, _at, _stride: ())
    others = loader(count - 1)
    return inline(lambda block, at, stride: (load(block, at), *others(block, at + stride, stride)))


@lru_cache
def storer(first: int, last: int) -> Any:
    """Make one that stores vectors `first` to before `last` of a tuple: (block, at, stride, vectors)."""
    if first == last:
        return inline(lambda _block, _at, _stride, _vectors: None)
    others = storer(first + 1, last)

    def store_them(block: Any, at: int, stride: int, vectors: tuple[Lanes, ...]) -> None:
        store(block, at, vectors[first])
        others(block, at + stride, stride, vectors)

    return inline(store_them)
