import datetime

import numpy as np
import pytest

from nnlayers.data import DataError, Table
from nnlayers.data.problems import check_finite
from nnlayers.data.texts import CodedTexts, levels_of


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
        ({"x": [1j]}, None, "data: column 'x' must hold real numbers, strings or dates, got c"),
        (
            {"x": np.array(["a", 3], object)},
            None,
            r"'x', row 1 \(counted from 0\): 3 is not a string",
        ),
        ({"x": np.array([3, None, "a"], object)}, None, r"row 2 .*: 'a' is not a number, as the"),
        (
            {"x": np.array([b"a"], object)},
            None,
            "must hold real numbers, strings or dates, got b'a'",
        ),
        ({"x": [1.0]}, [2**63], "target 't': 9223372036854775808 does not fit a 64-bit integer"),
    ],
)
def test_bad_columns_are_named(columns, target, message):
    with pytest.raises(DataError, match=message):
        Table(columns, target, "t", "data")


def test_missing_values_of_every_kind_are_kept():
    day = datetime.datetime(2026, 3, 1, 12)
    zoned = day.replace(tzinfo=datetime.timezone(datetime.timedelta(hours=2)))
    table = Table(
        {
            "number": [1.5, None, float("nan")],
            "flag": np.array([True, None, False], object),
            "text": np.array(["a", None, float("nan")], object),
            "date": [day, None, zoned],
            "nothing": [None, None, None],
        },
        [1, None, 3],
    )
    kinds = ["numeric", "numeric", "categorical", "date", "categorical"]
    assert [table.kind(name) for name in table.columns] == kinds
    np.testing.assert_array_equal(table.columns["number"], [1.5, np.nan, np.nan])
    np.testing.assert_array_equal(table.columns["flag"], [1.0, np.nan, 0.0])
    assert table.columns["text"].tolist() == ["a", None, None]
    assert table.columns["nothing"].tolist() == [None] * 3
    expected = np.array(["2026-03-01T12", "NaT", "2026-03-01T10"], "datetime64[us]")
    np.testing.assert_array_equal(table.columns["date"], expected)
    np.testing.assert_array_equal(table.target, [1, np.nan, 3])


def test_pandas_columns_become_the_same_as_lists():
    pandas = pytest.importorskip("pandas")
    frame = pandas.DataFrame({"n": [1, None], "c": ["a", None], "d": ["2026-01-02", None]})
    frame = frame.astype({"n": "Int64", "c": "category", "d": "datetime64[ns]"})
    table = Table(dict(frame.items()))
    np.testing.assert_array_equal(table.columns["n"], [1, np.nan])
    assert table.columns["c"].tolist() == ["a", None]
    np.testing.assert_array_equal(
        table.columns["d"], np.array(["2026-01-02", "NaT"], "datetime64[ns]")
    )


def test_a_bad_row_is_named_by_its_line_where_the_file_is_known():
    table = Table({"x": [1.0, np.inf, 2.0]}, origin="a.csv", lines=[2, 5, 6]).rows([2, 1])
    with pytest.raises(DataError, match=r"^x, line 5: inf is not finite$"):
        check_finite(table.columns["x"], "x", table.lines)


def test_lines_must_be_as_many_as_rows():
    with pytest.raises(DataError, match="data: lines has 1 rows, column 'x' has 2"):
        Table({"x": [1.0, 2.0]}, origin="data", lines=[2])


def test_kind_of_a_missing_column_suggests_the_nearest():
    with pytest.raises(DataError, match=r"^data: unknown column 'hight', did you mean 'height'"):
        Table({"height": [1.0]}, origin="data").kind("hight")


def test_kind_of_a_missing_column_lists_the_first_of_many_columns():
    table = Table({f"x{number:04}": [1.0] for number in range(784)}, origin="data")
    with pytest.raises(DataError, match=r"Known: x0000, x0001, .*, \.\.\.$") as caught:
        table.kind("height")
    assert len(str(caught.value)) < 500


def test_rows_of_selected_rows_are_those_of_numpy():
    values, names = np.arange(9.0), np.array(list("abcdefghi"), object)
    table = Table({"x": values, "c": names}, values, lines=np.arange(2, 11))
    chains = [
        [slice(2, None), np.array([4, 0, 0]), slice(None, None, -1)],
        [values > 3, [True, False, True, False, False]],
        [[-1, 0], slice(0, 1), slice(1, 1)],
    ]
    for chain in chains:
        chosen, expected = table, np.arange(9)
        for indices in chain:
            chosen, expected = chosen.rows(indices), expected[indices]
        assert len(chosen) == len(expected)
        np.testing.assert_array_equal(chosen.columns["x"], values[expected])
        np.testing.assert_array_equal(chosen.columns["c"], names[expected])
        np.testing.assert_array_equal(chosen.target, values[expected])
        np.testing.assert_array_equal(chosen.lines, expected + 2)
        assert [chosen.kind(name) for name in chosen.columns] == ["numeric", "categorical"]


def test_text_as_codes_is_the_same_as_its_strings():
    codes = np.array([2, -1, 0, 2, 1, 0])
    strings = np.array(["Ulm", None, " Bonn", "Ulm", "NA", " Bonn"], object)
    coded = Table({"c": CodedTexts([" Bonn", "NA", "Ulm"], codes)})
    plain = Table({"c": strings})
    for rows in (slice(None), [5, 4, 0, 0], []):
        ours, theirs = coded.rows(rows), plain.rows(rows)
        np.testing.assert_array_equal(ours.columns["c"], theirs.columns["c"])
        assert ours.kind("c") == "categorical"
        for column in (ours.column("c"), theirs.column("c")):
            texts, indices = column.levels
            cleaned = [None if text in (None, "NA") else text for text in theirs.columns["c"]]
            assert [texts[index] for index in indices] == cleaned
            assert sorted(map(str, texts)) == sorted({*map(str, cleaned)})
    assert levels_of(strings).counts.tolist() == coded.column("c").levels.counts.tolist()


def test_a_column_is_found_without_reading_it():
    class Unread(CodedTexts):
        def __array__(self, dtype=None, copy=None):
            raise AssertionError("it was read")

    table = Table({"c": Unread(["a"], np.array([0, 0]))})
    assert "c" in table.columns
    assert "d" not in table.columns
    assert table.column("c").levels.texts == ["a"]


def test_rows_that_are_not_there_are_an_error_at_once():
    with pytest.raises(IndexError):
        Table({"x": [1.0]}).rows([1])


def test_an_error_in_a_selection_has_the_row_of_the_whole_table():
    table = Table({"x": [1.0, 2.0, 3.0]}, origin="here").rows([2, 1]).rows([1])
    with pytest.raises(
        DataError, match=r"^here: column 'x', row 1 \(counted from 0\): 2\.0 is odd"
    ):
        table.column("x").check(np.array([False]), "is odd")


def test_a_table_shows_its_sizes_and_its_first_rows():
    columns = {"size": np.arange(20) / 3, "shape": ["round", None] * 10}
    columns["day"] = np.datetime64("2026-01-01") + np.arange(20)
    table = Table(columns, np.arange(20), "sold", "shop.csv", weights=np.full(20, 0.5))
    assert repr(table) == "Table(20 rows, 3 columns, target 'sold')"
    lines = str(table).splitlines()
    assert lines[0] == repr(table)
    assert lines[1].split() == ["size", "shape", "day", "target", "sold", "weights"]
    assert lines[2].split() == ["0", "round", "2026-01-01", "0", "0.5"]
    assert lines[3].split() == ["0.333333", "-", "2026-01-02", "1", "0.5"]
    assert (len(lines), lines[-1].split()) == (11, ["..."] * 5)
    html = table._repr_html_()
    assert html.count("<tr>") == 10
    assert "shop.csv" in html


def test_an_empty_table_and_one_of_many_columns_can_be_shown():
    wide = Table({f"x{i}": [1.0] for i in range(10_000)})
    assert len(str(wide).splitlines()[1]) < 100
    assert wide._repr_html_().count("<td") == 13
    empty = Table({"x": []}, target=[])
    assert str(empty).splitlines()[0] == "Table(0 rows, 1 column, target 'target')"
    assert "<td" not in empty._repr_html_()


def test_names_and_labels_are_shown_without_being_interpreted():
    hostile = "<b>&\x1b[31m\n" + "x" * 1000
    table = Table({hostile: [hostile, "b"]}, ["<i>", "c"], hostile, hostile)
    assert "\x1b" not in str(table)
    assert len(max(str(table).splitlines()[1:], key=len)) < 100
    html = table._repr_html_()
    assert "<b>" not in html
    assert "<i>" not in html
