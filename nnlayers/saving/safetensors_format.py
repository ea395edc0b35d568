"""Model files in the format of safetensors, whose weights many libraries read.

The file is the length of its header in eight bytes, the header in JSON, and the bytes of all arrays
one after another. The header names each array with its dtype, shape and place; under
``__metadata__`` it holds the architecture as text, the version of the format and the SHA-256 of
everything else in the file. Reader and writer are written here, because the format is small and
that of a stranger is checked more strictly than by its library: see
https://github.com/huggingface/safetensors.
"""

from __future__ import annotations

import json
import math
import sys
from typing import Any

import numpy as np

from nnlayers._core.arrays import Array
from nnlayers.saving.contents import (
    ARGUMENTS,
    DIGEST_LENGTH,
    VERSION,
    Contents,
    check_version,
    digest,
)

__all__ = ["SUFFIX", "is_safetensors", "pack", "unpack"]

SUFFIX = ".safetensors"

_METADATA = "__metadata__"
_LENGTH = 8
# The checksum comes first, so that its place in the file is fixed.
_START = f'{{"{_METADATA}":{{"sha256":"'.encode()
_DIGEST = slice(_LENGTH + len(_START), _LENGTH + len(_START) + DIGEST_LENGTH)
_DTYPES = {
    "BOOL": "?",
    "U8": "u1",
    "I8": "i1",
    "U16": "<u2",
    "I16": "<i2",
    "F16": "<f2",
    "U32": "<u4",
    "I32": "<i4",
    "F32": "<f4",
    "U64": "<u8",
    "I64": "<i8",
    "F64": "<f8",
    "C64": "<c8",
}
_NAMES = {np.dtype(dtype): name for name, dtype in _DTYPES.items()}


def is_safetensors(content: memoryview) -> bool:
    """Return whether bytes begin as a file in this format does."""
    return bytes(content[_LENGTH : _LENGTH + 1]) == b"{"


def pack(contents: Contents) -> memoryview:
    """Return a file's bytes.

    Raises
    ------
    ValueError
        If an array is of a dtype that the format does not have, or has a name that it uses itself.
    """
    arrays = dict(contents.state)
    arrays |= {f"{ARGUMENTS}{index}": array for index, array in enumerate(contents.arguments)}
    if len(arrays) < len(contents.state) + len(contents.arguments) or _METADATA in arrays:
        raise ValueError(f"no weight can be named {_METADATA} or {ARGUMENTS}0 in this format")
    metadata = {
        "sha256": "0" * DIGEST_LENGTH,
        "nnlayers": str(VERSION),
        "model": json.dumps(contents.table, allow_nan=False),
    }
    header: dict[str, Any] = {_METADATA: metadata}
    parts, end = [], 0
    # Each array begins at a multiple of its items' size if larger items come first.
    for name, array in sorted(arrays.items(), key=lambda item: -item[1].itemsize):
        little = array.dtype.newbyteorder("<")
        if little not in _NAMES:
            raise ValueError(f"the format cannot hold {name!r}, an array of dtype {array.dtype}")
        parts.append(array.astype(little, copy=False).tobytes())
        begin, end = end, end + len(parts[-1])
        shape = list(array.shape)
        header[name] = {"dtype": _NAMES[little], "shape": shape, "data_offsets": [begin, end]}
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    content = bytearray(b"".join([len(text).to_bytes(_LENGTH, "little"), text, *parts]))
    content[_DIGEST] = _digest(memoryview(content))
    return memoryview(content)


def unpack(content: memoryview) -> Contents:
    """Return the contents of a file's bytes.

    Raises
    ------
    ValueError
        If they are not those of a model file, were altered or cut short, have a newer format, or
        arrays overlap, leave gaps or do not fit their shape.
    """
    length = int.from_bytes(content[:_LENGTH], "little")
    text = bytes(content[_LENGTH : _LENGTH + length])
    if len(text) < length:
        raise ValueError("not a model that nn.save wrote, or cut short")
    if not text.startswith(_START):
        raise ValueError("has no architecture: not a model that nn.save wrote")
    if content[_DIGEST] != _digest(content):
        raise ValueError("damaged: the checksum differs")
    header = json.loads(text, object_pairs_hook=_without_repetition)
    metadata = header.pop(_METADATA)
    check_version(int(metadata["nnlayers"]))
    arrays = _arrays(header, content[_LENGTH + length :])
    count = sum(name.startswith(ARGUMENTS) for name in arrays)
    arguments = [arrays.pop(f"{ARGUMENTS}{index}") for index in range(count)]
    return Contents(json.loads(metadata["model"]), arguments, arrays)


def _digest(content: memoryview) -> bytes:
    """Return the checksum of everything but the checksum."""
    return digest(content[: _DIGEST.start], content[_DIGEST.stop :])


def _without_repetition(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    table = dict(pairs)
    if len(table) < len(pairs):
        raise ValueError("a name occurs twice in the header")
    return table


def _arrays(header: dict[str, Any], data: memoryview) -> dict[str, Array]:
    """Return copies of the arrays, whose bytes must follow each other without a gap."""
    arrays, end = {}, 0
    for name, entry in sorted(header.items(), key=lambda item: item[1]["data_offsets"]):
        dtype, shape = np.dtype(_DTYPES[entry["dtype"]]), entry["shape"]
        if not all(type(item) is int and 0 <= item <= sys.maxsize for item in shape):
            raise ValueError(f"array {name!r} must have a shape of integers, got {shape!r}")
        begin, end = end, end + math.prod(shape) * dtype.itemsize
        if entry["data_offsets"] != [begin, end] or end > len(data):
            raise ValueError(f"array {name!r} of shape {shape} is not at {entry['data_offsets']}")
        native = np.frombuffer(data[begin:end], dtype).astype(dtype.newbyteorder("="))
        arrays[name] = native.reshape(shape)
    if end != len(data):
        raise ValueError(f"the arrays end at {end}, the file at {len(data)}")
    return arrays
