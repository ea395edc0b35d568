"""Write a table to the screen and the documentation, and a CSV file."""

import csv
import platform
import re
import sys
from importlib import metadata
from pathlib import Path

PAGE = Path(__file__).parents[1] / "docs" / "background" / "benchmarks.md"
FOLDER = PAGE.with_suffix("")
IMAGES = PAGE.parents[1] / "images"
RELIABILITY = PAGE.with_name("reliability.md")
PERFORMANCE = PAGE.with_name("performance.md")
ESTIMATORS = PAGE.parents[1] / "guide" / "estimators.md"
LIBRARIES = ("numpy", "scipy", "torch", "jax", "optax", "scikit-learn", "keras", "thinc")


class Report:
    """A table that is printed row by row.

    Parameters
    ----------
    name : str
        Name of the benchmark and of its files.
    header : sequence of str
        Titles of the table's columns.
    folder : Path
        Folder of the files. In that of the documentation, the table also replaces the one
        between ``<!-- name -->`` and ``<!-- end -->`` on its page.
    page : Path
        Page of the documentation.
    """

    def __init__(self, name, header, folder, page=PAGE):
        self.name, self.folder, self.page = name, folder, page
        self._lines = []
        # A folder of this machine tells a reader nothing.
        words = ["DIRECTORY" if Path(word).is_absolute() else word for word in sys.argv[1:]]
        self._print(f"`python -m benchmarks {' '.join(words)}`: {machine()}.\n")
        self.add(header)
        self._print("| --- " * len(header) + "|")

    def add(self, cells):
        """Print a row of the table."""
        self._print(f"| {' | '.join(map(str, cells))} |")

    def save(self, rows):
        """Write the rows as a CSV file, and the table into the documentation."""
        self.folder.mkdir(parents=True, exist_ok=True)
        with (self.folder / f"{self.name}.csv").open("w", newline="") as file:
            csv.writer(file, lineterminator="\n").writerows(rows)
        if self.folder == FOLDER:
            start, end = f"<!-- {self.name} -->", "<!-- end -->"
            table = "\n".join([start, *self._lines, end])
            text = self.page.read_text()
            text = re.sub(f"{start}.*?{end}", lambda _: table, text, flags=re.DOTALL)
            self.page.write_text(text)

    def _print(self, line):
        self._lines.append(line)
        print(line, flush=True)


def machine():
    """Describe the machine and the versions of libraries."""
    cpuinfo = Path("/proc/cpuinfo")
    lines = cpuinfo.read_text().splitlines() if cpuinfo.exists() else []
    names = [line.partition(": ")[2] for line in lines if line.startswith("model name")]
    processor = f"{len(names)} cores of {names[0]}" if names else platform.processor()
    return f"{processor}, Python {platform.python_version()}, {', '.join(versions())}"


def versions():
    """Yield the names and versions of the installed libraries."""
    for name in LIBRARIES:
        try:
            yield f"{name} {metadata.version(name)}"
        except metadata.PackageNotFoundError:
            yield f"no {name}"
