import io
import zipfile

import numpy as np
import pytest

from nnlayers.data import DataError, Preprocessing, npz, read_rows


@pytest.fixture
def save(tmp_path, monkeypatch):
    """Save arrays into the working directory and return the relative path."""
    monkeypatch.chdir(tmp_path)

    def save(**arrays):
        np.savez("rows.npz", **arrays)
        return "rows.npz"

    return save


def test_features_are_flattened_to_columns_in_c_order(save):
    images = np.arange(24, dtype=np.uint8).reshape(3, 2, 4)
    table = npz(save(X=images, y=[1, 0, 1]))
    assert list(table.columns) == [f"X[{column}]" for column in range(8)]
    np.testing.assert_array_equal(
        np.stack(list(table.columns.values()), axis=1), images.reshape(3, 8)
    )
    assert (table.target.tolist(), table.target_name) == ([1, 0, 1], "y")


@pytest.mark.parametrize("labels", [["a", "b"], [0.5, 2.0], [[3], [4]], [True, False]])
def test_targets_are_numbers_or_strings(save, labels):
    target = npz(save(rows=np.ones((2, 3)), label=labels), features="rows", target="label").target
    np.testing.assert_array_equal(target, np.ravel(labels))


def test_one_dimensional_features_are_one_column(save):
    assert list(npz(save(X=[1.0, 2.0], y=[0, 1])).columns) == ["X[0]"]


def test_read_rows_names_columns_as_npz_does(save):
    x = np.random.default_rng(0).normal(size=(5, 2, 3))
    preprocessing = Preprocessing().fit(
        npz(save(images=x, y=np.arange(5.0)), features="images"), "values"
    )
    rows = read_rows(save(images=x, other=["a"]), preprocessing.columns)
    assert rows.target is None
    expected = (x - x.mean(axis=0)) / x.std(axis=0)
    np.testing.assert_allclose(
        preprocessing.features(rows, np.float64), expected.reshape(5, 6), atol=1e-12
    )


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        ({"X": [[1.0]]}, "unknown array 'y'. Known: X"),
        ({"X": [[1.0]], "yy": [0]}, "unknown array 'y', did you mean 'yy'? Known: X, yy"),
        ({"X": [["a"]], "y": [0]}, "array 'X' must hold real numbers, got <U1"),
        ({"X": [[1j]], "y": [0]}, "array 'X' must hold real numbers, got complex128"),
        ({"X": 3.0, "y": [0]}, "array 'X' has no rows or no columns: its shape is ()"),
        (
            {"X": np.ones((0, 3)), "y": []},
            "array 'X' has no rows or no columns: its shape is (0, 3)",
        ),
        (
            {"X": np.ones((2, 0)), "y": [0]},
            "array 'X' has no rows or no columns: its shape is (2, 0)",
        ),
        ({"X": np.ones((2, 1)), "y": [1]}, "target 'y' has 1 rows, column 'X[0]' has 2"),
        (
            {"X": np.ones((2, 1)), "y": np.eye(2)},
            "target 'y' must be one-dimensional, got shape (2, 2)",
        ),
        (
            {"X": [[1, 2], [3, np.nan]], "y": [0, 1]},
            "column 'X[1]', row 1 (counted from 0): nan is not finite",
        ),
        (
            {"X": [[[1, -np.inf]]], "y": [0]},
            "column 'X[1]', row 0 (counted from 0): -inf is not finite",
        ),
    ],
)
def test_bad_arrays_are_named(save, arrays, message):
    with pytest.raises(DataError) as caught:
        npz(save(**arrays))
    assert str(caught.value) == f"rows.npz: {message}"


def test_a_nan_in_the_target_is_an_error_where_it_is_used(save):
    table = npz(save(X=np.ones((2, 1)), y=[0.5, np.nan]))
    with pytest.raises(DataError, match=r"rows.npz: target 'y', row 1 \(counted from 0\): nan"):
        Preprocessing().fit(table, "values")


def test_nothing_is_unpickled(save):
    path = save(X=np.ones((1, 1)), y=np.array([{"a": 1}], dtype=object))
    with pytest.raises(
        DataError, match=r"rows\.npz: array 'y' cannot be read: it holds Python objects"
    ):
        npz(path)


def test_files_that_are_not_archives_are_named(tmp_path):
    array = io.BytesIO()
    np.save(array, np.ones(3))
    for content in (b"", b"a,b\n1,2\n", array.getvalue()):
        path = tmp_path / "rows.npz"
        path.write_bytes(content)
        with pytest.raises(
            DataError, match=f"^{path}: this is not an .npz archive, or it is damaged$"
        ):
            npz(str(path))
    with pytest.raises(DataError, match=r"none\.npz: No such file or directory$"):
        npz(str(tmp_path / "none.npz"))
    with pytest.raises(DataError, match=f"^{tmp_path}: "):
        npz(str(tmp_path))


def test_a_damaged_archive_is_reported(save, tmp_path):
    path = save(X=np.arange(300.0), y=np.arange(300))
    content = (tmp_path / path).read_bytes()
    (tmp_path / path).write_bytes(content[:-30])
    with pytest.raises(
        DataError, match=r"^rows.npz: this is not an .npz archive, or it is damaged$"
    ):
        npz(path)
    middle = bytearray(content)
    middle[1000] ^= 0xFF
    (tmp_path / path).write_bytes(bytes(middle))
    with pytest.raises(
        DataError, match=r"^rows.npz: array 'X' cannot be read: BadZipFile: Bad CRC-32"
    ):
        npz(path)


def test_a_member_that_is_not_an_array_is_reported(tmp_path):
    path = tmp_path / "rows.npz"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("X.npy", b"text")
        archive.writestr("y.npy", b"text")
    with pytest.raises(DataError, match="array 'X'"):
        npz(str(path))


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        ({"Z[0]": "numeric"}, "unknown array 'Z'. Known: X, y"),
        ({"age": "numeric"}, "unknown array 'age'. Known: X, y"),
        (
            {"X[0]": "numeric", "X[7]": "numeric"},
            "unknown column 'X[7]', did you mean 'X[0]'? Known: X[0]",
        ),
        ({"X[0]": "categorical"}, "column 'X[0]' must hold text, got numbers"),
    ],
)
def test_read_rows_reports_columns_that_do_not_match_training(save, columns, message):
    with pytest.raises(DataError) as caught:
        read_rows(save(X=np.ones((2, 1)), y=[0, 1]), columns)
    assert str(caught.value) == f"rows.npz: {message}"
