"""Order of the pages: an index page lists those below it, by its links."""

import json
import re
from pathlib import Path

DOCS = Path(__file__).parent
LINK = re.compile(r"\]\(([^)\s#:]+\.(?:md|rst))")


def children(index):
    """Return the pages below an index page, in the order of its first links to them.

    These are pages of its own folder and of the folder of the documentation, and the indices of the
    folders within its own.
    """
    folder, top = index.parent, DOCS.resolve()
    links = LINK.findall(index.read_text(encoding="utf-8"))
    pages = dict.fromkeys((folder / link).resolve() for link in links)
    return [
        page
        for page in pages
        if (page.name != "index.md" and page.parent in (folder, top))
        or (page.name == "index.md" and page.parent.parent == folder)
    ]


def entry(page, key="file"):
    """Return a page and all below it, in the form of sphinx-external-toc."""
    name = page.relative_to(DOCS.resolve()).with_suffix("").as_posix()
    if page.name != "index.md":
        return {key: name}
    return {key: name, "entries": [entry(child) for child in children(page)]}


def write(path):
    """Write the order of all pages as YAML, of which JSON is a part; return the path."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(entry(DOCS.resolve() / "index.md", "root")), encoding="utf-8")
    return str(path)
