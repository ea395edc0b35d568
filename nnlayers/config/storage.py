"""The files of a run, each whole or not there, and what is said of one that cannot be read."""

from __future__ import annotations

import json
import zipfile
import zlib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from nnlayers import files
from nnlayers.config.document import ConfigError
from nnlayers.numerics import Array

__all__ = ["read_arrays", "read_json", "write_arrays", "write_file", "write_text"]

# What NumPy raises for a file that is cut off, damaged, or none of its own.
_DAMAGED = (AttributeError, EOFError, TypeError, ValueError, zipfile.BadZipFile, zlib.error)


def write_file(path: Path, write: Callable[[BinaryIO], object]) -> None:
    """Put what ``write(file)`` writes in the place of `path`, which is whole until then.

    Raises
    ------
    ConfigError
        If it cannot be written.
    """
    try:
        files.write_file(path, write)
    except OSError as error:
        raise ConfigError(f"{path}: {error.strerror or error}") from None


def write_text(path: Path, text: str) -> None:
    """Write UTF-8 text."""
    write_file(path, lambda file: file.write(text.encode()))


def write_arrays(path: Path, arrays: Mapping[str, Array]) -> None:
    """Write arrays by name, as an .npz archive; none may hold objects."""

    def write(file: BinaryIO) -> None:
        # np.savez does not close its archive when Ctrl-C comes, which is heard of later.
        with zipfile.ZipFile(file, "w") as archive:
            for name, array in arrays.items():
                with archive.open(f"{name}.npy", "w", force_zip64=True) as entry:
                    np.lib.format.write_array(entry, np.asanyarray(array), allow_pickle=False)

    write_file(path, write)


def read_arrays(path: Path) -> dict[str, Array]:
    """Return the arrays of an .npz archive by name; nothing is unpickled.

    Raises
    ------
    ConfigError
        If it cannot be read.
    """
    try:
        with path.open("rb") as file, np.load(file, allow_pickle=False) as archive:
            return dict(archive)
    except OSError as error:
        raise ConfigError(f"{path}: {error.strerror or error}") from None
    except _DAMAGED as error:
        raise ConfigError(f"{path}: damaged, or no .npz archive: {error}") from None


def read_json(path: Path) -> Any:
    """Return what a JSON file holds.

    Raises
    ------
    ConfigError
        If it cannot be read or is no JSON.
    """
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigError(f"{path}: {error.strerror}") from None
    except ValueError as error:
        raise ConfigError(f"{path}: not valid JSON: {error}") from None
