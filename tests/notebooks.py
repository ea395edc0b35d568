"""Run the notebooks of the examples, and store what they show.

``python -m tests.notebooks`` runs all of them, or those that are named, and writes their outputs,
which the documentation shows.
"""

import re
import sys
import tempfile
from pathlib import Path

NOTEBOOKS = Path(__file__).parents[1] / "examples" / "notebooks"
STYLE = Path(__file__).parents[1] / "docs" / "pictures.mplstyle"
# The compiled engine says so where it has to compile, which takes its time. Plots suit light and
# dark pages, as the other pictures of the documentation do.
SETUP = f"import os, sys; sys.modules['numba'] = None; os.environ['MATPLOTLIBRC'] = {str(STYLE)!r}"
# For a cell, on a machine that is busy with other tests.
SECONDS = 120


def paths():
    return sorted(NOTEBOOKS.glob("*.ipynb"))


def read(path):
    import nbformat

    return nbformat.read(path, as_version=4)


def execute(path):
    """Return a notebook with the outputs of its cells; an error in a cell is raised."""
    import nbclient

    notebook = read(path)
    with tempfile.TemporaryDirectory() as directory:  # for the files that it writes
        resources = {"metadata": {"path": directory}}
        client = nbclient.NotebookClient(
            notebook,
            timeout=SECONDS,
            kernel_name="python3",
            resources=resources,
            extra_arguments=[f"--IPKernelApp.exec_lines={SETUP}"],
        )
        return tidy(client.execute())


def tidy(notebook):
    """Leave out what differs from run to run and from machine to machine."""
    notebook.metadata = {
        "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
        "language_info": {"name": "python"},
    }
    for index, cell in enumerate(notebook.cells):
        cell.id = f"cell-{index}"
        cell.metadata = {}
        for output in cell.get("outputs", []):
            output.pop("transient", None)
    return notebook


def shown_by(notebook):
    """Return the formats and the text of each output, with ``#`` for each number."""
    shown = []
    for cell in notebook.cells:
        for output in cell.get("outputs", []):
            data = output.get("data", {"text/plain": output.get("text", "")})
            text = re.sub(r"-?\d[\d.,]*(e[-+]?\d+)?", "#", "".join(data["text/plain"].split()))
            # The end of a line that is printed may arrive as an output of its own.
            if text:
                shown.append((sorted(data), text))
    return shown


def main(names):
    import nbformat

    for path in paths():
        if not names or path.stem in names:
            nbformat.write(execute(path), path)
            print(f"{path.name}: {path.stat().st_size:,} bytes")


if __name__ == "__main__":
    main(sys.argv[1:])
