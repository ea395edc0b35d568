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
    for layer in (nn.Exp(), nn.Square(), nn.Reciprocal(), nn.Power(3)):
        layer.forward([1e308, -1e308, 0.0])
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
