"""Import time in a new process, and size of an installation on disk."""

import subprocess
import sys
from importlib import metadata
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from time import perf_counter

from packaging.requirements import Requirement

from benchmarks.picture import draw_bars
from benchmarks.race import environment
from benchmarks.report import Report

# The imports with which a program of each library begins, by distribution.
IMPORTS = {
    "numpy": "import numpy, scipy.special",
    "nnlayers": "import nnlayers",
    "torch": "import torch",
    "optax": "import jax, optax",
    "scikit-learn": "from sklearn.neural_network import MLPClassifier",
    "keras": "import keras",
    "thinc": "import thinc.api",
}


def seconds(code, bytecode):
    """Return the seconds of a process that runs the code and ends.

    Bytecode is cached in a folder, as in an installation, even where the environment forbids it.
    """
    settings = environment(1) | {
        "KERAS_BACKEND": "jax",
        "PYTHONDONTWRITEBYTECODE": "",
        "PYTHONPYCACHEPREFIX": bytecode,
    }
    start = perf_counter()
    subprocess.run([sys.executable, "-c", code], check=True, env=settings, capture_output=True)
    return perf_counter() - start


def megabytes(name):
    """Return the installed size of a distribution."""
    return sum(path.stat().st_size for path in files(metadata.distribution(name))) / 1e6


def required(name, seen):
    """Add the names of a distribution and of its requirements to `seen`, and return it."""
    if name not in seen:
        seen.add(name)
        for line in metadata.distribution(name).requires or []:
            requirement = Requirement(line)
            if requirement.marker is None or requirement.marker.evaluate({"extra": ""}):
                required(requirement.name.lower().replace("_", "-"), seen)
    return seen


def files(distribution):
    """Yield a distribution's files, or the source files of an editable install."""
    import nnlayers

    if distribution.name == "nnlayers":
        yield from Path(nnlayers.__file__).parent.rglob("*.py")
        return
    for path in distribution.files or []:
        located = Path(distribution.locate_file(path))
        if located.is_file() and located.suffix != ".pyc":
            yield located


def run(options):
    """Time the imports in turn, and print and write the table."""
    rounds = 5 if options.quick else 15
    installed = {}
    for name, code in IMPORTS.items():
        try:
            installed[name] = code, megabytes(name), sum(map(megabytes, required(name, set())))
        except metadata.PackageNotFoundError as error:
            print(f"{name} is left out: {error}", file=sys.stderr)
    times = {name: [] for name in installed}
    bare = []
    with TemporaryDirectory() as bytecode:
        for code, *_ in installed.values():
            seconds(code, bytecode)
        for _ in range(rounds):
            bare.append(seconds("pass", bytecode))
            for name, (code, *_) in installed.items():
                times[name].append(seconds(code, bytecode))
    header = ("distribution", "code", "seconds", "MB", "MB with dependencies")
    report = Report("import", header, options.output)
    rows = [
        (name, code, f"{median(times[name]) - median(bare):.3f}", f"{own:.1f}", f"{in_all:.1f}")
        for name, (code, own, in_all) in installed.items()
    ]
    for row in rows:
        report.add(row)
    report.save([header, *rows])
    shown = {
        "seconds of an import": [float(row[2]) for row in rows],
        "MB with dependencies": [float(row[4]) for row in rows],
    }
    draw_bars(list(installed), shown, options.output / "import.svg")
