"""Pages of notebooks: their cells, with the outputs that they hold, follow the text of the page."""

import json
import re
from pathlib import Path

NOTEBOOKS = Path(__file__).parents[1] / "examples" / "notebooks"
FENCE = "`" * 4


def as_markdown(path):
    """Return the cells of a notebook and their outputs as Markdown; nothing is executed.

    Its title is left out, because the page has one. Links to pages and to other notebooks lead to
    their pages.
    """
    parts = []
    for cell in json.loads(path.read_text(encoding="utf-8"))["cells"]:
        source = "".join(cell["source"])
        if cell["cell_type"] == "markdown":
            text = re.sub(r"^# .*\n", "", source)
            text = re.sub(r"\]\(\.\./\.\./docs/", "](/", text)
            parts.append(re.sub(r"\]\((\w+)\.ipynb\)", r"](\1.md)", text))
        else:
            parts.append(block("python", source))
            parts += [show(output) for output in cell["outputs"]]
    return "\n\n".join(parts)


def block(language, text):
    """Return a block of code as Markdown."""
    return f"{FENCE}{language}\n{text.rstrip()}\n{FENCE}"


def show(output):
    """Return an output as Markdown, in the form that a notebook prefers."""
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
        return block("none", data["text/plain"])
    return block("{raw} html", f'<div class="notebook-output">{content}</div>')


def add_notebook(app, docname, source):
    """Add a notebook to the page of its name, before the page is parsed."""
    path = NOTEBOOKS / f"{docname.rpartition('/')[2]}.ipynb"
    if docname.startswith("guide/notebooks/") and path.exists():
        app.env.note_dependency(path)
        source[0] += "\n\n" + as_markdown(path)


def setup(app):
    """Let pages show notebooks."""
    app.connect("source-read", add_notebook)
    return {"parallel_read_safe": True}
