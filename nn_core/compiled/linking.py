"""From parts to pointers that the kernel can call.

A kernel compiled for every combination of parts would cost a compilation for every combination; one that asks at run
time which parts there are has to know them all. So each pass over a layer is compiled for each twin, on its own, and
kept on disk by Numba; the kernel is compiled once and is given their addresses.
"""

import importlib
from dataclasses import fields
from functools import lru_cache
from pathlib import Path
from types import FunctionType
from typing import Any, NamedTuple

import numpy as np
from numba import njit, types
from numba.extending import intrinsic
from numpy.typing import NDArray

from nn_core.compiled import passes
from nn_core.compiled.cache import stamped
from nn_core.compiled.lanes import data, lanes
from nn_core.compiled.records import Kinds, loader, packed, reader, storer
from nn_core.parts import Part

_pointer: Any = types.CPointer
_FLOATS, _INTEGERS = _pointer(types.float64), _pointer(types.int64)
_ARGUMENTS = (_INTEGERS, _FLOATS, _FLOATS, _INTEGERS, *[types.int64] * 5)


class Pass(NamedTuple):
    """A compiled pass: its address, and the numbers of the part it was compiled for."""

    function: int
    own: NDArray[np.int64]


def _call(context: Any, builder: Any, signature: Any, operands: Any) -> Any:
    compiled, *arrays = operands[:4]
    function, own = (builder.extract_value(compiled, k) for k in range(2))
    kinds = (signature.args[0][1], *signature.args[1:4])
    pointers = [data(context, builder, kind, array) for kind, array in zip(kinds, (own, *arrays), strict=True)]
    convention = context.call_conv
    function = builder.inttoptr(function, convention.get_function_type(types.int64, _ARGUMENTS).as_pointer())
    arguments = [*pointers, *operands[4:]]
    _, result = convention.call_function(builder, function, types.int64, _ARGUMENTS, arguments)
    return result


# pass, block, table, layers, depth, now, new, first, last -> what the pass returns
call: Any = intrinsic(
    lambda _, compiled, block, table, layers, _depth, _now, _new, _first, _last: (
        types.int64(compiled, block, table, layers, *[types.int64] * 5),
        _call,
    )
)


def _code(module: str) -> bytes:
    """Source of a module; of one without a file, such as a notebook, nothing."""
    file = getattr(importlib.import_module(module), "__file__", None)
    return Path(file).read_bytes() if file else b""


# What `_compiled` puts in their places, in copies of `_pass`.
_body: Any = None
_part: Any = None
_own: Any = None


def _pass(own: Any, block: Any, table: Any, layers: Any, depth: int, now: int, new: int, first: int, last: int) -> Any:
    return _body(_part, _own(block, own, 0), passes.Work(block, table, layers, depth, now, new, first, last))


@lru_cache
def _compiled(twin: str, reference: str, kinds: Kinds, memory: tuple[int, int] | None, body: Any) -> Any:
    """Compile a pass for the twin of a part in module `reference`, or fetch it from the cache."""
    module, name = twin.split(":")
    part = getattr(importlib.import_module(module), name)
    if memory is not None:
        own, shared = memory
        part = passes.Optimizer(part, loader(own), loader(shared), storer(0, own), storer(own, own + shared))
    # What a function closes over becomes part of its name in Numba's cache, and functions have another name in every
    # process. Hence a copy of `_pass`, which finds them among its globals.
    names = {"_body": body, "_part": part, "_own": reader("Own", kinds)}
    copy = FunctionType(_pass.__code__, {**globals(), **names}, body.__name__)
    # A twin may take constants from the reference.
    stamp = stamped(copy, twin, kinds, memory, _code(module), _code(reference))
    compiled = njit(types.int64(*_ARGUMENTS), cache=True, error_model="numpy")(stamp)
    (overload,) = compiled.overloads.values()
    return overload, overload.library.get_pointer_to_function(overload.fndesc.llvm_func_name)


def link(body: Any, part: Part, vectors: int = 0, memory: tuple[int, int] | None = None) -> Pass:
    """Compile a pass of `nn_core.compiled.passes` for a part, or fetch it from the cache.

    From position `vectors` on, the block has the numbers that each network has its own of. An optimizer remembers
    `memory` vectors, of a weight and of the network. `ValueError` if the part has no twin.
    """
    if part.twin is None:
        raise ValueError(f"{type(part).__name__} has no compiled twin; the NumPy engine takes any part")
    own: dict[str, tuple[types.Type, float]] = {}
    for name, value in ((entry.name, getattr(part, entry.name)) for entry in fields(part)):
        if isinstance(value, np.ndarray):
            own[name] = lanes, vectors
            vectors += 1
        elif isinstance(value, bool):
            own[name] = types.boolean, value
        elif isinstance(value, int | float):
            own[name] = types.float64, float(value)
    kinds = tuple((name, kind) for name, (kind, _) in own.items())
    _, function = _compiled(part.twin, type(part).__module__, kinds, memory, body)
    return Pass(function, packed(value for _, value in own.values()))
