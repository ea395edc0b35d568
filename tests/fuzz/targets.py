"""The base class of fuzz targets."""

from __future__ import annotations

import zlib
from contextlib import suppress
from pathlib import Path
from typing import Any, ClassVar, NamedTuple

import numpy as np


class Case(NamedTuple):
    """An input: the bytes of a file, and how it is read.

    Attributes
    ----------
    content : bytes
        The file.
    way : object
        Whatever else the target needs to know.
    """

    content: bytes
    way: Any = None


class Target:
    """A reader with inputs for it.

    Parameters
    ----------
    directory : Path
        An empty directory, in which files may be written.
    """

    name: ClassVar[str]
    # The errors that the reader documents.
    errors: ClassVar[tuple[type[Exception], ...]] = (ValueError,)
    # Libraries without which there is nothing to test.
    needs: ClassVar[tuple[str, ...]] = ()

    def __init__(self, directory: Path) -> None:
        self.directory = directory

    def warm_up(self, count: int = 5) -> None:
        """Read some cases, so that imports and caches do not count as what an input takes."""
        for number in range(count):
            with suppress(Exception):
                self.read(self.case(number))

    def draw(self, rng: np.random.Generator) -> Case:
        """Return an input."""
        raise NotImplementedError

    def read(self, case: Case) -> None:
        """Read an input; raise one of `errors` if it is refused.

        Raises
        ------
        BrokenPromiseError
            If what is read cannot be what is in the file.
        """
        raise NotImplementedError

    def size(self, case: Case) -> int:
        """Return the number of bytes on which the limits depend."""
        return len(case.content)

    def case(self, number: int) -> Case:
        """Return the input of a number."""
        return self.draw(np.random.default_rng([zlib.crc32(self.name.encode()), number]))

    def path(self, name: str, content: bytes) -> Path:
        """Write a file and return its path."""
        path = self.directory / name
        path.write_bytes(content)
        return path


def choose(rng: np.random.Generator, items: Any) -> Any:
    """Return one of a sequence."""
    return items[int(rng.integers(len(items)))]
