"""A directive that shows a notebook of the examples with the outputs that it holds."""

import json
import re
from pathlib import Path

from docutils import nodes
from docutils.statemachine import StringList
from sphinx.util.docutils import SphinxDirective

NOTEBOOKS = Path(__file__).parents[1] / "examples" / "notebooks"


class Notebook(SphinxDirective):
    """Show the cells of a notebook and their outputs; nothing is executed.

    Its title is left out, because the page has one. Links to pages and to other notebooks lead to
    their pages.
    """

    required_arguments = 1

    def run(self):
        """Return the cells."""
        path = NOTEBOOKS / f"{self.arguments[0]}.ipynb"
        self.env.note_dependency(str(path))
        shown = []
        for cell in json.loads(path.read_text(encoding="utf-8"))["cells"]:
            source = "".join(cell["source"])
            if cell["cell_type"] == "markdown":
                shown += self.parse_markdown(source)
            else:
                shown.append(nodes.literal_block(source, source, language="python"))
                shown += [node for output in cell["outputs"] for node in show(output)]
        return shown

    def parse_markdown(self, text):
        """Return Markdown as nodes."""
        text = re.sub(r"^# .*\n", "", text)
        text = re.sub(r"\]\(\.\./\.\./docs/", "](/", text)
        text = re.sub(r"\]\((\w+)\.ipynb\)", r"](\1.md)", text)
        container = nodes.Element()
        lines = StringList(text.splitlines(), source=self.get_source_info()[0])
        self.state.nested_parse(lines, self.content_offset, container, match_titles=True)
        return container.children


def show(output):
    """Return an output as nodes, in the form that a notebook prefers."""
    data = output.get("data", {"text/plain": output.get("text", "")})
    data = {kind: "".join(value) for kind, value in data.items()}
    if "text/html" in data:
        content = data["text/html"]
    elif "image/svg+xml" in data:
        content = data["image/svg+xml"]
    elif "image/png" in data:
        picture = data["image/png"].replace("\n", "")
        content = f'<img src="data:image/png;base64,{picture}" alt="the plot of this cell">'
    else:
        text = data["text/plain"].rstrip("\n")
        return [nodes.literal_block(text, text, language="none")]
    return [nodes.raw("", f'<div class="notebook-output">{content}</div>', format="html")]


def setup(app):
    """Register the directive."""
    app.add_directive("notebook", Notebook)
    return {"parallel_read_safe": True}
