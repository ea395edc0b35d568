import bz2
import csv as standard_csv
import gzip
import io
import lzma
import tarfile
import zipfile

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from nnlayers.data import (
    DataError,
    Preprocessing,
    Table,
    compression,
    csv,
    delimited,
    read_rows,
)

pytest.importorskip("pandas")

HEADER_ADVICE = (
    "; if the file has no header, name columns by number, such as 'column 1', "
    "in a config with header = false"
)
FIXTURE = settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)


@pytest.fixture
def write(tmp_path, monkeypatch):
    """Write a file into the working directory and return its relative path."""
    monkeypatch.chdir(tmp_path)

    def write(content, name="rows.csv"):
        data = content if isinstance(content, bytes) else content.encode()
        (tmp_path / name).write_bytes(data)
        return name

    return write


def lists(columns):
    return {name: values.tolist() for name, values in columns.items()}


def test_columns_are_read_by_kind(write):
    path = write("age,city,vip,kind\n31,Ulm,True,a\n47.5,Bonn,False,b\n")
    table = csv(path, "kind")
    assert lists(table.columns) == {
        "age": [31.0, 47.5],
        "city": ["Ulm", "Bonn"],
        "vip": [1.0, 0.0],
    }
    assert [table.kind(name) for name in table.columns] == ["numeric", "categorical", "numeric"]
    assert (table.target.tolist(), table.target_name, table.origin) == (["a", "b"], "kind", path)


@pytest.mark.parametrize(
    ("cells", "dtype", "target"),
    [
        (["0", "12"], np.int64, [0, 12]),
        (["0", "1.0"], np.float64, [0.0, 1.0]),
        (["u", "x"], object, ["u", "x"]),
        (["true", "false"], object, ["True", "False"]),
    ],
)
def test_the_target_keeps_the_type_of_its_cells(write, cells, dtype, target):
    read = csv(write("x,y\n1,{}\n2,{}\n".format(*cells)), "y").target
    assert (read.dtype, read.tolist()) == (dtype, target)


def test_missing_cells_are_nan_or_none_in_columns_of_their_kind(write):
    path = write("n,flag,c,y\n1,True,a,5\n,,?,6\nNA,False,null,7\n-9,True,b,8\n")
    table = csv(path, "y", missing=("-9",))
    np.testing.assert_array_equal(table.columns["n"], [1, np.nan, np.nan, np.nan])
    np.testing.assert_array_equal(table.columns["flag"], [1, np.nan, 0, 1])
    assert table.columns["c"].tolist() == ["a", None, None, "b"]


def test_declared_columns_are_text_exactly_as_written(write):
    path = write("code,country,y\n007,NA,01\n1e3,DE,10\n,,11\n")
    table = csv(path, "y", categorical=("code", "country", "y"))
    assert table.columns["code"].tolist() == ["007", "1e3", None]
    assert table.columns["country"].tolist() == ["NA", "DE", None]
    assert table.target.tolist() == ["01", "10", "11"]


@pytest.mark.parametrize(
    "content",
    [
        "a,y\n1,2\n3,4",
        "a,y\r\n1,2\r\n3,4\r\n",
        "a,y\r1,2\r3,4\r",
        "a,y\r\n1,2\n3,4\r",
        "\ufeffa,y\n1,2\n3,4\n",
        '\ufeff"a","y"\n1,2\n3,4\n',
        "\na,y\n\n1,2\n   \n,\n3,4\n\n",
        '"a","y"\n"1","2"\n 3 ,4\n',
        "a,y,\n1,2,\n3,4,\n",
        "a,y\n1,2,\n3,4,\n",
        "a;y\n1;2\n3;4\n",
        "a\ty\n1\t2\n3\t4\n",
        "a|y\n1|2\n3|4\n",
        "a, y\n1, 2\n3, 4\n",
        "a,y\n1,2\n3,4\n".encode("utf-16"),
        "a,y\n1,2\n3,4\n".encode("utf-32"),
    ],
    ids=[
        "no last break",
        "CRLF",
        "CR",
        "mixed breaks",
        "byte order mark",
        "mark before a quote",
        "blank lines",
        "quotes and blanks",
        "separators at the end of lines",
        "separators at the end of rows",
        "semicolons",
        "tabs",
        "bars",
        "blanks after separators",
        "UTF-16",
        "UTF-32",
    ],
)
def test_spellings_of_one_file_read_the_same(write, content):
    table = csv(write(content), "y")
    assert lists(table.columns) == {"a": [1.0, 3.0]}
    assert table.target.tolist() == [2, 4]


@pytest.mark.parametrize(
    ("content", "options"),
    [
        ("a;b;y\n1,5;1.234,5;x\n2;7;z\n", {"decimal": ",", "thousands": "."}),
        ("a:b:y\n1.5:1234.5:x\n2:7:z\n", {"separator": ":"}),
        ("a b y\n1.5 1234.5 x\n2 7 z\n", {"separator": " "}),
        ("a,b,y\n1.5,'1,234.5',x\n2,7,z\n", {"quote": "'", "thousands": "`"}),
        ("# about, this\na,b,y # y\n1.5,1234.5,x\n#x\n2,7,z\n", {"comment": "#"}),
    ],
)
def test_a_file_is_read_by_its_dialect(write, content, options):
    columns = csv(write(content), "y", **options).columns
    assert columns["a"].tolist() == [1.5, 2.0]
    if "quote" in options:
        assert columns["b"].tolist() == ["1,234.5", "7"]
    else:
        assert columns["b"].tolist() == [1234.5, 7.0]


def test_quoted_text_holds_separators_quotes_and_breaks(write):
    table = csv(write('a;note;y\n1;"x;y ""z""\nnext";0\n2;plain;1\n'), "y")
    assert table.columns["note"].tolist() == ['x;y "z"\nnext', "plain"]


def test_another_encoding_is_read_where_it_is_named(write):
    path = write("a,y\ncafé,1\nthé,2\n".encode("latin-1"))
    assert csv(path, "y", encoding="latin-1").columns["a"].tolist() == ["café", "thé"]


def test_columns_without_a_header_are_numbered(write):
    table = csv(write("5.1,a\n4.9,b\n"), "column 2", header=False)
    assert lists(table.columns) == {"column 1": [5.1, 4.9]}
    assert table.target.tolist() == ["a", "b"]


def test_a_column_without_a_name_is_numbered(write):
    columns = csv(write(",a,y\n0,5,1\n1,6,2\n"), "y").columns
    assert list(columns) == ["column 1", "a"]


def test_ten_thousand_columns_are_read(write):
    names = [f"x{number}" for number in range(10_000)]
    path = write(",".join([*names, "y"]) + "\n" + ("1," * 10_000 + "u\n") * 2)
    assert list(csv(path, "y").columns) == names
    with pytest.raises(DataError, match=r"unknown column 'z'.* Known: .*\.\.\.$") as caught:
        csv(path, "z")
    assert len(str(caught.value)) < 600


def test_a_cell_longer_than_the_csv_module_reads_is_read(write):
    text = "w" * 200_000
    path = write(f'a,b,y\nu,1,2\n"{text}",2,\nv,3x,1\n')
    table = csv(path, "b")
    assert table.columns["a"].tolist() == ["u", text, "v"]
    np.testing.assert_array_equal(table.columns["y"], [2, np.nan, 1])
    assert [table.lines[0], table.lines[2]] == [2, "row 2 (counted from 0)"]
    path = write(f'a,b,y\nu,1,2\n"{text}\n' + "v,3,1\n" * 5)
    with pytest.raises(DataError, match=r"line 3: a quote is opened here and not closed within 13"):
        csv(path, "b")


@given(
    st.binary(max_size=60)
    | st.text('a1,;\t"\n\r #\0é', max_size=60).map(str.encode)
    | st.binary(min_size=1, max_size=3).map(lambda piece: piece * 150_000)
)
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=50)
def test_any_bytes_are_a_table_or_an_error_of_one_line(write, content):
    path = write(content)
    for read in (lambda: csv(path, "a"), lambda: read_rows(path, header=False)):
        message = ""
        try:
            table = read()
        except DataError as error:
            message = str(error)
        else:
            assert len(table) > 0
            assert isinstance(table.lines[len(table) - 1], int | str)
        assert not message or message.startswith("rows.csv: ")
        assert "\n" not in message or b'"' in content  # A name in quotes may hold a break.


def test_a_nul_byte_is_a_character_of_text(write):
    assert csv(write("a,y\nu\0v,1\nw,2\n"), "y").columns["a"].tolist() == ["u\0v", "w"]


def _zip(data):
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("rows.csv", data)
    return file.getvalue()


def _tar(data):
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w:gz") as archive:
        entry = tarfile.TarInfo("rows.csv")
        entry.size = len(data)
        archive.addfile(entry, io.BytesIO(data))
    return file.getvalue()


COMPRESSIONS = {
    "rows.csv.gz": gzip.compress,
    "rows.csv.bz2": bz2.compress,
    "rows.csv.xz": lzma.compress,
    "rows.csv.zip": _zip,
    "rows.csv.tar.gz": _tar,
}


@pytest.mark.parametrize("name", COMPRESSIONS)
def test_a_compressed_file_reads_as_the_file_within(write, name):
    path = write(COMPRESSIONS[name](b"a;y\n1,5;u\n;v\nx;w\n"), name)
    table = csv(path, "y", decimal=",", categorical=("a",))
    assert table.columns["a"].tolist() == ["1,5", None, "x"]
    assert [table.lines[row] for row in range(3)] == [2, 3, 4]
    assert read_rows(path, {"y": "categorical"}).columns["y"].tolist() == ["u", "v", "w"]


def test_a_zstandard_file_reads_as_the_file_within(write):
    pyarrow = pytest.importorskip("pyarrow")
    content = pyarrow.compress(b"a,y\n1,u\n2,v\n", codec="zstd", asbytes=True)
    assert csv(write(content, "rows.csv.zst"), "y").columns["a"].tolist() == [1, 2]


@pytest.mark.parametrize("name", COMPRESSIONS)
def test_a_damaged_compressed_file_is_named(write, name):
    path = write(COMPRESSIONS[name](b"a,y\n" + b"1,2\n" * 500)[:-30], name)
    with pytest.raises(DataError, match=f"^{path}: "):
        csv(path, "y")


def test_an_archive_must_hold_one_file(write):
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("a.csv", "a,y\n1,2\n")
        archive.writestr("b.csv", "a,y\n1,2\n")
    with pytest.raises(DataError, match=r"^rows\.zip: an archive must hold one file, .* holds 2$"):
        csv(write(file.getvalue(), "rows.zip"), "y")


@given(st.lists(st.floats(allow_nan=False, allow_infinity=False), min_size=1, max_size=20))
@FIXTURE
def test_numbers_are_read_to_the_last_bit(write, values):
    path = write("x,y\n" + "".join(f"{value!r},1\n" for value in values))
    np.testing.assert_array_equal(csv(path, "y").columns["x"], np.array(values))


printable = st.text(
    st.characters(blacklist_categories=["Cc", "Cs", "Zs", "Zl", "Zp"]), min_size=1, max_size=6
)


@given(st.lists(st.tuples(printable, printable), min_size=1, max_size=8))
@FIXTURE
def test_text_is_read_as_the_standard_library_wrote_it(write, rows):
    text = io.StringIO()
    standard_csv.writer(text).writerows([("c", "y"), *rows])
    path = write(text.getvalue())
    table = csv(path, "y", categorical=("c", "y"), separator=",")
    assert list(zip(table.columns["c"], table.target, strict=True)) == rows


cells = st.sampled_from(["1", "2.5", "x", "", 'a "b"', "u\nv", "s,t", "NA"])


@given(st.lists(st.tuples(cells, cells), min_size=1, max_size=8), st.sampled_from(["\n", "\r\n"]))
@FIXTURE
def test_the_line_of_a_row_is_that_in_the_file(write, rows, terminator):
    text = io.StringIO()
    writer = standard_csv.writer(text, lineterminator=terminator)
    writer.writerow(("c", "y"))
    expected = []
    for row in rows:
        if any(cell not in ("", "NA") for cell in row):
            expected.append(1 + len(text.getvalue().splitlines()))
        writer.writerow(row)
    if expected:
        table = read_rows(write(text.getvalue()), separator=",")
        assert [table.lines[row] for row in range(len(table))] == expected
        assert table.rows(slice(None, None, -1)).lines[0] == expected[-1]


@pytest.mark.parametrize("columns", [None, {"a": "numeric", "b": "categorical"}])
@pytest.mark.parametrize("chunk", [1, 2, 5, 1 << 24])
@pytest.mark.parametrize(
    ("content", "last"),
    [
        ("a,b\n1,u\n2, u\n", "u"),
        ("a,b\n1,u\n 2,u\n", "u"),
        ('a,b\n1,u\n2, "u"\n', "u"),
        ("a,b\r1,u\r 2,u\r", "u"),
        ('a,b\n1,u\n2, "u,v"\n', "u,v"),
        ('a,b\n1,u\n2, "u\nv"\n', "u\nv"),
        ("a,b\n1,u\n2, \n", None),
        ("b,a\nu,1\nu, 2\n", "u"),
        ('b,a\nu,1\n "u,v", 2\n', "u,v"),
    ],
)
def test_blanks_before_a_late_cell_are_skipped(write, monkeypatch, content, last, chunk, columns):
    monkeypatch.setattr(delimited, "_CHUNK", chunk)
    monkeypatch.setattr(delimited, "_FIRST", chunk)
    table = read_rows(write(content), columns)
    assert table.columns["a"].tolist() == [1.0, 2.0]
    assert table.columns["b"].tolist() == ["u", last]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", "the file is empty"),
        ("\n \n", "the file is empty"),
        ("a,y\n", f"there is a header but no row: add some{HEADER_ADVICE}"),
        ("a,y\n,\n,\n", f"there is a header but no row: add some{HEADER_ADVICE}"),
        ("a,a,y\n1,2,3\n", "line 1: the header names column 'a' twice: rename one"),
        (
            "5.1,5.1,y\n1,2,3\n",
            f"line 1: the header names column '5.1' twice: rename one{HEADER_ADVICE}",
        ),
        ("y\n1\n", "there is no feature column"),
        ("a,labels\n1,2\n", "unknown column 'y'. Known: a, labels"),
        ("a,yy\n1,2\n", "unknown column 'y', did you mean 'yy'? Known: a, yy"),
        (
            "5,6\n1,2\n",
            f"unknown column 'y'. Known: 5, 6{HEADER_ADVICE}",
        ),
        (
            "a,y\n1,2\n3,4,5\n",
            "line 3 has 3 cells, the header has 2: put quotes around a cell that holds ','",
        ),
        (
            "a;y\n1;2;3\n",
            "line 2 has 3 cells, the header has 2: put quotes around a cell that holds ';'",
        ),
        ("a,b,y\n1,2,3\n\n4,5\n", "line 4 has 2 cells, the header has 3: add the missing ones"),
        (
            'a,b,y\n"1,0",2,3\n4,5\n',
            "line 3 has 2 cells, the header has 3: add the missing ones",
        ),
        (
            'a,y\n1,2\n"3,4\n5,6\n',
            "column 'a', line 3: a quote \" is opened and never closed: close it, or set quote to "
            "another character",
        ),
        (
            b"a,y\n1,2\ncaf\xe9,3\n",
            "column 'a', line 3: byte 0xe9 in 'caf\N{REPLACEMENT CHARACTER}' is not utf-8: set "
            "encoding, such as 'latin-1' or 'cp1252'",
        ),
        (
            b"a,caf\xe9\n1,2\n",
            "line 1: byte 0xe9 in 'caf\N{REPLACEMENT CHARACTER}' is not utf-8: set encoding, such "
            "as 'latin-1' or 'cp1252'",
        ),
        (
            "a,y\n1,2\n".encode("utf-16-le"),
            "line 1: the name of column 1 holds NUL bytes; if the file is in UTF-16, set encoding",
        ),
        (
            "a,b;c\n3,4;5\n",
            "each line has 2 cells by ',' and 2 cells by ';': set separator to one of them",
        ),
    ],
)
def test_an_error_in_a_file_names_the_line_and_column(write, content, message):
    with pytest.raises(DataError) as caught:
        csv(write(content), "y")
    assert str(caught.value) == f"rows.csv: {message}"


@pytest.mark.parametrize(
    ("content", "line", "cell"),
    [
        ('n,a,y\n"p\nq",1,2\n\nr,3,4\ns,x,5\n', 6, "x"),
        ('n,a,y\r\n"p\r\nq",1,2\r\nr,3,4\r\ns,x,5\r\n', 5, "x"),
        ("a,y\n" + "7,1\n" * 300 + "1O,1\n", 302, "1O"),
    ],
)
def test_a_cell_that_is_no_number_among_numbers_says_how_to_fix_it(write, content, line, cell):
    table = csv(write(content), "y")
    with pytest.raises(DataError) as caught:
        Preprocessing().fit(table, "values")
    assert str(caught.value) == (
        f"rows.csv: column 'a', line {line}: {cell!r} is not a number: correct it, or list the "
        "column in categories if it holds text"
    )
    Preprocessing(categories=["a"]).fit(table, "values")
    Preprocessing(ignore=["a"]).fit(
        Table({**table.columns, "b": [1] * len(table)}, table.target), "values"
    )


def test_a_column_that_turns_to_text_after_the_first_part_of_a_file_keeps_all_cells(write):
    # pandas reads a file in parts of 256 KiB and finds the kind of a column in each of them.
    columns = read_rows(write("a,y\n" + "007,u\n" * 200_000 + "x,v\n")).columns
    assert set(columns["a"][:-1]) == {"007"}
    assert columns["a"][-1] == "x"


def test_a_declared_column_must_exist(write):
    with pytest.raises(DataError, match=r"unknown column 'colour', did you mean 'color'\?"):
        csv(write("color,y\nred,1\n"), "y", categorical=("colour",))


def test_a_missing_file_and_a_directory_are_named(tmp_path):
    with pytest.raises(DataError, match=r"none\.csv: No such file or directory$"):
        csv(str(tmp_path / "none.csv"), "y")
    with pytest.raises(DataError, match=f"^{tmp_path}: "):
        csv(str(tmp_path), "y")


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"separator": ""}, ValueError, "separator must be one ASCII character, .*, got ''"),
        ({"separator": ", "}, ValueError, "separator must be one ASCII character"),
        ({"decimal": "\n"}, ValueError, "decimal must be one ASCII character"),
        ({"separator": "\N{SECTION SIGN}"}, ValueError, "separator must be one ASCII character"),
        ({"separator": 3}, TypeError, "separator must be a string, got 3"),
        ({"quote": None}, TypeError, "quote must be a string, got None"),
        ({"separator": '"'}, ValueError, "quote must differ from separator, both are '\"'"),
        ({"decimal": ",", "thousands": ","}, ValueError, "thousands must differ from decimal"),
        ({"encoding": "utf-7x"}, ValueError, "encoding must be one of Python's, .* got 'utf-7x'"),
        ({"encoding": "hex"}, ValueError, "encoding must be one of Python's"),
        ({"header": "no"}, TypeError, "header must be True or False, got 'no'"),
    ],
)
def test_a_dialect_that_cannot_be_is_refused(options, error, message):
    with pytest.raises(error, match=message):
        csv("rows.csv", "y", **options)


def test_read_rows_takes_the_trained_columns_and_ignores_others(write):
    path = write("y,b,extra,a\n?,007,,1\n,x,,2\n")
    table = read_rows(path, {"a": "numeric", "b": "categorical"})
    assert list(table.columns) == ["a", "b"]
    assert table.columns["a"].tolist() == [1.0, 2.0]
    assert table.columns["b"].tolist() == ["007", "x"]
    assert table.target is None


def test_read_rows_takes_a_dialect_and_a_suffix_in_capitals(write):
    path = write("a:b\n1:2\n", "ROWS.CSV")
    table = read_rows(path, {"b": "numeric"}, separator=":")
    assert table.columns["b"].tolist() == [2.0]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("b\nx\n", "unknown column 'a'. Known: b"),
        ("a,b\n", f"there is a header but no row: add some{HEADER_ADVICE}"),
        ("a,b\n1,x\nlow,x\n", "column 'a', line 3: 'low' is not a finite number"),
        ("a,b\nlow,x\n", "column 'a', line 2: 'low' is not a finite number"),
    ],
)
def test_read_rows_checks_the_kinds_of_columns(write, content, message):
    with pytest.raises(DataError) as caught:
        read_rows(write(content), {"a": "numeric", "b": "categorical"})
    assert str(caught.value) == f"rows.csv: {message}"


def test_read_rows_keeps_a_row_for_each_line_of_which_it_leaves_out_columns(write):
    table = read_rows(write("a,b,y\n1,x,\n,,5\n"), {"a": "numeric", "b": "categorical"})
    np.testing.assert_array_equal(table.columns["a"], [1, np.nan])


def test_read_rows_takes_all_columns_by_default(write):
    assert list(read_rows(write("a,b,y\n1,x,2\n")).columns) == ["a", "b", "y"]


def test_read_rows_chooses_the_format_by_the_suffix(write):
    with pytest.raises(DataError, match=r"rows are read from \.csv, .* files, not from '\.doc'"):
        read_rows(write("a\n1\n", "rows.doc"), {"a": "numeric"})


@pytest.mark.parametrize("encoding", ["utf-16", "utf-32"])
def test_bytes_that_are_not_of_a_wide_encoding_are_one_error(tmp_path, encoding):
    path = tmp_path / "rows.csv"
    for part in (3, 30, 201):
        content = "a,b\n".encode(encoding) + "1,2\n".encode(encoding)[-16:] * 50
        path.write_bytes(content[:part] + b"\xff\xdf\xff" + content[part:])
        with pytest.raises(DataError, match=r"rows\.csv: .*it is not utf-\d+ text: set encoding$"):
            read_rows(str(path))
        with pytest.raises(DataError, match=r"rows\.csv: .*it is not utf-\d+ text: set encoding$"):
            read_rows(str(path), encoding=encoding, separator=",")


def zipped(tmp_path, change):
    """Write rows in a zip archive of which some bytes are other ones."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("rows.csv", "a,b\n1,2\n")
    content = bytearray(buffer.getvalue())
    change(content, content.index(b"PK\x01\x02"))
    path = tmp_path / "rows.csv.zip"
    path.write_bytes(content)
    return str(path)


def encrypt(content, central):
    content[6] |= 1
    content[central + 8] |= 1


def remove_the_name(content, central):
    content[central + 28] = 0
    content[central + 32] = 8  # It is the comment now.


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        (encrypt, "encrypted"),
        (remove_the_name, "index out of range"),
        (lambda content, central: content.__setitem__(central + 6, 200), "zip file version 20.0"),
        (lambda content, central: content.__setitem__(central + 8, 32), "patched data"),
    ],
)
def test_a_zip_archive_of_another_kind_is_one_error(tmp_path, change, problem):
    with pytest.raises(DataError, match=rf"zip: the compressed file is damaged: .*{problem}"):
        read_rows(zipped(tmp_path, change))


def test_the_reasons_why_a_tar_archive_is_damaged_are_one_line(tmp_path):
    path = tmp_path / "rows.tar.gz"
    path.write_bytes(gzip.compress(b"x" * 600)[:-9])
    with pytest.raises(DataError, match=r"\A.*the compressed file is damaged: .*gz.*bz2.*\Z"):
        read_rows(str(path.rename(tmp_path / "rows.csv.tar")))


def test_a_compressed_file_may_be_100_times_as_large(tmp_path, monkeypatch):
    monkeypatch.setattr(compression, "FREE_BYTES", 1000)
    rows = "a,y\n" + "0,0\n" * 20_000
    for suffix, pack in ((".gz", gzip.compress), (".xz", lzma.compress), (".bz2", bz2.compress)):
        path = tmp_path / f"rows.csv{suffix}"
        path.write_bytes(pack(rows.encode()))
        with pytest.raises(DataError, match=r"is more than 100 times as large as the compressed"):
            read_rows(str(path))
        monkeypatch.setattr(compression, "FREE_BYTES", 80_004)
        assert len(read_rows(str(path))) == 20_000
        monkeypatch.setattr(compression, "FREE_BYTES", 1000)


def test_a_tar_archive_of_many_entries_is_not_read_to_its_end(tmp_path):
    path = tmp_path / "rows.csv.tar"
    with tarfile.open(path, "w:gz") as archive:
        for number in range(300):
            archive.addfile(tarfile.TarInfo(f"{number}.csv"))
    with pytest.raises(DataError, match="an archive must hold one file, this one holds 100"):
        read_rows(str(path))
