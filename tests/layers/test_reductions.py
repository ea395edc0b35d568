import warnings

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

import nnlayers as nn
from nnlayers.testing import check_gradients


@st.composite
def shapes_and_axes(draw):
    shape = draw(hnp.array_shapes(min_dims=0, max_dims=5, min_side=0, max_side=3))
    axes = [st.none()]
    if shape:
        single = st.integers(-len(shape), len(shape) - 1)
        axes += [single, hnp.valid_tuple_axes(len(shape))]
    return shape, draw(st.one_of(axes))


@pytest.mark.parametrize(("make", "function"), [(nn.Sum, np.sum), (nn.Mean, np.mean)])
@given(shapes_and_axes(), st.booleans())
def test_reductions_are_numpy_s_and_agree_with_differences(
    make, function, shape_and_axis, keepdims
):
    shape, axis = shape_and_axis
    x = np.random.default_rng(0).normal(size=shape)
    layer = make(axis=axis, keepdims=keepdims)
    y = layer.forward(x)
    assert type(y) is np.ndarray
    with warnings.catch_warnings(action="ignore"):  # NumPy's warning of the mean of an empty slice
        np.testing.assert_allclose(y, function(x, axis=axis, keepdims=keepdims), rtol=1e-14)
    np.testing.assert_array_equal(layer.predict(x), y)
    if not np.isnan(y).any():
        check_gradients(layer, x)


@pytest.mark.parametrize(("dtype", "rtol"), [(np.float32, 1e-5), (np.float64, 1e-10)])
@pytest.mark.parametrize("name", ["Sum", "Mean"])
@pytest.mark.parametrize("axis", [None, 1, (0, 2)])
def test_values_and_gradients_are_those_of_pytorch(name, axis, dtype, rtol):
    torch = pytest.importorskip("torch")
    x = np.random.default_rng(0).uniform(0.5, 2, (4, 5, 6)).astype(dtype)
    tensor = torch.tensor(x, requires_grad=True)
    y = getattr(torch, name.lower())(tensor, axis)
    layer = getattr(nn, name)(axis)
    found = layer.forward(x)
    assert found.dtype == dtype
    np.testing.assert_allclose(found, y.detach().numpy(), rtol=rtol)
    dout = np.random.default_rng(1).normal(size=found.shape).astype(dtype)
    y.backward(torch.tensor(dout))
    np.testing.assert_allclose(layer.backward(dout), tensor.grad.numpy(), rtol=rtol)


def test_the_mean_of_no_entries_is_nan_without_a_warning():
    layer = nn.Mean()
    assert np.isnan(layer.forward(np.zeros((0, 3))))
    assert layer.backward(1.0).shape == (0, 3)


def test_backward_of_sum_broadcasts_the_gradient():
    layer = nn.Sum(axis=(0, -1))
    layer.forward(np.ones((2, 3, 4)))
    dx = layer.backward([1.0, 2.0, 3.0])
    np.testing.assert_array_equal(dx, np.broadcast_to([[1.0], [2.0], [3.0]], (2, 3, 4)))
    dx[...] = 0  # a whole array, not a view of three numbers
    assert dx.flags.owndata


@pytest.mark.parametrize("axis", [2, -3, (0, 2), (1, -1)])
def test_sum_without_its_axis_is_refused(axis):
    layer = nn.Sum(axis=axis)
    for call in (layer.forward, layer.predict):
        with pytest.raises(ValueError, match=r"Sum\(axis=.*\) expected x with axis .*, got shape"):
            call(np.ones((2, 2)))


def test_an_axis_is_an_integer_a_tuple_or_none():
    assert nn.Sum(axis=[0, 1]).axis == (0, 1)
    assert nn.Sum(axis=np.int64(1)).forward([[1.0, 2.0]]).tolist() == [3.0]
    with pytest.raises(TypeError, match="axis must be an integer, a tuple of integers or None"):
        nn.Sum(axis="rows")


def test_sum_of_infinities_and_nan():
    layer = nn.Sum(axis=1)
    y = layer.forward([[np.inf, 1.0], [np.nan, 1.0]])
    np.testing.assert_array_equal(y, [np.inf, np.nan])
    np.testing.assert_array_equal(layer.backward([2.0, np.inf]), [[2, 2], [np.inf, np.inf]])
