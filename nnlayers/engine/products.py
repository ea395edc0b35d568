"""Matrix products by the BLAS that NumPy uses.

Compiled kernels call NumPy's own ``cblas_sgemm`` and ``cblas_dgemm`` by address. Another BLAS, such
as SciPy's, which Numba's ``np.dot`` calls, would bring a second pool of threads, and the two would
fight for the cores. A matrix may be some columns of a larger one: ``x[:, start:stop]``.
"""

from __future__ import annotations

import ctypes
from collections.abc import Iterator
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from nnlayers._core.arrays import Array

__all__ = [
    "Gemm",
    "add_product",
    "add_product_tn",
    "count_threads",
    "find_gemm",
    "product",
    "product_nt",
    "product_tn",
]

# How the builds of NumPy name the function, and whether its integers have 64 bits.
NAMES = [
    ("scipy_cblas_{}gemm64_", True),
    ("cblas_{}gemm64_", True),
    ("cblas_{}gemm$NEWLAPACK$ILP64", True),
    ("scipy_cblas_{}gemm", False),
    ("cblas_{}gemm", False),
]


# The processors, as OpenBLAS calls them, for which it multiplies small matrices without copying.
WITH_SMALL_PRODUCTS = {"SkylakeX", "Cooperlake", "SapphireRapids"}


class Gemm(NamedTuple):
    """Addresses of the matrix products of float32 and float64, and what is known of their BLAS.

    Attributes
    ----------
    single, double : int
        The addresses.
    has_long_integers : bool
        Whether the lengths of matrices are integers of 64 bits.
    threads : int
        The address of the function that returns the number of threads, or 0.
    has_small_products : bool
        Whether products of up to a million multiplications are done without copying the factors.
    """

    single: int
    double: int
    has_long_integers: bool
    threads: int
    has_small_products: bool


@cache
def find_gemm() -> Gemm | None:
    """Return the matrix products of NumPy's BLAS, or None if they are not found."""
    for path in _libraries():
        try:
            library = ctypes.CDLL(str(path))
        except OSError:
            continue
        for name, has_long_integers in NAMES:
            try:
                single, double = (getattr(library, name.format(letter)) for letter in "sd")
            except AttributeError:
                continue
            threads, is_small = _read_openblas(library, name)
            return Gemm(_address(single), _address(double), has_long_integers, threads, is_small)
    return None


def _read_openblas(library: ctypes.CDLL, name: str) -> tuple[int, bool]:
    """Return `threads` and `has_small_products` of `Gemm`: 0 and False unless it is OpenBLAS."""
    try:
        threads, processor = (
            getattr(library, name.replace("cblas_{}gemm", f"openblas_get_{what}"))
            for what in ("num_threads", "corename")
        )
    except AttributeError:
        return 0, False
    processor.restype = ctypes.c_char_p
    return _address(threads), processor().decode() in WITH_SMALL_PRODUCTS


def _address(function: Any) -> int:
    return ctypes.cast(function, ctypes.c_void_p).value or 0


def _libraries() -> Iterator[Path]:
    """Yield NumPy's extension module, through which its BLAS is found, and bundled libraries."""
    yield Path(import_module("numpy._core._multiarray_umath").__file__ or "")
    package = Path(np.__file__).parent
    for directory in (package.parent / "numpy.libs", package / ".dylibs"):
        if directory.is_dir():
            yield from sorted(directory.glob("*blas*"))


def product(gemm: int, a: Array, b: Array, out: Array) -> None:
    """Write ``a @ b`` to `out`."""
    np.matmul(a, b, out)


def product_nt(gemm: int, a: Array, b: Array, out: Array) -> None:
    """Write ``a @ b.T`` to `out`."""
    np.matmul(a, b.T, out)


def product_tn(gemm: int, a: Array, b: Array, out: Array) -> None:
    """Write ``a.T @ b`` to `out`."""
    np.matmul(a.T, b, out)


def add_product(gemm: int, a: Array, b: Array, out: Array) -> None:
    """Add ``a @ b`` to `out`."""
    out += np.matmul(a, b)


def add_product_tn(gemm: int, a: Array, b: Array, out: Array) -> None:
    """Add ``a.T @ b`` to `out`."""
    out += np.matmul(a.T, b)


def count_threads(threads: int) -> int:
    """Return the number of threads of BLAS, by the address of the function that tells it."""
    return int(ctypes.CFUNCTYPE(ctypes.c_int)(threads)())
