"""Files of rows: text, compressed or not, arrays, Parquet and Feather."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import tarfile
import zipfile
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np

import nnlayers as nn
from nnlayers.data import DataError, read_rows

from .measuring import BrokenPromiseError
from .model_targets import HEADER_WORDS
from .mutations import altered
from .targets import Case, Target, choose

TEXTS = [
    "size,color,day,y\n1.5,red,2020-01-02,0\n-2,blue,2021-03-04,1\n,red,2022-05-06,1\n3,?,,0\n",
    'a;b;c\n"x;\n""y""";1,5;-inf\n"z";1.234,5;nan\n;;\n',
    "x\ty # comment\n1e5\tyes\n0x1F\tno\n1_000\tTrue\n",
    "price|date|note|y\n$1,200.50|31.12.1999|a b|3\n€5%|1/2/03 04:05|ü|4\n" * 5,
    "\ufeffname,value\r\nA,1\r\nB,2\rC,3\n\n\n",
    "0.1 0.2 0.3\n1 2 3\n",
]
WORDS = [b",", b";", b"\t", b"|", b'"', b'""', b"\n", b"\r", b"\r\n", b"\0", b"#", b" ", b"nan"]
WORDS += [b"inf", b"1e999", b"1e-999", b"True", b"2020-02-30", b"9999-12-31", b"99/99/9999", b"-"]
WORDS += [
    b"0000-00-00",
    b"12345678901234567890",
    b"0" * 400,
    b"x,y\n",
    b"\xff\xfe",
    b"\xef\xbb\xbf",
]
WORDS += [
    "٣".encode(),
    "²".encode(),
    b"1,2,3",
    b"$",
    b"%",
    b"T25:61",
    b"+00:99",
    b"0x",
    b"1_0",
    b"?",
]


class Text(Target):
    """Delimited text in many dialects and encodings."""

    name = "csv"
    errors = (DataError,)
    needs = ("pandas",)

    def draw(self, rng: np.random.Generator) -> Case:
        """Return a file and the dialect in which it is read."""
        encoding = choose(rng, ["utf-8"] * 6 + ["latin-1", "utf-16", "cp1252", "utf-32-be"])
        seeds = [text.encode(encoding, "replace") for text in TEXTS]
        content = altered(choose(rng, seeds), rng, seeds, WORDS)
        if rng.random() < 0.1:
            content = rng.bytes(int(rng.integers(200)))
        dialect: dict[str, Any] = {}
        if rng.random() < 0.5:
            dialect["encoding"] = encoding
        if rng.random() < 0.3:
            dialect["separator"] = choose(rng, [",", ";", "\t", "|", " ", "x"])
        if rng.random() < 0.2:
            dialect |= {"decimal": ":", "thousands": "."}
        if rng.random() < 0.2:
            dialect |= {"comment": "#", "quote": "'", "header": False, "missing": ("-2", "x")}
        return Case(content, dialect)

    def read(self, case: Case) -> None:
        """Read all columns, then those of a target, and then what a config is drafted from."""
        path = self.path("rows.csv", case.content)
        dialect = dict(case.way)
        table = read_rows(str(path), **dialect)
        names = list(table.columns)
        nn.data.csv(str(path), names[-1], categorical=tuple(names[:1]), **dialect)


class Draft(Text):
    """The tables for which ``nnlayers init`` drafts a config."""

    name = "draft"
    head = "age;city;seen;income;id;y\n"
    row = "{0};town {1};{2}.{3}.20{4};${5},{0}00.50;k{0};{6}\n"

    def draw(self, rng: np.random.Generator) -> Case:
        """Return rows of which one in ten is altered."""
        rows = []
        for number in range(int(rng.integers(20, 60))):
            places = (number, number % 4, number % 28 + 1, number % 12 + 1, number % 30 + 10)
            rows.append(self.row.format(*places, number % 7, ["no", "yes", "?", "1.5"][number % 3]))
        lines = [row.encode() for row in [self.head, *rows]]
        for index in rng.integers(len(lines), size=len(lines) // 10):
            lines[int(index)] = altered(lines[int(index)], rng, lines, WORDS)
        return Case(b"".join(lines))

    def read(self, case: Case) -> None:
        """Draft a config for the last column."""
        path = self.path("rows.csv", case.content)
        names = list(read_rows(str(path)).columns)
        nn.data.infer(str(path), target=names[-1])


def packed(content: bytes, suffix: str) -> bytes:
    """Return bytes compressed, as a file of this suffix is."""
    if suffix in (".zip", ".tar"):
        buffer = io.BytesIO()
        if suffix == ".zip":
            with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
                archive.writestr("rows.csv", content)
        else:
            with tarfile.open(fileobj=buffer, mode="w:gz") as archive:
                member = tarfile.TarInfo("rows.csv")
                member.size = len(content)
                archive.addfile(member, io.BytesIO(content))
        return buffer.getvalue()
    if suffix == ".zst":
        import pyarrow

        buffer = pyarrow.BufferOutputStream()
        with pyarrow.CompressedOutputStream(buffer, "zstd") as stream:
            stream.write(content)
        return bytes(buffer.getvalue())
    return {".gz": gzip.compress, ".bz2": bz2.compress, ".xz": lzma.compress}[suffix](content)


class Compressed(Target):
    """Compressed text, altered before or after it was compressed."""

    name = "compressed"
    errors = (DataError,)
    needs = ("pandas", "pyarrow")
    suffixes = (".gz", ".bz2", ".xz", ".zip", ".tar", ".zst")

    def __init__(self, directory: Path) -> None:
        super().__init__(directory)
        self.seeds = {
            suffix: [packed(text.encode(), suffix) for text in TEXTS] for suffix in self.suffixes
        }

    def draw(self, rng: np.random.Generator) -> Case:
        """Return a file and its suffix."""
        suffix = choose(rng, self.suffixes)
        if rng.random() < 0.2:
            return Case(packed(altered(TEXTS[0].encode(), rng, [], WORDS), suffix), suffix)
        seeds = self.seeds[suffix]
        return Case(altered(choose(rng, seeds), rng, seeds), suffix)

    def read(self, case: Case) -> None:
        """Read all columns."""
        read_rows(str(self.path(f"rows.csv{case.way}", case.content)))


ARRAYS = {
    "X": np.arange(12.0).reshape(4, 3),
    "y": np.array(["a", "b", "a", "ü"]),
    "w": np.array([True, False, True, True]),
    "f": np.asfortranarray(np.arange(8, dtype=">i2").reshape(4, 2)),
    "d": np.array(["2020-01-01", "NaT", "1999-12-31", "2000-01-01"], "M8[D]"),
    "s": np.array([b"ab", b"", b"c", b"d"]),
}


def npy(array: Any) -> bytes:
    """Return an array as a file."""
    buffer = io.BytesIO()
    np.save(buffer, array)
    return buffer.getvalue()


class Npy(Target):
    """Single arrays, whose headers are compared with NumPy's reading."""

    name = "npy"
    errors = (DataError,)
    seeds = tuple(npy(array) for array in ARRAYS.values())

    def draw(self, rng: np.random.Generator) -> Case:
        """Return a file, mostly with another header."""
        seed = choose(rng, self.seeds)
        head = 128 if rng.random() < 0.7 else len(seed)
        return Case(altered(seed[:head], rng, [], HEADER_WORDS) + seed[head:])

    def read(self, case: Case) -> None:
        """Read features, and a target."""
        path = self.path("rows.npy", case.content)
        features = self.path("X.npy", self.seeds[0])
        try:
            table = read_rows(str(path))
            expected = np.load(path, allow_pickle=False)
            found = np.stack([*table.columns.values()], 1)
            if not np.array_equal(
                found, expected.reshape(found.shape).astype(float), equal_nan=True
            ):
                raise BrokenPromiseError("an array is read as another")
        finally:
            nn.data.npy(str(features), str(path))


class Npz(Target):
    """Archives of arrays: with other bytes, or with other arrays in an archive that is whole."""

    name = "npz"
    errors = (DataError,)

    def __init__(self, directory: Path) -> None:
        super().__init__(directory)
        self.seeds = []
        for save in (np.savez, np.savez_compressed):
            buffer = io.BytesIO()
            save(buffer, **ARRAYS)
            self.seeds.append(buffer.getvalue())

    def draw(self, rng: np.random.Generator) -> Case:
        """Return an archive."""
        if rng.random() < 0.5:
            return Case(altered(choose(rng, self.seeds), rng, self.seeds))
        buffer = io.BytesIO()
        with zipfile.ZipFile(buffer, "w", choose(rng, [0, 8])) as archive:
            for name, array in ARRAYS.items():
                content = npy(array)
                if rng.random() < 0.5:
                    content = altered(content[:128], rng, [], HEADER_WORDS) + content[128:]
                archive.writestr(f"{name}.npy", content)
        return Case(buffer.getvalue())

    def read(self, case: Case) -> None:
        """Read an array as the target, and all arrays as columns."""
        path = str(self.path("rows.npz", case.content))
        for target, weights in (("y", "w"), ("d", None), ("s", None)):
            with suppress(DataError):
                nn.data.npz(path, target=target, weights=weights)
        read_rows(path, {"X[1]": "numeric", "f[0]": "numeric"})


class Arrow(Target):
    """Parquet and Feather files."""

    name = "arrow"
    errors = (DataError,)
    needs = ("pyarrow",)

    def __init__(self, directory: Path) -> None:
        super().__init__(directory)
        import pyarrow
        from pyarrow import feather, parquet

        table = pyarrow.table(
            {
                "n": [1.5, None, 3.0, 2.0],
                "i": [1, 2, 3, 4],
                "t": ["a", "b", None, "a"],
                "c": pyarrow.array(["x", "y", "x", "x"]).dictionary_encode(),
                "d": pyarrow.array([0, 1, 2, None], pyarrow.date32()),
                "b": [True, False, None, True],
            }
        )
        path = str(directory / "seed")
        self.seeds = []
        for kind in ("none", "snappy", "zstd"):
            parquet.write_table(table, path, compression=kind)
            self.seeds.append((Path(path).read_bytes(), ".parquet"))
        for kind in ("uncompressed", "lz4", "zstd"):
            feather.write_feather(table, path, compression=kind)
            self.seeds.append((Path(path).read_bytes(), ".feather"))

    def draw(self, rng: np.random.Generator) -> Case:
        """Return a file and its suffix."""
        content, suffix = choose(rng, self.seeds)
        return Case(altered(content, rng, [seed for seed, _ in self.seeds]), suffix)

    def read(self, case: Case) -> None:
        """Read all columns."""
        read_rows(str(self.path(f"rows{case.way}", case.content)))
