"""Headers of .npy files are read as NumPy reads them, but never evaluated."""

import ast
import io

import numpy as np
import pytest

from nnlayers._core.array_headers import read_array_header


def npy(header, version=b"\x01\x00"):
    length = len(header).to_bytes(2 if version[0] == 1 else 4, "little")
    return io.BytesIO(b"\x93NUMPY" + version + length + header)


def saved(array):
    file = io.BytesIO()
    np.save(file, array)
    file.seek(0)
    return file


KINDS = [
    "?",
    "i1",
    "u2",
    "<i4",
    ">i8",
    "f2",
    "<f4",
    ">f8",
    "c8",
    "c16",
    "S3",
    "S0",
    "<U2",
    ">U2",
    "M8[D]",
    "<M8[25s]",
    "m8[ms]",
    "M8",
    "g",
]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("shape", [(), (3,), (0, 2), (2, 3), (1,) * 32])
@pytest.mark.parametrize("order", "CF")
def test_headers_that_numpy_writes_are_read(kind, shape, order):
    array = np.zeros(shape, kind, order=order)
    header = read_array_header(saved(array))
    assert header[:1] + header[2:] == (array.shape, np.dtype(np.asarray(array).dtype.str))
    assert header.is_fortran == (array.flags.fnc)


OTHERS = {
    "another order": b"{'shape': (2, 3), 'descr': '<f8', 'fortran_order': False}\n",
    "no blanks": b"{'descr':'<f8','fortran_order':False,'shape':(2,3)}",
    "blanks": b"{ 'descr' : '<f8' , 'fortran_order' : False , 'shape' : ( 2 , 3 , ) , } \n",
    "double quotes": b'{"descr": "<f8", "fortran_order": False, "shape": (2, 3)}   \n',
    "long integers of Python 2": b"{'descr': '<f8', 'fortran_order': False, 'shape': (2L, 3L), }\n",
    "no mark of order": b"{'descr': 'f8', 'fortran_order': False, 'shape': (2, 3), }\n",
}


@pytest.mark.parametrize("header", OTHERS.values(), ids=OTHERS)
@pytest.mark.parametrize("version", [b"\x01\x00", b"\x02\x00"])
def test_headers_of_other_programs_are_read(header, version):
    assert read_array_header(npy(header, version)) == ((2, 3), False, np.dtype("<f8"))


BAD = {
    "code": b"{'descr': __import__('os').system('id'), 'fortran_order': False, 'shape': (2,)}",
    "an expression": b"{'descr': '<f8', 'fortran_order': False, 'shape': (2**3,)}",
    "a sum": b"{'descr': '<f' + '8', 'fortran_order': False, 'shape': (2,)}",
    "a number as shape": b"{'descr': '<f8', 'fortran_order': False, 'shape': (2)}",
    "a list as shape": b"{'descr': '<f8', 'fortran_order': False, 'shape': [2]}",
    "a negative length": b"{'descr': '<f8', 'fortran_order': False, 'shape': (-2,)}",
    "a truth value as length": b"{'descr': '<f8', 'fortran_order': False, 'shape': (True,)}",
    "two commas": b"{'descr': '<f8', 'fortran_order': False, 'shape': (2,,)}",
    "digits of another script": "{'descr': '<f8', 'fortran_order': False, 'shape': (²,)}".encode(
        "latin-1"
    ),
    "a number as order": b"{'descr': '<f8', 'fortran_order': 0, 'shape': (2,)}",
    "an entry twice": b"{'descr': '<f8', 'descr': '<f4', 'fortran_order': False, 'shape': (2,)}",
    "an entry more": b"{'descr': '<f8', 'fortran_order': False, 'shape': (2,), 'more': 1}",
    "an entry less": b"{'descr': '<f8', 'shape': (2,)}",
    "no braces": b"'descr': '<f8', 'fortran_order': False, 'shape': (2,)",
    "more behind": b"{'descr': '<f8', 'fortran_order': False, 'shape': (2,)} + 1",
    "a comment": b"{'descr': '<f8', 'fortran_order': False, 'shape': (2,)} # }",
    "objects": b"{'descr': '|O', 'fortran_order': False, 'shape': (2,)}",
    "fields": b"{'descr': [('a', '<f8')], 'fortran_order': False, 'shape': (2,)}",
    "an inner shape": b"{'descr': '(2,)<f8', 'fortran_order': False, 'shape': (2,)}",
    "two dtypes": b"{'descr': 'f8,f8', 'fortran_order': False, 'shape': (2,)}",
    "a name of a dtype": b"{'descr': 'object', 'fortran_order': False, 'shape': (2,)}",
    "no such dtype": b"{'descr': '<f3', 'fortran_order': False, 'shape': (2,)}",
    "too large a dtype": b"{'descr': '<U9999999999', 'fortran_order': False, 'shape': (2,)}",
    "no such unit": b"{'descr': '<M8[x]', 'fortran_order': False, 'shape': (2,)}",
    "nothing": b"",
    "brackets": b"{" * 2000,
    "blanks alone": b"{" + b" " * 1999,
    "many lengths": b"{'shape': (" + b"1," * 900 + b"x",
}


@pytest.mark.parametrize("header", BAD.values(), ids=BAD)
def test_anything_else_is_refused_unread(header, monkeypatch):
    monkeypatch.setattr(ast, "parse", None)
    with pytest.raises(ValueError, match=r"^it"):
        read_array_header(npy(header))


def test_a_header_is_of_bounded_length_and_whole():
    header = OTHERS["blanks"]
    with pytest.raises(ValueError, match="its header has 5000 bytes, more than 2000"):
        read_array_header(npy(header.ljust(5000)))
    for content in (b"", b"\x93NUMPY", b"\x93NUMPY\x01", b"text", b"\x93NUMPX\x01\x00"):
        with pytest.raises(ValueError, match="does not begin as"):
            read_array_header(io.BytesIO(content))
    whole = npy(header).getvalue()
    for length in range(8, len(whole)):
        with pytest.raises(ValueError, match="header"):
            read_array_header(io.BytesIO(whole[:length]))
    with pytest.raises(ValueError, match=r"format version 3\.0 is not known"):
        read_array_header(npy(header, b"\x03\x00"))


def test_booleans_and_characters_that_there_are_not_are_refused():
    header = read_array_header(saved(np.array([True, False])))
    np.testing.assert_array_equal(header.array(np.array([0, 1], np.uint8)), [False, True])
    with pytest.raises(ValueError, match="booleans that are neither 0 nor 1"):
        header.array(np.array([0, 2], np.uint8))
    header = read_array_header(saved(np.array("a")))
    with pytest.raises(ValueError, match="characters beyond those of Unicode"):
        header.array(np.full(4, 255, np.uint8))
