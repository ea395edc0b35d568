import numpy as np
import pytest

from nnlayers.data import DataError, from_frame


def test_a_pandas_frame_keeps_its_kinds_and_missing_values():
    pandas = pytest.importorskip("pandas")
    frame = pandas.DataFrame(
        {
            "n": pandas.array([1, None, 3], "Int64"),
            "f": [0.5, np.nan, 1.5],
            "flag": pandas.array([True, None, False], "boolean"),
            "text": ["a", None, "a"],
            "object": np.array(["a", None, "b"], object),
            "category": pandas.Categorical(["u", None, "v"]),
            "code": pandas.Categorical([10, None, 2]),
            "day": pandas.to_datetime(["2024-07-01T12:00+02:00", None, "1969-01-01T00:00+02:00"]),
            3: [True, False, True],
        },
        index=[5, 6, 7],
    )
    table = from_frame(frame, "3")
    expected = {
        "n": [1, np.nan, 3],
        "f": [0.5, np.nan, 1.5],
        "flag": [1, np.nan, 0],
        "text": np.array(["a", None, "a"], object),
        "object": np.array(["a", None, "b"], object),
        "category": np.array(["u", None, "v"], object),
        "code": np.array(["10", None, "2"], object),
        "day": np.array(["2024-07-01T10", "NaT", "1968-12-31T22"], "datetime64[h]"),
    }
    assert list(table.columns) == list(expected)
    for name, values in expected.items():
        np.testing.assert_array_equal(table.columns[name], values)
    assert table.target.tolist() == ["True", "False", "True"]


def test_a_polars_frame_keeps_its_kinds_and_missing_values():
    polars = pytest.importorskip("polars")
    frame = polars.DataFrame(
        {
            "n": [1, None, 3],
            "flag": [True, None, False],
            "text": ["a", None, "a"],
            "category": polars.Series(["u", None, "v"], dtype=polars.Categorical),
            "day": polars.Series(["2024-07-01", None, "1969-01-01"]).str.to_date(),
            "y": [1, 2, 3],
        }
    )
    table = from_frame(frame, "y")
    expected = {
        "n": [1, np.nan, 3],
        "flag": [1, np.nan, 0],
        "text": np.array(["a", None, "a"], object),
        "category": np.array(["u", None, "v"], object),
        "day": np.array(["2024-07-01", "NaT", "1969-01-01"], "datetime64[D]"),
    }
    assert list(table.columns) == list(expected)
    for name, values in expected.items():
        np.testing.assert_array_equal(table.columns[name], values)
    assert table.target.tolist() == [1, 2, 3]


def test_without_a_target_all_columns_are_features():
    pandas = pytest.importorskip("pandas")
    table = from_frame(pandas.DataFrame({"a": [1], "b": ["x"]}))
    assert (list(table.columns), table.target) == (["a", "b"], None)


def test_bad_frames_are_named():
    pandas = pytest.importorskip("pandas")
    with pytest.raises(TypeError, match=r"frame must be a DataFrame of pandas or polars, got \["):
        from_frame([1, 2])
    with pytest.raises(TypeError, match="frame must be a DataFrame"):
        from_frame(pandas.Series([1]))
    with pytest.raises(DataError, match="2 columns have the name '1'"):
        from_frame(pandas.DataFrame([[1, 2]], columns=[1, "1"]))
    with pytest.raises(DataError, match="unknown column 'z'"):
        from_frame(pandas.DataFrame({"y": [1]}), "z")
    with pytest.raises(DataError, match="column 'a' must hold real numbers, strings or dates"):
        from_frame(pandas.DataFrame({"a": [[1]], "y": [1]}), "y")
