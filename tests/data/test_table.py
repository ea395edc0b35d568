import numpy as np
import pytest

from nnlayers.data import DataError, Table


def test_numbers_become_float64_and_strings_objects():
    table = Table(
        {
            "integers": np.array([1, 2], dtype=np.int8),
            "flags": np.array([True, False]),
            "halves": np.array([0.5, 1.5], dtype=np.float16),
            "names": np.array(["a", "bc"]),
        },
        target=np.array([3, 4], dtype=np.uint8),
    )
    assert [values.dtype for values in table.columns.values()] == [float, float, float, object]
    assert [table.kind(name) for name in ("flags", "names")] == ["numeric", "categorical"]
    assert type(table.columns["names"][0]) is str
    assert table.target.dtype == np.int64
    assert len(table) == 2


@pytest.mark.parametrize(
    ("target", "dtype"),
    [([True, False], np.int64), ([1.5, 2.0], np.float64), (["u", "v"], object)],
)
def test_target_keeps_the_kind_of_its_values(target, dtype):
    assert Table({"x": [1.0, 2.0]}, target).target.dtype == dtype


@pytest.mark.parametrize(
    "indices",
    [[2, 0], np.array([True, False, True]), slice(0, 2), [], np.array([], dtype=np.intp)],
)
def test_rows_selects_as_numpy_does(indices):
    table = Table({"x": [1.0, 2.0, 3.0], "c": ["a", "b", "c"]}, [7, 8, 9], "label", "here")
    chosen = table.rows(indices)
    expected = np.arange(3)[indices if not isinstance(indices, list) else np.array(indices, int)]
    np.testing.assert_array_equal(chosen.columns["x"], table.columns["x"][expected])
    np.testing.assert_array_equal(chosen.columns["c"], table.columns["c"][expected])
    np.testing.assert_array_equal(chosen.target, table.target[expected])
    assert (chosen.target_name, chosen.origin, len(chosen)) == ("label", "here", len(expected))


def test_selected_rows_of_a_table_without_target_have_no_target():
    assert Table({"x": [1.0, 2.0]}).rows([0]).target is None


@pytest.mark.parametrize(
    ("columns", "target", "message"),
    [
        ({}, None, "data: there is no feature column"),
        ({"x": [1.0], "y": [1.0, 2.0]}, None, "data: column 'y' has 2 rows, column 'x' has 1"),
        ({"x": [1.0]}, [1, 2], "data: target 't' has 2 rows, column 'x' has 1"),
        ({"x": [[1.0]]}, None, r"data: column 'x' must be one-dimensional, got shape \(1, 1\)"),
        ({"x": [1.0]}, 3, r"data: target 't' must be one-dimensional, got shape \(\)"),
        ({"x": [1j]}, None, "data: column 'x' must hold real numbers or strings, got complex128"),
        ({"x": np.array(["a", None])}, None, r"column 'x', row 1 \(counted from 0\): None is not"),
        ({"x": [1.0]}, [2**63], "target 't': 9223372036854775808 does not fit a 64-bit integer"),
    ],
)
def test_bad_columns_are_named(columns, target, message):
    with pytest.raises(DataError, match=message):
        Table(columns, target, "t", "data")


def test_kind_of_a_missing_column_suggests_the_nearest():
    with pytest.raises(DataError, match=r"^data: unknown column 'hight', did you mean 'height'"):
        Table({"height": [1.0]}, origin="data").kind("hight")


def test_kind_of_a_missing_column_lists_the_first_of_many_columns():
    table = Table({f"x{number:04}": [1.0] for number in range(784)}, origin="data")
    with pytest.raises(DataError, match=r"Known: x0000, x0001, .*, \.\.\.$") as caught:
        table.kind("height")
    assert len(str(caught.value)) < 500
