"""Labels of all kinds, which integers in a small range share without being sorted."""

import numpy as np
import pytest
from sklearn import neural_network
from sklearn.exceptions import ConvergenceWarning

from nnlayers import estimators
from nnlayers.estimators.labels import ids_of, note_labels

I64, U64 = np.iinfo(np.int64), np.iinfo(np.uint64)
LABELS = {
    "bool": np.array([False, True]),
    "two": np.array([1, 2]),
    "ten": np.arange(10),
    "one": np.array([7]),
    "negative": np.array([-5, -3, 4]),
    "int8 from end to end": np.array([-128, 3, 127], np.int8),
    "uint8": np.array([0, 200, 255], np.uint8),
    "int16 of another byte order": np.array([-3, 1, 2], ">i2"),
    "least int64": np.array([I64.min, I64.min + 2, I64.min + 7]),
    "greatest int64": np.array([I64.max - 9, I64.max - 1, I64.max]),
    "all of int64": np.array([I64.min, 0, I64.max]),
    "greatest uint64": np.array([U64.max - 5, U64.max], np.uint64),
    "both sides of the sign of uint64": np.array([2**63 - 1, 2**63, 2**63 + 1], np.uint64),
    "far apart": np.array([0, 10**9, 10**12]),
    "float": np.array([-1.0, 0.0, 3.0]),
    "str": np.array(["", "a", "ab"]),
    "object": np.array(["", "a", "ab"], object),
}
KINDS = pytest.mark.parametrize("labels", LABELS.values(), ids=LABELS)


@KINDS
@pytest.mark.parametrize("rows", [0, 1, 1000])
def test_ids_are_those_of_a_search(labels, rows):
    ids = np.random.default_rng(0).integers(len(labels), size=rows)
    found = ids_of(labels[ids], labels)
    assert found.dtype == np.intp
    np.testing.assert_array_equal(found, ids)


@pytest.mark.parametrize("dtype", ["u1", "i1", "u2", "i4", "u8", "f4"])
def test_ids_of_another_dtype_than_that_of_the_classes_are_those_of_equal_numbers(dtype):
    y = np.array([3, 1, 100, 3, 1], dtype)
    for classes in (np.array([-3, 1, 3, 100]), np.array([-3.0, 1.0, 3.0, 100.0])):
        np.testing.assert_array_equal(ids_of(y, classes), [2, 1, 3, 2, 1])


@KINDS
@pytest.mark.parametrize("rows", [0, 1, 1000])
def test_a_note_changes_no_label_and_holds_those_that_occur(labels, rows):
    y = labels[np.random.default_rng(0).integers(len(labels), size=rows)]
    before, noted = y.copy(), note_labels(y)
    assert noted.dtype == y.dtype
    np.testing.assert_array_equal(noted, before)
    if noted is not y:
        note = noted.dtype.metadata["unique"]
        assert note.dtype == y.dtype
        np.testing.assert_array_equal(note, np.unique(before))
    assert y.dtype.metadata is None


@KINDS
def test_a_classifier_gives_the_classes_of_scikit_learn(labels):
    X = np.random.default_rng(1).normal(size=(400, 3))
    y = labels[np.digitize(X[:, 0], np.linspace(-1, 1, len(labels) + 1)[1:-1])]
    settings = {"hidden_layer_sizes": (4,), "max_iter": 3, "random_state": 0}
    ours = estimators.MLPClassifier(**settings)
    theirs = neural_network.MLPClassifier(**settings)
    with pytest.warns(ConvergenceWarning):
        ours.fit(X, y)
    with pytest.warns(ConvergenceWarning):
        theirs.fit(X, y)
    for a, b in ((ours.classes_, theirs.classes_), (ours.predict(X), theirs.predict(X))):
        assert a.dtype == b.dtype
        assert a.dtype.metadata is None
        np.testing.assert_array_equal(a, b)
    np.testing.assert_allclose(ours.coefs_[0], theirs.coefs_[0], rtol=1e-8, atol=1e-12)


def test_later_calls_take_the_labels_in_other_dtypes():
    X = np.random.default_rng(2).normal(size=(300, 2))
    y = np.digitize(X[:, 0], [-0.5, 0.5]) * 2 - 1
    model, other = (
        estimators.MLPClassifier((4,), random_state=0).partial_fit(X, y, classes=[-1, 1, 3])
        for _ in range(2)
    )
    for dtype in (np.int8, np.float32, np.int64):
        model.partial_fit(X, y.astype(dtype))
        other.partial_fit(X, y)
        np.testing.assert_array_equal(model.coefs_[0], other.coefs_[0])
    assert model.predict(X).dtype == np.int64
    with pytest.raises(ValueError, match=r"`y` has classes not in .* 'y' has \[-1, 1, 2\]"):
        model.partial_fit(X, np.where(y == 3, 2, y))
