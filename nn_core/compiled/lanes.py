"""Networks side by side: a vector of numbers as a Numba type, and the functions that a network needs of it.

Loops over networks would leave it to the compiler to find the vectors, and it finds them only in innermost loops, with
a load and a store around every operation. With a type of its own, code for one network reads the same for many, and
sums stay in registers.

In compiled code, + - * / of `lanes` give lanes, and < > == a `mask`, also with a float on one side. The functions below
are for compiled code only.
"""

import operator
from collections.abc import Callable
from typing import Any, cast

import numpy as np
from llvmlite import ir  # type: ignore[import-untyped]
from numba import njit, types
from numba.core import cgutils
from numba.core.registry import cpu_target
from numba.extending import intrinsic, lower_builtin, models, register_model, type_callable


def fitting(features: str) -> int:
    """How many networks side by side fit a processor with these features, as LLVM lists them: four registers.

    So many that one can wait for its result while others work, and so few that sums of several patterns stay in
    registers: AVX-512 has 32 of them, of eight numbers each, where AVX2 has 16 of four.
    """
    return 32 if "+avx512f" in features.split(",") else 16


LANES = fitting(cpu_target.target_context.codegen().magic_tuple()[2])
"""Networks side by side. Their results do not depend on it."""

Lanes = Any  # what annotations call one float64 per lane
Emit = Callable[..., Any]  # LLVM's instruction builder and operands to an instruction

_FLOAT, _INDEX = ir.DoubleType(), ir.IntType(32)
_FLOATS = ir.VectorType(_FLOAT, LANES)
_INTEGERS = ir.VectorType(ir.IntType(64), LANES)
_BITS = ir.VectorType(ir.IntType(1), LANES)


class _Lanes(types.Type):
    """The Numba type of one float64 per lane."""


class _Mask(types.Type):
    """The Numba type of one truth value per lane."""


lanes, mask = _Lanes("lanes"), _Mask("mask")
_represented: Any = models.PrimitiveModel
register_model(_Lanes)(lambda manager, kind: _represented(manager, kind, _FLOATS))
register_model(_Mask)(lambda manager, kind: _represented(manager, kind, _BITS))


def _constant(kind: Any, value: float) -> Any:
    return ir.Constant(kind, [value] * LANES)


def _lowered(emit: Emit) -> Any:
    """Emit an instruction of lanes; operands that are a float are put in all lanes first."""

    def in_every_lane(builder: Any, number: Any) -> Any:
        undefined = ir.Constant(_FLOATS, ir.Undefined)
        first = builder.insert_element(undefined, number, _INDEX(0))
        return builder.shuffle_vector(first, undefined, _constant(ir.VectorType(_INDEX, LANES), 0))

    def lowered(_context: Any, builder: Any, _signature: Any, operands: Any) -> Any:
        return emit(builder, *(in_every_lane(builder, v) if v.type == _FLOAT else v for v in operands))

    return lowered


def _operator(symbol: Callable[[Any, Any], Any], result: types.Type, emit: Emit) -> None:
    """Give an operator of Python's a meaning for lanes, and for lanes and a float."""
    declare, implement = cast("Any", type_callable), cast("Any", lower_builtin)
    operands = ((lanes, lanes), (lanes, types.float64), (types.float64, lanes))
    declare(symbol)(lambda _context: lambda a, b: result if (a, b) in operands else None)
    for kinds in operands:
        implement(symbol, *kinds)(_lowered(emit))


_operator(operator.add, lanes, ir.IRBuilder.fadd)
_operator(operator.sub, lanes, ir.IRBuilder.fsub)
_operator(operator.mul, lanes, ir.IRBuilder.fmul)
_operator(operator.truediv, lanes, ir.IRBuilder.fdiv)
_operator(operator.lt, mask, lambda builder, a, b: builder.fcmp_ordered("<", a, b))
_operator(operator.gt, mask, lambda builder, a, b: builder.fcmp_ordered(">", a, b))
_operator(operator.eq, mask, lambda builder, a, b: builder.fcmp_ordered("==", a, b))


def _function(result: types.Type, operands: tuple[types.Type, ...], emit: Emit) -> Any:
    """Make a function for compiled code, which takes a number for lanes, too."""

    def typed(*given: Any) -> Any:
        numbers = [isinstance(g, types.Number) and wanted == lanes for g, wanted in zip(given, operands, strict=True)]
        kinds = [types.float64 if number else wanted for number, wanted in zip(numbers, operands, strict=True)]
        return result(*kinds), _lowered(emit)

    # Numba reads the number of operands off the Python function.
    by_count: tuple[Callable[..., Any], ...] = (
        lambda _, a: typed(a),
        lambda _, a, b: typed(a, b),
        lambda _, a, b, c: typed(a, b, c),
    )
    return intrinsic(by_count[len(operands) - 1])


def _llvm(name: str) -> Emit:
    """LLVM's own function of that name, for vectors."""
    declare: Any = cgutils.get_or_insert_function

    def emit(builder: Any, *operands: Any) -> Any:
        kind = ir.FunctionType(_FLOATS, [_FLOATS] * len(operands))
        return builder.call(declare(builder.module, kind, f"llvm.{name}.v{LANES}f64"), operands)

    return emit


def _power_of_two(builder: Any, shifted: Any) -> Any:
    bits = builder.bitcast(shifted, _INTEGERS)
    return builder.bitcast(builder.shl(bits, _constant(_INTEGERS, 52)), _FLOATS)


def _exponent(builder: Any, a: Any) -> Any:
    half = int(np.sqrt(0.5).view(np.int64))
    bits = builder.sub(builder.bitcast(a, _INTEGERS), _constant(_INTEGERS, half))
    return builder.sitofp(builder.ashr(bits, _constant(_INTEGERS, 52)), _FLOATS)


splat = _function(lanes, (lanes,), lambda _, a: a)  # number -> it in every lane
negative = _function(lanes, (lanes,), ir.IRBuilder.fneg)
magnitude = _function(lanes, (lanes,), _llvm("fabs"))
square_root = _function(lanes, (lanes,), _llvm("sqrt"))
with_sign = _function(lanes, (lanes, lanes), _llvm("copysign"))  # a, b -> a with the sign of b
fma = _function(lanes, (lanes, lanes, lanes), _llvm("fmuladd"))  # a, b, c -> a b + c, rounded once where possible
select = _function(lanes, (mask, lanes, lanes), ir.IRBuilder.select)  # condition, a, b -> a where it holds, else b
# n + ROUND -> 2^n for integers -1022 <= n <= 1023, whose exponent bits only need to be moved to their place
power_of_two = _function(lanes, (lanes,), _power_of_two)
# a -> the integer k for which sqrt(1/2) <= a / 2^k < sqrt(2), of positive normal a
exponent = _function(lanes, (lanes,), _exponent)
# mask -> integer, lane 0 in its lowest bit, and back
as_bits = _function(
    types.int64, (mask,), lambda builder, m: builder.zext(builder.bitcast(m, ir.IntType(LANES)), ir.IntType(64))
)
as_mask = _function(
    mask, (types.int64,), lambda builder, bits: builder.bitcast(builder.trunc(bits, ir.IntType(LANES)), _BITS)
)


def data(context: Any, builder: Any, kind: types.Type, numbers: Any) -> Any:
    """Where the numbers of an array are, or those that a pointer leads to; in LLVM."""
    return numbers if isinstance(kind, types.CPointer) else context.make_array(kind)(context, builder, numbers).data


def address(builder: Any, numbers: Any, index: Any) -> Any:
    """Address of vector number `index`; in LLVM."""
    start = builder.gep(numbers, [builder.mul(index, index.type(LANES))])
    return builder.bitcast(start, _FLOATS.as_pointer())


def _load(context: Any, builder: Any, signature: Any, operands: Any) -> Any:
    block, index = operands
    return builder.load(address(builder, data(context, builder, signature.args[0], block), index), align=8)


def _store(context: Any, builder: Any, signature: Any, operands: Any) -> Any:
    block, index, value = operands
    builder.store(value, address(builder, data(context, builder, signature.args[0], block), index), align=8)
    return context.get_dummy_value()


# block, i -> vector number i of a contiguous float64 array or pointer, unchecked; block, i, value: the same, written
load: Any = intrinsic(lambda _, block, _index: (lanes(block, types.intp), _load))
store: Any = intrinsic(lambda _, block, _index, _value: (types.none(block, types.intp, lanes), _store))

inline = njit(error_model="numpy", forceinline=True)  # compiles a function of `lanes`, into its callers
