"""Pairs of NumPy calls with the same result, of which the library uses the second."""

import timeit

import numpy as np

from benchmarks.report import PERFORMANCE, Report

RNG = np.random.default_rng(0)
NAMES = {
    "np": np,
    "x": RNG.normal(size=(128, 128)).astype(np.float32),
    "mask": RNG.normal(size=(128, 128)) > 0,
    "few": RNG.normal(size=(32, 10)),
    "ones": np.ones(10),
    "ids": RNG.integers(10, size=32).view(np.uint64),
    "X": RNG.normal(size=(100_000, 50)).astype(np.float32),
    "rows": RNG.integers(100_000, size=200),
}
PAIRS = (
    ("np.maximum(x, 0)", "np.maximum(x, np.zeros(x.shape, x.dtype))"),
    ("few @ ones", "few.dot(ones)"),
    ("np.maximum.reduce(ids)", "ids[ids.argmax()]"),
    ("x * mask", "x * mask.astype(x.dtype)"),
    ("X[rows]", "X.take(rows, axis=0)"),
)
HEADER = ("instead of", "microseconds", "this", "microseconds")


def microseconds(code, repeats):
    """Return the best time of several repeats."""
    timer = timeit.Timer(code, globals=NAMES)
    return min(timer.repeat(repeats, 1000)) * 1000


def run(options):
    """Time both calls of each pair."""
    report, rows = Report("kernels", HEADER, options.output, page=PERFORMANCE), [HEADER]
    for pair in PAIRS:
        row = []
        for code in pair:
            row += [code, f"{microseconds(code, 5 if options.quick else 30):.2f}"]
        report.add([f"`{cell}`" if cell in pair else cell for cell in row])
        rows.append(row)
    report.save(rows)
