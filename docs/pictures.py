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
IMAGES = DOCS / "images"
LINK = re.compile(r"!\[[^]]*\]\(\S*images/([\w-]+)\.svg\)")


def run_examples(page, draw=None):
    """Return the names that the examples of a page define.

    At each picture of the page, ``draw(name of its file, names defined so far)`` is called.
    """
    text = (DOCS / page).read_text(encoding="utf-8")
    # An expected output ends at an empty line, in Markdown also at the end of its block.
    text = re.sub(r"^```.*$", "", text, flags=re.MULTILINE)
    examples = [(e.lineno, e) for e in doctest.DocTestParser().get_examples(text, page)]
    links = [(text.count("\n", 0, link.start()), link[1]) for link in LINK.finditer(text)]
    names = {"__name__": "examples"}
    with (
        tempfile.TemporaryDirectory() as folder,
        contextlib.chdir(folder),
        contextlib.redirect_stdout(io.StringIO()),
    ):
        for _, item in sorted(examples + links if draw else examples, key=lambda pair: pair[0]):
            if isinstance(item, str):
                draw(item, names)
                continue
            expected = [Exception] if item.exc_msg else []
            with contextlib.suppress(*expected):
                exec(compile(item.source, page, "single"), names)
    return names


def draw_graphs(page):
    """Return the pictures ``graph-NAME.svg`` of a page as text, by the names of their files."""
    pictures = {}

    def draw(picture, names):
        if picture.startswith("graph-"):
            names[picture.removeprefix("graph-")].draw("graph.svg")
            pictures[f"{picture}.svg"] = Path("graph.svg").read_text(encoding="utf-8")

    run_examples(page, draw)
    return pictures


def draw_charts(page):
    """Write the charts of a page, each made of the names that are defined where it stands."""
    import matplotlib.pyplot as plt
    import plots
    import uncertainty_plots

    charts = {
        "history": lambda names: plots.draw_history(names["history"]),
        "tensor_costs": lambda names: plots.draw_tensor_costs(),  # with times, which are measured
        "coverage": uncertainty_plots.draw_coverage,
        "reliability": uncertainty_plots.draw_reliability,
        "ensemble": uncertainty_plots.draw_ensemble,
    }

    def draw(picture, names):
        if picture in charts:
            with plt.style.context(DOCS / "pictures.mplstyle"):
                charts[picture](names)
                plt.savefig(IMAGES / f"{picture}.svg", metadata={"Date": None})

    run_examples(page, draw)


def photograph_page(owner, path, scheme, step, size=(1040, 950)):
    """Write a picture of a step of the page of a graph or a history, as Chromium shows it.

    `scheme` is "light" or "dark".
    """
    from selenium import webdriver

    service = webdriver.ChromeService(shutil.which("chromedriver"))
    options = webdriver.ChromeOptions()
    for option in ("headless", "no-sandbox", "hide-scrollbars", "force-device-scale-factor=1.5"):
        options.add_argument(f"--{option}")
    with tempfile.TemporaryDirectory() as folder, webdriver.Chrome(options, service) as browser:
        owner.to_html(Path(folder, "page.html"))
        features = {"prefers-color-scheme": scheme, "prefers-reduced-motion": "reduce"}
        media = {"features": [{"name": key, "value": features[key]} for key in features]}
        browser.execute_cdp_cmd("Emulation.setEmulatedMedia", media)
        browser.set_window_size(*size)
        browser.get(f"{Path(folder, 'page.html').as_uri()}#step={step}")
        browser.save_screenshot(path)


def main():
    """Draw the pictures of the tutorial and on uncertainty, and photograph two pages."""
    sys.path.insert(0, str(DOCS.parent / "examples"))
    for name, text in draw_graphs("guide/tutorial.md").items():
        (IMAGES / name).write_text(text, encoding="utf-8")
    for page in ("guide/tutorial.md", "guide/uncertainty.md"):
        draw_charts(page)
    sigmoid = run_examples("guide/tutorial.md")["sigmoid"]
    photograph_page(sigmoid, str(IMAGES / "page.png"), "light", step=11)
    photograph_page(sigmoid, str(IMAGES / "page-dark.png"), "dark", step=11)
    history = run_examples("howto/film.md")["history"]
    middle = len(history.film.epochs) // 3
    for name, scheme in (("film.png", "light"), ("film-dark.png", "dark")):
        photograph_page(history, str(IMAGES / name), scheme, step=middle, size=(1280, 760))


if __name__ == "__main__":
    main()
