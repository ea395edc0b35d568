import csv
import io

import numpy as np
import pytest

from nnlayers.data import DataError, as_column, table_from_rows

COLUMNS = {"size": "numeric", "kind": "categorical"}


def values(rows, columns=None):
    table = table_from_rows(rows, COLUMNS if columns is None else columns)
    return [column.tolist() for column in table.columns.values()]


@pytest.mark.parametrize(
    "rows",
    [
        {"kind": ["a", "b"], "other": [0, 0], "size": [1, 2.5]},
        {"size": np.array([1, 2.5]), "kind": np.array(["a", "b"])},
        [{"kind": "a", "size": 1}, {"size": 2.5, "kind": "b", "other": None}],
        [[1, "a"], (2.5, "b")],
        np.array([[1, "a"], [2.5, "b"]], dtype=object),
        np.array([(1, "a"), (2.5, "b")], dtype=[("size", float), ("kind", "U3")]),
        list(csv.DictReader(io.StringIO("kind,size\na,1\nb, 2.5\n"))),
    ],
)
def test_every_kind_of_rows_gives_the_same_table(rows):
    assert values(rows) == [[1.0, 2.5], ["a", "b"]]


@pytest.mark.parametrize("library", ["pandas", "polars"])
def test_data_frames_give_the_same_table(library):
    frame = pytest.importorskip(library).DataFrame({"kind": ["a", "b"], "size": [1.0, 2.5], "x": 0})
    assert values(frame) == [[1.0, 2.5], ["a", "b"]]


def test_columns_of_data_frames_may_be_of_any_type():
    pandas = pytest.importorskip("pandas")
    frame = pandas.DataFrame({"size": pandas.array([1, None], dtype="Int64")})
    frame["kind"] = pandas.Categorical([7, 8])
    numbers, texts = values(frame)
    np.testing.assert_array_equal(numbers, [1, np.nan])
    assert texts == [7.0, 8.0]
    assert values(pandas.DataFrame([[1.5, True]]), {"0": "numeric", "1": "categorical"}) == [
        [1.5],
        ["True"],
    ]


@pytest.mark.parametrize("rows", [[], {"size": [], "kind": []}, np.empty((0, 2)), np.empty(0)])
def test_no_rows_give_an_empty_table(rows):
    assert values(rows) == [[], []]


def test_a_trailing_shape_is_flattened_in_c_order():
    rows = np.arange(12.0).reshape(2, 2, 3)
    table = table_from_rows(rows, {f"X[{i}]": "numeric" for i in range(6)})
    np.testing.assert_array_equal(np.stack(list(table.columns.values()), 1), rows.reshape(2, 6))


@pytest.mark.parametrize(
    ("rows", "problem"),
    [
        ({"size": [1]}, "rows: unknown column 'kind'. Known: size"),
        ({"size": ["1", "big"], "kind": ["a", "b"]}, "'size', row 1 .*: 'big' is not a number"),
        ({"size": [1j], "kind": ["a"]}, "column 'size', row 0 .*: 1j is not a number"),
        ({"size": [1], "kind": ["a", "b"]}, "'kind' has 2 rows, column 'size' has 1"),
        ({"size": 1, "kind": "a"}, r"must be one-dimensional, got shape \(\): a single row is a"),
        (
            np.ones((2, 3)),
            r"of shape \(rows, 2\), one column for each of 'size', 'kind'; got shape",
        ),
        (np.ones(2), r"an array must be of shape \(rows, 2\).* got shape \(2,\)"),
        ([[1, "a"], [2]], r"an array must be of shape \(rows, 2\)"),
        (np.ma.masked_array([[1, 2]], mask=[[1, 0]]), "rows must have no masked entries"),
        (
            {"size": np.array(["2020-01-01"], "datetime64[D]"), "kind": ["a"]},
            "'size', row 0 .* is not a number",
        ),
    ],
)
def test_bad_rows_are_an_error_of_one_line_that_names_the_column(rows, problem):
    with pytest.raises(DataError, match=problem) as caught:
        table_from_rows(rows, COLUMNS)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("rows", ["x.csv", 5, None, iter([1]), b"x"])
def test_anything_but_rows_is_an_error_that_names_the_choices(rows):
    with pytest.raises(TypeError, match="rows must be a data frame, a dictionary of columns, a"):
        table_from_rows(rows, COLUMNS)


def test_a_row_that_is_no_dictionary_among_others_is_named():
    with pytest.raises(TypeError, match=r"rows\[1\] must be a dictionary as the others, got 5"):
        table_from_rows([{"size": 1, "kind": "a"}, 5], COLUMNS)


def test_missing_numbers_are_nan_in_all_their_forms():
    assert np.isnan(
        as_column([None, " ", "nan", "NA", "?", float("nan"), np.nan], "x", "numeric")
    ).all()


def test_booleans_in_words_are_numbers_as_in_a_file():
    cells = ["True", "false", " TRUE", True, np.False_]
    assert as_column(cells, "x", "numeric").tolist() == [1, 0, 1, 1, 0]


def test_dates_are_objects_texts_or_arrays_of_dates():
    dates = np.array(["2026-03-31", "2024-02-29"], "datetime64[us]")
    for cells in (dates, dates.tolist(), dates.astype(str), ["2026-03-31", "2024-02-29 00:00"]):
        table = table_from_rows({"day": cells}, {"day": "date"})
        np.testing.assert_array_equal(table.columns["day"], dates)
    missing = table_from_rows({"day": ["2026-03-31", None]}, {"day": "date"}).columns["day"]
    np.testing.assert_array_equal(np.isnat(missing), [False, True])
    with pytest.raises(DataError, match=r"'day', row 1 .*: 'soon' is not a date, such as"):
        as_column(["2026-03-31", "soon"], "day", "date")
    with pytest.raises(DataError, match=r"'day', row 0 .*: 5 is not a date"):
        as_column([5], "day", "date")


def test_categories_are_text_as_a_file_would_hold_it():
    cells = [True, np.bool_(False), 3, np.int8(4), 5.0, 2.5, "x", np.str_("y"), None, np.nan]
    expected = ["True", "False", "3", "4", "5", "2.5", "x", "y", None, None]
    assert as_column(cells, "x", "categorical").tolist() == expected


def test_a_key_that_a_row_lacks_is_a_missing_value():
    assert values([{"size": 1, "kind": "a"}, {"size": 1}]) == [[1.0, 1.0], ["a", None]]
    sizes, kinds = values([{"kind": "a"}, {"size": 1, "kind": None}])
    np.testing.assert_array_equal(sizes, [np.nan, 1])
    assert kinds == ["a", None]


def test_numbers_and_dates_in_a_column_of_text_stay_what_they_are():
    day = np.datetime64("2026-03-31", "us")
    for cells, expected in (([1, 2.5], [1.0, 2.5]), ([day.item(), None], [day.item(), None])):
        table = table_from_rows({"kind": cells}, {"kind": "categorical"})
        assert table.columns["kind"].tolist() == expected
