import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

import nnlayers as nn
from nnlayers.testing import check_gradients


@given(hnp.array_shapes(min_dims=1, max_dims=5, min_side=0, max_side=3))
def test_flatten_keeps_the_rows_and_agrees_with_differences(shape):
    x = np.random.default_rng(0).normal(size=shape)
    layer = nn.Flatten()
    y = layer.forward(x)
    assert y.shape == (shape[0], int(np.prod(shape[1:])))
    np.testing.assert_array_equal(y.ravel(), x.ravel())
    np.testing.assert_array_equal(layer.backward(y), x)
    check_gradients(layer, x)


def test_flatten_goes_through_the_last_axis_first_whatever_the_memory():
    x = np.asfortranarray(np.arange(12).reshape(2, 3, 2))
    np.testing.assert_array_equal(nn.Flatten().forward(x), [range(6), range(6, 12)])


def test_flatten_needs_a_batch_axis():
    for call in (nn.Flatten().forward, nn.Flatten().predict):
        with pytest.raises(ValueError, match=r"Flatten\(\) expected x of shape \(batch, \.\.\.\)"):
            call(3.0)


@st.composite
def rows_and_shapes(draw):
    batch = draw(st.integers(0, 3))
    shape = draw(hnp.array_shapes(min_dims=0, max_dims=4, min_side=0, max_side=3))
    given_shape = list(shape)
    if shape and 0 not in shape and draw(st.booleans()):
        given_shape[draw(st.integers(0, len(shape) - 1))] = -1
    return batch, shape, tuple(given_shape)


@given(rows_and_shapes())
def test_reshape_gives_each_row_its_shape_and_agrees_with_differences(rows):
    batch, shape, given_shape = rows
    x = np.random.default_rng(0).normal(size=(batch, int(np.prod(shape))))
    layer = nn.Reshape(given_shape)
    y = layer.forward(x)
    np.testing.assert_array_equal(y, x.reshape(batch, *shape))
    np.testing.assert_array_equal(layer.predict(x), y)
    assert not np.shares_memory(y, x)
    np.testing.assert_array_equal(layer.backward(y), x)
    check_gradients(layer, x)


def test_reshape_takes_one_length_as_well():
    assert nn.Reshape(6).forward(np.zeros((5, 2, 3))).shape == (5, 6)
    assert nn.Reshape(-1).forward(np.zeros((0, 2, 3))).shape == (0, 6)
    assert nn.Reshape([2, 3]).shape == (2, 3)


@pytest.mark.parametrize("shape", [(4,), (5, -1), (0, -1), (2, 2, 2), ()])
def test_a_row_of_another_size_is_refused(shape):
    for call in (nn.Reshape(shape).forward, nn.Reshape(shape).predict):
        with pytest.raises(
            ValueError, match=r"Reshape\(.*\) expected x with as many entries a row"
        ):
            call(np.zeros((7, 6)))
    with pytest.raises(ValueError, match=r"expected x of shape \(batch, \.\.\.\), got \(\)"):
        nn.Reshape(shape).forward(1.0)


def test_a_shape_is_of_lengths():
    with pytest.raises(ValueError, match=r"shape must have at most one -1, got \(-1, -1\)"):
        nn.Reshape((-1, -1))
    with pytest.raises(ValueError, match="shape must be an integer of at least -1, got -2"):
        nn.Reshape((2, -2))
    with pytest.raises(TypeError, match=r"shape must be an integer of at least -1, got 2\.5"):
        nn.Reshape(2.5)


@st.composite
def joined(draw):
    shape = draw(hnp.array_shapes(min_dims=1, max_dims=5, min_side=0, max_side=3))
    axis = draw(st.integers(-len(shape), len(shape) - 1))
    shapes = []
    for length in draw(st.lists(st.integers(0, 3), min_size=1, max_size=4)):
        shapes.append(list(shape))
        shapes[-1][axis] = length
    return axis, shapes


@given(joined())
def test_concatenate_joins_and_cuts_along_any_axis(axis_and_shapes):
    axis, shapes = axis_and_shapes
    inputs = [np.random.default_rng(0).normal(size=shape) for shape in shapes]
    layer = nn.Concatenate(axis)
    y = layer.forward(*inputs)
    np.testing.assert_array_equal(y, np.concatenate(inputs, axis))
    np.testing.assert_array_equal(layer.predict(*inputs), y)
    for gradient, x in zip(layer.backward(y), inputs, strict=True):
        np.testing.assert_array_equal(gradient, x)
        assert not np.shares_memory(gradient, y)
    check_gradients(layer, *inputs)


def test_concatenate_gives_each_input_a_gradient_of_its_dtype():
    layer = nn.Concatenate()
    assert layer.forward(np.ones(2, np.float32), [1.0]).dtype == np.float64
    assert [g.dtype for g in layer.backward(np.ones(3))] == [np.float32, np.float64]


def test_shapes_that_cannot_be_joined_are_refused():
    with pytest.raises(ValueError, match=r"expected inputs whose other axes .* \(2, 3\), \(3, 3\)"):
        nn.Concatenate().forward(np.ones((2, 3)), np.ones((3, 3)))
    with pytest.raises(ValueError, match=r"got shapes \(2,\), \(2,\)"):
        nn.Concatenate(axis=1).predict(np.ones(2), np.ones(2))
    with pytest.raises(TypeError, match="expected at least one input, got none"):
        nn.Concatenate().forward()
