"""Vectors for ids in some columns of a table."""

import copy

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import nnlayers as nn
from nnlayers.testing import check_gradients


def rows(count, seed=0):
    """Return rows whose columns 1 and 3 hold ids below 4 and 6."""
    rng = np.random.default_rng(seed)
    numbers = rng.normal(size=(count, 4))
    numbers[:, 1], numbers[:, 3] = rng.integers(4, size=count), rng.integers(6, size=count)
    return numbers


def layer(dtype=np.float32, **options):
    return nn.EntityEmbedding([3, 1], [6, 4], dtype=dtype, rng=0, **options)


class Numbers(nn.Layer):
    """An embedding of fixed ids, as a function of the numbers beside them."""

    def __init__(self, embedding, ids):
        self.embedding, self.ids = embedding, ids

    def forward(self, x):
        return self.embedding.forward(np.stack([x[:, 0], self.ids], axis=1).astype(x.dtype))

    def backward(self, dout):
        return self.embedding.backward(dout)[:, :1]


@given(count=st.integers(0, 6), seed=st.integers(0, 9), dim=st.sampled_from([None, 1, 3]))
def test_gradients_agree_with_differences(count, seed, dim):
    ids = np.random.default_rng(seed).integers(5, size=count)
    embedding = nn.EntityEmbedding([1], [5], dim=dim, dtype=np.float64, rng=seed)
    check_gradients(Numbers(embedding, ids), np.random.default_rng(seed).normal(size=(count, 1)))


@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_it_equals_pytorchs_embeddings_joined_with_the_numbers(dtype):
    torch = pytest.importorskip("torch")
    ours, x = layer(dtype), rows(7).astype(dtype)
    weights = [torch.tensor(parameter.value, requires_grad=True) for parameter in ours.W]
    numbers = torch.tensor(x[:, [0, 2]], requires_grad=True)
    ids = [torch.tensor(x[:, column].astype(int)) for column in (3, 1)]
    vectors = [torch.nn.functional.embedding(i, w) for i, w in zip(ids, weights, strict=True)]
    expected = torch.cat([numbers, *vectors], dim=1)
    dout = np.random.default_rng(1).normal(size=tuple(expected.shape)).astype(dtype)
    expected.backward(torch.tensor(dout))
    np.testing.assert_array_equal(ours.forward(x), expected.detach().numpy())
    np.testing.assert_array_equal(ours.predict(x), expected.detach().numpy())
    dx = ours.backward(dout)
    np.testing.assert_array_equal(dx[:, [0, 2]], numbers.grad.numpy())
    assert (dx[:, [1, 3]] == 0).all()
    for parameter, weight in zip(ours.W, weights, strict=True):
        np.testing.assert_allclose(parameter.grad, weight.grad.numpy(), rtol=1e-5, atol=1e-6)


def test_vectors_have_the_root_of_the_levels_as_length_and_zeros_for_unknown_ones():
    embedding = nn.EntityEmbedding([0, 1, 2, 3], [1, 2, 17, 10_000], dtype="float64", rng=0)
    assert [parameter.shape[1] for parameter in embedding.W] == [1, 2, 5, 32]
    assert all((parameter.value[0] == 0).all() for parameter in embedding.W)
    lengths = np.square(embedding.W[3].value[1:]).sum(axis=1)
    assert lengths.mean() == pytest.approx(1.0, abs=0.02)
    embedding.initialize(5)
    assert all((parameter.value[0] == 0).all() for parameter in embedding.W)


def test_any_leading_axes_and_empty_batches_are_taken():
    embedding, x = layer(), rows(6).astype(np.float32)
    flat = embedding.predict(x)
    np.testing.assert_array_equal(embedding.forward(x.reshape(2, 3, 4)), flat.reshape(2, 3, -1))
    assert embedding.backward(np.ones((2, 3, flat.shape[1]))).shape == (2, 3, 4)
    assert embedding.forward(x[:0]).shape == (0, flat.shape[1])
    assert embedding.backward(np.ones((0, flat.shape[1]))).shape == (0, 4)


def test_without_columns_it_is_the_identity():
    embedding = nn.EntityEmbedding([], [])
    np.testing.assert_array_equal(embedding.forward([[1.0, 2.0]]), [[1.0, 2.0]])
    np.testing.assert_array_equal(embedding.backward([[3.0, 4.0]]), [[3.0, 4.0]])


@pytest.mark.parametrize(
    ("column", "value", "message"),
    [
        (3, 6, "ids from 0 to 5 in column 3, got 6"),
        (1, -1, "column 1, got -1"),
        (1, 0.5, "got 0.5"),
    ],
)
def test_bad_ids_are_named(column, value, message):
    x = rows(3)
    x[1, column] = value
    for call in (layer().forward, layer().predict):
        with pytest.raises(ValueError, match=message):
            call(x)
    x[1, column] = np.nan
    with pytest.raises(ValueError, match=f"in column {column}, got nan"):
        layer().forward(x)


def test_a_table_that_is_too_narrow_is_named():
    with pytest.raises(ValueError, match=r"expected x with at least 4 columns, got shape \(2, 3\)"):
        layer().forward(np.zeros((2, 3)))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (([0, 0], [2, 2]), r"columns must differ, got \[0, 0\]"),
        (([0], [2, 2]), "levels must have one number for each of 1 columns, got 2"),
        (([-1], [2]), "columns must be an integer of at least 0, got -1"),
        (([0], [0]), "levels must be an integer of at least 1, got 0"),
    ],
)
def test_arguments_that_do_not_fit_are_named(arguments, message):
    with pytest.raises(ValueError, match=f"^{message}"):
        nn.EntityEmbedding(*arguments)


def test_a_saved_layer_is_loaded_with_its_vectors(tmp_path):
    embedding, x = layer(dim=2), rows(5)
    nn.save(embedding, tmp_path / "model.nn")
    loaded = nn.load(tmp_path / "model.nn")
    np.testing.assert_array_equal(loaded.predict(x), embedding.predict(x))
    assert repr(loaded) == repr(embedding)


def test_it_learns_in_front_of_a_network():
    rng = np.random.default_rng(0)
    x = np.stack([rng.normal(size=200), rng.integers(8, size=200)], axis=1)
    y = (x[:, :1] + np.array([3, -1, 4, 1, -5, 9, 2, -6.0])[x[:, 1:].astype(int)]) / 5
    model = nn.Sequential(nn.EntityEmbedding([1], [8], rng=0), nn.Affine(4, 1, rng=0))
    before = copy.deepcopy(model[0].W[0].value)
    optimizer = nn.optim.Adam(model.parameters(), lr=0.05)
    trainer = nn.Trainer(model, nn.MeanSquaredError(), optimizer)
    assert trainer.fit(x, y, epochs=60, rng=0)["loss"][-1] < 1e-3
    assert not np.array_equal(model[0].W[0].value, before)
