"""Matrices in .npy files are read like archives, or a part at a time if they are large."""

import io

import numpy as np
import pytest

from nnlayers.data import DataError, Preprocessing, Table, mapped, npy, read_rows, split_table

RNG = np.random.default_rng(0)
X = RNG.normal(size=(300, 2, 3))
Y = RNG.integers(0, 3, 300)


@pytest.fixture
def save(tmp_path, monkeypatch):
    """Save arrays into the working directory."""
    monkeypatch.chdir(tmp_path)

    def save(**arrays):
        for name, array in arrays.items():
            np.save(f"{name}.npy", array)

    return save


@pytest.fixture
def large(save, monkeypatch):
    """The table of files that count as larger than memory, of which 50 numbers are read at once."""
    monkeypatch.setattr(mapped, "MOST_IN_MEMORY", 100)
    monkeypatch.setattr(mapped, "_PART", 50)
    save(X=X.astype(np.float32), y=Y, w=Y + 1.0)
    return npy("X.npy", "y.npy", weights="w.npy")


def test_features_are_flattened_to_columns_in_c_order(save):
    save(X=X, y=Y, w=Y + 1)
    table = npy("X.npy", "y.npy", weights="w.npy")
    assert list(table.columns) == [f"X[{column}]" for column in range(6)]
    np.testing.assert_array_equal(np.stack([*table.columns.values()], 1), X.reshape(300, 6))
    assert (table.target_name, table.origin) == ("y", "X.npy")
    np.testing.assert_array_equal(table.target, Y)
    np.testing.assert_array_equal(table.weights, Y + 1)


@pytest.mark.parametrize("labels", [["a", "b"], [0.5, 2.0], [[3], [4]], [True, False]])
def test_targets_are_numbers_or_strings(save, labels):
    save(X=[1.0, 2.0], y=labels)
    np.testing.assert_array_equal(npy("X.npy", "y.npy").target, np.ravel(labels))


def test_a_large_table_selects_and_leaves_out_as_one_in_memory(large):
    flat = X.astype(np.float32).reshape(300, 6).astype(np.float64)
    assert mapped.is_mapped(large)
    rows = large.rows(np.arange(299, 0, -2)).rows(slice(3, 60)).without(["X[1]"])
    expected = flat[np.arange(299, 0, -2)][3:60]
    assert list(rows.columns) == ["X[0]", "X[2]", "X[3]", "X[4]", "X[5]"]
    np.testing.assert_array_equal(rows.columns["X[4]"], expected[:, 4])
    np.testing.assert_array_equal(rows.columns.load(slice(2, 5))["X[2]"], expected[2:5, 2])
    np.testing.assert_array_equal(rows.target, Y[np.arange(299, 0, -2)][3:60])
    assert len(rows) == 57


def test_a_large_table_is_shown_by_its_first_rows_alone(large, monkeypatch):
    read = []
    original = mapped.MappedColumns.__getitem__

    def count_rows(columns, name):
        values = original(columns, name)
        read.append(len(values))
        return values

    monkeypatch.setattr(mapped.MappedColumns, "__getitem__", count_rows)
    assert large._repr_html_().count("<tr>") == 10
    assert {*read} == {8}


def test_large_features_are_prepared_in_parts_and_stay_in_a_file(large):
    parts = [large.rows(part) for part in split_table(large, stratify=large.target)]
    preprocessing = Preprocessing().fit(parts[0], "classes")
    for part in parts:
        features = preprocessing.features(part)
        assert isinstance(features, np.memmap)
        in_memory = Table({name: part.columns[name] for name in part.columns}, part.target)
        np.testing.assert_array_equal(features, preprocessing.features(in_memory))
        np.testing.assert_array_equal(preprocessing.targets(part), part.target)


def test_the_preparation_of_a_large_table_is_near_that_of_all_rows(save, monkeypatch):
    values = RNG.normal(3, 2, size=(50_000, 2))
    save(X=values, y=values[:, 0])
    monkeypatch.setattr(mapped, "MOST_IN_MEMORY", 10)
    monkeypatch.setattr(mapped, "_PART", 20_000)
    features = Preprocessing().fit(npy("X.npy", "y.npy"), "values").features(npy("X.npy", "y.npy"))
    np.testing.assert_allclose(features.mean(axis=0), 0, atol=0.05)
    np.testing.assert_allclose(features.std(axis=0), 1, rtol=0.05)


def test_a_value_that_cannot_be_prepared_is_named(save, monkeypatch):
    monkeypatch.setattr(mapped, "MOST_IN_MEMORY", 100)
    monkeypatch.setattr(mapped, "_PART", 60)
    save(X=X, y=Y)
    preprocessing = Preprocessing().fit(npy("X.npy", "y.npy"), "classes")
    bad = X.copy()
    bad[217, 1, 0] = np.inf
    save(X=bad)
    with pytest.raises(DataError, match=r"^X\.npy: column 'X\[3\]', row 217 .*inf is infinite"):
        preprocessing.features(npy("X.npy", "y.npy"))


def test_read_rows_names_columns_as_npy_does(save):
    save(X=X, y=Y)
    preprocessing = Preprocessing().fit(npy("X.npy", "y.npy"), "classes")
    rows = read_rows("X.npy", preprocessing.columns)
    assert rows.target is None
    np.testing.assert_array_equal(
        preprocessing.features(rows), preprocessing.features(npy("X.npy", "y.npy"))
    )
    with pytest.raises(DataError, match=r"^X\.npy: unknown column 'X\[9\]'"):
        read_rows("X.npy", {"X[9]": "numeric"})
    with pytest.raises(DataError, match=r"column 'X\[0\]' must hold text, got numbers"):
        read_rows("X.npy", {"X[0]": "categorical"})


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        ({"X": [["a"]], "y": [0]}, "X.npy: array 'X' must hold real numbers, got <U1"),
        ({"X": 3.0, "y": [0]}, "X.npy: array 'X' has no rows or no columns: its shape is ()"),
        ({"X": np.ones((0, 3)), "y": []}, "X.npy: array 'X' has no rows or no columns"),
        ({"X": np.ones((2, 1)), "y": [1]}, "X.npy: target 'y' has 1 rows, column 'X[0]' has 2"),
        ({"X": np.ones((2, 1)), "y": np.eye(2)}, "X.npy: target 'y' must be one-dimensional"),
        ({"X": np.ones((2, 1)), "y": [1j, 2]}, "X.npy: target 'y' must hold real numbers, strin"),
    ],
)
def test_bad_arrays_are_named(save, arrays, message):
    save(**arrays)
    with pytest.raises(DataError) as caught:
        npy("X.npy", "y.npy")
    assert str(caught.value).startswith(message)


def test_a_large_table_must_have_a_target_for_each_row(large, save):
    save(y=Y[:-1])
    with pytest.raises(DataError, match="target 'y' has 299 rows, the features has 300"):
        npy("X.npy", "y.npy")


def test_files_that_are_damaged_are_named_and_nothing_is_unpickled(tmp_path):
    objects, whole = io.BytesIO(), io.BytesIO()
    np.save(objects, np.array([{"a": 1}], object))
    np.save(whole, np.ones(100))
    good = tmp_path / "good.npy"
    good.write_bytes(whole.getvalue())
    for content in (b"", b"a,b\n1,2\n", objects.getvalue(), whole.getvalue()[:-9]):
        path = tmp_path / "rows.npy"
        path.write_bytes(content)
        for arguments in ((path, good), (good, path)):
            with pytest.raises(DataError, match=f"^{path}: ") as caught:
                npy(*map(str, arguments))
            assert "\n" not in str(caught.value)
    for missing in (tmp_path / "none.npy", tmp_path):
        with pytest.raises(DataError, match=f"^{missing}: "):
            npy(str(missing), str(good))
