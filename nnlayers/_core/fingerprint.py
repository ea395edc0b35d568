"""Fingerprints of arrays and texts, which tell whether they are the same."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from typing import Any

import numpy as np

from nnlayers._core.arrays import Array

__all__ = ["data_fingerprint", "text_fingerprint"]

# Arrays beyond this number of bytes, such as memory-mapped ones, are read in part: rows at equal
# distances, the first one included.
_MOST_BYTES = 1 << 30


def data_fingerprint(arrays: Iterable[Array | None]) -> str:
    """Return a fingerprint of arrays: of their shapes, dtypes and entries.

    Examples
    --------
    >>> data_fingerprint([np.zeros(3)]) == data_fingerprint([np.zeros(3), None])
    False
    """
    digest = hashlib.sha256()
    for array in arrays:
        if array is None:
            digest.update(b"none;")
            continue
        digest.update(f"{array.shape} {array.dtype.str};".encode())
        step = -(-array.nbytes // _MOST_BYTES) or 1
        digest.update(np.ascontiguousarray(array[::step]).data)
    return digest.hexdigest()


def text_fingerprint(value: Any) -> str:
    """Return a fingerprint of text, or of a value that JSON can hold."""
    text = value if isinstance(value, str) else json.dumps(value, sort_keys=True)
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()
