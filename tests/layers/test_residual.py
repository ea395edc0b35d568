import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import nnlayers as nn
from nnlayers.testing import check_gradients


def block(dtype="float64"):
    return nn.Residual(
        nn.Affine(3, 4, dtype=dtype, rng=0), nn.Tanh(), nn.Affine(4, 3, dtype=dtype, rng=1)
    )


@given(st.lists(st.integers(0, 3), min_size=0, max_size=3))
def test_backward_agrees_with_differences_for_any_leading_axes(leading):
    x = np.random.default_rng(0).normal(size=(*leading, 3))
    layer = block()
    inner = nn.Sequential(*layer.layers)
    np.testing.assert_array_equal(layer.forward(x), x + inner.forward(x))
    check_gradients(layer, x)


@pytest.mark.parametrize(("dtype", "rtol"), [("float32", 1e-5), ("float64", 1e-10)])
def test_values_and_gradients_are_those_of_pytorch(dtype, rtol):
    torch = pytest.importorskip("torch")
    layer = block(dtype)
    x = np.random.default_rng(0).normal(size=(5, 3)).astype(dtype)
    w1, b1, w2, b2 = (torch.tensor(p.value, requires_grad=True) for p in layer.parameters())
    tensor = torch.tensor(x, requires_grad=True)
    y = tensor + torch.tanh(tensor @ w1 + b1) @ w2 + b2
    y.square().sum().backward()
    found = layer.forward(x)
    np.testing.assert_allclose(found, y.detach().numpy(), rtol=rtol, atol=rtol)
    np.testing.assert_allclose(layer.backward(2 * found), tensor.grad.numpy(), rtol=rtol, atol=rtol)
    for ours, theirs in zip(layer.parameters(), (w1, b1, w2, b2), strict=True):
        np.testing.assert_allclose(ours.grad, theirs.grad.numpy(), rtol=rtol, atol=rtol)


def test_without_layers_it_doubles():
    layer = nn.Residual()
    assert layer.forward([1.0, 2.0]).tolist() == [2.0, 4.0]
    assert layer.backward([1.0, 1.0]).tolist() == [2.0, 2.0]


def test_training_may_leave_out_the_input_gradient():
    layer, other, x = block(), block(), np.ones((2, 3))
    layer.forward(x)
    other.forward(x)
    layer.backward(x)
    assert other.backward(x, input_grad=False) is None
    for a, b in zip(layer.parameters(), other.parameters(), strict=True):
        np.testing.assert_array_equal(a.grad, b.grad)


def test_dropout_inside_is_off_in_predict():
    layer, x = nn.Residual(nn.Dropout(0.5, rng=0)), np.ones((4, 3))
    np.testing.assert_array_equal(layer.predict(x), 2 * x)
    assert set(layer.forward(x).ravel()) == {1.0, 3.0}


def test_layers_that_change_the_shape_are_refused():
    layer = nn.Residual(nn.Affine(3, 1, rng=0))
    for call in (layer.forward, layer.predict):
        with pytest.raises(ValueError, match=r"Residual\(.* of x\'s shape \(2, 3\), got \(2, 1\)"):
            call(np.ones((2, 3)))


def test_it_shows_and_counts_its_layers():
    layer = nn.Residual(nn.ReLU())
    assert repr(layer) == "Residual(\n  0: ReLU()\n)"
    assert list(nn.Sequential(block()).named_parameters()) == ["0.0.W", "0.0.b", "0.2.W", "0.2.b"]
