"""The contents of a model file, whatever its format."""

from __future__ import annotations

import hashlib
from typing import Any, NamedTuple

from nnlayers._core.arrays import Array

__all__ = ["ARGUMENTS", "DIGEST_LENGTH", "VERSION", "Contents", "check_version", "digest"]

# The version of the table; files of earlier ones can be read.
VERSION = 2
# Arrays among the arguments of constructors are named by their index after this.
ARGUMENTS = "arguments/"
DIGEST_LENGTH = 64


class Contents(NamedTuple):
    """An architecture as a table in JSON's types, and the arrays that belong to it.

    Attributes
    ----------
    table : dict
        The architecture.
    arguments : list of ndarray
        Arrays among the constructors' arguments.
    state : dict of str to ndarray
        The model's ``state_dict()``.
    """

    table: dict[str, Any]
    arguments: list[Array]
    state: dict[str, Array]


def digest(*parts: bytes | memoryview) -> bytes:
    """Return the SHA-256 of bytes as 64 hexadecimal digits.

    Examples
    --------
    >>> digest(b"nn", b"layers")[:8]
    b'00be73b5'
    """
    checksum = hashlib.sha256()
    for part in parts:
        checksum.update(part)
    return checksum.hexdigest().encode()


def check_version(version: int) -> None:
    """Raise ``ValueError`` unless this nnlayers reads a version."""
    if not 1 <= version <= VERSION:
        raise ValueError(f"has format version {version}, this nnlayers reads up to {VERSION}")
