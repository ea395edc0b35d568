"""Model files as zip archives, which ``numpy.load`` reads too.

The entry ``model.json`` holds the architecture: each layer's class by name and the arguments of its
constructor. The other entries are the arrays of ``state_dict()`` and those among the arguments. The
archive's comment, which ends the file, is the version of the format and the SHA-256 of all bytes
before it.
"""

from __future__ import annotations

import io
import json
import os
import re

from nnlayers._core.archives import Archive, write_archive
from nnlayers.saving.contents import (
    ARGUMENTS,
    DIGEST_LENGTH,
    VERSION,
    Contents,
    check_version,
    digest,
)

__all__ = ["pack", "unpack"]

_TABLE = "model.json"
_STATE = "state/"
_COMMENT = b"nnlayers model %d sha256 "
_END = re.compile(rb"nnlayers model (\d+) sha256 [0-9a-f]{64}\Z")


def pack(contents: Contents) -> memoryview:
    """Return a file's bytes."""
    arrays = {f"{ARGUMENTS}{index}": array for index, array in enumerate(contents.arguments)}
    arrays |= {f"{_STATE}{name}": array for name, array in contents.state.items()}
    buffer = io.BytesIO()
    write_archive(
        buffer,
        arrays,
        texts={_TABLE: json.dumps(contents.table, allow_nan=False)},
        comment=_COMMENT % VERSION + b"0" * DIGEST_LENGTH,
    )
    buffer.seek(-DIGEST_LENGTH, os.SEEK_END)
    buffer.write(digest(buffer.getbuffer()[:-DIGEST_LENGTH]))
    return buffer.getbuffer()


def unpack(content: memoryview) -> Contents:
    """Return the contents of a file's bytes.

    Raises
    ------
    ValueError
        If they are not those of a model file, were altered or cut short, or have a newer format.
    """
    end = _END.search(content[-2 * DIGEST_LENGTH :])
    if end is None:
        raise ValueError("not a model that nn.save wrote, or cut short")
    if content[-DIGEST_LENGTH:] != digest(content[:-DIGEST_LENGTH]):
        raise ValueError("damaged: the checksum differs")
    check_version(int(end[1]))
    archive = Archive(io.BytesIO(content))
    state = [name for name in archive.names if name.startswith(_STATE)]
    arguments = range(sum(name.startswith(ARGUMENTS) for name in archive.names))
    return Contents(
        json.loads(archive.content(_TABLE)),
        [archive.array(f"{ARGUMENTS}{index}") for index in arguments],
        {name.removeprefix(_STATE): archive.array(name) for name in state},
    )
