"""A browser for the tests of pages."""

import pytest
from browser import start_browser


@pytest.fixture(scope="package")
def browser(tmp_path_factory):
    driver = start_browser(tmp_path_factory.mktemp("profile"))
    yield driver
    driver.quit()


@pytest.fixture
def open_page(browser, tmp_path):
    """Return a function that writes the page of a graph and opens it."""

    def open_graph(graph, step=0):
        path = tmp_path / "graph.html"
        graph.to_html(path)
        browser.get("about:blank")
        browser.get(f"{path.as_uri()}#step={step}")
        return browser

    return open_graph
