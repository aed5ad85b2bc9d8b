"""Elementary functions of `lanes`.

A library call for every exp would take the vectors apart. These functions keep to arithmetic.
"""

from nn_core.compiled.lanes import Lanes, exponent, fma, inline, magnitude, negative, power_of_two, select, with_sign

ROUND = 1.5 * 2.0**52 + 1023
"""Adding it rounds x to an integer and leaves that, as a biased exponent, in the lowest bits."""

_LOG2_E = 1.4426950408889634
_LN2_HIGH = float.fromhex("0x1.62e42fefa3800p-1")  # 11 spare bits: n * _LN2_HIGH is exact
_LN2_LOW = 5.497923018708371e-14


@inline
def exp_parts(x: Lanes) -> tuple[Lanes, Lanes, Lanes]:
    """Return s, a and b of e^x = s (a + b) / (a - b), s a power of two; for |x| <= 708 or NaN.

    With n = round(x / ln 2) and r = x - n ln 2 (Cody & Waite 1980), s = 2^n and b / a = tanh(r / 2), a quotient
    of polynomials of degree 5 and 4 in r: e^r is within 3.5e-18 of it, relative, before rounding.
    """
    shifted = fma(x, _LOG2_E, ROUND)
    n = shifted - ROUND
    r = fma(n, -_LN2_LOW, fma(n, -_LN2_HIGH, x))
    w = r * r
    a = fma(w, fma(w, 0.0009917623999470874, 0.11110809981177165), 1.0)
    b = r * fma(w, fma(w, 3.304370774898629e-05, 0.013887383239220171), 0.5)
    return power_of_two(shifted), a, b


@inline
def exp(x: Lanes) -> Lanes:
    """e^x for x <= 0 or NaN, within 2 units in the last place; 0 below -708, where it would leave the normal range."""
    s, a, b = exp_parts(select(x < -708.0, -708.0, x))
    return select(x < -708.0, 0.0, s * ((a + b) / (a - b)))


@inline
def expm1(x: Lanes) -> Lanes:
    """e^x - 1 for x <= 0 or NaN, within 3 units in the last place."""
    s, a, b = exp_parts(select(x < -50.0, -50.0, x))
    return fma(s + 1.0, b, (s - 1.0) * a) / (a - b)


@inline
def sigmoid(z: Lanes) -> Lanes:
    """1 / (1 + e^-z) within 2 units in the last place; 0 below -708, where it would leave the normal range."""
    s, a, b = exp_parts(negative(select(z > 708.0, 708.0, z)))
    return select(z < -708.0, 0.0, (a - b) / fma(s, a + b, a - b))


@inline
def tanh(z: Lanes) -> Lanes:
    """(1 - e^x) / (1 + e^x) with x = -2|z|, within 3 units in the last place."""
    x = magnitude(z)
    s, a, b = exp_parts(-2.0 * select(x > 50.0, 50.0, x))
    down, up = 1.0 - s, 1.0 + s  # down is 0 near 0, where a has no part in the result
    return with_sign(fma(down, a, negative(up * b)) / fma(up, a, negative(down * b)), z)


@inline
def log(x: Lanes) -> Lanes:
    """Ln x of positive normal x below 2^1022 or NaN, within 3 units in the last place."""
    return _log(x, 0.0)


@inline
def log1p(x: Lanes) -> Lanes:
    """ln(1 + x) for -1 < x <= 1 or NaN, within 3 units in the last place.

    What rounding 1 + x lost comes back as its share of the logarithm.
    """
    u = 1.0 + x
    return _log(u, (x - (u - 1.0)) / u)


@inline
def _log(u: Lanes, correction: Lanes) -> Lanes:
    """Ln u + a small correction: u = 2^k (1 + f), and ln(1 + f) = 2 atanh(g) with g = f / (2 + f).

    A polynomial of degree 15 in g, for f is small.
    """
    k = exponent(u)
    f = fma(u, power_of_two(ROUND - k), -1.0)
    g = f / (2.0 + f)
    w = g * g
    p = fma(w, 0.14617807153417325, 0.15331611722055008)
    p = fma(p, w, 0.1818289243253687)
    p = fma(p, w, 0.22222211089379496)
    p = fma(p, w, 0.28571428625653836)
    p = fma(p, w, 0.3999999999989889)
    p = fma(p, w, 0.666666666666667)
    tail = fma(g * w, p, fma(k, _LN2_LOW, correction))
    return fma(k, _LN2_HIGH, fma(2.0, g, tail))
