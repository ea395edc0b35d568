"""Pictures as PNG and PDF: the SVG of a picture, drawn by Matplotlib."""

from __future__ import annotations

import io
import re
import warnings
from collections.abc import Iterator
from itertools import chain
from typing import Any, NamedTuple
from xml.etree import ElementTree

from nnlayers._core.checks import optional_library

__all__ = ["to_bytes"]

_SVG = "{http://www.w3.org/2000/svg}"
_PIXELS_PER_INCH, _RESOLUTION, _ARROW = 96, 192, 8.0


class _Shape(NamedTuple):
    """An element, the distance by which its groups move it, and the classes of all of them."""

    element: ElementTree.Element
    x: float
    y: float
    classes: frozenset[str]


def to_bytes(svg: str, suffix: str, colours: dict[str, str]) -> bytes:
    """Return a picture of :func:`~nnlayers.drawing.picture.to_svg` as a PNG or PDF file.

    Raises
    ------
    ModuleNotFoundError
        If Matplotlib is missing; the message names the extra.
    """
    optional_library("matplotlib", "graph")
    from matplotlib.figure import Figure

    root = ElementTree.fromstring(svg)
    width, height = float(root.get("width", 0)), float(root.get("height", 0))
    figure = Figure((width / _PIXELS_PER_INCH, height / _PIXELS_PER_INCH))
    axes = figure.add_axes((0, 0, 1, 1), xlim=(0, width), ylim=(height, 0))
    axes.axis("off")
    for order, shape in enumerate(_shapes(root, 0.0, 0.0, frozenset())):
        _draw(axes, shape, colours, order)
    file = io.BytesIO()
    with warnings.catch_warnings():
        # A name may hold letters that Matplotlib's font lacks.
        warnings.filterwarnings("ignore", "Glyph")
        figure.savefig(file, format=suffix, dpi=_RESOLUTION, transparent=True)
    return file.getvalue()


def _shapes(
    element: ElementTree.Element, x: float, y: float, classes: frozenset[str]
) -> Iterator[_Shape]:
    """Yield the shapes within an element in the order in which they are drawn."""
    classes |= set(element.get("class", "").split())
    moved = re.fullmatch(r"translate\((\S+) (\S+)\)", element.get("transform", ""))
    if moved:
        x, y = x + float(moved[1]), y + float(moved[2])
    match element.tag.removeprefix(_SVG):
        case "rect" | "path" | "text":
            yield _Shape(element, x, y, classes)
        case "svg" | "g":
            yield from chain.from_iterable(_shapes(inner, x, y, classes) for inner in element)


def _draw(axes: Any, shape: _Shape, colours: dict[str, str], order: int) -> None:
    """Add one shape to the axes."""
    match shape.element.tag.removeprefix(_SVG):
        case "rect":
            _draw_rectangle(axes, shape, colours, order)
        case "path":
            _draw_path(axes, shape, colours, order)
        case "text":
            _draw_text(axes, shape, colours, order)


def _draw_rectangle(axes: Any, shape: _Shape, colours: dict[str, str], order: int) -> None:
    from matplotlib.patches import FancyBboxPatch

    get = shape.element.get
    x, y, width, height, radius = (
        float(get(name, 0)) for name in ("x", "y", "width", "height", "rx")
    )
    kind = next((kind for kind in colours if kind in shape.classes), None)
    patch = FancyBboxPatch(
        (shape.x + x, shape.y + y),
        width,
        height,
        f"round,pad=0,rounding_size={min(radius, height / 2)}",
        facecolor=colours[kind] if kind else "none",
        edgecolor=colours["line"],
        linestyle="-" if kind else "--",
        linewidth=1.1,
        zorder=order,
    )
    axes.add_patch(patch)


def _draw_path(axes: Any, shape: _Shape, colours: dict[str, str], order: int) -> None:
    from matplotlib.patches import PathPatch
    from matplotlib.path import Path

    points, codes = _path(shape.element.get("d", ""))
    path = Path([(shape.x + x, shape.y + y) for x, y in points], codes)
    heat = next((name for name in shape.classes if name in colours), None)
    if heat:
        axes.add_patch(PathPatch(path, facecolor=colours[heat], linewidth=0, zorder=order))
        return
    axes.add_patch(
        PathPatch(path, facecolor="none", edgecolor=colours["line"], linewidth=1.1, zorder=order)
    )
    if "wire" in shape.classes and "open" not in shape.classes:
        x, y = points[-1]
        x, y = shape.x + x, shape.y + y
        half = _ARROW / 2
        corners = [(x, y), (x - _ARROW, y - half), (x - _ARROW, y + half), (x, y)]
        axes.add_patch(
            PathPatch(Path(corners), facecolor=colours["line"], linewidth=0, zorder=order)
        )


def _path(text: str) -> tuple[list[tuple[float, float]], list[int]]:
    """Return the points of a path of SVG and Matplotlib's codes for them."""
    points: list[tuple[float, float]] = []
    codes: list[int] = []
    x = y = 0.0
    for command, arguments in re.findall(r"([MHCLhvz])([^MHCLhvz]*)", text):
        numbers = [float(number) for number in arguments.split()]
        match command:
            case "M" | "L":
                x, y = numbers
            case "H":
                (x,) = numbers
            case "h":
                x += numbers[0]
            case "v":
                y += numbers[0]
            case "C":
                points += list(zip(numbers[:4:2], numbers[1:4:2], strict=True))
                x, y = numbers[4:]
        points.append((x, y))
        codes += {"M": [1], "C": [4, 4, 4], "z": [79]}.get(command, [2])
    return points, codes


def _draw_text(axes: Any, shape: _Shape, colours: dict[str, str], order: int) -> None:
    get, classes = shape.element.get, shape.classes
    is_number = "label" in classes
    is_name = "name" in classes or ("node" not in classes and classes & {"end", "frame"})
    pixels = 12 if is_number else 13 if is_name else 15
    colour = "quiet" if is_name else "ink"
    if is_number:
        colour = "value" if "above" in classes else "gradient"
    axes.text(
        shape.x + float(get("x", 0)),
        shape.y + float(get("y", 0)),
        shape.element.text or "",
        ha="center",
        va="baseline",
        fontsize=pixels * 72 / _PIXELS_PER_INCH,
        family="monospace" if is_number else "sans-serif",
        weight="bold" if is_number else "normal",
        color=colours[colour],
        parse_math=False,
        zorder=order,
    )
