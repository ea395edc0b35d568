import mpmath
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

import nnlayers as nn
from nnlayers.testing import check_gradients

ELEMENTWISE = {
    "Identity": nn.Identity,
    "ReLU": nn.ReLU,
    "Sigmoid": nn.Sigmoid,
    "Tanh": nn.Tanh,
    "Softplus": nn.Softplus,
    "Softplus of beta 2": lambda: nn.Softplus(beta=2.0),
}

# Value and derivative, as mpmath has them.
EXACT = {
    "Identity": (lambda x: x, lambda x: mpmath.mpf(1)),
    "ReLU": (lambda x: max(x, 0), lambda x: mpmath.mpf(x > 0)),
    "Sigmoid": (lambda x: 1 / (1 + mpmath.exp(-x)), lambda x: mpmath.sech(x / 2) ** 2 / 4),
    "Tanh": (mpmath.tanh, lambda x: mpmath.sech(x) ** 2),
    "Softplus": (lambda x: mpmath.log1p(mpmath.exp(x)), lambda x: 1 / (1 + mpmath.exp(-x))),
    "Softplus of beta 2": (
        lambda x: mpmath.log1p(mpmath.exp(2 * x)) / 2,
        lambda x: 1 / (1 + mpmath.exp(-2 * x)),
    ),
}


def torch_function(name):
    torch = pytest.importorskip("torch")
    return {
        "Identity": lambda x: 1 * x,
        "ReLU": torch.relu,
        "Sigmoid": torch.sigmoid,
        "Tanh": torch.tanh,
        "Softplus": lambda x: torch.nn.functional.softplus(x, threshold=99),
        "Softplus of beta 2": lambda x: torch.nn.functional.softplus(x, beta=2.0, threshold=99),
    }[name]


def torch_results(function, x, dout):
    """Return output and gradient; in float64, as in float32 PyTorch's own errors show."""
    torch = pytest.importorskip("torch")
    tensor = torch.tensor(x, dtype=torch.float64, requires_grad=True)
    y = function(tensor)
    y.backward(torch.tensor(dout, dtype=torch.float64))
    return y.detach().numpy(), tensor.grad.numpy()


def extreme_floats():
    """Both signs of everything from the smallest subnormal to the largest float32."""
    info = np.finfo(np.float32)
    rng = np.random.default_rng(0)
    positive = np.concatenate(
        [
            [0.0, info.smallest_subnormal, info.tiny, info.eps, 1.0, 1e4, info.max],
            np.geomspace(info.smallest_subnormal, 1e4, 200),
            rng.uniform(0, 120, 300),
            rng.uniform(0, 10, 300),
        ]
    ).astype(np.float32)
    return np.concatenate([positive, -positive])


def units_in_the_last_place(found, exact):
    """Return the largest error, in units of the last place of the float32 nearest to `exact`."""
    _, exponents = np.frexp([np.float32(float(value)) for value in exact])
    place = np.ldexp(1.0, np.maximum(exponents - 24, -149))
    errors = [
        abs(mpmath.mpf(float(value)) - true) / float(unit)
        for value, true, unit in zip(found.ravel(), exact, place, strict=True)
    ]
    return float(max(errors))


shapes = hnp.array_shapes(min_dims=0, max_dims=5, min_side=0, max_side=3)


@pytest.mark.parametrize("name", ELEMENTWISE)
@given(shape=shapes, seed=st.integers(0, 9))
def test_backward_agrees_with_differences_in_any_shape(name, shape, seed):
    x = np.random.default_rng(seed).normal(size=shape, scale=2)
    x += np.copysign(1e-3, x)  # away from the kink
    layer = ELEMENTWISE[name]()
    assert layer.forward(x).shape == shape
    check_gradients(layer, x)


@pytest.mark.parametrize("name", ELEMENTWISE)
def test_float32_is_right_to_four_units_in_the_last_place(name):
    layer, x = ELEMENTWISE[name](), extreme_floats()
    value, derivative = EXACT[name]
    with mpmath.workdps(50):
        exact = [mpmath.mpf(float(entry)) for entry in x]
        y = layer.forward(x)
        assert units_in_the_last_place(y, [value(entry) for entry in exact]) <= 4
        dx = layer.backward(np.ones_like(x))
        assert units_in_the_last_place(dx, [derivative(entry) for entry in exact]) <= 4
    np.testing.assert_array_equal(layer.predict(x), y)


@pytest.mark.parametrize("name", ELEMENTWISE)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_the_ends_of_the_range_give_limits(name, dtype):
    value, derivative = EXACT[name]
    ends = np.array([-np.inf, np.finfo(dtype).min, np.finfo(dtype).max, np.inf], dtype)
    layer = ELEMENTWISE[name]()
    y = layer.forward(ends)
    dx = layer.backward(np.ones_like(ends))
    far = [mpmath.mpf(x) for x in (-1e6, 1e6)]
    for found, slope, x in zip(y[[0, 3]], dx[[0, 3]], far, strict=True):
        limit = float(value(x))
        assert found == (np.sign(limit) * np.inf if abs(limit) > 1e5 else round(limit))
        assert slope == round(float(derivative(x)))
    np.testing.assert_array_equal(dx[1:3], dx[[0, 3]])


@pytest.mark.parametrize("name", ELEMENTWISE)
def test_nan_passes_through(name):
    layer = ELEMENTWISE[name]()
    assert np.isnan(layer.forward([np.nan, 1.0])).tolist() == [True, False]
    assert np.isfinite(layer.backward([1.0, 1.0])).tolist()[1]
    layer.forward([1.0])
    assert np.isnan(layer.backward([np.nan])).all()


@pytest.mark.parametrize("name", ELEMENTWISE)
@pytest.mark.parametrize(("dtype", "rtol"), [(np.float32, 1e-5), (np.float64, 1e-10)])
def test_values_and_gradients_are_those_of_pytorch(name, dtype, rtol):
    rng = np.random.default_rng(0)
    x = np.concatenate([rng.normal(size=500, scale=3), [0.0, -0.0]]).astype(dtype)
    dout = rng.normal(size=x.shape).astype(dtype)
    y, dx = torch_results(torch_function(name), x, dout)
    layer = ELEMENTWISE[name]()
    np.testing.assert_allclose(layer.forward(x), y, rtol=rtol, atol=rtol / 100)
    np.testing.assert_allclose(layer.backward(dout), dx, rtol=rtol, atol=rtol / 100)


def test_relu_at_nan_and_at_the_kink_is_pytorch_s():
    x, dout = np.array([np.nan, 0.0, -0.0, 1e-45], np.float32), np.full(4, 3.0, np.float32)
    layer = nn.ReLU()
    y, dx = torch_results(torch_function("ReLU"), x, dout)
    np.testing.assert_array_equal(layer.forward(x), y)
    np.testing.assert_array_equal(layer.backward(dout), dx)


@pytest.mark.parametrize("beta", [1e-3, 0.5, 20.0, 1e6])
def test_softplus_bends_as_sharply_as_beta_says(beta):
    x = np.array([-3e38, -2.0, -1e-3, 0.0, 1e-3, 2.0, 3e38], np.float32)
    layer = nn.Softplus(beta)
    with mpmath.workdps(50):
        b = mpmath.mpf(np.float32(beta).item())
        exact = [mpmath.log1p(mpmath.exp(b * float(entry))) / b for entry in x]
        y = layer.forward(x)
    np.testing.assert_allclose(y, [float(value) for value in exact], rtol=1e-5, atol=1e-30)


@pytest.mark.parametrize("beta", [0, -1.0, np.inf, np.nan])
def test_softplus_needs_a_beta_above_zero(beta):
    with pytest.raises(ValueError, match="beta must be a finite number above 0, got "):
        nn.Softplus(beta)


@st.composite
def arrays_and_axes(draw):
    shape = draw(hnp.array_shapes(min_dims=1, max_dims=5, min_side=0, max_side=3))
    return shape, draw(st.integers(-len(shape), len(shape) - 1))


@given(arrays_and_axes(), st.integers(0, 9))
def test_softmax_agrees_with_differences_along_any_axis(shape_and_axis, seed):
    shape, axis = shape_and_axis
    x = np.random.default_rng(seed).normal(size=shape)
    layer = nn.Softmax(axis)
    y = layer.forward(x)
    np.testing.assert_allclose(y.sum(axis=axis), np.where(shape[axis], 1, 0), rtol=1e-12)
    check_gradients(layer, x)


@pytest.mark.parametrize("others", [[], [0.0], [3.7, -2.0], [80.3, 79.9, -1e4]])
def test_softmax_is_right_to_four_units_in_the_last_place(others):
    x = extreme_floats()[::7]
    rows = np.column_stack([x, np.tile(np.float32(others), (len(x), 1))])
    layer = nn.Softmax()
    y = layer.forward(rows)
    dout = np.zeros_like(rows)
    dout[:, 0] = 1
    dx = layer.backward(dout)
    with mpmath.workdps(50):
        probabilities, slopes = [], []
        for row in rows.astype(float):
            top = mpmath.mpf(max(row))
            e = [mpmath.exp(entry - top) for entry in map(mpmath.mpf, row)]
            total = mpmath.fsum(e)
            probabilities += [entry / total for entry in e]
            first = e[0] / total
            slopes += [first * mpmath.fsum(e[1:]) / total, *(-first * z / total for z in e[1:])]
        assert units_in_the_last_place(y, probabilities) <= 4
        assert units_in_the_last_place(dx, slopes) <= 4


@pytest.mark.parametrize(("dtype", "rtol"), [(np.float32, 1e-5), (np.float64, 1e-10)])
@pytest.mark.parametrize("axis", [-1, 0, 1])
def test_softmax_is_pytorch_s(dtype, rtol, axis):
    torch = pytest.importorskip("torch")
    rng = np.random.default_rng(0)
    x, dout = (rng.normal(size=(4, 5, 6), scale=3).astype(dtype) for _ in range(2))
    y, dx = torch_results(lambda z: torch.softmax(z, axis), x, dout)
    layer = nn.Softmax(axis)
    np.testing.assert_allclose(layer.forward(x), y, rtol=rtol)
    np.testing.assert_allclose(layer.backward(dout), dx, rtol=rtol, atol=rtol / 10)


def test_softmax_of_infinities():
    layer = nn.Softmax()
    y = layer.forward([[-np.inf, 0.0, 0.0], [np.inf, 0.0, 0.0], [-np.inf] * 3])
    np.testing.assert_array_equal(y, [[0, 0.5, 0.5], [np.nan] * 3, [np.nan] * 3])
    layer.forward([[-np.inf, 0.0, 0.0]])
    np.testing.assert_array_equal(layer.backward([[1.0, 1.0, 0.0]]), [[0, 0.25, -0.25]])


def test_softmax_without_its_axis_is_refused():
    for shape in [(), (3,)]:
        with pytest.raises(
            ValueError, match=r"Softmax\(axis=1\) expected x with axis 1, got shape \("
        ):
            nn.Softmax(axis=1).forward(np.ones(shape))
    with pytest.raises(TypeError, match=r"axis must be an integer, got 1\.5"):
        nn.Softmax(axis=1.5)
