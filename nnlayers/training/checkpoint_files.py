"""Write the newest checkpoints of a training, and read the newest that is whole."""

from __future__ import annotations

import re
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

import numpy as np

from nnlayers._core.archives import Archive, read_arrays, write_arrays
from nnlayers._core.arrays import Array
from nnlayers._core.files import is_temporary

__all__ = [
    "SavedState",
    "has_entry",
    "list_checkpoints",
    "read_checkpoint",
    "remove_leftovers",
    "write_checkpoint",
]

_NAME = re.compile(r"checkpoint-(\d+)\.npz", re.ASCII)


class SavedState(NamedTuple):
    """The state of a training, and the file that it was read from."""

    path: Path
    arrays: dict[str, Array]


def list_checkpoints(directory: Path) -> dict[int, Path]:
    """Return the checkpoints in a directory by their number, the oldest first."""
    matches = {path: _NAME.fullmatch(path.name) for path in directory.iterdir()}
    numbered = {int(match[1]): path for path, match in matches.items() if match}
    return dict(sorted(numbered.items()))


def write_checkpoint(
    directory: Path, number: int, state: Mapping[str, Array], *, keep: int
) -> None:
    """Write a checkpoint, and remove all but the newest ones once it is on the disk.

    Parameters
    ----------
    directory : Path
        An existing directory.
    number : int
        A number that is larger than those of all checkpoints before it.
    state : mapping of str to ndarray
        What it holds.
    keep : int
        How many checkpoints remain, at least 1.

    Raises
    ------
    OSError
        If it cannot be written; then those before it are as they were.
    """
    write_arrays(directory / f"checkpoint-{number:09d}.npz", state)
    for path in list(list_checkpoints(directory).values())[:-keep]:
        path.unlink(missing_ok=True)


def read_checkpoint(path: Path) -> SavedState | None:
    """Return a checkpoint by its path, or the newest of a directory that is whole.

    A newer one that is damaged is a warning. A directory without any, as a process leaves that was
    killed before its first, gives None.

    Raises
    ------
    FileNotFoundError
        If there is no such path.
    ValueError
        If the file, or every checkpoint of the directory, is damaged.
    """
    if not path.is_dir():
        return SavedState(path, read_arrays(path))
    newest_first = list(list_checkpoints(path).values())[::-1]
    for index, candidate in enumerate(newest_first, 1):
        try:
            return SavedState(candidate, read_arrays(candidate))
        except ValueError as error:
            if index == len(newest_first):
                raise
            warnings.warn(f"{error}; the checkpoint before it is used", stacklevel=4)
    return None


def has_entry(path: Path, name: str, value: Array) -> bool:
    """Return whether a checkpoint is whole enough to have an entry, with this value."""
    with path.open("rb") as file:
        try:
            return bool(np.array_equal(Archive(file).array(name), value))
        except ValueError:
            return False


def remove_leftovers(directory: Path, *, after: int) -> None:
    """Remove checkpoints beyond a number, and temporary files of a process that was killed."""
    newer = [path for number, path in list_checkpoints(directory).items() if number > after]
    for path in [*newer, *filter(is_temporary, directory.iterdir())]:
        path.unlink(missing_ok=True)
