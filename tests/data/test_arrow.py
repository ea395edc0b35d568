import datetime
import decimal

import numpy as np
import pytest

from nnlayers.data import DataError, feather, parquet, read_rows

pyarrow = pytest.importorskip("pyarrow")
pyarrow_parquet = pytest.importorskip("pyarrow.parquet")
pyarrow_feather = pytest.importorskip("pyarrow.feather")

READERS = {"rows.parquet": parquet, "rows.feather": feather}
WRITERS = {
    "rows.parquet": pyarrow_parquet.write_table,
    "rows.feather": pyarrow_feather.write_feather,
}
formats = pytest.mark.parametrize("name", READERS)


@pytest.fixture
def write(tmp_path, monkeypatch):
    """Write columns into a file in the working directory."""
    monkeypatch.chdir(tmp_path)

    def write(name, columns):
        table = columns if isinstance(columns, pyarrow.Table) else pyarrow.table(columns)
        WRITERS[name](table, name)
        return name

    return write


def berlin(hour):
    zone = datetime.timezone(datetime.timedelta(hours=2))
    return datetime.datetime(2024, 7, 1, hour, tzinfo=zone)


@formats
def test_columns_keep_their_kind_and_their_missing_values(write, name):
    path = write(
        name,
        {
            "n": pyarrow.array([1, None, 3]),
            "f": pyarrow.array([0.5, 1.5, None], "float32"),
            "flag": pyarrow.array([True, None, False]),
            "money": pyarrow.array([decimal.Decimal("1.25"), None, decimal.Decimal("2.50")]),
            "text": pyarrow.array(["b", None, "b"]),
            "category": pyarrow.array(["u", "v", None]).dictionary_encode(),
            "day": pyarrow.array([datetime.date(2024, 7, 1), None, datetime.date(1969, 1, 1)]),
            "time": pyarrow.array([berlin(1), berlin(12), None]),
            "y": pyarrow.array([1, 0, 1], "int8"),
        },
    )
    table = READERS[name](path, "y")
    expected = {
        "n": [1, np.nan, 3],
        "f": [0.5, 1.5, np.nan],
        "flag": [1, np.nan, 0],
        "money": [1.25, np.nan, 2.5],
        "text": np.array(["b", None, "b"], object),
        "category": np.array(["u", "v", None], object),
        "day": np.array(["2024-07-01", "NaT", "1969-01-01"], "datetime64[D]"),
        "time": np.array(["2024-06-30T23", "2024-07-01T10", "NaT"], "datetime64[h]"),
    }
    assert list(table.columns) == list(expected)
    for column, values in expected.items():
        np.testing.assert_array_equal(table.columns[column], values)
    assert table.columns["text"][0] is table.columns["text"][2]
    assert (table.target.dtype, table.target.tolist()) == (np.int64, [1, 0, 1])
    assert table.origin == path


@formats
def test_rows_of_several_parts_are_read_in_order(write, name):
    parts = [pyarrow.table({"c": [f"{part}", None], "y": [part, -part]}) for part in range(1, 4)]
    table = READERS[name](write(name, pyarrow.concat_tables(parts)), "y")
    assert table.columns["c"].tolist() == ["1", None, "2", None, "3", None]
    assert table.target.tolist() == [1, -1, 2, -2, 3, -3]


@formats
def test_read_rows_takes_the_trained_columns_and_ignores_others(write, name):
    path = write(name, {"b": ["x", "y"], "odd": [[1], [2]], "a": [1, 2]})
    table = read_rows(path, {"a": "numeric", "b": "categorical"})
    assert list(table.columns) == ["a", "b"]
    assert table.target is None


@formats
def test_an_index_that_pandas_numbered_is_left_out(write, name):
    pandas = pytest.importorskip("pandas")
    frame = pandas.DataFrame({"a": [1, 2], "y": [3, 4]}, index=[7, 9])
    path = write(name, pyarrow.Table.from_pandas(frame))
    assert list(READERS[name](path, "y").columns) == ["a"]


@formats
@pytest.mark.parametrize(
    ("columns", "message"),
    [
        ({"a": [1], "yy": [1]}, "unknown column 'y', did you mean 'yy'?"),
        ({"a": [[1]], "y": [1]}, "column 'a' must hold real numbers, booleans, text or dates, got"),
        (
            {"a": pyarrow.array([1], "duration[s]"), "y": [1]},
            "column 'a' must hold real numbers, booleans, text or dates, got duration",
        ),
        ({"a": pyarrow.array([], "int8"), "y": pyarrow.array([], "int8")}, "there are columns but"),
        ({"y": [1]}, "there is no feature column"),
        (pyarrow.table([[1], [2], [3]], names=["a", "a", "y"]), "2 columns have the name 'a'"),
    ],
)
def test_bad_columns_are_named(write, name, columns, message):
    path = write(name, columns)
    with pytest.raises(DataError) as caught:
        READERS[name](path, "y")
    assert str(caught.value).startswith(f"{path}: {message}")
    assert "\n" not in str(caught.value)


@formats
@pytest.mark.parametrize("content", [b"", b"PAR1", b"a,b\n1,2\n" * 100])
def test_a_file_that_is_damaged_is_named(tmp_path, name, content):
    path = tmp_path / name
    path.write_bytes(content)
    with pytest.raises(DataError, match=f"^{path}: this is not a (Parquet|Feather) file, or it is"):
        READERS[name](str(path), "y")


@formats
def test_a_missing_file_a_directory_and_a_url_are_named(tmp_path, name):
    for path in (str(tmp_path / "none"), str(tmp_path), "http://localhost/rows.parquet"):
        with pytest.raises(DataError) as caught:
            READERS[name](path, "y")
        assert str(caught.value).startswith(f"{path}: ")
        assert "\n" not in str(caught.value)


def test_offsets_beyond_a_feather_file_are_one_error(write):
    texts = [f"text {number}" for number in range(50)]
    name = write("rows.feather", {"t": texts})
    pyarrow_feather.write_feather(pyarrow.table({"t": texts}), name, compression="uncompressed")
    with open(name, "rb") as file:
        content = file.read()
    offsets = np.cumsum([0, *map(len, texts)]).astype(np.int32)
    place = content.index(offsets[:4].tobytes())
    for index, offset in ((20, 2**30), (50, 2**31 - 1), (3, -5)):
        offsets[index] = offset
        with open(name, "wb") as file:
            file.write(content[:place] + offsets.tobytes() + content[place + offsets.nbytes :])
        # pyarrow would read the memory behind the file, or end the process.
        with pytest.raises(DataError, match=r"rows\.feather: this is not a Feather file, or it is"):
            read_rows(name)


@formats
def test_text_that_is_not_utf_8_is_one_error(write, name):
    write(name, {"t": ["marked", "b"], "c": pyarrow.array(["marked", "b"]).dictionary_encode()})
    with open(name, "rb") as file:
        content = file.read()
    with open(name, "wb") as file:
        file.write(content.replace(b"marked", b"mark\xff\xc3"))
    with pytest.raises(DataError, match=rf"{name}: this is not a .* file, or it is damaged: "):
        read_rows(name)


def test_a_parquet_file_may_hold_100_times_its_size(write, monkeypatch):
    name = write("rows.parquet", {"x": np.zeros(100_000), "t": ["text"] * 100_000})
    assert len(read_rows(name)) == 100_000
    monkeypatch.setattr("nnlayers.data.arrow.FREE_BYTES", 1000)
    with pytest.raises(DataError, match=r"parquet: its rows are more than 100 times as large as"):
        read_rows(name)


def test_text_is_the_same_whether_it_was_written_as_levels_or_not(write):
    texts = ["a", None, "b", "a"] * 3
    levels = pyarrow.chunked_array(
        [
            pyarrow.array(texts[:5]).dictionary_encode(),
            pyarrow.array(texts[5:]).dictionary_encode(),
        ]
    )
    for name in READERS:
        found = read_rows(write(name, {"t": texts, "l": levels})).columns
        assert found["t"].tolist() == found["l"].tolist() == texts
        assert len({id(text) for text in found["t"]}) == 3


@formats
def test_levels_may_be_numbered_by_unsigned_integers(write, name):
    for kind in (pyarrow.uint8(), pyarrow.uint32(), pyarrow.uint64()):
        indices = pyarrow.array([1, None, 0, 1], kind)
        levels = pyarrow.array(["a", "b"])
        write(name, {"t": pyarrow.DictionaryArray.from_arrays(indices, levels)})
        assert np.asarray(read_rows(name).columns["t"]).tolist() == ["b", None, "a", "b"]


def test_text_and_categories_that_polars_writes_are_text(tmp_path):
    polars = pytest.importorskip("polars")
    texts = ["b", None, "much longer than a view of text holds", "b"]
    frame = polars.DataFrame({"text": texts, "y": [1, 0, 1, 0]}).with_columns(
        category=polars.Series(texts, dtype=polars.Categorical),
        choice=polars.Series(["u", "v", None, "v"], dtype=polars.Enum(["v", "u"])),
    )
    path = str(tmp_path / "rows.arrow")
    frame.write_ipc(path)
    columns = {name: values.tolist() for name, values in feather(path, "y").columns.items()}
    assert columns["text"] == columns["category"] == texts
    assert columns["choice"] == ["u", "v", None, "v"]
