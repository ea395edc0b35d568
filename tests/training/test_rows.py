"""Rows are split for validation without copies, in proportion to the classes."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import nnlayers as nn
from nnlayers.data import split
from nnlayers.training.task import Task

pytestmark = pytest.mark.usefixtures("each_engine")


def rows_of(y):
    X = np.arange(len(y), dtype=np.float32)[:, None]
    return Task(nn.Affine(1, 1), nn.MeanSquaredError(), ()).rows(X, y)


@given(rows=st.integers(2, 80), fraction=st.floats(0.001, 0.999), seed=st.integers(0, 9))
def test_the_parts_are_not_empty_and_together_hold_all_rows(rows, fraction, seed):
    data = rows_of(np.zeros(rows))
    training, held_out = data.split_validation(fraction, None, seed)
    assert sorted([*training.index, *held_out.index]) == list(range(rows))
    assert len(training) >= 1
    assert len(held_out) >= 1
    assert abs(len(held_out) - rows * fraction) < 1 or 1 in (len(held_out), len(training))


def test_classes_are_split_in_proportion():
    y = np.repeat([0, 1, 2], [60, 30, 10])
    training, held_out = rows_of(y).split_validation(0.2, y, seed=0)
    np.testing.assert_array_equal(np.bincount(y[held_out.index]), [12, 6, 2])
    np.testing.assert_array_equal(np.bincount(y[training.index]), [48, 24, 8])


@pytest.mark.parametrize("y", [[0, 1, 1, 1, 1, 1], [0, 1, 2, 3, 4, 5], [0] * 6])
def test_classes_with_too_few_rows_are_split_as_one(y):
    training, held_out = rows_of(y).split_validation(0.5, np.array(y), seed=0)
    assert len(training) == len(held_out) == 3


def test_a_part_shares_the_memory_of_the_whole():
    data = rows_of(np.zeros(10))
    for part in data.split_validation(0.5, None, seed=0):
        assert part.X is data.X
    assert np.shares_memory(data.X[data.indices(slice(2, 4))], data.X)


@pytest.mark.parametrize("seed", range(8))
def test_rare_classes_with_enough_rows_are_held_out_too(seed):
    y = np.repeat([0, 1], [396, 4])
    training, held_out = rows_of(y).split_validation(0.25, y, seed)
    assert np.bincount(y[held_out.index]).tolist() == [99, 1]
    assert np.bincount(y[training.index]).tolist() == [297, 3]


@pytest.mark.parametrize("sizes", [[9, 3], [3, 3, 90]])
def test_a_class_too_small_for_its_share_does_not_prevent_the_split(sizes):
    y = np.repeat(np.arange(len(sizes)), sizes)
    _, held_out = rows_of(y).split_validation(0.25, y, seed=0)
    assert len(held_out) == round(0.25 * len(y))
    assert held_out.index.tolist() == split(len(y), validation=0.25, test=0.0, seed=0)[1].tolist()


@pytest.mark.parametrize("stored", [np.float16, np.float64, np.int16])
def test_a_file_mapped_into_memory_trains_as_its_array_does(tmp_path, stored):
    x = np.random.default_rng(0).normal(size=(40, 3)).astype(stored)
    np.save(tmp_path / "x.npy", x)
    mapped = np.load(tmp_path / "x.npy", mmap_mode="r")
    histories = []
    for X in (x, mapped):
        model = nn.Affine(3, 1, rng=0)
        trainer = nn.Trainer(model, nn.MeanSquaredError(), nn.optim.Adam(model.parameters()))
        trainer.fit(X, x[:, :1], epochs=2, validation=0.25, rng=1)
        histories.append([list(trainer.history["loss"]), list(trainer.history["val_loss"])])
    np.testing.assert_allclose(*histories, rtol=1e-6)  # Either engine may run.


@pytest.mark.parametrize("library", ["pandas", "polars"])
def test_data_frames_train_as_their_arrays_do(library):
    frames = pytest.importorskip(library)
    x = np.random.default_rng(0).normal(size=(40, 2))
    X, y = frames.DataFrame({"a": x[:, 0], "b": x[:, 1]}), frames.Series([0, 1] * 20)
    results = []
    for inputs, targets in ((x, np.array([0, 1] * 20)), (X, y)):
        model = nn.mlp([2, 4, 2], rng=0)
        trainer = nn.Trainer(model, nn.SoftmaxCrossEntropy(), nn.optim.Adam(model.parameters()))
        trainer.fit(inputs, targets, epochs=2, validation=(inputs, targets), rng=1)
        results.append([trainer.history["val_loss"][-1], trainer.evaluate(inputs, targets)["loss"]])
    assert results[0] == results[1]
