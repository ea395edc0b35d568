"""Inputs of up to half a MB that are meant to take much time or memory."""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from .model_targets import seal, seal_safetensors
from .table_targets import npy, packed
from .targets import Case

COUNT = 1 << 19
# A compressed file may hold so much, and is measured by it.
FREE_BYTES, EXPANSION = 1 << 24, 100


class Bomb(NamedTuple):
    """A case for a target, and whether it counts by what it may hold when it is decompressed."""

    target: str
    make: Callable[[], Case]
    is_compressed: bool = False

    def size(self, case: Case) -> int:
        """Return the number of bytes on which the limits depend."""
        size = len(case.content)
        return FREE_BYTES + EXPANSION * size if self.is_compressed else size


def layers(count: int, name: str, **config: object) -> bytes:
    """Return a model file of many layers in a row."""
    entries = [{"class": f"nnlayers:{name}", "config": config}] * count
    within = {"layers": [{"layer": index} for index in range(count)]}
    entries.append({"class": "nnlayers:Sequential", "config": within})
    table = {"model": {"layer": count}, "layers": entries, "parameters": [], "evaluation": []}
    return seal({"model.json": json.dumps(table | {"names": {}}).encode()})


def nested(text: str, count: int) -> bytes:
    """Return a model file of one layer, with JSON as its argument."""
    config = f'{{"a": [{",".join([text] * count)}]}}'
    layer = f'{{"class": "nnlayers:ReLU", "config": {config}}}'
    return seal({"model.json": f'{{"layers": [{layer}], "parameters": []}}'.encode()})


def safetensors(count: int) -> bytes:
    """Return a file of many empty arrays."""
    entry = {"dtype": "F32", "shape": [0], "data_offsets": [0, 0]}
    metadata = {"sha256": "0" * 64, "nnlayers": "2", "model": "{}"}
    header = {"__metadata__": metadata} | {str(index): entry for index in range(count)}
    return seal_safetensors(json.dumps(header, separators=(",", ":")).encode(), b"")


def archive(**arrays: object) -> bytes:
    """Return a compressed archive of arrays."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as file:
        for name, array in arrays.items():
            file.writestr(f"{name}.npy", npy(array))
    return buffer.getvalue()


def text(rows: bytes, **dialect: object) -> Case:
    """Return a file of a header and rows."""
    return Case(b"a,y\n" + rows, dialect)


def names(count: int) -> bytes:
    """Return the header of a table of many columns."""
    return ",".join(f"c{index}" for index in range(count)).encode()


def parquet(**columns: object) -> Case:
    """Return a file of columns."""
    import pyarrow
    from pyarrow import parquet as library

    buffer = io.BytesIO()
    table = pyarrow.table(columns)
    library.write_table(table, buffer, compression="zstd", store_schema=False)
    return Case(buffer.getvalue(), ".parquet")


def repeated(cell: str, count: int) -> object:
    """Return a column of one text."""
    import pyarrow

    return pyarrow.DictionaryArray.from_arrays(np.zeros(count, np.int32), [cell])


def onnx(field: bytes, count: int) -> Case:
    """Return a file of a graph that holds an empty field many times."""
    length, digits = len(field) * count, []
    while length:
        digits.append(length & 127 | (128 if length > 127 else 0))
        length >>= 7
    return Case(b"\x3a" + bytes(digits) + field * count)


BOMBS = {
    "model of layers": Bomb("model", lambda: Case(layers(8_000, "ReLU"))),
    "model of weights": Bomb(
        "model", lambda: Case(layers(4_000, "Affine", in_features=1, out_features=1))
    ),
    "model of lists": Bomb("model", lambda: Case(nested("[]", 170_000))),
    "model of dictionaries": Bomb("model", lambda: Case(nested('{"dict":[]}', 45_000))),
    "safetensors of arrays": Bomb("safetensors", lambda: Case(safetensors(9_000))),
    "archive of zeros": Bomb(
        "npz", lambda: Case(archive(X=np.zeros((10**7, 1), bool), y=np.zeros(9)))
    ),
    "array of columns": Bomb("npy", lambda: Case(npy(np.zeros((1, COUNT // 8), bool)))),
    "array of rows": Bomb("npy", lambda: Case(npy(np.zeros((COUNT, 1), bool)))),
    "text of columns": Bomb("csv", lambda: Case(names(3_000) + b"\n" + b"1," * 3_000, {})),
    "text of levels": Bomb(
        "csv", lambda: text(b"".join(b"x%x,0\n" % number for number in range(COUNT // 8)))
    ),
    "text of quotes": Bomb("csv", lambda: text(b'"' * COUNT)),
    "text of mixed cells": Bomb("csv", lambda: text(b"1,0\nx,0\n" * (COUNT // 8))),
    "text of lines": Bomb("csv", lambda: text(b"\n" * COUNT)),
    "gzip of numbers": Bomb(
        "compressed", lambda: Case(packed(b"a,y\n" + b"0,0\n" * COUNT * 12, ".gz"), ".gz"), True
    ),
    "zstd of letters": Bomb(
        "compressed", lambda: Case(packed(b"a,y\n" + b"x" * COUNT * 90, ".zst"), ".zst"), True
    ),
    "draft of columns": Bomb("draft", lambda: Case(names(1_000) + b"\n" + b"1," * 1_000)),
    "draft of numbers": Bomb("draft", lambda: text(b'"1,000,000",0\n"1.000",1\n' * (COUNT // 24))),
    "parquet of zeros": Bomb("arrow", lambda: parquet(x=np.zeros(COUNT * 20))),
    "parquet of a text": Bomb("arrow", lambda: parquet(x=repeated("x" * 1000, COUNT))),
    "onnx of nodes": Bomb("onnx", lambda: onnx(b"\x0a\x00", COUNT // 2)),
    "onnx of tensors": Bomb("onnx", lambda: onnx(b"\x2a\x00", COUNT // 2)),
    "config of tables": Bomb(
        "config", lambda: Case(b"".join(b"[a.k%d]\n" % number for number in range(30_000)))
    ),
    "config of lists": Bomb("config", lambda: Case(b"a = [" + b"[]," * 90_000 + b"]")),
    "config of a key": Bomb("config", lambda: Case(b"a." * (COUNT // 2) + b"a = 1")),
}
