"""Elementary functions in float32 as operations of elementwise programs; relative errors below 2e-7 (log1p 3e-7).

Subnormal numbers count as zero, as everywhere in XLA on a CPU. Coefficients: Taylor series where the range is small,
else minimax fits of the relative error.
"""

import math
from collections.abc import Callable

Emit = Callable[..., int]
Constant = Callable[[float], int]
Whole = Callable[[int], int]

# exp(r) = 1 + r + r^2 p(r) for |r| < log(2) / 2, and log(1 + f) = f - f^2 / 2 + f^3 q(f) for 1 + f in [2/3, 4/3]
_EXP = (1.9875691500e-4, 1.3981999507e-3, 8.3334519073e-3, 4.1665795894e-2, 1.6666665459e-1, 5.0000001201e-1)
_LOG = (7.0376836292e-2, -1.1514610310e-1, 1.1676998740e-1, -1.2420140846e-1, 1.4249322787e-1, -1.6668057665e-1,
        2.0000714765e-1, -2.4999993993e-1, 3.3333331174e-1)  # fmt: skip
_EXPM1 = tuple(1.0 / math.factorial(k) for k in range(8, 1, -1))
_LOG2_HIGH, _LOG2_LOW = 0.693359375, -2.12194440e-4
_LARGEST = 88.72283  # log of the largest float32


def _horner(op: Emit, c: Constant, coefficients: tuple[float, ...], x: int) -> int:
    value = op("fma", c(coefficients[0]), x, c(coefficients[1]))
    for coefficient in coefficients[2:]:
        value = op("fma", value, x, c(coefficient))
    return value


def exp(op: Emit, c: Constant, whole: Whole, x: int) -> int:
    """e^x: 2^k e^r with |r| < log(2) / 2; k goes into the exponent of the result."""
    inside = op("first_max", c(-87.5), op("first_min", c(_LARGEST), x))
    k = op("int_of_float", op("mul", inside, c(1.0 / math.log(2.0))))
    n = op("float_of_int", k)
    r = op("fnma", n, c(_LOG2_LOW), op("fnma", n, c(_LOG2_HIGH), inside))
    y = op("add", op("fma", _horner(op, c, _EXP, r), op("mul", r, r), r), c(1.0))
    scaled = op("iadd", y, op("shl", k, whole(23)))
    return op("select", op("lt", c(_LARGEST), x), c(math.inf), scaled)


def log(op: Emit, c: Constant, whole: Whole, x: int) -> int:
    """log(2^e m) = e log 2 + log m with m in [0.71, 1.42]."""
    e = op("sar", op("isub", x, whole(0x3F3504F3)), whole(23))
    f = op("sub", op("isub", x, op("shl", e, whole(23))), c(1.0))
    n, f2 = op("float_of_int", e), op("mul", f, f)
    y = op("fma", n, c(_LOG2_LOW), op("mul", op("mul", f, f2), _horner(op, c, _LOG, f)))
    y = op("fma", n, c(_LOG2_HIGH), op("add", f, op("fnma", f2, c(0.5), y)))
    y = op("select", op("lt", x, c(math.inf)), y, x)  # infinity, NaN
    y = op("select", op("eq", x, c(0.0)), c(-math.inf), y)
    return op("select", op("lt", x, c(0.0)), c(math.nan), y)


def log1p(op: Emit, c: Constant, whole: Whole, x: int) -> int:
    """log(1 + x), with what the sum rounds away put back."""
    u = op("add", x, c(1.0))
    lost = op("div", op("sub", x, op("sub", u, c(1.0))), u)
    y = op("add", log(op, c, whole, u), lost)
    y = op("select", op("lt", x, c(math.inf)), y, x)
    return op("select", op("eq", x, c(-1.0)), c(-math.inf), y)


def expm1(op: Emit, c: Constant, whole: Whole, x: int) -> int:
    """e^x - 1: a polynomial below 1/2."""
    size = op("and", x, whole(0x7FFFFFFF))
    small = op("fma", op("mul", x, x), _horner(op, c, _EXPM1, x), x)
    return op("select", op("lt", size, c(0.5)), small, op("sub", exp(op, c, whole, x), c(1.0)))


def logistic(op: Emit, c: Constant, whole: Whole, x: int) -> int:
    """1 / (1 + e^-x)."""
    return op("div", c(1.0), op("add", exp(op, c, whole, op("xor", x, whole(-0x80000000))), c(1.0)))


def tanh(op: Emit, c: Constant, whole: Whole, x: int) -> int:
    """(e^2|x| - 1) / (e^2|x| + 1), with the sign of x."""
    sign = op("and", x, whole(-0x80000000))
    e = expm1(op, c, whole, op("mul", op("xor", x, sign), c(-2.0)))
    t = op("div", e, op("add", e, c(2.0)))
    return op("xor", op("xor", t, whole(-0x80000000)), sign)


FUNCTIONS = {"exp": exp, "log": log, "log1p": log1p, "expm1": expm1, "logistic": logistic, "tanh": tanh}
