import mpmath
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

import nnlayers as nn
from nnlayers.testing import check_gradients

POSITIVE = {"Log", "Sqrt", "Power of 0.5", "Power of -1.5"}
FUNCTIONS = {
    "Exp": (nn.Exp, lambda torch, x: torch.exp(x)),
    "Log": (nn.Log, lambda torch, x: torch.log(x)),
    "Negative": (nn.Negative, lambda torch, x: -x),
    "Reciprocal": (nn.Reciprocal, lambda torch, x: torch.reciprocal(x)),
    "Square": (nn.Square, lambda torch, x: torch.square(x)),
    "Sqrt": (nn.Sqrt, lambda torch, x: torch.sqrt(x)),
    "Abs": (nn.Abs, lambda torch, x: torch.abs(x)),
    "Clip": (lambda: nn.Clip(-0.75, 1.1), lambda torch, x: torch.clamp(x, -0.75, 1.1)),
    "Clip from below": (lambda: nn.Clip(low=1), lambda torch, x: torch.clamp(x, min=1)),
    "Clip from above": (lambda: nn.Clip(high=0.7), lambda torch, x: torch.clamp(x, max=0.7)),
    "Sin": (nn.Sin, lambda torch, x: torch.sin(x)),
    "Cos": (nn.Cos, lambda torch, x: torch.cos(x)),
    **{
        f"Power of {p}": (lambda p=p: nn.Power(p), lambda torch, x, p=p: torch.pow(x, p))
        for p in (3, 2, 1, 0, -1, 0.5, -1.5)
    },
}
every_function = pytest.mark.parametrize("name", FUNCTIONS)


def drawn(name, shape, seed=0):
    rng = np.random.default_rng(seed)
    x = rng.uniform(0.5, 2, shape)
    return x if name in POSITIVE else x * rng.choice([-1, 1], shape)


@every_function
@given(hnp.array_shapes(min_dims=0, max_dims=5, min_side=0, max_side=3), st.integers(0, 9))
def test_backward_agrees_with_differences_in_any_shape(name, shape, seed):
    layer, x = FUNCTIONS[name][0](), drawn(name, shape, seed)
    assert layer.forward(x).shape == shape
    check_gradients(layer, x)


@every_function
@pytest.mark.parametrize(("dtype", "rtol"), [(np.float32, 1e-5), (np.float64, 1e-10)])
def test_values_and_gradients_are_those_of_pytorch(name, dtype, rtol):
    torch = pytest.importorskip("torch")
    make, function = FUNCTIONS[name]
    special = [0.0, np.inf, np.nan]
    if name != "Power of 0.5":  # PyTorch's derivative uses rsqrt: -inf at -0.0, NaN at -inf
        special += [-0.0, -np.inf]
    x = np.concatenate([drawn(name, 100), special]).astype(dtype)
    tensor = torch.tensor(x, requires_grad=True)
    y = function(torch, tensor)
    dout = np.linspace(-1, 1, x.size, dtype=dtype)
    y.backward(torch.tensor(dout))
    layer = make()
    found = layer.forward(x)
    assert found.dtype == layer.backward(dout).dtype == dtype
    np.testing.assert_allclose(found, y.detach().numpy(), rtol=rtol)
    np.testing.assert_allclose(layer.backward(dout), tensor.grad.numpy(), rtol=rtol)


def test_exp_and_log_are_those_of_mpmath():
    x = np.concatenate([np.geomspace(1e-30, 80, 50), [1e-45, 1.0, 3e38]]).astype(np.float32)
    small = x[x < 88]
    with mpmath.workdps(50):
        logs = [float(mpmath.log(mpmath.mpf(float(entry)))) for entry in x]
        exps = [float(mpmath.exp(mpmath.mpf(float(entry)))) for entry in small]
    np.testing.assert_allclose(nn.Log().forward(x), logs, rtol=2**-21)
    np.testing.assert_allclose(nn.Exp().forward(small), exps, rtol=2**-21)


def test_overflow_and_undefined_results_give_no_warning():
    clip = nn.Clip(-1e300, 1e300)
    for layer in (nn.Exp(), nn.Square(), nn.Reciprocal(), nn.Power(3), nn.Sin(), nn.Cos(), clip):
        layer.forward([np.inf, -1e308, 0.0])
        layer.backward([1e308, 1e308, 1e308])
    np.testing.assert_array_equal(nn.Exp().forward([1000.0, -1000.0]), [np.inf, 0])
    np.testing.assert_array_equal(nn.Log().forward([0.0, -1.0]), [-np.inf, np.nan])
    np.testing.assert_array_equal(nn.Sqrt().predict([-1.0]), [np.nan])


@pytest.mark.parametrize("exponent", ["2", None, [2], 1j])
def test_a_power_needs_a_number(exponent):
    with pytest.raises(TypeError, match="exponent must be a finite number, got "):
        nn.Power(exponent)
    with pytest.raises(ValueError, match="exponent must be a finite number, got inf"):
        nn.Power(np.inf)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_kinks_have_pytorch_s_derivatives(dtype):
    torch = pytest.importorskip("torch")
    x = np.array([-1.0, -0.0, 0.0, 1.0, np.nan, np.inf, -np.inf], dtype)
    for layer, function in [
        (nn.Abs(), torch.abs),
        (nn.Clip(-1, 1), lambda x: torch.clamp(x, -1, 1)),
        (nn.Clip(low=0), lambda x: torch.clamp(x, min=0)),
        (nn.Clip(high=0), lambda x: torch.clamp(x, max=0)),
        (nn.Clip(1, 1), lambda x: torch.clamp(x, 1, 1)),
    ]:
        tensor = torch.tensor(x, requires_grad=True)
        y = function(tensor)
        y.sum().backward()
        np.testing.assert_array_equal(layer.forward(x), y.detach().numpy())
        np.testing.assert_array_equal(layer.backward(np.ones_like(x)), tensor.grad.numpy())


def test_kinks_have_the_derivatives_that_are_documented():
    layer = nn.Abs()
    layer.forward([-2.0, 0.0, 2.0])
    assert layer.backward(np.ones(3)).tolist() == [-1, 0, 1]
    layer = nn.Clip(-1, 1)
    layer.forward([-2.0, -1.0, 0.0, 1.0, 2.0])
    assert layer.backward(np.ones(5)).tolist() == [0, 1, 1, 1, 0]


def test_a_clipped_entry_keeps_an_infinite_gradient_out():
    x = nn.Input("x")
    graph = nn.Graph(nn.sqrt(nn.clip(x, 0.0)))
    graph.forward([-1.0, 4.0])
    assert graph.backward([1.0, 1.0]).tolist() == [0, 0.25]


def test_limits_beyond_float32_clip_nothing():
    layer, x = nn.Clip(-1e300, 1e300), np.array([-3e38, np.inf], np.float32)
    assert layer.forward(x).dtype == np.float32
    np.testing.assert_array_equal(layer.predict(x), x)


def test_limits_of_clip_must_be_numbers_in_order():
    with pytest.raises(ValueError, match=r"low must be at most high, got 2\.0 and 1\.0"):
        nn.Clip(2, 1)
    with pytest.raises(ValueError, match="low or high must be a number, got None for both"):
        nn.clip(np.ones(2))
    with pytest.raises(TypeError, match="high must be a finite number, got '1'"):
        nn.Clip(high="1")
    with pytest.raises(ValueError, match="low must be a finite number, got nan"):
        nn.Clip(np.nan, 1)


def test_angles_are_those_of_mpmath():
    x = np.concatenate([np.linspace(-30, 30, 61), np.geomspace(1e-300, 1e15, 40)])
    with mpmath.workdps(50):
        sines = [float(mpmath.sin(mpmath.mpf(entry))) for entry in x]
        cosines = [float(mpmath.cos(mpmath.mpf(entry))) for entry in x]
    np.testing.assert_allclose(nn.Sin().forward(x), sines, rtol=2**-51)
    np.testing.assert_allclose(nn.Cos().forward(x), cosines, rtol=2**-51)
