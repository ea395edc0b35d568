"""The files of a run, each whole or not there, and what is said of one that cannot be read."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable, Mapping
from itertools import islice
from pathlib import Path
from typing import Any, BinaryIO

from nnlayers._core import files
from nnlayers._core.archives import Archive, write_archive
from nnlayers._core.arrays import Array
from nnlayers.config.document import ConfigError

__all__ = ["read_arrays", "read_history", "read_json", "write_arrays", "write_file", "write_text"]


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
    write_file(path, lambda file: write_archive(file, arrays))


def read_arrays(path: Path) -> dict[str, Array]:
    """Return the arrays of an .npz archive by name; nothing is unpickled.

    Raises
    ------
    ConfigError
        If it cannot be read, is damaged or compressed, or holds anything but plain arrays.
    """
    try:
        with path.open("rb") as file:
            archive = Archive(file)
            return {name: archive.array(name) for name in archive.names}
    except OSError as error:
        raise ConfigError(f"{path}: {error.strerror or error}") from None
    except ValueError as error:
        raise ConfigError(f"{path}: {error}") from None


def read_history(path: Path, epochs: int) -> dict[str, list[float]]:
    """Return the columns of the first epochs in a file of :class:`nnlayers.callbacks.CSVLogger`.

    Raises
    ------
    ConfigError
        If it cannot be read, is damaged, or holds fewer epochs.
    """
    if not epochs:
        return {}
    try:
        with path.open(encoding="utf-8", newline="") as file:
            lines = list(islice(csv.reader(file), epochs + 1))
        rows = [dict(zip(lines[0], line, strict=True)) for line in lines[1:]]
        if [int(row.pop("epoch")) for row in rows] != list(range(1, epochs + 1)):
            raise ValueError(f"expected epochs 1 to {epochs}")
        return {name: [float(row[name]) for row in rows] for name in rows[0]}
    except OSError as error:
        raise ConfigError(f"{path}: {error.strerror or error}") from None
    except (LookupError, ValueError, csv.Error) as error:
        raise ConfigError(f"{path}: not the metrics of this run's checkpoint: {error}") from None


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
    except (MemoryError, RecursionError, ValueError) as error:
        raise ConfigError(f"{path}: not valid JSON: {error}") from None
