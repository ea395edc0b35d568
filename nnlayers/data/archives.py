"""Read arrays of .npz archives as columns."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from nnlayers._core.archives import Archive
from nnlayers._core.arrays import Array
from nnlayers._core.checks import unknown_name
from nnlayers.data.compression import MAX_EXPANSION
from nnlayers.data.problems import DataError, check_finite

__all__ = ["npz_arrays", "npz_columns"]


def npz_arrays(path: str, names: Sequence[str] | None = None) -> dict[str, Array]:
    """Return arrays of an .npz archive, by default all; nothing is unpickled.

    Raises
    ------
    DataError
        If the file cannot be read, is not an archive or damaged, or lacks an array, or if its
        arrays hold Python objects or are more than 100 times as large as the file.
    """
    try:
        with open(path, "rb") as file:
            archive = Archive(file, expansion=MAX_EXPANSION)
            names = archive.names if names is None else names
            for name in names:
                if name not in archive.names:
                    raise ValueError(unknown_name("array", name, archive.names))
            return {name: archive.array(name) for name in names}
    except OSError as error:
        raise DataError(f"{path}: {error.strerror or error}") from None
    except ValueError as error:
        raise DataError(f"{path}: {error}") from None


def npz_columns(path: str, key: str, array: Array) -> dict[str, Array]:
    """Return the columns ``key[0]``, ``key[1]``, ... of an array of shape (rows, ...).

    Raises
    ------
    DataError
        If the array holds anything but finite real numbers, or has no row or column.
    """
    location = f"{path}: array {key!r}"
    if array.dtype.kind not in "biuf":
        raise DataError(f"{location} must hold real numbers, got {array.dtype}")
    if array.ndim == 0 or array.size == 0:
        raise DataError(f"{location} has no rows or no columns: its shape is {array.shape}")
    matrix = np.ascontiguousarray(array.reshape(len(array), -1).T, dtype=np.float64)
    columns = {f"{key}[{number}]": values for number, values in enumerate(matrix)}
    for name, values in columns.items():
        check_finite(values, f"{path}: column {name!r}")
    return columns
