"""Files about the project agree with each other and with the package."""

import configparser
import datetime
import re
from pathlib import Path

import documentation
import pytest

import nnlayers as nn

ROOT = Path(__file__).parents[1]
INDEX_PAGE = "package_index.md"


def read(name):
    return (ROOT / name).read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def setup():
    parser = configparser.ConfigParser()
    parser.read_string(read("setup.cfg"))
    return parser


@pytest.fixture
def metadata(setup):
    return setup["metadata"]


@pytest.fixture(scope="module")
def citation():
    """Return the entries of the citation that take one line."""
    return dict(re.findall(r"^([\w-]+): (.+)$", read("CITATION.cff"), re.MULTILINE))


def test_the_changelog_has_the_form_of_keep_a_changelog():
    headings = re.findall(r"^##? .*$", read("CHANGELOG.md"), re.MULTILINE)
    assert headings[:2] == ["# Changelog", "## Unreleased"]
    releases = [re.fullmatch(r"## (\d+\.\d+\.\d+) - (\S+)", heading) for heading in headings[2:]]
    dates = [datetime.date.fromisoformat(release[2]) for release in releases]
    assert dates == sorted(dates, reverse=True)
    kinds = set(re.findall(r"^### (.*)$", read("CHANGELOG.md"), re.MULTILINE))
    assert kinds <= {"Added", "Changed", "Deprecated", "Removed", "Fixed", "Security"}


def test_the_changelog_and_the_citation_name_the_version_and_its_date(citation):
    version, date = re.search(r"^## (\d\S+) - (\S+)$", read("CHANGELOG.md"), re.MULTILINE).groups()
    assert version == nn.__version__ == citation["version"]
    assert date == citation["date-released"]


def test_the_citation_has_the_form_of_the_citation_file_format(citation, metadata):
    assert citation["cff-version"] == "1.2.0"
    assert citation["title"] == metadata["name"]
    assert citation["license"] == metadata["license"]
    assert {"message", "type", "abstract", "authors", "keywords"} <= set(
        re.findall(r"^([\w-]+):", read("CITATION.cff"), re.MULTILINE)
    )
    assert f"- name: {metadata['author']}\n" in read("CITATION.cff")


def test_the_text_of_the_package_index_needs_no_file_of_a_checkout(metadata):
    assert metadata["long_description"] == f"file: docs/{INDEX_PAGE}"
    text = documentation.read(INDEX_PAGE)
    assert "![" not in text
    assert re.findall(r"\]\((?!https:)", text) == []


def test_the_code_of_the_package_index_gives_the_results_shown():
    assert documentation.run(INDEX_PAGE)[1] == ""


def test_the_templates_for_issues_have_a_name_and_a_purpose():
    templates = list((ROOT / ".github" / "ISSUE_TEMPLATE").glob("*.md"))
    if not templates:
        pytest.skip("a source distribution has no templates")
    for path in templates:
        head = path.read_text(encoding="utf-8").split("---\n")[1]
        assert set(re.findall(r"^(\w+):", head, re.MULTILINE)) >= {"name", "about"}


def test_the_readme_says_what_each_extra_is_for(setup):
    rows = [line for line in read("README.md").splitlines() if line.startswith("| `")]
    named = {name for row in rows for name in re.findall(r"`(\w+)`", row.split("|")[1])}
    assert named == set(setup["options.extras_require"])
