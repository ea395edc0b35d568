"""Index and Transpose; tests of graphs compare the index of a node with NumPy's."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

import nnlayers as nn
from nnlayers.testing import check_gradients


@st.composite
def arrays_and_keys(draw):
    shape = draw(hnp.array_shapes(min_dims=1, max_dims=4, min_side=1, max_side=4))
    kind = draw(st.sampled_from(["basic", "integers", "mixed"]))
    if kind == "basic":
        return shape, draw(hnp.basic_indices(shape, allow_newaxis=True))
    if kind == "integers":
        return shape, draw(hnp.integer_array_indices(shape))
    axis = draw(st.integers(0, len(shape) - 1))
    ids = draw(st.lists(st.integers(-shape[axis], shape[axis] - 1), max_size=6))
    return shape, (*[slice(None)] * axis, ids)


@given(arrays_and_keys())
def test_an_index_is_numpy_s_and_agrees_with_differences(shape_and_key):
    shape, key = shape_and_key
    x = np.random.default_rng(0).normal(size=shape)
    layer = nn.Index(key)
    y = layer.forward(x)
    np.testing.assert_array_equal(y, x[key])
    np.testing.assert_array_equal(layer.predict(x), y)
    assert not np.shares_memory(y, x)
    check_gradients(layer, x)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize(
    "key", [(slice(None), 1), (..., [0, 2, 0]), ([0, 1, 1], [2, 2, 2]), (slice(1, None), None, -1)]
)
def test_gradients_are_those_of_pytorch(key, dtype):
    torch = pytest.importorskip("torch")
    x = np.random.default_rng(0).normal(size=(4, 3)).astype(dtype)
    tensor = torch.tensor(x, requires_grad=True)
    y = tensor[key]
    dout = np.random.default_rng(1).normal(size=y.shape).astype(dtype)
    y.backward(torch.tensor(dout))
    layer = nn.Index(key)
    np.testing.assert_array_equal(layer.forward(x), y.detach().numpy())
    found = layer.backward(dout)
    assert found.dtype == dtype
    np.testing.assert_allclose(found, tensor.grad.numpy(), rtol=1e-6)


def test_an_empty_batch_gives_empty_columns():
    layer = nn.Index((slice(None), 0))
    assert layer.forward(np.ones((0, 3))).shape == (0,)
    assert layer.backward(np.ones(0)).shape == (0, 3)


KEYS = [
    3,
    (slice(None), slice(-2, None, 2)),
    (Ellipsis, None, [[0, 1], [1, 1]]),
    [True, False],
    np.array([[True, False]]),
    [],
    (),
    (0,),
    np.array([1, 2], np.uint8),
]


@pytest.mark.parametrize("key", KEYS, ids=str)
def test_a_key_is_saved_and_shown_by_its_parts(key, tmp_path):
    layer = nn.Index(key)
    loaded = nn.load(nn.save(layer, tmp_path / "index.nn"))
    assert repr(loaded) == repr(layer) == repr(eval(repr(layer), vars(nn)))
    assert isinstance(loaded.key, tuple) == isinstance(key, tuple)


def test_keys_that_are_no_index_are_refused():
    for key in (1.5, "a", True, np.True_, [0.5], [[0], [1, 2]], {0}, np.array(["a"]), 1j):
        with pytest.raises(TypeError, match=r"key must be an integer, a slice, .* got "):
            nn.Index(key)
        with pytest.raises(TypeError, match=r"key must be an integer, a slice, .* got "):
            nn.Index((0, key))
    with pytest.raises(TypeError, match=r"key must have slices of integers, got slice\('a'"):
        nn.Index(slice("a", None))
    with pytest.raises(ValueError, match="key must have at most one ellipsis, got "):
        nn.Index((..., 0, ...))


@pytest.mark.parametrize(
    "key", [5, (0, 0, 0), [7], (slice(None), [True, False]), ([0, 1], [0, 1, 2])]
)
def test_a_key_that_does_not_fit_is_shown_with_the_shape(key):
    layer = nn.Index(key)
    for call in (layer.forward, layer.predict):
        with pytest.raises(ValueError, match=r"Index\(.*\) got x of shape \(5, 3\): "):
            call(np.ones((5, 3)))


@given(hnp.array_shapes(min_dims=0, max_dims=5, min_side=0, max_side=3), st.data())
def test_a_transpose_is_numpy_s_and_agrees_with_differences(shape, data):
    x = np.random.default_rng(0).normal(size=shape)
    order = data.draw(st.none() | st.permutations(range(len(shape))).map(tuple))
    signed = order and tuple(a - len(shape) if data.draw(st.booleans()) else a for a in order)
    layer = nn.Transpose(signed)
    y = layer.forward(x)
    np.testing.assert_array_equal(y, x.transpose(order))
    np.testing.assert_array_equal(layer.predict(x), y)
    assert not np.shares_memory(y, x)
    check_gradients(layer, x)


def test_axes_must_be_an_order_of_the_axes():
    with pytest.raises(TypeError, match="axes must be a tuple of integers or None, got 1"):
        nn.Transpose(1)
    with pytest.raises(TypeError, match=r"axes must be an integer, .* got \(0, 1\.5\)"):
        nn.Transpose((0, 1.5))
    for axes in [(0, 1, 2), (0,), (0, 0), (0, -2), (0, 2)]:
        layer = nn.Transpose(axes)
        for call in (layer.forward, layer.predict):
            with pytest.raises(ValueError, match=r"Transpose\(.*\) expected x with .* \(5, 3\)"):
                call(np.ones((5, 3)))
    assert nn.Transpose([1, 0]).axes == (1, 0)
