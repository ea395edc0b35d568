"""Read the columns of Parquet and Feather files by pyarrow."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection
from typing import Any, Literal

from nnlayers._core.archives import one_line
from nnlayers._core.arrays import Array
from nnlayers._core.checks import optional_library, unknown_name
from nnlayers.data.compression import FREE_BYTES, MAX_EXPANSION
from nnlayers.data.problems import DataError
from nnlayers.data.texts import CodedTexts

__all__ = ["read_arrow"]


def read_arrow(
    path: str, file_format: Literal["parquet", "feather"], only: Collection[str] | None = None
) -> dict[str, Any]:
    """Return the columns of a file as a table takes them.

    An index that pandas numbered is left out.

    Parameters
    ----------
    path : str
        The file.
    file_format : {"parquet", "feather"}
        Its format.
    only : collection of str, optional
        The columns to read; by default all.

    Raises
    ------
    DataError
        If the file cannot be read, lacks a column, has no rows, names two columns alike, or holds a
        column of anything but real numbers, booleans, text or dates.
    ModuleNotFoundError
        Without pyarrow.
    """
    pyarrow = optional_library("pyarrow", "parquet")
    try:
        # A memory map, because pyarrow would fetch a path that looks like a URL.
        with pyarrow.memory_map(path) as file:
            table = _read_table(path, file, file_format, only)
            if file_format == "feather":
                # pyarrow trusts offsets into the file, and reads any address by those of a bad one.
                table.validate(full=True)
            return {
                name: _values(column, f"{path}: column {name!r}")
                for name, column in zip(table.column_names, table.columns, strict=True)
            }
    except OSError as error:
        problem, _, _ = one_line(str(error.strerror or error)).partition(". Detail:")
        raise DataError(f"{path}: {problem}") from None
    except (pyarrow.ArrowException, UnicodeError) as error:
        kind = "a Parquet" if file_format == "parquet" else "a Feather"
        problem = one_line(str(error))
        raise DataError(f"{path}: this is not {kind} file, or it is damaged: {problem}") from None


def _read_table(path: str, file: Any, file_format: str, only: Collection[str] | None) -> Any:
    """Return the columns of a file as a table of pyarrow, after a check of its schema."""
    if file_format == "parquet":
        source = _open_parquet(path, file)
        schema, rows, read = source.schema_arrow, source.metadata.num_rows, source.read
    else:  # A Feather file is mapped into memory, so that this reads no column yet.
        table = optional_library("pyarrow.feather", "parquet").read_table(file)
        schema, rows, read = table.schema, table.num_rows, table.select
    # pandas writes an index without a name as a column of this name.
    names = [name for name in schema.names if not name.startswith("__index_level_")]
    for name, count in Counter(names).items():
        if count > 1:
            raise DataError(f"{path}: {count} columns have the name {name!r}")
    for name in only or ():
        if name not in names:
            raise DataError(f"{path}: {unknown_name('column', name, names)}")
    if not rows:
        raise DataError(f"{path}: there are columns but no row")
    return read(names if only is None else list(only))


def _open_parquet(path: str, file: Any) -> Any:
    """Return a Parquet file whose text is read as levels, of which each is in memory once.

    Raises
    ------
    DataError
        If its rows take more than 16 MB and 100 times the size of the file.
    """
    parquet = optional_library("pyarrow.parquet", "parquet")
    metadata = parquet.read_metadata(file)
    groups = (metadata.row_group(index) for index in range(metadata.num_row_groups))
    content = max(
        sum(group.total_byte_size for group in groups), 8 * metadata.num_rows * metadata.num_columns
    )
    if content > FREE_BYTES + MAX_EXPANSION * file.size():
        raise DataError(
            f"{path}: its rows are more than {MAX_EXPANSION} times as large as the file, which is "
            "not read: convert it to CSV or .npy"
        )
    types = optional_library("pyarrow.types", "parquet")
    schema = metadata.schema.to_arrow_schema()
    texts = [field.name for field in schema if types.is_string(field.type)]
    return parquet.ParquetFile(file, metadata=metadata, read_dictionary=texts)


def _values(column: Any, location: str) -> Array | CodedTexts:
    """Return a column: null is NaN, NaT or None."""
    types = optional_library("pyarrow.types", "parquet")
    column = _without_views(column)
    kind = column.type
    if types.is_dictionary(kind) and not _is_text(kind.value_type):
        column, kind = column.cast(kind.value_type), kind.value_type
    if types.is_decimal(kind) or types.is_boolean(kind):
        column = column.cast("float64")
        kind = column.type
    if types.is_integer(kind) or types.is_floating(kind) or types.is_temporal(kind):
        values: Array = column.to_numpy()
        if values.dtype.kind in "iufM":
            return values
    if types.is_dictionary(kind) or _is_text(kind):
        is_encoded = types.is_dictionary(kind)
        column = column.unify_dictionaries() if is_encoded else column.dictionary_encode()
        encoded = column.combine_chunks()
        # An unsigned index cannot be -1, which is that of a missing value.
        codes = encoded.indices.cast("int32").fill_null(-1).to_numpy()
        return CodedTexts(encoded.dictionary.to_pylist(), codes)
    raise DataError(f"{location} must hold real numbers, booleans, text or dates, got {kind}")


def _without_views(column: Any) -> Any:
    """Return a column with text in the usual layout, where polars writes it as views of text."""
    pyarrow = optional_library("pyarrow", "parquet")
    types = optional_library("pyarrow.types", "parquet")
    if types.is_string_view(column.type):
        return column.cast("string")
    if not types.is_dictionary(column.type) or not types.is_string_view(column.type.value_type):
        return column
    # pyarrow cannot convert levels within a column.
    chunks = [
        pyarrow.DictionaryArray.from_arrays(chunk.indices, chunk.dictionary.cast("string"))
        for chunk in column.chunks
    ]
    return pyarrow.chunked_array(chunks)


def _is_text(kind: Any) -> bool:
    types = optional_library("pyarrow.types", "parquet")
    return bool(types.is_string(kind) or types.is_large_string(kind))
