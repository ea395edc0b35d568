"""Gradient clipping against PyTorch."""

import numpy as np
import pytest

import nnlayers as nn

SHAPES = [(3, 4), (4,), ()]


def parameters_with_gradients(scale, dtype="float64"):
    rng = np.random.default_rng(0)
    parameters = [nn.Parameter(np.zeros(shape, dtype)) for shape in SHAPES]
    for parameter in parameters:
        parameter.grad += (scale * rng.normal(size=parameter.shape)).astype(dtype)
    return parameters


@pytest.mark.parametrize("scale", [1e-3, 1.0, 1e3])
@pytest.mark.parametrize(("dtype", "tolerance"), [("float64", 1e-10), ("float32", 1e-5)])
@pytest.mark.parametrize("name", ["clip_grad_norm", "clip_grad_value"])
@pytest.mark.parametrize("bound", [0.0, 0.7])
def test_clipping_follows_pytorch(name, bound, scale, dtype, tolerance):
    torch = pytest.importorskip("torch")
    parameters = parameters_with_gradients(scale, dtype)
    tensors = [torch.tensor(p.value, requires_grad=True) for p in parameters]
    for parameter, tensor in zip(parameters, tensors, strict=True):
        tensor.grad = torch.tensor(parameter.grad.copy())
    expected = getattr(torch.nn.utils, f"{name}_")(tensors, bound)
    found = getattr(nn.optim, name)(parameters, bound)
    if name == "clip_grad_norm":
        assert found == pytest.approx(expected.item(), rel=tolerance)
    for parameter, tensor in zip(parameters, tensors, strict=True):
        np.testing.assert_allclose(parameter.grad, tensor.grad.numpy(), rtol=tolerance)


@pytest.mark.parametrize("scale", [1e-30, 1e30])
def test_the_norm_of_float32_gradients_neither_overflows_nor_underflows(scale):
    parameters = parameters_with_gradients(scale, "float32")
    flat = np.concatenate([parameter.grad.ravel() for parameter in parameters]).astype(np.float64)
    assert nn.optim.clip_grad_norm(parameters, 1.0) == pytest.approx(np.linalg.norm(flat), rel=1e-6)


def test_zero_gradients_have_norm_zero():
    assert nn.optim.clip_grad_norm([nn.Parameter([1.0])], 1.0) == 0.0


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_gradients_whose_norm_is_not_finite_do_not_change(bad):
    parameter = nn.Parameter([0.0, 0.0])
    parameter.grad += [1.0, bad]
    assert not np.isfinite(nn.optim.clip_grad_norm([parameter], 0.5))
    np.testing.assert_array_equal(parameter.grad, [1.0, bad])


@pytest.mark.parametrize(
    ("clip", "name"),
    [(nn.optim.clip_grad_norm, "max_norm"), (nn.optim.clip_grad_value, "clip_value")],
)
def test_a_bound_below_zero_is_refused(clip, name):
    with pytest.raises(ValueError, match=f"{name} must be .* at least 0, got -1"):
        clip([nn.Parameter([1.0])], -1)
