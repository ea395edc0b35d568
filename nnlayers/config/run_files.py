"""Name, write and read the files of a run directory."""

from __future__ import annotations

import csv
import errno
import json
import os
import re
import shutil
from collections.abc import Callable, Mapping
from contextlib import suppress
from itertools import islice
from pathlib import Path
from typing import Any, BinaryIO

from nnlayers._core import archives, files
from nnlayers._core.archives import write_archive
from nnlayers._core.arrays import Array
from nnlayers._core.checks import check_number
from nnlayers._core.fingerprint import text_fingerprint
from nnlayers._core.locking import DirectoryLock
from nnlayers.config.document import ConfigError
from nnlayers.config.fingerprint import is_history

__all__ = [
    "BASELINE",
    "CALIBRATION",
    "CHECKPOINT",
    "CONFIG",
    "CONFUSION",
    "CURVES",
    "FILM",
    "METRICS",
    "MODEL",
    "NUMBERS",
    "PREPROCESSING",
    "PREVIOUS",
    "RUN_FILES",
    "TEST",
    "TEST_FILES",
    "TIMING",
    "lock_directory",
    "numbered_directories",
    "publish_directory",
    "read_arrays",
    "read_history",
    "read_sealed_json",
    "read_seconds",
    "remove_temporary_files",
    "start_directory",
    "write_arrays",
    "write_file",
    "write_sealed_json",
    "write_text",
]

CONFIG = "config.toml"
PREPROCESSING = "preprocessing.json"
CHECKPOINT = "checkpoint.npz"
PREVIOUS = "checkpoint-previous.npz"
MODEL = "model.nn"
METRICS = "metrics.csv"
CURVES = "curves.png"
FILM = "film.npz"
TEST = "test.json"
TIMING = "timing.json"
BASELINE = "baseline.json"
CONFUSION = "confusion.png"
NUMBERS = "predicted.png"
CALIBRATION = "calibration.png"
# The files of a test, which a run that is trained on no longer has.
TEST_FILES = (TEST, CONFUSION, NUMBERS, CALIBRATION)
RUN_FILES = frozenset(
    {CONFIG, PREPROCESSING, CHECKPOINT, PREVIOUS, MODEL, METRICS, CURVES, FILM, TIMING, BASELINE}
    | set(TEST_FILES)
)
# Problems with a path that its user can mend. Others, such as a full disk, are failures.
_USAGE_ERRORS = frozenset(
    {errno.ENOENT, errno.ENOTDIR, errno.EISDIR, errno.EEXIST, errno.ENAMETOOLONG, errno.ELOOP}
    | {errno.EACCES, errno.EPERM, errno.EROFS, errno.EINVAL}
)


def start_directory(path: Path) -> tuple[Path, DirectoryLock]:
    """Make a directory under a temporary name beside its later one, and lock it.

    Such directories that processes which were killed have left there are removed.

    Raises
    ------
    ConfigError
        If it cannot be made.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        for entry in filter(files.is_temporary, path.parent.iterdir()):
            if entry.is_dir() and not entry.is_symlink():
                _remove_abandoned(entry)
        while True:
            directory = files.temporary_path(path.parent)
            directory.mkdir()
            # Another process may remove it before it is locked.
            with suppress(FileNotFoundError):
                return directory, lock_directory(directory)
    except OSError as error:
        raise ConfigError(f"{path}: cannot make this directory: {error.strerror}") from None


def _remove_abandoned(directory: Path) -> None:
    """Remove a directory of :func:`start_directory` unless its process still lives."""
    lock = DirectoryLock(directory)
    with suppress(OSError):
        try:
            if lock.acquire():
                shutil.rmtree(directory)
        finally:
            lock.release()


def publish_directory(directory: Path, path: Path, *, numbered: bool) -> Path:
    """Give a directory of :func:`start_directory` its name, once all is on the disk.

    Parameters
    ----------
    directory : Path
        The directory under its temporary name.
    path : Path
        The name.
    numbered : bool
        Whether to append the next free number to the name, as in ``digits-001``.

    Returns
    -------
    Path
        The directory under its name.

    Raises
    ------
    ConfigError
        If the name exists.
    """
    try:
        files.sync_directory(directory)
        target = path
        while True:
            if numbered:
                number = max(numbered_directories(path), default=0) + 1
                target = path.with_name(f"{path.name}-{number:03d}")
            elif path.exists() or path.is_symlink():
                raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST))
            try:
                os.rename(directory, target)
            except OSError:
                if numbered and target.exists():  # Another run has just taken this number.
                    continue
                raise
            files.sync_directory(path.parent)
            return target
    except OSError as error:
        raise ConfigError(f"{path}: cannot make this directory: {error.strerror}") from None


def lock_directory(directory: Path) -> DirectoryLock:
    """Return the lock of a run directory, which ends with this process.

    Raises
    ------
    ConfigError
        If another process holds it.
    FileNotFoundError
        If there is no such directory.
    """
    lock = DirectoryLock(directory)
    if not lock.acquire() or not directory.exists():
        lock.release()
        if not directory.exists():
            raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), str(directory))
        raise ConfigError(f"{directory}: another process is training this run")
    return lock


def remove_temporary_files(directory: Path) -> None:
    """Remove the temporary files of a process that was killed from a directory that is locked."""
    for path in filter(files.is_temporary, directory.iterdir()):
        if path.is_file() or path.is_symlink():
            path.unlink()


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
        If there is no such directory, or it must not be written to.
    OSError
        If writing fails, as on a full disk.
    """
    try:
        files.write_file(path, write)
    except OSError as error:
        if error.errno in _USAGE_ERRORS:
            raise ConfigError(f"{path}: {error.strerror}") from None
        raise


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
        return archives.read_arrays(path)
    except OSError as error:
        raise ConfigError(f"{path}: {error.strerror or error}") from None
    except ValueError as error:
        raise ConfigError(str(error)) from None


def read_history(path: Path, run: Mapping[str, Array]) -> dict[str, list[float]]:
    """Return the columns of the epochs up to a checkpoint, whose entries of the run are given.

    Raises
    ------
    ConfigError
        If the file cannot be read, or does not hold the numbers that it held then.
    """
    epochs = int(run["epochs"])
    if not epochs:
        return {}
    try:
        with path.open(encoding="utf-8", newline="") as file:
            lines = list(islice(csv.reader(file), epochs + 1))
        rows = [dict(zip(lines[0], line, strict=True)) for line in lines[1:]]
        if [int(row.pop("epoch")) for row in rows] != list(range(1, epochs + 1)):
            raise ValueError(f"expected epochs 1 to {epochs}")
        columns = {name: [float(row[name]) for row in rows] for name in rows[0]}
        if not is_history(columns, str(run["metrics"])):
            raise ValueError("it is damaged or was edited")
        return columns
    except OSError as error:
        raise ConfigError(f"{path}: {error.strerror or error}") from None
    except (LookupError, ValueError, csv.Error) as error:
        raise ConfigError(f"{path}: not the metrics of this run's checkpoint: {error}") from None


def write_sealed_json(path: Path, table: Mapping[str, Any]) -> None:
    """Write a table as JSON with a checksum of its content, ``"sha256"``."""
    sealed = {"sha256": text_fingerprint(table), **table}
    write_text(path, json.dumps(sealed, indent=2, allow_nan=False) + "\n")


def read_sealed_json(path: Path) -> dict[str, Any]:
    """Return the table that :func:`write_sealed_json` wrote.

    Raises
    ------
    ConfigError
        If the file cannot be read, is no JSON table, or is not as it was written.
    """
    try:
        table = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigError(f"{path}: {error.strerror}") from None
    except (MemoryError, RecursionError, ValueError) as error:
        raise ConfigError(f"{path}: not valid JSON: {error}") from None
    if not isinstance(table, dict) or "sha256" not in table:
        raise ConfigError(f"{path}: must be a table with the checksum 'sha256'")
    checksum = table.pop("sha256")
    if checksum != text_fingerprint(table):
        raise ConfigError(f"{path}: is damaged or was edited: its checksum does not fit")
    return table


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
        return check_number("seconds", read_sealed_json(path)["seconds"], minimum=0)
    except ConfigError:  # It names the file already.
        raise
    except (LookupError, TypeError, ValueError) as error:
        raise ConfigError(f"{path}: not the timing of a run: {error}") from None
