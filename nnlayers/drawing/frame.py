"""The frame of a page: one HTML file that needs nothing but a browser."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from html import escape
from importlib.resources import files
from string import Template
from typing import Any

from nnlayers._core.files import write_file

__all__ = ["controls", "fill", "source", "write_page"]


def source(name: str) -> str:
    """Return the text of a file beside this one."""
    return files(__package__).joinpath(name).read_text(encoding="utf-8")


def fill(name: str, **parts: object) -> str:
    """Return a template beside this file with its parts."""
    return Template(source(name)).substitute(parts)


def controls(label: str, last: int, more: str = "") -> str:
    """Return the slider from 0 to the last step, and the buttons of a page."""
    return fill("controls.html", label=label, unit=label.lower(), last=last, more=more).rstrip()


def write_page(
    path: str | os.PathLike[str],
    title: str,
    body: str,
    *,
    attributes: str,
    style: str,
    data: Any,
    scripts: Sequence[str],
) -> None:
    """Write a page.

    Parameters
    ----------
    path : path-like
        The file to write.
    title : str
        Its title, as text.
    body : str
        What it shows, as HTML.
    attributes : str
        Attributes of its body.
    style : str
        Its style sheet.
    data : object
        What its scripts read, which JSON can hold.
    scripts : sequence of str
        The names of its scripts, ``page_<name>.js``, in their order.

    Raises
    ------
    OSError
        If it cannot be written; the message names `path`.
    """
    page = fill(
        "frame.html",
        title=escape(title),
        style=style,
        attributes=attributes,
        body=body.rstrip(),
        # The end of a script element must not occur within it.
        data=json.dumps(data, separators=(",", ":")).replace("<", "\\u003c"),
        script="".join(source(f"page_{name}.js") for name in scripts),
    )
    # A name may hold half of a surrogate pair, which UTF-8 cannot encode.
    write_file(path, lambda file: file.write(page.encode("utf-8", "xmlcharrefreplace")))
