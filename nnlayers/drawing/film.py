"""Films of trainings: what was seen of a network at the ends of some epochs."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from nnlayers._core.arrays import Array
from nnlayers._core.state import check_names

__all__ = [
    "BINS",
    "MOST_CLASSES",
    "MOST_CURVES",
    "MOST_LAYERS",
    "MOST_WEIGHTS",
    "SCALE",
    "Film",
    "FilmContents",
    "FilmLayer",
    "FilmView",
    "grid_sides",
    "levels",
]

# Bars of a histogram; layers of a film; the largest level of a heat map and of a share.
BINS, MOST_LAYERS, SCALE = 32, 64, 32767
# Curves of a view; points of a curve, and of the side of a plane.
MOST_CURVES, CURVE, SIDE = 8, 100, 48
# A heat map has at most so many blocks a side, and those of a frame so many together, so that they
# take 400 kB of a film of 50 frames.
_MAP_SIDE, _MOST_CELLS = 32, 4096
MOST_WEIGHTS, MOST_CLASSES = 256, 127


@dataclass(frozen=True)
class FilmLayer:
    """A layer in a film.

    Parameters
    ----------
    name : str
        Its name in the model.
    kind : str
        Its class and arguments.
    weights : tuple of (str, tuple of int)
        The names and the shapes of its parameters.
    """

    name: str
    kind: str
    weights: tuple[tuple[str, tuple[int, ...]], ...] = ()


@dataclass(frozen=True)
class FilmView:
    """Predictions over the plane or the line of a model's inputs.

    Parameters
    ----------
    kind : {"classes", "values"}
        What it predicts. On a plane a frame has for each point 256 times the number of the most
        probable class plus 255 times its probability, or the value; along a line, it has a curve
        for each class or value.
    curves : int
        The number of classes or values.
    ranges : tuple of (float, float)
        The range of each feature, of which there are one or two.
    features : tuple of str
        Their names.
    classes : tuple of str
        The names of the classes; empty for values.
    """

    kind: str
    curves: int
    ranges: tuple[tuple[float, float], ...]
    features: tuple[str, ...]
    classes: tuple[str, ...] = ()

    @property
    def shape(self) -> tuple[int, int]:
        """The number of functions of a frame, and of the points of each."""
        if len(self.ranges) == 2:
            return 1, SIDE * SIDE
        return self.curves, CURVE

    def grid(self) -> Array:
        """Return the points, a row for each; on a plane from its top, where x2 is largest, down."""
        if len(self.ranges) == 1:
            return np.linspace(*self.ranges[0], CURVE)[:, None]
        across, up = (np.linspace(*span, SIDE) for span in self.ranges)
        return np.stack([grid.ravel() for grid in np.meshgrid(across, up[::-1])], axis=1)


@dataclass(frozen=True)
class FilmContents:
    """Contents of every frame of a film.

    Parameters
    ----------
    layers : tuple of FilmLayer
        The layers.
    rows : int
        The number of rows that gradients and outputs are those of; 0 if there are none.
    left_out : int
        The number of further layers.
    view : FilmView, optional
        What the model makes of its inputs, if they are one or two features.
    """

    layers: tuple[FilmLayer, ...]
    rows: int = 0
    left_out: int = 0
    view: FilmView | None = None

    @property
    def weights(self) -> dict[str, tuple[int, ...]]:
        """The shapes of the parameters by name."""
        return {name: shape for layer in self.layers for name, shape in layer.weights}

    def shapes(self) -> dict[str, tuple[int, ...]]:
        """Return the shapes of the arrays of a frame by name."""
        layers, weights = len(self.layers), self.weights.values()
        shapes: dict[str, tuple[int, ...]] = {
            "cells": (sum(rows * columns for rows, columns in grid_sides(weights)),),
            "weights": (len(weights), 4),
            "gradients": (layers,),
            "outputs": (layers, 2),
            "shares": (layers, BINS),
            "dead": (layers,),
        }
        if self.view is not None:
            shapes |= {"view": self.view.shape, "view_range": (2,)}
        return shapes

    def blank(self) -> dict[str, Array]:
        """Return the arrays of a frame, without numbers."""
        return {name: np.full(s, *_blank(name)) for name, s in self.shapes().items()}


def _blank(name: str) -> tuple[Any, Any]:
    """Return what fills an array of a frame, and its dtype."""
    return (0, np.int16) if name in ("cells", "shares", "view") else (np.nan, np.float64)


def levels(values: Array, start: float, end: float) -> Array:
    """Return an integer for each value: 0 at the start, the largest level at the end.

    NaN has an integer of its own, below all others.

    Examples
    --------
    >>> levels(np.array([-1.0, 0.0, 1.0, np.nan]), 0.0, 1.0)
    array([-32767,      0,  32767, -32768], dtype=int16)
    """
    span = end - start
    scaled = (np.asarray(values, np.float64) - start) / (span or 1.0) * SCALE
    rounded = np.where(np.isnan(scaled), -SCALE - 1, np.rint(np.clip(scaled, -SCALE, SCALE)))
    return rounded.astype(np.int16)


def grid_sides(shapes: Any) -> list[tuple[int, int]]:
    """Return the rows and columns of the heat maps of arrays, which together are not too many.

    Examples
    --------
    >>> grid_sides([(2, 16), (16,), (784, 256)])
    [(2, 16), (1, 16), (32, 32)]
    >>> grid_sides([(100, 100)] * 20)[0]
    (14, 14)
    """
    tables = [_table_shape(shape) for shape in shapes]
    side = _MAP_SIDE
    while side > 1 and sum(min(r, side) * min(c, side) for r, c in tables) > _MOST_CELLS:
        side -= 1
    return [(min(rows, side), min(columns, side)) for rows, columns in tables]


def _table_shape(shape: tuple[int, ...]) -> tuple[int, int]:
    columns = shape[-1] if shape else 1
    return math.prod(shape[:-1]), columns


class Film:
    """Frames of a training, each the arrays of :class:`FilmContents` at the end of an epoch.

    Attributes
    ----------
    contents : FilmContents or None
        What they show; None before the first.
    epochs : list of int
        The epochs, 0 for the start of the training.
    frames : list of dict
        Their arrays by name.
    points, targets : ndarray
        Rows of the training data, of one or two features, and their targets; empty without a view.
    units : list of (float, float)
        For each feature the number that 0 stands for, and by how much 1 stands for more, in which a
        page shows it; empty if as it is.
    value_unit : (float, float)
        The same of predicted values.

    Examples
    --------
    >>> film = Film()
    >>> film.start(FilmContents(layers=()), np.empty((0, 0)), np.empty(0))
    >>> for epoch in range(3):
    ...     film.add(epoch, film.contents.blank())
    >>> film.cut(1)
    >>> film.epochs
    [0, 1]
    """

    def __init__(self) -> None:
        self.contents: FilmContents | None = None
        self.epochs: list[int] = []
        self.frames: list[dict[str, Array]] = []
        self.points = np.empty((0, 0))
        self.targets = np.empty(0)
        self.units: list[tuple[float, float]] = []
        self.value_unit = (0.0, 1.0)

    def start(self, contents: FilmContents, points: Array, targets: Array) -> None:
        """Note what the frames show that follow, and rows of the training data."""
        self.contents, self.points, self.targets = contents, points, targets

    def add(self, epoch: int, frame: dict[str, Array]) -> None:
        """Add the frame of an epoch, which comes after all others."""
        self.epochs.append(epoch)
        self.frames.append(frame)

    def remove(self, epoch: int) -> None:
        """Leave out the frame of an epoch."""
        place = self.epochs.index(epoch)
        del self.epochs[place], self.frames[place]

    def cut(self, epoch: int) -> None:
        """Leave out what comes after an epoch."""
        count = sum(number <= epoch for number in self.epochs)
        self.epochs, self.frames = self.epochs[:count], self.frames[:count]

    def stacked(self) -> dict[str, Array]:
        """Return the arrays of all frames, each with an axis for the frames in front."""
        if not self.frames:
            return {}
        return {name: np.stack([frame[name] for frame in self.frames]) for name in self.frames[0]}

    def state_dict(self) -> dict[str, Array]:
        """Return all that it holds as arrays by name; nothing without frames."""
        if self.contents is None or not self.frames:
            return {}
        return self.stacked() | {
            "contents": np.array(json.dumps(asdict(self.contents))),
            "epochs": np.array(self.epochs),
            "points": self.points.copy(),
            "targets": self.targets.copy(),
        }

    def load_state_dict(self, state: Mapping[str, npt.ArrayLike]) -> None:
        """Restore what :meth:`state_dict` returned.

        Raises
        ------
        ValueError
            If an entry is missing, unknown, or not what the others need; nothing has changed then.
        """
        arrays = {name: np.asarray(array) for name, array in state.items()}
        if not arrays:
            vars(self).update(vars(Film()))
            return
        contents = _read_contents(arrays.get("contents"))
        self.epochs, self.frames = _read_frames(contents, arrays)
        self.contents = contents
        self.points, self.targets = arrays["points"].copy(), arrays["targets"].copy()


def _read_frames(
    contents: FilmContents, arrays: Mapping[str, Array]
) -> tuple[list[int], list[dict[str, Array]]]:
    """Return the epochs and the frames of a state."""
    shapes = contents.shapes()
    names = ["contents", "epochs", "points", "targets", *shapes]
    check_names(Film(), names, arrays)
    epochs = arrays["epochs"]
    _expect("epochs", epochs, (epochs.size,), "i")
    if not epochs.size or epochs[0] < 0 or (np.diff(epochs) <= 0).any():
        raise ValueError("state entry 'epochs' must hold ascending numbers of epochs")
    for name, shape in shapes.items():
        _expect(name, arrays[name], (len(epochs), *shape), np.dtype(_blank(name)[1]).kind)
    points = arrays["points"]
    features = 0 if contents.view is None else len(contents.view.ranges)
    _expect("points", points, (len(points) if points.ndim else 0, features), "f")
    _expect("targets", arrays["targets"], (len(points) if features else 0,), "f")
    frames = [{name: arrays[name][i].copy() for name in shapes} for i in range(len(epochs))]
    return epochs.tolist(), frames


def _expect(name: str, array: Array, shape: tuple[int, ...], kind: str) -> None:
    if array.shape != shape or array.dtype.kind != kind:
        raise ValueError(
            f"state entry {name!r} must have shape {shape} and a dtype of kind {kind!r}, "
            f"got {array.shape} and {array.dtype}"
        )


def _read_contents(text: Array | None) -> FilmContents:
    """Return the contents that a state describes.

    Raises
    ------
    ValueError
        If it is anything else, or more than a film holds.
    """
    try:
        table = json.loads(str(text))
        view = table["view"]
        contents = FilmContents(
            tuple(_read_layer(layer) for layer in table["layers"]),
            _count(table["rows"]),
            _count(table["left_out"]),
            None if view is None else _read_view(view),
        )
    except (KeyError, RecursionError, TypeError, ValueError) as error:
        raise ValueError(f"state entry 'contents' is not that of a film: {error}") from None
    weights = [name for layer in contents.layers for name, _ in layer.weights]
    if len(contents.layers) > MOST_LAYERS or len(weights) > MOST_WEIGHTS:
        raise ValueError("state entry 'contents' has more layers or weights than a film")
    if len(set(weights)) < len(weights):
        raise ValueError("state entry 'contents' has two weights of one name")
    return contents


def _read_layer(table: Any) -> FilmLayer:
    weights = [(_text(name), tuple(map(_count, shape))) for name, shape in table["weights"]]
    return FilmLayer(_text(table["name"]), _text(table["kind"]), tuple(weights))


def _read_view(table: Any) -> FilmView:
    ranges = tuple((float(low), float(high)) for low, high in table["ranges"])
    features, classes = (tuple(map(_text, table[name])) for name in ("features", "classes"))
    view = FilmView(_text(table["kind"]), _count(table["curves"]), ranges, features, classes)
    most = MOST_CLASSES if len(ranges) == 2 else MOST_CURVES
    fits = (
        view.kind in ("classes", "values")
        and 1 <= view.curves <= most
        and len(ranges) in (1, 2)
        and len(features) == len(ranges)
        and len(classes) in (0, view.curves)
        and all(-math.inf < low < high < math.inf for low, high in ranges)
    )
    if not fits:
        raise ValueError("its view is malformed")
    return view


def _count(value: Any) -> int:
    if type(value) is not int or value < 0:
        raise ValueError(f"expected a count, got {value!r:.50}")
    return value


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise TypeError(f"expected text, got {value!r:.50}")
    return value
