"""Elementary functions of kernels, against mpmath."""

from math import inf, nan

import mpmath
import numpy as np
import pytest

from nnlayers.engine.functions import (
    exp,
    expm1,
    log,
    log1p,
    log1p_of_fraction,
    normal_cdf_and_pdf,
    sigmoid,
    softplus,
    tanh,
)
from nnlayers.engine.kernel import Flat, helper, kernel
from nnlayers.engine.primitives import quotient
from nnlayers.engine.program import Buffer, KernelCall, KernelProgram


@helper
def normal_cdf(x):
    return normal_cdf_and_pdf(x)[0]


@helper
def normal_pdf(x):
    return normal_cdf_and_pdf(x)[1]


def exact_cdf(x):
    return mpmath.ncdf(min(x, 100))  # mpmath overflows beyond.


def exact_sigmoid(x):
    return 1 / (1 + mpmath.exp(-x))


def exact_softplus(x):
    return mpmath.log1p(mpmath.exp(x))


# The function, the exact one, the error allowed in units in the last place, and the values at
# -infinity, 0 and infinity.
FUNCTIONS = [
    (exp, mpmath.exp, 1.5, (0, 1, inf)),
    (expm1, mpmath.expm1, 2, (-1, 0, inf)),
    (log, mpmath.log, 1, (nan, -inf, inf)),
    (log1p, mpmath.log1p, 1, (nan, 0, inf)),
    (tanh, mpmath.tanh, 3, (-1, 0, 1)),
    (sigmoid, exact_sigmoid, 3, (0, 0.5, 1)),
    (softplus, exact_softplus, 2, (0, np.log(2), inf)),
    (normal_cdf, exact_cdf, 6, (0, 0.5, 1)),
    (normal_pdf, mpmath.npdf, 3, (0, 1 / np.sqrt(2 * np.pi), 0)),
]
each_function = pytest.mark.parametrize(
    ("function", "exact", "tolerance", "limits"), FUNCTIONS, ids=[f[0].__name__ for f in FUNCTIONS]
)
each_dtype = pytest.mark.parametrize("dtype", ["float32", "float64"])


@pytest.fixture(params=[False, True], ids=["uncompiled", "compiled"])
def evaluate(request):
    """Return a function that applies a helper to an array, compiled or not."""
    if request.param:
        pytest.importorskip("numba")

    def apply_to(function, x):
        @kernel
        def apply(x: Flat, y: Flat) -> None:
            for i in range(x.size):
                y[i] = function(x[i])

        apply.__name__ = f"apply_{function.__name__}"
        y = np.empty_like(x)
        instruction = KernelCall(apply, (Buffer(x, ()), Buffer(y, ())))
        KernelProgram([instruction], x.dtype, compiled=request.param).run(np.array([len(x)]))
        return y

    return apply_to


def draw_numbers(dtype, scale, count=150):
    """Return numbers of the usual sizes, of all sizes, and near the limits of the exponential."""
    rng = np.random.default_rng(0)
    limit = np.log(np.finfo(dtype).max)
    numbers = [
        rng.normal(scale=2, size=2 * count),
        rng.uniform(-20, 20, count),
        rng.uniform(-1.2 * limit, 1.05 * limit, count),
        rng.choice([-1, 1], count) * np.exp(rng.uniform(-1.15 * limit, 0.9 * limit, count)),
    ]
    return (np.concatenate(numbers) * scale).astype(dtype)


def distances(y, x, exact):
    """Return the distances of y from the exact values at x, in units in the last place."""
    info = np.finfo(x.dtype)
    with mpmath.workprec(150):
        for x_i, y_i in zip(x.tolist(), y.tolist(), strict=True):
            value = exact(mpmath.mpf(x_i))
            if abs(value) >= info.max:
                yield 0.0 if abs(y_i) >= info.max else inf
                continue
            exponent = mpmath.frexp(value)[1] if value else info.minexp
            unit = mpmath.ldexp(1, max(exponent, info.minexp + 1) - 1 - info.nmant)
            yield float(abs(mpmath.mpf(y_i) - value) / unit)


@each_function
@each_dtype
def test_values_are_exact_within_a_few_units_in_the_last_place(
    evaluate, function, exact, tolerance, limits, dtype
):
    x = draw_numbers(dtype, 0.5 if function in (normal_cdf, normal_pdf) else 1)
    if function in (normal_cdf, normal_pdf):
        x = x.clip(-45, 45)
    x = np.abs(x) if function is log else x[x > -1] if function is log1p else x
    y = evaluate(function, x)
    assert y.dtype == x.dtype
    errors = np.array(list(distances(y, x, exact)))
    assert errors.max() <= tolerance, (x[errors.argmax()], y[errors.argmax()])


@each_function
@each_dtype
def test_values_at_infinity_at_zero_and_at_the_ends_of_the_range(
    evaluate, function, exact, tolerance, limits, dtype
):
    info = np.finfo(dtype)
    x = np.array([-inf, 0, inf, nan, info.max, info.smallest_subnormal], dtype)
    y = evaluate(function, x)
    expected = np.array([*limits, nan], dtype)
    np.testing.assert_allclose(y[:4], expected, rtol=tolerance * info.eps)
    assert (y[:4] == expected)[np.isinf(expected) | (expected == 0)].all()
    assert max(distances(y[4:], x[4:], exact)) <= tolerance


@each_dtype
def test_logarithm_of_one_plus_a_fraction(evaluate, dtype):
    x = np.append(np.random.default_rng(0).random(200), [0, 1e-30, 1]).astype(dtype)
    assert max(distances(evaluate(log1p_of_fraction, x), x, mpmath.log1p)) <= 1.5


@each_dtype
def test_logarithms_outside_their_domain(evaluate, dtype):
    x = np.array([-1, -0.0, -inf, -1e-30], dtype)
    np.testing.assert_array_equal(evaluate(log, x), [nan, -inf, nan, nan])
    x = np.array([-1, -1.5, -inf, -0.0], dtype)
    np.testing.assert_array_equal(evaluate(log1p, x), [-inf, nan, nan, 0])


@kernel
def divide(x: Flat, y: Flat, out: Flat) -> None:
    for i in range(x.size):
        out[i] = quotient(x[i], y[i])


@pytest.fixture(params=[False, True], ids=["uncompiled", "compiled"])
def run_divide(request):
    if request.param:
        pytest.importorskip("numba")

    def run(x, y):
        out = np.empty_like(x)
        instruction = KernelCall(divide, tuple(Buffer(array, ()) for array in (x, y, out)))
        program = KernelProgram([instruction], x.dtype, compiled=request.param)
        program.run(np.array([len(x)]))
        return out

    return run


@each_dtype
def test_quotients_are_exact_within_two_units_in_the_last_place(run_divide, dtype):
    rng = np.random.default_rng(0)
    x, y = (10 ** rng.uniform(-18, 18, (2, 4000))).astype(dtype)
    quotients = run_divide(x, y)
    assert quotients.dtype == x.dtype
    exact = x.astype(np.longdouble) / y
    assert (np.abs(quotients - exact) <= 2 * np.spacing(np.abs(exact).astype(dtype))).all()


@each_dtype
def test_quotients_by_infinity_zero_and_nan_are_those_of_a_division(run_divide, dtype):
    x = np.array([1, inf, 0, nan, 1, 1, 0] * 5, dtype)
    y = np.array([inf, inf, inf, inf, nan, 0, 0] * 5, dtype)
    quotients = run_divide(x, y).reshape(5, 7)
    assert (quotients[:, [0, 2]] == 0).all()
    assert np.isnan(quotients[:, [1, 3, 4, 6]]).all()
    assert not np.isfinite(quotients[:, 5]).any()
