"""Lookup of vectors."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

import nnlayers as nn
from nnlayers.testing import check_gradients


@given(
    shape=hnp.array_shapes(min_dims=0, max_dims=4, min_side=0, max_side=3), seed=st.integers(0, 9)
)
def test_backward_agrees_with_differences_for_ids_of_any_shape(shape, seed):
    ids = np.random.default_rng(seed).integers(3, size=shape)
    check_gradients(nn.Embedding(3, 2, rng=seed), ids)


@pytest.mark.parametrize(("dtype", "tolerance"), [("float64", 1e-10), ("float32", 1e-5)])
@pytest.mark.parametrize("ids", [[1, 3, 1], [[0, 2], [2, 2]], 4, []])
def test_vectors_and_gradients_are_those_of_pytorch(ids, dtype, tolerance):
    torch = pytest.importorskip("torch")
    layer = nn.Embedding(5, 3, dtype=dtype, rng=0)
    weight = torch.tensor(layer.W.value, requires_grad=True)
    expected = torch.nn.functional.embedding(torch.tensor(ids, dtype=torch.int64), weight)
    dout = np.random.default_rng(1).normal(size=tuple(expected.shape)).astype(dtype)
    np.testing.assert_array_equal(layer.forward(ids), expected.detach().numpy())
    np.testing.assert_array_equal(layer.predict(ids), expected.detach().numpy())
    expected.backward(torch.tensor(dout))
    dids = layer.backward(dout)
    assert dids.shape == np.shape(ids)
    assert (dids == 0).all()
    np.testing.assert_allclose(layer.W.grad, weight.grad.numpy(), rtol=tolerance, atol=tolerance)


def test_vectors_are_standard_normal_draws_that_repeat_with_the_seed():
    layer = nn.Embedding(1000, 20, dtype="float64", rng=3)
    assert layer.W.value.std() == pytest.approx(1.0, abs=0.02)
    np.testing.assert_array_equal(
        layer.W.value, nn.Embedding(1000, 20, dtype="float64", rng=3).W.value
    )


def test_an_embedding_is_trained_in_a_sequential():
    model = nn.Sequential(nn.Embedding(4, 3, rng=0), nn.Flatten(), nn.Affine(6, 1, rng=1))
    ids, y = [[0, 1], [2, 3], [1, 2]], [[1.0], [2.0], [3.0]]
    loss, optimizer = nn.MeanSquaredError(), nn.optim.Adam(model.parameters(), lr=0.05)
    for _ in range(200):
        value = loss.forward(model.forward(ids), np.array(y))
        model.backward(loss.backward(), input_grad=False)
        optimizer.step()
    assert value < 1e-3


@pytest.mark.parametrize(
    ("ids", "error", "message"),
    [
        ([0, 5], ValueError, r"expected ids from 0 to 4, got 5 at \(1,\)"),
        ([[-1]], ValueError, r"expected ids from 0 to 4, got -1 at \(0, 0\)"),
        ([1.0], TypeError, "expected x to hold integer ids, got dtype float64"),
    ],
)
def test_bad_ids_are_named(ids, error, message):
    with pytest.raises(error, match=message):
        nn.Embedding(5, 2).forward(ids)


@pytest.mark.parametrize("layout", [np.asfortranarray, lambda a: np.repeat(a, 2, axis=0)[::2]])
def test_ids_and_gradients_may_be_strided_and_read_only(layout):
    ids, dout = (
        np.array([[1, 3], [1, 0]], np.uint8),
        np.random.default_rng(0).normal(size=(2, 2, 3)),
    )
    layer, strided = nn.Embedding(5, 3, rng=0), nn.Embedding(5, 3, rng=0)
    given = layout(ids), layout(dout)
    for array in given:
        array.flags.writeable = False
    np.testing.assert_array_equal(strided.forward(given[0]), layer.forward(ids))
    strided.backward(given[1])
    layer.backward(dout)
    np.testing.assert_array_equal(strided.W.grad, layer.W.grad)
    assert layer.W.grad.dtype == np.float32


def test_the_output_shares_no_memory_with_the_vectors():
    layer = nn.Embedding(5, 3, rng=0)
    for y in (layer.forward(2), layer.predict([0, 1])):
        assert not np.shares_memory(y, layer.W.value)
