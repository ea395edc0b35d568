"""Pages that play the film of a training: its curves, and the network at the ends of epochs."""

from __future__ import annotations

import base64
import os
from collections.abc import Mapping, Sequence
from html import escape
from typing import Any

import numpy as np
import numpy.typing as npt

from nnlayers._core.arrays import Array
from nnlayers._core.checks import check_instance
from nnlayers.drawing.film import SCALE, SIDE, Film, FilmContents, FilmView, grid_sides
from nnlayers.drawing.frame import controls, fill, source, write_page

__all__ = ["film_to_html"]

_SCRIPTS = ("arrays", "player", "charts", "view", "film")
# The epochs of a curve that a page holds; of more, those of the extremes of parts of each column.
_MOST_EPOCHS = 1000


def film_to_html(
    columns: Mapping[str, Sequence[float]],
    film: Film | None,
    path: str | os.PathLike[str],
    title: str,
) -> None:
    """Write a page that plays a training.

    Parameters
    ----------
    columns : mapping of str to sequence of float
        The columns of the history, which have a value for each epoch.
    film : Film or None
        The film; without one the page has the curves alone.
    path : path-like
        The file to write.
    title : str
        The title of the page.

    Raises
    ------
    OSError
        If the page cannot be written; the message names `path`.
    """
    check_instance("title", title, str)
    table = {name: np.asarray(column, np.float64) for name, column in columns.items()}
    recorded = film if film is not None and film.contents is not None and film.frames else None
    epochs = _chosen_epochs(table, [] if recorded is None else recorded.epochs)
    steps = epochs.tolist() if recorded is None else recorded.epochs
    total = len(next(iter(table.values()), ()))
    body = fill(
        "film.html",
        title=escape(title),
        summary=f"{total:,} epoch{'' if total == 1 else 's'}",
        controls=controls("Epoch", max(0, len(steps) - 1)),
        text=escape(_text(table, epochs)),
    )
    data = {
        "steps": steps,
        "epochs": epochs.tolist(),
        "columns": [[name, _base64(column[epochs - 1])] for name, column in table.items()],
        "film": None if recorded is None else _film_data(recorded, recorded.contents),
    }
    contents = None if recorded is None else recorded.contents
    parts = {"recorded": contents, "viewed": contents and contents.view}
    classes = ["tall film", *(name for name, part in parts.items() if part is not None)]
    write_page(
        path,
        title,
        body,
        attributes=f'class="{" ".join(classes)}"',
        style=source("page.css") + source("film.css"),
        data=data,
        scripts=_SCRIPTS,
    )


def _chosen_epochs(table: Mapping[str, Array], frames: Sequence[int]) -> npt.NDArray[np.intp]:
    """Return the epochs, counted from 1, of which a page holds the numbers."""
    total = len(next(iter(table.values()), ()))
    if total <= _MOST_EPOCHS:
        return np.arange(1, total + 1)
    parts = np.array_split(np.arange(total), max(2, _MOST_EPOCHS // (2 * len(table))))
    chosen = {0, total - 1, *(epoch - 1 for epoch in frames if 0 < epoch <= total)}
    for column in table.values():
        for part in parts:
            values = np.where(np.isfinite(column[part]), column[part], column[part[0]])
            chosen |= {int(part[values.argmin()]), int(part[values.argmax()])}
    return np.array(sorted(chosen)) + 1


def _text(table: Mapping[str, Array], epochs: npt.NDArray[np.intp]) -> str:
    """Return the last epochs as a table, for browsers without JavaScript."""
    rows = [[epoch, *(column[epoch - 1] for column in table.values())] for epoch in epochs[-20:]]
    lines = [["epoch", *table], *([f"{number:.4g}" for number in row] for row in rows)]
    return "\n".join(map("  ".join, lines))


def _film_data(film: Film, contents: FilmContents | None) -> dict[str, Any]:
    """Return what a page needs of the frames."""
    assert contents is not None
    arrays = film.stacked()
    sides = iter(grid_sides(contents.weights.values()))
    layers = [
        {
            "name": layer.name,
            "kind": layer.kind,
            "weights": [
                {"name": name, "shape": shape, "sides": next(sides)}
                for name, shape in layer.weights
            ],
        }
        for layer in contents.layers
    ]
    return {
        "layers": layers,
        "leftOut": contents.left_out,
        "rows": contents.rows,
        "scale": SCALE,
        "arrays": {name: _base64(array) for name, array in arrays.items()},
        "view": None if contents.view is None else _view_data(contents.view, film),
    }


def _view_data(view: FilmView, film: Film) -> dict[str, Any]:
    return {
        "kind": view.kind,
        "curves": view.curves,
        "side": SIDE,
        "ranges": view.ranges,
        "units": film.units or [(0, 1)] * len(view.ranges),
        "unit": film.value_unit,
        "features": view.features,
        "classes": view.classes,
        "points": _base64(film.points),
        "targets": _base64(film.targets),
    }


def _base64(array: Array) -> str:
    """Return the numbers of an array as little-endian int16 or float64."""
    code = "<i2" if array.dtype.kind == "i" else "<f8"
    return base64.b64encode(array.astype(code).tobytes()).decode()
