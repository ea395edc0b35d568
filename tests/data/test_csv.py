import csv as standard_csv
import io

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from nnlayers.data import DataError, csv, read_rows

pytest.importorskip("pandas")


@pytest.fixture
def write(tmp_path, monkeypatch):
    """Write a file into the working directory and return its relative path."""
    monkeypatch.chdir(tmp_path)

    def write(content, name="rows.csv"):
        data = content if isinstance(content, bytes) else content.encode()
        (tmp_path / name).write_bytes(data)
        return name

    return write


def test_columns_are_read_by_kind(write):
    path = write("age,city,vip,kind\n31,Ulm,True,a\n47.5,Bonn,False,b\n")
    table = csv(path, "kind")
    assert {name: values.tolist() for name, values in table.columns.items()} == {
        "age": [31.0, 47.5],
        "city": ["Ulm", "Bonn"],
        "vip": ["True", "False"],
    }
    assert table.columns["age"].dtype == np.float64
    assert all(table.columns[name].dtype == object for name in ("city", "vip"))
    assert (table.target.tolist(), table.target_name, table.origin) == (["a", "b"], "kind", path)


@pytest.mark.parametrize(
    ("cells", "dtype"),
    [(["0", "12"], np.int64), (["0", "1.0"], np.float64), (["0", "x"], object)],
)
def test_the_target_keeps_the_type_of_its_cells(write, cells, dtype):
    assert csv(write("x,y\n1,{}\n2,{}\n".format(*cells)), "y").target.dtype == dtype


def test_declared_columns_are_text_exactly_as_written(write):
    path = write("code,country,y\n007,NA,01\n1e3,DE,10\n")
    table = csv(path, "y", categorical=("code", "country", "y"))
    assert table.columns["code"].tolist() == ["007", "1e3"]
    assert table.columns["country"].tolist() == ["NA", "DE"]
    assert table.target.tolist() == ["01", "10"]


@pytest.mark.parametrize(
    "content",
    [
        "a,y\n1,2\n3,4",
        "a,y\r\n1,2\r\n3,4\r\n",
        "a,y\r1,2\r3,4\r",
        "\ufeffa,y\n1,2\n3,4\n",
        "a,y\n\n1,2\n   \n,\n3,4\n\n",
        '"a","y"\n"1","2"\n 3 ,4\n',
    ],
    ids=["no last break", "CRLF", "CR", "byte order mark", "blank lines", "quotes and blanks"],
)
def test_spellings_of_one_file_read_the_same(write, content):
    table = csv(write(content), "y")
    assert table.columns["a"].tolist() == [1.0, 3.0]
    assert table.target.tolist() == [2, 4]


def test_delimiter_and_quoted_text(write):
    table = csv(write('a;note;y\n1;"x;y ""z""\nnext";0\n2;plain;1\n'), "y", delimiter=";")
    assert table.columns["note"].tolist() == ['x;y "z"\nnext', "plain"]


@given(st.lists(st.floats(allow_nan=False, allow_infinity=False), min_size=1, max_size=20))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
def test_numbers_are_read_to_the_last_bit(write, values):
    path = write("x,y\n" + "".join(f"{value!r},1\n" for value in values))
    np.testing.assert_array_equal(csv(path, "y").columns["x"], np.array(values))


printable = st.text(
    st.characters(blacklist_categories=["Cc", "Cs", "Zs", "Zl", "Zp"]), min_size=1, max_size=6
)


@given(st.lists(st.tuples(printable, printable), min_size=1, max_size=8))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
def test_text_is_read_as_the_standard_library_wrote_it(write, rows):
    text = io.StringIO()
    standard_csv.writer(text).writerows([("c", "y"), *rows])
    path = write(text.getvalue())
    table = csv(path, "y", categorical=("c", "y"))
    assert list(zip(table.columns["c"], table.target, strict=True)) == rows


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", "the file is empty"),
        ("\n \n", "the file is empty"),
        ("a,y\n", "there is a header but no row"),
        ("a,a,y\n1,2,3\n", "the header names column 'a' twice"),
        ("a,,y\n1,2,3\n", "column 2 has no name in the header"),
        ("y\n1\n", "there is no feature column"),
        ("a,labels\n1,2\n", "unknown column 'y'. Known: a, labels"),
        ("a,yy\n1,2\n", "unknown column 'y', did you mean 'yy'? Known: a, yy"),
        ("a,y\n1,2\n3,4,5\n", "Expected 2 fields in line 3, saw 3"),
        ("a,y\n1,2,\n", "Expected 2 fields in line 2, saw 3"),
        ("\na,y\n1,2\n", "No columns to parse from file"),
        ("a,b,y\n1,2,3\n\n4,5\n", "line 4, column 'y': '' is a missing value"),
        ("a,y\n1,2\n,3\n", "line 3, column 'a': '' is a missing value"),
        ("a,y\n1,2\n3, \n", "line 3, column 'y': ' ' is a missing value"),
        ("a,y\n,2\n,3\n", "line 2, column 'a': '' is a missing value"),
        ('a,y\n1,2\n"3,4\n5,6\n', "EOF inside string starting at row 2"),
        (b"a,y\n1,2\n\xe9,3\n", "line 3 is not UTF-8 text, byte 0xe9"),
        ("a,y\n1,2\n".encode("utf-16"), "line 1 is not UTF-8 text, byte 0xff"),
    ],
)
def test_an_error_in_a_file_names_the_line_and_column(write, content, message):
    with pytest.raises(DataError) as caught:
        csv(write(content), "y")
    assert str(caught.value) == f"rows.csv: {message}"


@pytest.mark.parametrize(
    ("content", "line", "problem"),
    [
        ("a,y\n1,2\nNaN,3\n", 3, "'NaN' is a missing value"),
        ("a,y\nu,2\nv,3\nNA,3\n", 4, "'NA' is a missing value"),
        ('n,a,y\n"p\nq",1,2\n\nr,3,4\ns,x,5\n', 6, "'x' is not a finite number"),
        ('n,a,y\r\n"p\r\nq",1,2\r\nr,3,4\r\ns,x,5\r\n', 5, "'x' is not a finite number"),
        ("a,y\n1,2\n-inf,3\n", 3, "'-inf' is not a finite number"),
        ("a,y\n1e999,2\n3,3\n", 2, "'1e999' is not a finite number"),
    ],
)
def test_an_error_in_a_cell_says_how_to_fix_it(write, content, line, problem):
    with pytest.raises(DataError) as caught:
        csv(write(content), "y")
    advice = "if it is text, list 'a' in categorical"
    assert str(caught.value) == f"rows.csv: line {line}, column 'a': {problem}; {advice}"


def test_blank_cells_of_a_declared_column_are_missing(write):
    path = write("c,y\nNA,1\n ,2\n")
    with pytest.raises(DataError, match=r"^rows.csv: line 3, column 'c': ' ' is a missing value$"):
        csv(path, "y", categorical=("c",))


def test_a_declared_column_must_exist(write):
    with pytest.raises(DataError, match=r"unknown column 'colour', did you mean 'color'\?"):
        csv(write("color,y\nred,1\n"), "y", categorical=("colour",))


def test_a_missing_file_and_a_directory_are_named(tmp_path):
    with pytest.raises(DataError, match=r"none\.csv: No such file or directory$"):
        csv(str(tmp_path / "none.csv"), "y")
    with pytest.raises(DataError, match=f"^{tmp_path}: "):
        csv(str(tmp_path), "y")


@pytest.mark.parametrize("delimiter", ["", ", ", '"', "\n"])
def test_delimiter_must_be_one_character(delimiter):
    with pytest.raises(ValueError, match="delimiter must be one character"):
        csv("rows.csv", "y", delimiter=delimiter)
    with pytest.raises(TypeError, match="delimiter must be a string, got None"):
        csv("rows.csv", "y", delimiter=None)


def test_read_rows_takes_the_trained_columns_and_ignores_others(write):
    path = write("y,b,extra,a\n?,007,,1\n,x,,2\n")
    table = read_rows(path, {"a": "numeric", "b": "categorical"})
    assert list(table.columns) == ["a", "b"]
    assert table.columns["a"].tolist() == [1.0, 2.0]
    assert table.columns["b"].tolist() == ["007", "x"]
    assert table.target is None


def test_read_rows_takes_a_delimiter_and_a_suffix_in_capitals(write):
    path = write("a;b\n1;2\n", "ROWS.CSV")
    table = read_rows(path, {"b": "numeric"}, delimiter=";")
    assert table.columns["b"].tolist() == [2.0]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("b\nx\n", "unknown column 'a'. Known: b"),
        ("a,b\n", "there is a header but no row"),
        ("a,b\n1,x\nlow,x\n", "line 3, column 'a': 'low' is not a finite number"),
        ("a,b\nlow,x\n", "line 2, column 'a': 'low' is not a finite number"),
        ("a,b\n1,x\n,x\n", "line 3, column 'a': '' is a missing value"),
        ("a,b\n1,\n", "line 2, column 'b': '' is a missing value"),
        ("a,b\ninf,x\n", "line 2, column 'a': 'inf' is not a finite number"),
    ],
)
def test_read_rows_checks_the_kinds_of_columns(write, content, message):
    with pytest.raises(DataError) as caught:
        read_rows(write(content), {"a": "numeric", "b": "categorical"})
    assert str(caught.value) == f"rows.csv: {message}"


def test_read_rows_chooses_the_format_by_the_suffix(write):
    with pytest.raises(
        DataError, match=r"rows are read from \.csv and \.npz files, not from '\.txt'"
    ):
        read_rows(write("a\n1\n", "rows.txt"), {"a": "numeric"})
