"""A directive that runs the examples of a page and draws their graphs."""

import contextlib
import doctest
import io
import re
import tempfile
from pathlib import Path
from typing import ClassVar

from docutils import nodes
from docutils.parsers.rst import directives
from sphinx.util.docutils import SphinxDirective

from nnlayers.drawing import to_svg


def run_examples(page, before=None):
    """Return the names that the doctest examples of a page define, all or those before a line."""
    text = (Path(__file__).parent / page).read_text(encoding="utf-8")
    # An expected output ends at an empty line, in Markdown also at the end of its block.
    text = re.sub(r"^```.*$", "", text, flags=re.MULTILINE)
    names = {"__name__": "examples"}
    with (
        tempfile.TemporaryDirectory() as folder,
        contextlib.chdir(folder),
        contextlib.redirect_stdout(io.StringIO()),
    ):
        for example in doctest.DocTestParser().get_examples(text, page):
            if before is None or example.lineno < before:
                expected = [Exception] if example.exc_msg else []
                with contextlib.suppress(*expected):
                    exec(compile(example.source, page, "single"), names)
    return names


class Drawing(SphinxDirective):
    """Draw a graph of the examples above, with the numbers that it has at this point.

    The option ``page`` adds a link to a page that steps through the graph.
    """

    required_arguments = 1
    option_spec: ClassVar = {"page": directives.flag}

    def run(self):
        """Return the drawing, and the link."""
        (name,) = self.arguments
        graph = run_examples(f"{self.env.docname}.md", before=self.lineno)[name]
        picture = to_svg(graph.diagram())
        drawing = nodes.raw("", f'<div style="overflow-x: auto">{picture}</div>', format="html")
        if "page" not in self.options:
            return [drawing]
        path = Path(self.env.app.outdir, f"{name}.html")
        graph.to_html(path)
        link = nodes.reference("", "Step through it", refuri=path.name, internal=False)
        return [drawing, nodes.paragraph("", "", link)]


def setup(app):
    """Register the directive."""
    app.add_directive("drawing", Drawing)
    return {"parallel_read_safe": True}
