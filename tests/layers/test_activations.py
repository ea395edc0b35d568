"""Promises of every activation y = f(x), rectifiers included, and saturation of the others."""

import mpmath
import numpy as np
import pytest
from elementwise import CASES
from exactness import extreme_floats, shapes, torch_results, units_in_the_last_place
from hypothesis import given, settings
from hypothesis import strategies as st

import nnlayers as nn
from nnlayers.testing import check_gradients

every_case = pytest.mark.parametrize("case", CASES.values(), ids=CASES)


def torch_pair(case, x, dout):
    functional = pytest.importorskip("torch.nn.functional")
    return torch_results(lambda tensor: case.torch(functional, tensor), x, dout)


@every_case
@given(shape=shapes, seed=st.integers(0, 9))
@settings(max_examples=25)
def test_backward_agrees_with_differences_in_any_shape(case, shape, seed):
    x = np.random.default_rng(seed).normal(size=shape, scale=2)
    x += np.copysign(1e-3, x)  # away from the kink
    layer = case.make()
    assert layer.forward(x).shape == shape
    check_gradients(layer, x)


@pytest.mark.untraced
@every_case
def test_float32_is_right_to_four_units_in_the_last_place(case):
    layer, x = case.make(), extreme_floats()
    largest = float(np.finfo(np.float32).max)
    with mpmath.workdps(50):
        exact = [case.value(mpmath.mpf(float(entry))) for entry in x]
        kept = [abs(value) <= largest for value in exact]
        x, exact = x[kept], [value for value in exact if abs(value) <= largest]
        y = layer.forward(x)
        dx = layer.backward(np.ones_like(x))
        assert y.dtype == dx.dtype == np.float32
        assert units_in_the_last_place(y, exact) <= 4
        terms = [list(case.slope_terms(mpmath.mpf(float(entry)))) for entry in x]
        slopes = [mpmath.fsum(entry) for entry in terms]
        largest_terms = [max(entry, key=abs) for entry in terms]
        assert units_in_the_last_place(dx, slopes, largest_terms) <= 4
    np.testing.assert_array_equal(layer.predict(x), y)


@every_case
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_the_ends_of_the_range_give_limits(case, dtype):
    ends = np.array([-np.inf, np.finfo(dtype).min, np.finfo(dtype).max, np.inf], dtype)
    layer = case.make()
    y = layer.forward(ends)
    dx = layer.backward(np.ones_like(ends))
    for found, slope, x in zip(y[[0, 3]], dx[[0, 3]], (-1e30, 1e30), strict=True):
        limit = float(case.value(mpmath.mpf(x)))
        assert found == (np.sign(limit) * np.inf if abs(limit) > 1e20 else dtype(limit))
        np.testing.assert_allclose(
            slope, dtype(mpmath.fsum(case.slope_terms(mpmath.mpf(x)))), rtol=1e-15, atol=1e-50
        )
    np.testing.assert_array_equal(dx[1:3], dx[[0, 3]])


@every_case
def test_nan_passes_through(case):
    layer = case.make()
    assert np.isnan(layer.forward([np.nan, 1.0])).tolist() == [True, False]
    assert np.isfinite(layer.backward([1.0, 1.0])).tolist()[1]
    layer.forward([1.0])
    assert np.isnan(layer.backward([np.nan])).all()


@every_case
@pytest.mark.parametrize(("dtype", "rtol"), [(np.float32, 1e-5), (np.float64, 1e-10)])
def test_values_and_gradients_are_those_of_pytorch(case, dtype, rtol):
    rng = np.random.default_rng(0)
    kinks = [0.0, -0.0, 1.0, -1.0]
    x = np.concatenate([rng.normal(size=500, scale=3), kinks]).astype(dtype)
    dout = rng.normal(size=x.shape).astype(dtype)
    y, dx = torch_pair(case, x, dout)
    layer = case.make()
    np.testing.assert_allclose(layer.forward(x), y, rtol=rtol, atol=rtol / 100)
    np.testing.assert_allclose(layer.backward(dout), dx, rtol=rtol, atol=rtol / 100)


@every_case
@pytest.mark.parametrize("kind", [np.float32, np.float64])
def test_single_numbers_are_computed_like_arrays_and_stay_independent(case, kind):
    layer = case.make()
    state = dict(vars(layer))
    numbers = [kind(-1.5), kind(0.25), kind(0), kind(-np.inf)]
    pairs = [layer.compute_forward(x) for x in numbers]
    slopes = [layer.compute_backward(kind(1), kept) for _, kept in pairs]
    assert vars(layer) == state
    assert {type(number) for number in [*slopes, *(y for y, _ in pairs)]} == {kind}
    y = layer.forward(np.array(numbers))
    np.testing.assert_allclose([y for y, _ in pairs], y, rtol=1e-6)
    np.testing.assert_allclose(slopes, layer.backward(np.ones(4, kind)), rtol=1e-6)


@pytest.mark.parametrize("beta", [0, -1.0, np.inf, np.nan])
def test_softplus_needs_a_beta_above_zero(beta):
    with pytest.raises(ValueError, match="beta must be a finite number above 0, got "):
        nn.Softplus(beta)


def test_hard_tanh_at_nan_is_pytorch_s():
    x, dout = np.array([np.nan, 2.0]), np.full(2, 3.0)
    layer = nn.HardTanh()
    y, dx = torch_pair(CASES["HardTanh"], x, dout)
    np.testing.assert_array_equal(layer.forward(x), y)
    np.testing.assert_array_equal(layer.backward(dout), dx)
