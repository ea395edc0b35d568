"""Name, write and read the files of a run directory."""

from __future__ import annotations

import csv
import json
import re
from collections.abc import Callable, Mapping
from itertools import islice
from pathlib import Path
from typing import Any, BinaryIO

from nnlayers._core import files
from nnlayers._core.archives import Archive, write_archive
from nnlayers._core.arrays import Array
from nnlayers._core.checks import check_number
from nnlayers.config.document import ConfigError

__all__ = [
    "BASELINE",
    "CALIBRATION",
    "CHECKPOINT",
    "CONFIG",
    "CONFUSION",
    "CURVES",
    "METRICS",
    "MODEL",
    "NUMBERS",
    "PREPROCESSING",
    "RUN_FILES",
    "TEST",
    "TEST_FILES",
    "TIMING",
    "make_directory",
    "numbered_directories",
    "read_arrays",
    "read_history",
    "read_json",
    "read_seconds",
    "write_arrays",
    "write_file",
    "write_text",
]

CONFIG = "config.toml"
PREPROCESSING = "preprocessing.json"
CHECKPOINT = "checkpoint.npz"
MODEL = "model.nn"
METRICS = "metrics.csv"
CURVES = "curves.png"
TEST = "test.json"
TIMING = "timing.json"
BASELINE = "baseline.json"
CONFUSION = "confusion.png"
NUMBERS = "predicted.png"
CALIBRATION = "calibration.png"
# The files of a test, which a run that is trained on no longer has.
TEST_FILES = (TEST, CONFUSION, NUMBERS, CALIBRATION)
RUN_FILES = frozenset(
    [CONFIG, PREPROCESSING, CHECKPOINT, MODEL, METRICS, CURVES, TIMING, BASELINE, *TEST_FILES]
)


def make_directory(path: Path, *, numbered: bool) -> Path:
    """Make a run directory and return its path.

    Parameters
    ----------
    path : Path
        The directory.
    numbered : bool
        Whether to append the next free number to the name, as in ``digits-001``.

    Raises
    ------
    ConfigError
        If the directory exists or cannot be made.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        if not numbered:
            path.mkdir()
            return path
        while True:
            number = max(numbered_directories(path), default=0) + 1
            try:
                directory = path.with_name(f"{path.name}-{number:03d}")
                directory.mkdir()
            except FileExistsError:  # Another run has just created this directory.
                continue
            return directory
    except OSError as error:
        raise ConfigError(f"{path}: cannot make this directory: {error.strerror}") from None


def numbered_directories(path: Path) -> dict[int, Path]:
    """Return the directories named `path` with a number, as in ``digits-001``, by number."""
    pattern = re.compile(re.escape(path.name) + r"-(\d+)")
    entries = path.parent.iterdir() if path.parent.is_dir() else ()
    matches = {entry: pattern.fullmatch(entry.name) for entry in entries}
    return {int(match[1]): entry for entry, match in matches.items() if match}


def write_file(path: Path, write: Callable[[BinaryIO], object]) -> None:
    """Write a file by ``write(file)``; an existing one stays whole until the new one replaces it.

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
    """Write arrays by name to an .npz archive; none may hold objects."""
    write_file(path, lambda file: write_archive(file, arrays))


def read_arrays(path: Path) -> dict[str, Array]:
    """Return the arrays of an .npz archive by name; nothing is unpickled.

    Raises
    ------
    ConfigError
        If the file cannot be read, is damaged or compressed, or holds anything but plain arrays.
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
        If the file cannot be read, is damaged, or holds fewer epochs.
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
    """Return the value in a JSON file.

    Raises
    ------
    ConfigError
        If the file cannot be read or is not JSON.
    """
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigError(f"{path}: {error.strerror}") from None
    except (MemoryError, RecursionError, ValueError) as error:
        raise ConfigError(f"{path}: not valid JSON: {error}") from None


def read_seconds(directory: Path) -> float | None:
    """Return how long a run has trained, in seconds; None if its directory does not say.

    Raises
    ------
    ConfigError
        If the file is damaged.
    """
    path = directory / TIMING
    if not path.exists():
        return None
    try:
        return check_number("seconds", read_json(path)["seconds"], minimum=0)
    except ConfigError:  # It names the file already.
        raise
    except (LookupError, TypeError, ValueError) as error:
        raise ConfigError(f"{path}: not the timing of a run: {error}") from None
