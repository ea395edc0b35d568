"""Arguments and kinks of rectifiers, and PReLU's slopes; the rest is in test_activations.py."""

import mpmath
import numpy as np
import pytest
from exactness import extreme_floats, shapes, torch_results, units_in_the_last_place
from hypothesis import given, settings
from hypothesis import strategies as st

import nnlayers as nn
from nnlayers.testing import check_gradients, check_layer

SLOPES = [-0.5, 0.0, 0.01, 1.0, 2.5]


@pytest.mark.parametrize("name", ["ReLU", "LeakyReLU"])
def test_kinks_and_nan_are_pytorch_s(name):
    torch = pytest.importorskip("torch")
    x, dout = np.array([np.nan, 0.0, -0.0, 1e-45, -1e-45]), np.full(5, 3.0)
    y, dx = torch_results(getattr(torch.nn, name)(), x, dout)
    layer = getattr(nn, name)()
    np.testing.assert_array_equal(layer.forward(x), y)
    np.testing.assert_array_equal(layer.backward(dout), dx)


@pytest.mark.parametrize("slope", SLOPES)
def test_leaky_relu_of_any_slope_is_pytorch_s(slope):
    functional = pytest.importorskip("torch.nn.functional")
    rng = np.random.default_rng(0)
    x, dout = rng.normal(size=(2, 100))
    y, dx = torch_results(lambda z: functional.leaky_relu(z, slope), x, dout)
    layer = nn.LeakyReLU(slope)
    np.testing.assert_allclose(layer.forward(x), y, rtol=1e-15)
    np.testing.assert_allclose(layer.backward(dout), dx, rtol=1e-15)


@pytest.mark.parametrize("slope", SLOPES)
def test_leaky_relu_of_infinities_is_its_limit(slope):
    layer = nn.LeakyReLU(slope)
    largest = np.finfo(np.float32).max
    x = np.array([-np.inf, largest, np.inf], np.float32)
    expected = [-np.inf * slope if slope else 0, largest, np.inf]
    np.testing.assert_array_equal(layer.forward(x), expected)
    np.testing.assert_array_equal(layer.backward(np.ones_like(x)), [np.float32(slope), 1, 1])


@pytest.mark.parametrize("alpha", [-1.0, 0.0, 0.3, 1.0, 5.0])
def test_elu_of_any_alpha_is_pytorch_s(alpha):
    functional = pytest.importorskip("torch.nn.functional")
    rng = np.random.default_rng(0)
    x, dout = rng.normal(size=(2, 100))
    x[:2] = 0.0, -0.0
    y, dx = torch_results(lambda z: functional.elu(z, alpha), x, dout)
    layer = nn.ELU(alpha)
    np.testing.assert_allclose(layer.forward(x), y, rtol=1e-14)
    np.testing.assert_allclose(layer.backward(dout), dx, rtol=1e-14)


@pytest.mark.parametrize(("make", "name"), [(nn.LeakyReLU, "negative_slope"), (nn.ELU, "alpha")])
def test_a_slope_that_is_not_finite_is_refused(make, name):
    for value in (np.nan, np.inf):
        with pytest.raises(ValueError, match=f"{name} must be a finite number, got "):
            make(value)
    with pytest.raises(TypeError, match=f"{name} must be a finite number, got 'a'"):
        make("a")


def test_gelu_knows_two_formulas():
    with pytest.raises(ValueError, match="approximate must be 'none' or 'tanh', got 'erf'"):
        nn.GELU("erf")


@given(shape=shapes, features=st.integers(2, 3), seed=st.integers(0, 9))
@settings(max_examples=50)
def test_prelu_agrees_with_differences_for_input_and_slopes(shape, features, seed):
    rng = np.random.default_rng(seed)
    for layer, size in ((nn.PReLU(), shape), (nn.PReLU(features), (*shape[:4], features))):
        layer.a.value = rng.normal(size=layer.a.shape)
        x = rng.normal(size=size)
        x += np.copysign(1e-3, x)  # away from the kink
        assert layer.forward(x).shape == size
        check_gradients(layer, x)


@pytest.mark.parametrize("features", [1, 4])
@pytest.mark.parametrize("shape", [(6, 4), (1, 4), (0, 4), (3, 2, 4)])
@pytest.mark.parametrize(("dtype", "rtol"), [("float32", 1e-5), ("float64", 1e-10)])
def test_prelu_and_its_slopes_gradients_are_pytorch_s(features, shape, dtype, rtol):
    torch = pytest.importorskip("torch")
    rng = np.random.default_rng(0)
    layer = nn.PReLU(features, dtype=dtype)
    assert layer.a.value.tolist() == torch.nn.PReLU(features).weight.tolist()
    layer.a.value = rng.normal(size=features)
    x, dout = (rng.normal(size=shape).astype(dtype) for _ in range(2))
    x[:1, ..., 0] = 0.0
    weight = torch.tensor(layer.a.value, dtype=torch.float64, requires_grad=True)

    def prelu(tensor):  # PyTorch's channels are axis 1
        return torch.prelu(tensor.reshape(-1, 4), weight).reshape(shape)

    y, dx = torch_results(prelu, x, dout)
    np.testing.assert_allclose(layer.forward(x), y, rtol=rtol)
    np.testing.assert_allclose(layer.backward(dout), dx, rtol=rtol)
    np.testing.assert_allclose(layer.a.grad, weight.grad, rtol=rtol, atol=rtol)
    layer.backward(dout)
    np.testing.assert_allclose(layer.a.grad, 2 * weight.grad, rtol=rtol, atol=rtol)


def test_prelu_is_right_to_four_units_in_the_last_place():
    layer, x = nn.PReLU(), extreme_floats()
    layer.a.value = [1 / 3]
    a = mpmath.mpf(layer.a.value.item())
    with mpmath.workdps(50):
        exact = [mpmath.mpf(float(entry)) for entry in x]
        y = layer.forward(x)
        assert units_in_the_last_place(y, [e if e > 0 else a * e for e in exact]) <= 4
        dx = layer.backward(np.ones_like(x) / 1024)
        slopes = [(1 if e > 0 else a) / 1024 for e in exact]
        assert units_in_the_last_place(dx, slopes) <= 4
    assert y.dtype == dx.dtype == layer.a.grad.dtype == np.float32


def test_prelu_of_infinities_and_nan():
    layer = nn.PReLU(3, dtype="float64")
    layer.a.value = [0.5, -0.5, 0.0]
    y = layer.forward([[-np.inf] * 3, [np.inf] * 3, [np.nan] * 3])
    np.testing.assert_array_equal(y, [[-np.inf, np.inf, np.nan], [np.inf] * 3, [np.nan] * 3])


@pytest.mark.parametrize("shape", [(), (3,), (2, 3), (2, 0)])
def test_prelu_names_the_shape_that_it_needs(shape):
    with pytest.raises(
        ValueError, match=r"PReLU\(features=2\) expected x of shape \(\.\.\., 2\), got"
    ):
        nn.PReLU(2).forward(np.ones(shape))


@pytest.mark.parametrize("kind", [nn.ReLU, nn.LeakyReLU, nn.PReLU, nn.ELU, nn.SELU])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_a_large_array_gives_the_same_as_its_rows(kind, dtype):
    x = np.random.default_rng(0).normal(size=(1000, 128)).astype(dtype)
    x[:2, 0] = np.nan, -0.0
    large, small = kind().astype(dtype), kind().astype(dtype)
    y, dx, p = large.forward(x), large.backward(x), large.predict(x)
    assert (y.dtype, dx.dtype, p.dtype) == (x.dtype,) * 3
    for rows in (slice(0, 10), slice(990, 1000)):
        np.testing.assert_array_equal(y[rows], small.forward(x[rows]))
        np.testing.assert_array_equal(dx[rows], small.backward(x[rows]))
        np.testing.assert_array_equal(p[rows], small.predict(x[rows]))


class ReLU6(nn.ReLU):
    def compute_forward(self, x):
        y = np.clip(x, 0, 6)
        return y, ((y > 0) & (y < 6)).astype(x.dtype)


def test_a_subclass_of_relu_predicts_with_its_forward():
    check_layer(ReLU6, np.array([[7.5, -1.5, 2.5]]))
