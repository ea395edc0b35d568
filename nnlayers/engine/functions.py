"""Elementary functions of one number, which a compiler can turn into vector instructions.

They are exact within 3 units in the last place (the normal distribution within 6) for float32 and
float64, at infinities, NaN and the smallest numbers too, and run as plain Python on NumPy's
scalars. They hold no branch, no call of a mathematical library and no conversion between integers
and floats, because a loop around any of these is not vectorized: ``math.exp`` in a compiled loop
takes 5 times as long as :func:`exp`, ``math.tanh`` 40 times as long as :func:`tanh`.

The method is the same throughout: reduce the argument to a short interval, evaluate a polynomial
there (Chebyshev interpolation of the exact function), and scale by a power of two.

They must be compiled without the permission to reorder sums, because ``t - magic`` with
``t = a + magic`` is a rounded to an integer, and not a.

References
----------
J.-M. Muller, "Elementary Functions: Algorithms and Implementation", 3rd edition, Birkhäuser 2016.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from nnlayers.engine.kernel import helper
from nnlayers.engine.primitives import polynomial, power_of_two, split

__all__ = [
    "Precision",
    "decay_and_expm1",
    "exp",
    "exp_and_expm1",
    "expm1",
    "log",
    "log1p",
    "log1p_of_fraction",
    "normal_cdf_and_pdf",
    "precision",
    "sigmoid",
    "softplus",
    "tanh",
    "typed",
]

INFINITY = np.inf
NAN = np.nan


class Precision(NamedTuple):
    """Constants of one floating-point type, each a scalar of that type."""

    # The last bits of n + magic are those of n plus the bias of exponents.
    magic: Any
    log2_e: Any
    # log(2) is the sum of these two; the first times an exponent is exact.
    log_2_high: Any
    log_2_low: Any
    # e^x rounds to 0 below the first of these, and to infinity above the second.
    lowest_exp: Any
    highest_exp: Any
    # e^x is not a normal number below this.
    lowest_normal_exp: Any
    # Where e^x is not a normal number, e^x * two_up is, with two_up = 2^up.
    up: Any
    two_up: Any
    two_down: Any
    smallest_normal: Any
    # x + coarse - coarse has half as many digits, so that its square is exact, for |x| <= far.
    # The normal distribution is 0 below -far.
    coarse: Any
    far: Any
    # (e^r - 1) / r for |r| <= log(2) / 2.
    expm1: tuple[Any, ...]
    # (log((1 + s) / (1 - s)) / s - 2) / s^2 in powers of s^2, for |s| <= 1/3.
    log: tuple[Any, ...]
    # (a + m) Phi(-a) e^(a^2 / 2) in powers of (a - m) / (a + m), with m = tail_middle.
    tail: tuple[Any, ...]
    tail_middle: Any
    inverse_root_two_pi: Any


def _constants(dtype: type[np.floating[Any]], **constants: Any) -> Precision:
    fields: dict[str, Any] = {
        name: tuple(map(dtype, c)) if isinstance(c, tuple) else dtype(c)
        for name, c in constants.items()
    }
    return Precision(**fields)


# fmt: off
SINGLE = _constants(
    np.float32,
    magic=1.5 * 2**23 + 127,
    log2_e=1.4426950408889634,
    log_2_high=0.693359375, log_2_low=-0.00021219444005469057,
    lowest_exp=-104, highest_exp=89, lowest_normal_exp=-87,
    up=25, two_up=2.0**25, two_down=2.0**-25, smallest_normal=2.0**-126,
    coarse=1.5 * 2**16, far=14.5,
    expm1=(0.0013933881, 0.008369341, 0.041666463, 0.16666503, 0.5, 1),
    log=(0.23224382, 0.21706565, 0.2859236, 0.39999706, 0.6666667),
    tail=(
        8.111267e-05, -2.502001e-05, -0.0008891763, 0.0017766511, 0.004211561, -0.03388282,
        0.11138471, -0.2531398, 0.4464524, -0.64025784, 0.7632305,
    ),
    tail_middle=4.5,
    inverse_root_two_pi=0.3989422804014327,
)
DOUBLE = _constants(
    np.float64,
    magic=1.5 * 2**52 + 1023,
    log2_e=1.4426950408889634,
    log_2_high=0.693147180559663, log_2_low=2.8235290563031577e-13,
    lowest_exp=-746, highest_exp=710, lowest_normal_exp=-708,
    up=54, two_up=2.0**54, two_down=2.0**-54, smallest_normal=2.0**-1022,
    coarse=1.5 * 2**32, far=39,
    expm1=(
        2.5105490906986696e-08, 2.762672724859884e-07, 2.7557254740405416e-06,
        2.4801503455781718e-05, 0.00019841269875342141, 0.0013888888933192957,
        0.008333333333325985, 0.04166666666657112, 0.1666666666666667, 0.5000000000000006, 1,
    ),
    log=(
        0.1563066391975785, 0.07492098408923532, 0.10845188531046257, 0.11734277812139943,
        0.13335178724135435, 0.15384543960621982, 0.1818181989808015, 0.22222222198234912,
        0.28571428571600116, 0.39999999999999525, 0.6666666666666666,
    ),
    tail=(
        1.1106031861997184e-10, 1.0422863254625701e-09, -3.7262622570456145e-10,
        -1.1241720070402277e-08, -4.573022534394626e-09, 7.057937056023936e-08,
        6.377401661472941e-08, -3.7923014205847394e-07, -5.01705558697043e-07,
        2.1426504673601654e-06, 3.190872911471409e-06, -1.423569869049837e-05,
        -1.5933273943982446e-05, 0.00011204260248378898, 6.381183730201289e-06,
        -0.0009177464763285321, 0.0017488305647442662, 0.0042236133766729075,
        -0.03387132617700706, 0.11138259657044036, -0.25314179995097097, 0.44645251705567307,
        -0.640257760252617, 0.7632305289702032,
    ),
    tail_middle=4.5,
    inverse_root_two_pi=0.3989422804014327,
)
# fmt: on


@helper
def precision(x: Any) -> Precision:
    """Return the constants of x's type."""
    return DOUBLE


@precision.for_single
def _(x: Any) -> Precision:
    return SINGLE


@helper
def typed(x: Any, number: Any) -> Any:
    """Return a number in x's type."""
    return np.float64(number)


@typed.for_single
def _(x: Any, number: Any) -> Any:
    return np.float32(number)


@helper
def scaled_exp(a: Any, b: Any) -> tuple[Any, Any, Any, Any]:
    """Return s, q, u and d with e^(a - b) = (s + s q) d and d = 1 / u, for a small b.

    The power of two u keeps s a normal number where the exponential is not one. b holds the digits
    that the rounding of a took away.
    """
    c = precision(a)
    below = a < 0.0
    magic = c.magic + c.up if below else c.magic - 1.0
    up = c.two_up if below else 0.5
    down = c.two_down if below else 2.0
    a = c.lowest_exp if a < c.lowest_exp else a
    a = c.highest_exp if a > c.highest_exp else a
    t = (a - b) * c.log2_e + magic
    n = t - magic
    r = a - n * c.log_2_high - n * c.log_2_low - b
    return power_of_two(t), r * polynomial(r, c.expm1), up, down


@helper
def exp(x: Any) -> Any:
    """Return e^x."""
    s, q, _, down = scaled_exp(x, 0.0)
    return (s + s * q) * down


@helper
def expm1(x: Any) -> Any:
    """Return e^x - 1, without the loss of digits for x near 0."""
    s, q, up, down = scaled_exp(x, 0.0)
    return (s * q + (s - up)) * down


@helper
def exp_and_expm1(x: Any) -> tuple[Any, Any]:
    """Return e^x and e^x - 1."""
    s, q, up, down = scaled_exp(x, 0.0)
    return (s + s * q) * down, (s * q + (s - up)) * down


@helper
def decay_and_expm1(x: Any) -> tuple[Any, Any]:
    """Return e^x and e^x - 1 for x up to 80; where e^x is not a normal number, 0 and -1.

    This takes two thirds of the time of :func:`exp_and_expm1`.
    """
    c = precision(x)
    is_tiny = x < c.lowest_normal_exp
    x = c.lowest_normal_exp if is_tiny else x
    t = x * c.log2_e + c.magic
    n = t - c.magic
    r = x - n * c.log_2_high - n * c.log_2_low
    s, q = power_of_two(t), r * polynomial(r, c.expm1)
    # An optimizer that goes by signs, such as Lion, tells the smallest number from 0.
    return 0.0 if is_tiny else s + s * q, s * q + (s - 1.0)


@helper
def log_plus(x: Any, b: Any) -> Any:
    """Return log(x) + b for a b that is smaller than the last digit of x."""
    c = precision(x)
    is_small = x < c.smallest_normal
    m, n = split(x * c.two_up if is_small else x)
    n = n - c.up if is_small else n
    f = m - 1.0
    s = f / (2.0 + f)
    z = s * s
    # log(m) = 2 s + s z P(z), and f - f^2 / 2 + s f^2 / 2 = 2 s has no rounding error in f.
    half_square = 0.5 * f * f
    rest = s * (half_square + z * polynomial(z, c.log)) + (n * c.log_2_low + b)
    y = n * c.log_2_high - (half_square - rest - f)
    y = y if x < INFINITY else x  # This keeps NaN too.
    y = y if x != 0 else -INFINITY
    return y if not x < 0 else NAN


@helper
def log(x: Any) -> Any:
    """Return the natural logarithm of x, -infinity for 0 and NaN below."""
    return log_plus(x, 0.0)


@helper
def log1p(x: Any) -> Any:
    """Return log(1 + x), without the loss of digits for x near 0."""
    u = 1.0 + x
    lost = x - (u - 1.0)
    return log_plus(u, lost / u if (u > 0) & (u < INFINITY) else 0.0)


@helper
def log1p_of_fraction(x: Any) -> Any:
    """Return log(1 + x) for x from 0 to 1, in half the time of :func:`log1p`."""
    c = precision(x)
    s = x / (2.0 + x)
    z = s * s
    # This is 2 s + s z P(z), with 2 s = x - s x, whose first term has no rounding error.
    return x - s * (x - z * polynomial(z, c.log))


@helper
def sigmoid(x: Any) -> Any:
    """Return 1 / (1 + e^-x)."""
    e = exp(-abs(x))
    return (1.0 if x > 0 else e) / (1.0 + e)


@helper
def softplus(x: Any) -> Any:
    """Return log(1 + e^x)."""
    return (0.0 if x < 0 else x) + log1p_of_fraction(exp(-abs(x)))


@helper
def tanh(x: Any) -> Any:
    """Return the hyperbolic tangent of x."""
    _, e = decay_and_expm1(-2.0 * abs(x))
    y = e / (2.0 + e)
    return y if x < 0 else -y


@helper
def normal_cdf_and_pdf(x: Any) -> tuple[Any, Any]:
    """Return the probability that a normal draw is below x, and its density at x."""
    c = precision(x)
    a = abs(x)
    a = c.far if a > c.far else a
    # The rounding of a^2 / 2 would cost up to 100 units in the last place.
    h = a + c.coarse - c.coarse
    s, q, _, down = scaled_exp(-0.5 * h * h, 0.5 * (a - h) * (a + h))
    e = (s + s * q) * down
    inverse = 1.0 / (a + c.tail_middle)
    tail = e * inverse * polynomial((a - c.tail_middle) * inverse, c.tail)
    return tail if x < 0 else 1.0 - tail, e * c.inverse_root_two_pi
