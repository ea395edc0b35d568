"""Pages that step through a graph: forward along its values, back along its gradients."""

from __future__ import annotations

import os
import re
from html import escape

from nnlayers.drawing.diagram import Diagram
from nnlayers.drawing.frame import controls, fill, source, write_page
from nnlayers.drawing.picture import ARROW, Schedule, style, to_svg
from nnlayers.drawing.program import page_data
from nnlayers.drawing.sections import sections
from nnlayers.drawing.text import to_text
from nnlayers.drawing.trace import trace

__all__ = ["to_html"]

_SCRIPTS = ("arrays", "compute", "picture", "panel", "player", "steps")
_RESET = '<button type="button" id="reset" hidden>Reset numbers</button>\n'
# The names of the colours of a page, which its own style sheet sets for light and for dark.
_COLOURS = ("ink", "quiet", "line", "value", "gradient")
_FILLS = ("input", "weight", "constant", "operation", "container")
_MAX_HEIGHT, _MOST_NAMES = 360, 6
_HEATS = tuple(f"heat{level}" for level in range(-3, 5))


def to_html(diagram: Diagram, path: str | os.PathLike[str]) -> None:
    """Write a page that steps through a graph's last forward and backward pass.

    It is one file, and needs nothing but a browser. Numbers that enter the graph can be changed on
    it; it then computes both passes again, if it knows the formulas of all layers and holds all
    arrays.

    Parameters
    ----------
    diagram : Diagram
        A diagram that has run forward and backward, such as a :class:`~nnlayers.Graph`.
    path : path-like
        The file to write.

    Raises
    ------
    RuntimeError
        If the diagram has not run.
    OSError
        If the page cannot be written; the message names `path`.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> import nnlayers as nn
    >>> graph = nn.Graph(nn.exp(nn.Input("x")).named("y"))
    >>> graph.forward(0.0), graph.backward(1.0)
    (array(1.), array(1.))
    >>> with tempfile.TemporaryDirectory() as directory:
    ...     to_html(graph, Path(directory, "graph.html"))
    ...     Path(directory, "graph.html").read_text(encoding="utf-8").splitlines()[0]
    '<!DOCTYPE html>'
    """
    passes = trace(diagram, "to_html")
    schedule = Schedule([visit.node for visit in passes.visits])
    labels = dict(zip(diagram.nodes, passes.labels, strict=True))
    inputs = _enumerate([labels[node] for node in diagram.inputs])
    outputs = _enumerate([passes.labels[i] for i in passes.starts])
    folded = to_svg(diagram, is_file=False, schedule=schedule)
    whole = to_svg(diagram, is_file=False, schedule=schedule, expand=True)
    if folded != whole:
        whole = whole.replace("<svg ", "<svg hidden ", 1)
    # A low drawing leaves room for the panel below it.
    width, height = [int(length) for length in re.findall(r'(?:width|height)="(\d+)"', folded)[:2]]
    colours = {name: f"var(--{name})" for name in (*_COLOURS, *_FILLS, *_HEATS)}
    layout = "wide" if height < _MAX_HEIGHT and width > 2 * height else "tall"
    title = f"{outputs} of {inputs}, step by step" if inputs else outputs
    body = fill(
        "page.html",
        title=escape(title),
        pictures=folded if folded == whole else f"{folded}\n{whole}",
        arrow=ARROW,
        controls=controls("Step", 2 * len(passes.visits) + 1, _RESET),
        steps="\n".join(sections(passes)),
        text=escape(to_text(passes)),
    )
    write_page(
        path,
        title,
        body,
        attributes=f'class="{layout}" style="--height: {height}px"',
        style=source("page.css") + style(colours),
        data=page_data(passes),
        scripts=_SCRIPTS,
    )


def _enumerate(names: list[str]) -> str:
    """Return names in a row, of many the first ones.

    Examples
    --------
    >>> _enumerate(["w", "x"]), _enumerate([f"x{i}" for i in range(50)])
    ('w, x', 'x0, x1, x2, x3 and 46 more')
    """
    shown = names if len(names) <= _MOST_NAMES else names[: _MOST_NAMES - 2]
    more = f" and {len(names) - len(shown)} more" if len(names) > len(shown) else ""
    return ", ".join(shown) + more
