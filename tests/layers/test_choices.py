"""Comparisons, and choices by a condition; other tests compare Maximum and Minimum."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis.extra import numpy as hnp

import nnlayers as nn
from nnlayers.testing import check_gradients


@given(hnp.mutually_broadcastable_shapes(num_shapes=3, max_dims=4, min_side=0, max_side=3))
def test_three_inputs_broadcast_and_get_their_gradients_back_in_their_shapes(drawn):
    rng = np.random.default_rng(0)
    condition, a, b = (rng.normal(size=shape) for shape in drawn.input_shapes)
    condition *= rng.integers(0, 2, condition.shape)
    layer = nn.Where()
    y = layer.forward(condition, a, b)
    np.testing.assert_array_equal(y, np.where(condition, a, b))
    np.testing.assert_array_equal(layer.predict(condition, a, b), y)
    assert [g.shape for g in layer.backward(y)] == list(drawn.input_shapes)
    # Differences of the condition would cross 0, where the choice jumps.
    mask = nn.Input("mask", value=condition != 0)
    graph = nn.Graph(nn.where(mask, nn.Input("a"), nn.Input("b")))
    check_gradients(graph, a, b)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize(
    "shapes", [((3, 4), (3, 4), (3, 4)), ((4,), (3, 1), ()), ((3, 1), (4,), (2, 1, 1))]
)
def test_choices_and_gradients_are_those_of_pytorch(dtype, shapes):
    torch = pytest.importorskip("torch")
    rng = np.random.default_rng(1)
    condition = rng.integers(0, 2, shapes[0]).astype(bool)
    arrays = [rng.normal(size=shape).astype(dtype) for shape in shapes[1:]]
    tensors = [torch.tensor(array, requires_grad=True) for array in arrays]
    expected = torch.where(torch.tensor(condition), *tensors)
    dout = rng.normal(size=expected.shape).astype(dtype)
    expected.backward(torch.tensor(dout))
    layer = nn.Where()
    y = layer.forward(condition, *arrays)
    assert y.dtype == dtype
    np.testing.assert_array_equal(y, expected.detach().numpy())
    for found, tensor in zip(layer.backward(dout)[1:], tensors, strict=True):
        assert found.dtype == dtype
        np.testing.assert_allclose(found, tensor.grad.numpy(), rtol=1e-5)


def test_a_python_number_takes_the_other_input_s_dtype():
    x = np.array([1.0, 2.0], np.float32)
    for inputs in ((x, 3), (0.1, x), (True, x)):
        layer = nn.Where()
        assert layer.forward([True, False], *inputs).dtype == np.float32
        assert layer.predict([True, False], *inputs).dtype == np.float32
        assert {g.dtype for g in layer.backward(np.ones(2))[1:]} == {np.dtype(np.float32)}
    assert nn.where([True, False], 1, 0).dtype == np.float64


def test_any_number_but_zero_is_true():
    condition = [0.0, -0.0, 1e-300, -2.0, np.inf, np.nan]
    assert nn.where(condition, 1.0, 0.0).tolist() == [0, 0, 1, 1, 1, 1]


def test_infinite_gradients_stay_with_what_was_chosen():
    layer = nn.Where()
    layer.forward([1, 0], [1.0, 2.0], [3.0, 4.0])
    _, da, db = layer.backward([np.inf, np.nan])
    np.testing.assert_array_equal(da, [np.inf, 0])
    np.testing.assert_array_equal(db, [0, np.nan])


def test_inputs_that_do_not_fit_are_shown():
    layer = nn.Where()
    for call in (layer.forward, layer.predict):
        with pytest.raises(
            ValueError,
            match=r"Where\(\) expected condition, a and b of shapes that .* \(2,\), \(3,\)",
        ):
            call(np.ones(2), np.ones(3), 1.0)
        with pytest.raises(TypeError, match=r"Where\(\) expected 3 inputs, got 2"):
            call(np.ones(2), np.ones(3))
        with pytest.raises(TypeError, match="condition must hold real numbers, got dtype <U1"):
            call(["a"], 1.0, 2.0)
        with pytest.raises(TypeError, match="b must hold real numbers, got dtype complex128"):
            call([True], 1.0, [1j])


SIGNS = {">": np.greater, ">=": np.greater_equal, "<": np.less, "<=": np.less_equal}


@pytest.mark.parametrize("sign", SIGNS)
@given(hnp.mutually_broadcastable_shapes(num_shapes=2, max_dims=4, min_side=0, max_side=3))
def test_comparisons_are_numpy_s_and_have_no_gradient(sign, drawn):
    rng = np.random.default_rng(0)
    a, b = (rng.integers(-1, 2, shape).astype(np.float32) for shape in drawn.input_shapes)
    layer = nn.Compare(sign)
    y = layer.forward(a, b)
    assert y.dtype == layer.predict(a, b).dtype == np.float32
    np.testing.assert_array_equal(y, SIGNS[sign](a, b))
    for gradient, x in zip(layer.backward(np.ones_like(y)), (a, b), strict=True):
        assert gradient.dtype == np.float32
        np.testing.assert_array_equal(gradient, np.zeros_like(x))


@pytest.mark.parametrize("sign", SIGNS)
def test_no_comparison_with_nan_holds_and_infinities_are_in_order(sign):
    layer, x = nn.Compare(sign), np.array([np.nan, np.inf, -np.inf, -0.0])
    np.testing.assert_array_equal(layer.forward(x, np.nan), np.zeros(4))
    np.testing.assert_array_equal(layer.forward(x, 0), SIGNS[sign](x, 0))


def test_a_comparison_with_a_number_keeps_the_dtype_of_the_array():
    for inputs in ((np.ones(2, np.float32), 0.1), (1, np.ones(2, np.float32))):
        layer = nn.Compare(">")
        assert layer.forward(*inputs).dtype == np.float32
        assert {g.dtype for g in layer.backward(np.ones(2))} == {np.dtype(np.float32)}
    assert nn.Compare(">").forward(2, 1).dtype == np.float64


def test_an_unknown_comparison_is_refused():
    for sign in ("==", "greater", None):
        with pytest.raises(ValueError, match="sign must be '>' or '>=' or '<' or '<=', got"):
            nn.Compare(sign)
