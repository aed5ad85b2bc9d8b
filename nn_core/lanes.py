"""Eight networks side by side: vectors as a Numba type, and the functions that a network needs of them.

Loops over networks would leave it to the compiler to find the vectors, and it finds them only in innermost loops, with
a load and a store around every operation. With a type of its own, code for one network reads the same for eight, and
sums stay in registers. A lane never looks at its neighbours, and all lanes run the same instructions.

The operators + - * / give `lanes`, < and == a `mask`. Everything here is for compiled code; see `nn_core.kernel`.
"""

import operator
from collections.abc import Callable
from typing import Any

import numpy as np
from llvmlite import ir  # type: ignore[import-untyped]
from numba import njit, types
from numba.core import cgutils
from numba.extending import intrinsic, lower_builtin, models, register_model, type_callable

LANES = 8
"""As many float64 as one AVX-512 register holds. Machines with narrower registers use several."""

Lanes = Any  # what annotations call one float64 per lane
Emit = Callable[..., Any]  # LLVM's instruction builder and operands to an instruction

_FLOATS = ir.VectorType(ir.DoubleType(), LANES)
_INTEGERS = ir.VectorType(ir.IntType(64), LANES)
_BITS = ir.VectorType(ir.IntType(1), LANES)


class _LanesType(types.Type):
    """The Numba type of one float64 per lane."""


class _MaskType(types.Type):
    """The Numba type of one truth value per lane."""


lanes, mask = _LanesType("lanes"), _MaskType("mask")
_represent: Any = models.PrimitiveModel
register_model(_LanesType)(lambda manager, kind: _represent(manager, kind, _FLOATS))
register_model(_MaskType)(lambda manager, kind: _represent(manager, kind, _BITS))


def _define_operator(symbol: Callable[[Any, Any], Any], result: types.Type, emit: Emit) -> None:
    """Apply an operator of Python's to two `lanes`."""
    declare: Any = type_callable
    declare(symbol)(lambda _context: lambda a, b: result if a == b == lanes else None)
    implement: Any = lower_builtin
    implement(symbol, lanes, lanes)(lambda _context, builder, _signature, operands: emit(builder, *operands))


_define_operator(operator.add, lanes, ir.IRBuilder.fadd)
_define_operator(operator.sub, lanes, ir.IRBuilder.fsub)
_define_operator(operator.mul, lanes, ir.IRBuilder.fmul)
_define_operator(operator.truediv, lanes, ir.IRBuilder.fdiv)
_define_operator(operator.lt, mask, lambda builder, a, b: builder.fcmp_ordered("<", a, b))
_define_operator(operator.eq, mask, lambda builder, a, b: builder.fcmp_ordered("==", a, b))


def _function(result: types.Type, operands: tuple[types.Type, ...], emit: Emit) -> Any:
    """Make a function for compiled code out of LLVM instructions."""
    typed = result(*operands), lambda _context, builder, _signature, values: emit(builder, *values)
    # Numba reads the number of operands off the Python function.
    by_count: tuple[Callable[..., Any], ...] = (
        lambda _, _a: typed,
        lambda _, _a, _b: typed,
        lambda _, _a, _b, _c: typed,
    )
    return intrinsic(by_count[len(operands) - 1])


def _llvm(name: str) -> Emit:
    """LLVM's own function of that name, for vectors."""
    declare: Any = cgutils.get_or_insert_function

    def emit(builder: Any, *operands: Any) -> Any:
        kind = ir.FunctionType(_FLOATS, [_FLOATS] * len(operands))
        return builder.call(declare(builder.module, kind, f"llvm.{name}.v{LANES}f64"), operands)

    return emit


def _constant(kind: Any, value: float) -> Any:
    return ir.Constant(kind, [value] * LANES)


def _splat(builder: Any, value: Any) -> Any:
    undefined = ir.Constant(_FLOATS, ir.Undefined)
    first = builder.insert_element(undefined, value, ir.IntType(32)(0))
    return builder.shuffle_vector(first, undefined, _constant(ir.VectorType(ir.IntType(32), LANES), 0))


def _power_of_two(builder: Any, shifted: Any) -> Any:
    bits = builder.bitcast(shifted, _INTEGERS)
    return builder.bitcast(builder.shl(bits, _constant(_INTEGERS, 52)), _FLOATS)


def _exponent(builder: Any, a: Any) -> Any:
    half = int(np.sqrt(0.5).view(np.int64))
    bits = builder.sub(builder.bitcast(a, _INTEGERS), _constant(_INTEGERS, half))
    return builder.sitofp(builder.ashr(bits, _constant(_INTEGERS, 52)), _FLOATS)


splat = _function(lanes, (types.float64,), _splat)
"""x -> x in every lane"""

fma = _function(lanes, (lanes, lanes, lanes), _llvm("fmuladd"))
"""a, b, c -> a b + c, rounded once where the processor can"""

magnitude = _function(lanes, (lanes,), _llvm("fabs"))
"""a -> |a|"""

with_sign = _function(lanes, (lanes, lanes), _llvm("copysign"))
"""a, b -> a with the sign of b"""

select = _function(lanes, (mask, lanes, lanes), ir.IRBuilder.select)
"""condition, a, b -> a where the condition holds, else b"""

as_bits = _function(
    types.int64,
    (mask,),
    lambda builder, condition: builder.zext(builder.bitcast(condition, ir.IntType(LANES)), ir.IntType(64)),
)
"""mask -> integer, lane 0 in its lowest bit"""

as_mask = _function(
    mask, (types.int64,), lambda builder, bits: builder.bitcast(builder.trunc(bits, ir.IntType(LANES)), _BITS)
)
"""integer -> mask, lane 0 from its lowest bit"""

power_of_two = _function(lanes, (lanes,), _power_of_two)
"""n + ROUND -> 2^n for integers -1022 <= n <= 1023, whose exponent bits only need to be moved to their place"""

exponent = _function(lanes, (lanes,), _exponent)
"""a -> the integer k for which sqrt(1/2) <= a / 2^k < sqrt(2), of positive normal a"""


def _address(context: Any, builder: Any, signature: Any, array: Any, index: Any) -> Any:
    data = context.make_array(signature.args[0])(context, builder, array).data
    start = builder.gep(data, [builder.mul(index, context.get_constant(types.intp, LANES))])
    return builder.bitcast(start, _FLOATS.as_pointer())


def _load(context: Any, builder: Any, signature: Any, operands: Any) -> Any:
    return builder.load(_address(context, builder, signature, *operands), align=8)


def _store(context: Any, builder: Any, signature: Any, operands: Any) -> Any:
    array, index, value = operands
    builder.store(value, _address(context, builder, signature, array, index), align=8)
    return context.get_dummy_value()


load: Any = intrinsic(lambda _, array, _index: (lanes(array, types.intp), _load))
"""array, i -> vector number i of a contiguous float64 array, unchecked"""

store: Any = intrinsic(lambda _, array, _index, _value: (types.none(array, types.intp, lanes), _store))
"""array, i, value: the same, written"""

inline = njit(error_model="numpy", forceinline=True)
"""Compiles a function of `lanes`, into its callers."""

# A library call for every exp would take the vectors apart. These functions keep to arithmetic.

ROUND = 1.5 * 2.0**52 + 1023
"""Adding it rounds x to an integer and leaves that, as a biased exponent, in the lowest bits."""

_LOG2_E = 1.4426950408889634
_LN2_HIGH = float.fromhex("0x1.62e42fefa3800p-1")  # 11 spare bits: n * _LN2_HIGH is exact
_LN2_LOW = 5.497923018708371e-14


@inline
def exp_parts(x: Lanes) -> tuple[Lanes, Lanes]:
    """Return s and q of e^x = s (1 + q), s a power of two, |q| <= 0.42; for |x| <= 708 or NaN.

    With n = round(x / ln 2) and r = x - n ln 2 (Cody & Waite 1980), q = e^r - 1 is a polynomial of degree 11, through
    Chebyshev nodes: 1 + q is within 1.7e-17 of e^r, relative, before rounding.
    """
    shifted = fma(x, splat(_LOG2_E), splat(ROUND))
    n = shifted - splat(ROUND)
    r = fma(n, splat(-_LN2_LOW), fma(n, splat(-_LN2_HIGH), x))
    p = splat(2.510038549551032e-08)
    p = fma(p, r, splat(2.7620088445409746e-07))
    p = fma(p, r, splat(2.7557268459997064e-06))
    p = fma(p, r, splat(2.4801521295954376e-05))
    p = fma(p, r, splat(0.00019841269863053618))
    p = fma(p, r, splat(0.0013888888917213717))
    p = fma(p, r, splat(0.008333333333330062))
    p = fma(p, r, splat(0.04166666666662413))
    p = fma(p, r, splat(0.16666666666666669))
    p = fma(p, r, splat(0.5000000000000001))
    return power_of_two(shifted), fma(r * r, p, r)


@inline
def sigmoid(z: Lanes) -> Lanes:
    """1 / (1 + e^-z) within 2 units in the last place; 0 below -708, where it would leave the normal range."""
    x = splat(0.0) - z
    s, q = exp_parts(select(x < splat(-708.0), splat(-708.0), x))
    return select(splat(708.0) < x, splat(0.0), splat(1.0) / fma(s, q, s + splat(1.0)))


@inline
def tanh(z: Lanes) -> Lanes:
    """-m / (2 + m) with m = e^(-2|z|) - 1, within 3 units in the last place."""
    x = splat(-2.0) * magnitude(z)
    s, q = exp_parts(select(x < splat(-100.0), splat(-100.0), x))
    m = fma(s, q, s - splat(1.0))
    return with_sign(m / (splat(2.0) + m), z)


@inline
def log1p(x: Lanes) -> Lanes:
    """ln(1 + x) for -1 < x <= 1 or NaN, within 3 units in the last place.

    1 + x = 2^k (1 + f), f small, and ln(1 + f) = 2 atanh(g) with g = f / (2 + f), a polynomial of degree 15 in g. What
    rounding 1 + x lost comes back as its share of the logarithm.
    """
    u = splat(1.0) + x
    lost = (x - (u - splat(1.0))) / u
    k = exponent(u)
    f = fma(u, power_of_two(splat(ROUND) - k), splat(-1.0))
    g = f / (splat(2.0) + f)
    w = g * g
    p = splat(0.14617807153417325)
    p = fma(p, w, splat(0.15331611722055008))
    p = fma(p, w, splat(0.1818289243253687))
    p = fma(p, w, splat(0.22222211089379496))
    p = fma(p, w, splat(0.28571428625653836))
    p = fma(p, w, splat(0.3999999999989889))
    p = fma(p, w, splat(0.666666666666667))
    tail = fma(g * w, p, fma(k, splat(_LN2_LOW), lost))
    return fma(k, splat(_LN2_HIGH), fma(splat(2.0), g, tail))
