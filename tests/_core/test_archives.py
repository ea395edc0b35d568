import io
import os
import signal
import struct
import sys
import time
import tracemalloc
import zipfile
from contextlib import suppress

import numpy as np
import pytest
from effort import cases
from interrupts import Interrupter

from nnlayers._core.archives import Archive, one_line, write_archive

ARRAYS = {
    "0.W": np.array([[np.nan, -0.0, 5e-324]]),
    "f": np.asfortranarray(np.arange(6, dtype=">i2").reshape(2, 3)),
    "n": np.array(3),
    "text": np.array("ü"),
    "words": np.array(["a", "𝄞"], dtype=">U2"),
    "bytes": np.array([b"ab", b""]),
    "dates": np.array(["2020-01-01", "NaT"], "M8[D]"),
    "empty": np.zeros((0, 7), np.float32),
    "no bytes": np.array([""]),
    "mask": np.array([True, False]),
    "z": np.array(1 + 2j),
}


def written(arrays):
    file = io.BytesIO()
    write_archive(file, arrays)
    return file.getvalue()


def read(content, **options):
    return read_file(io.BytesIO(content), **options)


def read_file(file, **options):
    archive = Archive(file, **options)
    return {name: archive.array(name) for name in archive.names}


def zipped(entries, method=zipfile.ZIP_STORED):
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", method) as archive:
        for name, content in entries:
            archive.writestr(name, content)
    return file.getvalue()


def npy(header, data=b""):
    """Return an .npy file of any header."""
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(header)) + header + data


def described(shape, dtype="<f8", order="False"):
    return f"{{'descr': {dtype!r}, 'fortran_order': {order}, 'shape': {shape}}}\n".encode()


def test_arrays_come_back_to_the_bit():
    found = read(written(ARRAYS))
    assert list(found) == list(ARRAYS)
    for name, array in ARRAYS.items():
        assert (found[name].dtype, found[name].shape) == (array.dtype, array.shape)
        assert found[name].tobytes() == array.tobytes()
        assert found[name].flags.writeable
        assert found[name].flags.aligned


def test_numpy_reads_the_archives_and_the_reverse():
    with np.load(io.BytesIO(written(ARRAYS)), allow_pickle=False) as found:
        assert found.keys() == ARRAYS.keys()
        assert all(found[name].tobytes() == ARRAYS[name].tobytes() for name in ARRAYS)
    file = io.BytesIO()
    np.savez(file, **ARRAYS)
    found = read(file.getvalue())
    assert all(found[name].tobytes() == ARRAYS[name].tobytes() for name in ARRAYS)


def test_compressed_archives_are_read_where_they_may_expand():
    file = io.BytesIO()
    np.savez_compressed(file, a=np.arange(1000) // 10)
    np.testing.assert_array_equal(read(file.getvalue(), expansion=100)["a"], np.arange(1000) // 10)
    with pytest.raises(ValueError, match=r"^entry 'a.npy' is compressed, which is not read here$"):
        read(file.getvalue())


def test_one_model_gives_one_file():
    assert written(ARRAYS) == written(ARRAYS)


def test_objects_are_neither_written_nor_read():
    with pytest.raises(ValueError, match="Object arrays cannot be saved"):
        written({"a": np.array([{}])})
    file = io.BytesIO()
    np.savez(file, a=np.array([{}]))
    with pytest.raises(ValueError, match=r"^array 'a' cannot be read: it holds Python objects"):
        read(file.getvalue())


ZEROS = np.zeros(2 * 10**6)
HOSTILE = {
    "a bomb": lambda: zipped([("a.npy", npy(described(ZEROS.shape), ZEROS.tobytes()))], 8),
    "another method": lambda: zipped([("a.npy", b"x" * 99)], zipfile.ZIP_BZIP2),
    "a name twice": lambda: zipped([("a.npy", npy(described(()), bytes(8)))] * 2000),
    "more than there is": lambda: zipped([("a.npy", npy(described((10**12,))))]),
    "more than memory": lambda: zipped([("a.npy", npy(described((10**30, 10**30))))]),
    "nothing of much": lambda: zipped([("a.npy", npy(described((10**12,), "<U0")))]),
    "an axis too long": lambda: zipped([("a.npy", npy(described((0, 10**30))))]),
    "negative axes": lambda: zipped([("a.npy", npy(described((-1, -1)), bytes(8)))]),
    "axes of no number": lambda: zipped([("a.npy", npy(described((0.5,)), bytes(4)))]),
    "more at the end": lambda: zipped([("a.npy", npy(described(()), bytes(9)))]),
    "structures": lambda: zipped([("a.npy", npy(described((), [("a", "<f8")]), bytes(8)))]),
    "an inner shape": lambda: zipped([("a.npy", npy(described((), "(9,9)f8"), bytes(8)))]),
    "objects": lambda: zipped([("a.npy", npy(described((), "|O"), bytes(8)))]),
    "no dtype": lambda: zipped([("a.npy", npy(described((), "no\x1b[2J"), bytes(8)))]),
    "no Unicode": lambda: zipped([("a.npy", npy(described((), "<U1"), b"\xff\xff\xff\x7f"))]),
    "open brackets": lambda: zipped([("a.npy", npy(b"(" * 9000))]),
    "minus signs": lambda: zipped([("a.npy", npy(b"-" * 9000 + b"1"))]),
    "an open string": lambda: zipped([("a.npy", npy(b"'''\n"))]),
    "half a header": lambda: zipped([("a.npy", b"\x93NUMPY\x01\x00\xff\xffx")]),
    "a version": lambda: zipped([("a.npy", b"\x93NUMPY\x09\x00" + bytes(99))]),
    "text": lambda: zipped([("a.npy", b"text")]),
    "empty": lambda: zipped([("a.npy", b"")]),
}


@pytest.mark.parametrize("expansion", [1, 100])
@pytest.mark.parametrize("make", HOSTILE.values(), ids=HOSTILE)
@pytest.mark.filterwarnings("ignore")
def test_a_hostile_archive_is_refused_at_once_and_for_little_memory(make, expansion):
    content = make()
    file = io.BytesIO(content)
    tracemalloc.start()
    began = time.process_time()
    with pytest.raises(ValueError, match=r"\A[ -~]{1,600}\Z"):
        read_file(file, expansion=expansion)
    assert time.process_time() - began < 1
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 4_000_000 + 10 * len(content)


def fixed(content, place, number):
    """Return an archive with one entry's flags or method changed in both of its headers."""
    changed = bytearray(content)
    local, central = content.index(b"PK\x03\x04"), content.index(b"PK\x01\x02")
    struct.pack_into("<H", changed, local + place, number)
    struct.pack_into("<H", changed, central + place + 2, number)
    return bytes(changed)


@pytest.mark.parametrize(
    ("place", "number"), [(6, 1), (6, 32), (6, 64), (8, 99), (8, 1), (8, 14), (4, 99)]
)
@pytest.mark.filterwarnings("ignore")
def test_encryption_and_unknown_methods_are_refused(place, number):
    with pytest.raises(ValueError, match=r"\A.{1,600}\Z"):
        read(fixed(written({"a": np.zeros(9)}), place, number))


@pytest.mark.parametrize("expansion", [1, 100])
@pytest.mark.filterwarnings("ignore")
def test_mutated_archives_are_read_or_refused(expansion):
    rng = np.random.default_rng(expansion)
    stored = written(dict(ARRAYS, large=np.arange(300.0)))
    file = io.BytesIO()
    np.savez_compressed(file, **ARRAYS)
    whole = [stored, stored, file.getvalue()]
    for number in range(cases(750)):
        content = mutated(whole[number % 3], rng)
        with suppress(ValueError):
            read(content, expansion=expansion)


def mutated(content, rng):
    """Return bytes with some changed, repeated, cut out or put in."""
    changed = bytearray(content)
    for _ in range(rng.integers(1, 5)):
        place = int(rng.integers(len(changed) + 1))
        length = int(rng.integers(1, 40))
        kind = rng.integers(5)
        if kind == 0:
            del changed[place : place + length]
        elif kind == 1:
            changed[place:place] = rng.bytes(length)
        elif kind == 2:
            changed[place : place + length] = rng.bytes(length)
        elif kind == 3:
            start = int(rng.integers(len(changed) + 1))
            changed[place:place] = changed[start : start + 10 * length]
        elif place < len(changed):
            changed[place] ^= 1 << int(rng.integers(8))
    return bytes(changed)


def test_a_checksum_that_differs_is_noticed():
    content = bytearray(written({"a": np.arange(300.0)}))
    content[1000] ^= 1
    with pytest.raises(ValueError, match=r"^array 'a' cannot be read: BadZipFile: Bad CRC-32"):
        read(bytes(content))


def test_a_message_is_one_line_of_printable_letters():
    assert one_line(ValueError("a\n  b\x1b[2J\x00")) == "a b [2J"
    assert len(one_line("a" * 10**6)) < 600


def test_a_position_before_the_file_is_not_an_error_of_the_disk(tmp_path):
    content = bytearray(written({"a": np.zeros(3)}))
    struct.pack_into("<I", content, content.index(b"PK\x01\x02") + 42, 2**32 - 1)
    end = content.index(b"PK\x05\x06")
    struct.pack_into("<I", content, end + 16, struct.unpack_from("<I", content, end + 16)[0] + 9)
    path = tmp_path / "a.npz"
    path.write_bytes(content)
    with path.open("rb") as file, pytest.raises(ValueError, match=r"array 'a' cannot be read"):
        read_file(file)


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no os.kill of SIGINT")
def test_ctrl_c_within_an_archive_is_answered_after_it(monkeypatch):
    ignored = []
    monkeypatch.setattr(sys, "unraisablehook", ignored.append)
    module = zipfile.__file__.removesuffix("__init__.py")
    expected = written(ARRAYS)
    for line in range(0, 300, 3):
        file = io.BytesIO()
        press = Interrupter(line, lambda: os.kill(os.getpid(), signal.SIGINT), module)
        with pytest.raises(KeyboardInterrupt), press:
            write_archive(file, ARRAYS)
        assert file.getvalue() == expected
    assert not ignored
