"""Draw the pictures in docs/images: ``python docs/pictures.py``."""

import contextlib
import doctest
import io
import re
import shutil
import sys
import tempfile
from pathlib import Path

DOCS = Path(__file__).parent
GRAPH = re.compile(r"!\[[^]]*\]\(\S*images/(graph-(\w+)\.svg)\)")


def run_examples(page):
    """Return the names that the examples of a page define, and its pictures of graphs by file.

    A picture is that of the graph at its place on the page: a later example may change it.
    """
    text = (DOCS / page).read_text(encoding="utf-8")
    # An expected output ends at an empty line, in Markdown also at the end of its block.
    text = re.sub(r"^```.*$", "", text, flags=re.MULTILINE)
    examples = [(e.lineno, e) for e in doctest.DocTestParser().get_examples(text, page)]
    links = [(text.count("\n", 0, link.start()), link) for link in GRAPH.finditer(text)]
    names, pictures = {"__name__": "examples"}, {}
    with (
        tempfile.TemporaryDirectory() as folder,
        contextlib.chdir(folder),
        contextlib.redirect_stdout(io.StringIO()),
    ):
        for _, item in sorted(examples + links, key=lambda pair: pair[0]):
            if isinstance(item, re.Match):
                pictures[item[1]] = draw_graph(names[item[2]])
                continue
            expected = [Exception] if item.exc_msg else []
            with contextlib.suppress(*expected):
                exec(compile(item.source, page, "single"), names)
    return names, pictures


def draw_graph(graph):
    """Return the picture of a graph as the text of an SVG file."""
    graph.draw("graph.svg")
    return Path("graph.svg").read_text(encoding="utf-8")


def photograph_page(graph, path, scheme):
    """Write a picture of the page of a graph, in a backward step, as Chromium shows it.

    `scheme` is "light" or "dark".
    """
    from selenium import webdriver

    service = webdriver.ChromeService(shutil.which("chromedriver"))

    options = webdriver.ChromeOptions()
    for option in ("headless", "no-sandbox", "hide-scrollbars", "force-device-scale-factor=1.5"):
        options.add_argument(f"--{option}")
    with tempfile.TemporaryDirectory() as folder, webdriver.Chrome(options, service) as browser:
        graph.to_html(Path(folder, "page.html"))
        features = {"prefers-color-scheme": scheme, "prefers-reduced-motion": "reduce"}
        media = {"features": [{"name": key, "value": features[key]} for key in features]}
        browser.execute_cdp_cmd("Emulation.setEmulatedMedia", media)
        browser.set_window_size(1040, 950)
        browser.get(Path(folder, "page.html").as_uri())
        for _ in range(11):
            browser.find_element("xpath", "//button[text()='Next']").click()
        browser.save_screenshot(path)


def main():
    """Draw the graphs of the tutorial, its charts, whose times are measured, and the page."""
    import matplotlib.pyplot as plt

    sys.path.insert(0, str(DOCS.parent / "examples"))
    from plots import draw_history, draw_tensor_costs

    images = DOCS / "images"
    names, pictures = run_examples("guide/tutorial.md")
    for name, text in pictures.items():
        (images / name).write_text(text, encoding="utf-8")
    with plt.style.context(DOCS / "pictures.mplstyle"):
        for name, draw in {
            "history": lambda: draw_history(names["history"]),
            "tensor_costs": draw_tensor_costs,
        }.items():
            draw()
            plt.savefig(images / f"{name}.svg", metadata={"Date": None})
    photograph_page(names["sigmoid"], images / "page.png", "light")
    photograph_page(names["sigmoid"], images / "page-dark.png", "dark")


if __name__ == "__main__":
    main()
