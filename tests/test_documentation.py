"""Structure of the documentation: every page is listed, and every link leads somewhere."""

import json
import re

import documentation
import pytest

ROOT = documentation.DOCS.parent
PAGES = sorted(documentation.DOCS.rglob("*.md"))
TEXTS = [*PAGES, *ROOT.glob("*.md")]
NOTEBOOKS = sorted((ROOT / "examples" / "notebooks").glob("*.ipynb"))


def links(path):
    """Return the paths to which a page links, and those of its images."""
    code = r"^```.*?^```$|`[^`\n]*`"
    text = re.sub(code, "", path.read_text(encoding="utf-8"), flags=re.MULTILINE | re.DOTALL)
    targets = re.findall(r"\]\(([^)\s]+)\)", text)
    targets += re.findall(r' src(?:set)?="([^"]+)"', text)
    return [
        path.parent / target.partition("#")[0]
        for target in targets
        if not re.match(r"[a-z]+:|#", target)
    ]


def names_of(entry):
    """Yield the names of a page and of all below it."""
    yield entry.get("root") or entry["file"]
    for child in entry.get("entries", ()):
        yield from names_of(child)


def test_each_page_is_on_the_index_page_of_its_folder():
    site_map = documentation.load("site_map")
    pages = {
        path.relative_to(documentation.DOCS).with_suffix("").as_posix()
        for path in documentation.DOCS.rglob("*")
        if path.suffix in (".md", ".rst") and "_build" not in path.parts
    }
    listed = names_of(site_map.entry(site_map.DOCS.resolve() / "index.md", "root"))
    assert sorted(listed) == sorted(pages - {"package_index"})


@pytest.mark.parametrize("path", TEXTS, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_every_link_of_a_page_leads_to_a_file(path):
    assert [link for link in links(path) if not link.exists()] == []


@pytest.mark.parametrize("path", TEXTS, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_every_link_and_every_image_has_a_name(path):
    assert "[](" not in path.read_text(encoding="utf-8")


@pytest.mark.parametrize("path", TEXTS, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_a_code_host_shows_pages_without_the_marks_of_sphinx(path):
    text = path.read_text(encoding="utf-8")
    roles_and_labels = re.findall(r"(?<!`)\{[\w-]+\}`|^\([\w-]+\)=$", text, re.MULTILINE)
    directives = re.findall(r"^`{3,}\{([\w-]+)\}", text, re.MULTILINE)
    # SECURITY.md is where code hosts look for it, and a page of the documentation too.
    assert roles_and_labels == []
    assert directives == (["include"] if path.name == "security.md" else [])


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_the_page_of_a_notebook_shows_its_cells_in_order(path):
    assert (documentation.DOCS / "guide" / "notebooks" / f"{path.stem}.md").exists()
    text = documentation.load("notebook_pages").as_markdown(path)
    cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
    place = 0
    for cell in cells:
        last_line = cell["source"][-1].strip()
        if "](" not in last_line:  # links lead elsewhere
            place = text.index(last_line, place) + len(last_line)
