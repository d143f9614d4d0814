"""Elementary functions that give the same bits on every machine.

`np.log` and `np.exp` differ in the last bit between processors (each picks its own vector code) and C libraries, and
one flipped `floor` would shift every later synapse of a graph. These use only what IEEE 754 rounds exactly: addition,
multiplication, division, square root and scaling by powers of two. Errors stay below 4 units in the last place.
"""

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]

_LN2_HIGH = 6.93147180369123816490e-01  # the last 32 bits are zero, so that a small integer times it is exact
_LN2_LOW = 1.90821492927058770002e-10
_LOG2_E = 1.44269504088896338700e00
_SQRT_HALF = 0.7071067811865476
_SQRT_TWO_PI = 2.5066282746310002
_ARTANH = tuple(1.0 / (2 * j + 1) for j in range(11))
_FACTORIALS = (1, 1, 2, 6, 24, 120, 720, 5040, 40320, 362880, 3628800, 39916800, 479001600, 6227020800)
_TAYLOR = tuple(1.0 / n for n in _FACTORIALS)

# Wichura (1988), Algorithm AS 241, routine PPND16: numerators and denominators in rising powers.
# fmt: off
_CENTER = (
    (3.3871328727963666080e0, 1.3314166789178437745e2, 1.9715909503065514427e3, 1.3731693765509461125e4,
     4.5921953931549871457e4, 6.7265770927008700853e4, 3.3430575583588128105e4, 2.5090809287301226727e3),
    (1.0, 4.2313330701600911252e1, 6.8718700749205790830e2, 5.3941960214247511077e3,
     2.1213794301586595867e4, 3.9307895800092710610e4, 2.8729085735721942674e4, 5.2264952788528545610e3),
)
_SHOULDER = (
    (1.42343711074968357734e0, 4.63033784615654529590e0, 5.76949722146069140550e0, 3.64784832476320460504e0,
     1.27045825245236838258e0, 2.41780725177450611770e-1, 2.27238449892691845833e-2, 7.74545014278341407640e-4),
    (1.0, 2.05319162663775882187e0, 1.67638483018380384940e0, 6.89767334985100004550e-1,
     1.48103976427480074590e-1, 1.51986665636164571966e-2, 5.47593808499534494600e-4, 1.05075007164441684324e-9),
)
_TAIL = (
    (6.65790464350110377720e0, 5.46378491116411436990e0, 1.78482653991729133580e0, 2.96560571828504891230e-1,
     2.65321895265761230930e-2, 1.24266094738807843860e-3, 2.71155556874348757815e-5, 2.01033439929228813265e-7),
    (1.0, 5.99832206555887937690e-1, 1.36929880922735805310e-1, 1.48753612908506148525e-2,
     7.86869131145613259100e-4, 1.84631831751005468180e-5, 1.42151175831644588870e-7, 2.04426310338993978564e-15),
)
# fmt: on


def _polynomial(coefficients: tuple[float, ...], x: Floats) -> Floats:
    """c0 + c1 x + c2 x^2 + ... by Horner's rule."""
    y = np.full_like(x, coefficients[-1])
    for c in coefficients[-2::-1]:
        y *= x
        y += c
    return y


def log(x: Floats) -> Floats:
    """Natural logarithm of positive normal numbers: e ln 2 + 2 artanh((m - 1)/(m + 1)) with x = m 2^e."""
    m, e = np.frexp(x)
    small = m < _SQRT_HALF
    m += m * small
    exponent = e - small.astype(np.float64)
    s = (m - 1.0) / (m + 1.0)
    y = _polynomial(_ARTANH, s * s)
    y *= s
    y *= 2.0
    y += exponent * _LN2_LOW
    y += exponent * _LN2_HIGH
    return y


def exp(x: Floats) -> Floats:
    """Exponential: 2^k exp(r) with |r| <= ln(2)/2, exp(r) by its Taylor series."""
    x = np.clip(x, -800.0, 800.0)
    k = np.rint(x * _LOG2_E)
    r = (x - k * _LN2_HIGH) - k * _LN2_LOW
    return np.asarray(np.ldexp(_polynomial(_TAYLOR, r), k.astype(np.int32)))


def log1p_negative(p: float) -> float:
    """log(1 - p) for 0 < p < 1, as exact for tiny p as for large p."""
    if p > 0.01:
        return float(log(np.array([1.0 - p]))[0])
    total = 0.0
    for n in range(12, 0, -1):
        total = total * p - p / n
    return total


def normal_quantile(p: Floats) -> Floats:
    """The z with Phi(z) = p, for 0 < p < 1; exact in the lower tail down to the smallest normal p.

    References:
        Wichura (1988), Algorithm AS 241: the percentage points of the normal distribution, Appl. Statist. 37:477.
    """
    q = p - 0.5
    r = 0.180625 - q * q
    z = q * _polynomial(_CENTER[0], r) / _polynomial(_CENTER[1], r)
    outer = np.flatnonzero(r < 0.0)
    if outer.size:
        tail = np.minimum(p[outer], 1.0 - p[outer])
        r = np.sqrt(-log(tail))
        s, t = r - 1.6, r - 5.0
        shoulder = _polynomial(_SHOULDER[0], s) / _polynomial(_SHOULDER[1], s)
        far = _polynomial(_TAIL[0], t) / _polynomial(_TAIL[1], t)
        z[outer] = np.where(r <= 5.0, shoulder, far) * np.where(q[outer] < 0.0, -1.0, 1.0)
    return z


def normal_cdf(x: float) -> float:
    """Phi(x), to a relative 1e-12 in the lower tail."""
    if x > 0.0:
        return 1.0 - normal_cdf(-x)
    if x < -38.0:
        return 0.0
    density = float(exp(np.array([-0.5 * x * x]))[0]) / _SQRT_TWO_PI
    x = -x
    if x > 3.0:  # continued fraction of Laplace, from its far end
        y = x
        for n in range(200, 0, -1):
            y = x + n / y
        return density / y
    total = term = x
    for n in range(3, 80, 2):
        term *= x * x / n
        total += term
    return 0.5 - density * total
