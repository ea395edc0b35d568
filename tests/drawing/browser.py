"""Read pages of graphs in a browser."""

import shutil
from importlib.util import find_spec

import pytest

BROWSER = next(
    filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None
)
DRIVER = shutil.which("chromedriver")
FLAGS = (
    *("--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"),
    "--window-size=1280,900",
    *("--disable-background-networking", "--disable-component-update", "--disable-sync"),
)
needs_browser = pytest.mark.skipif(
    not (BROWSER and DRIVER and find_spec("selenium")), reason="needs Chromium and its driver"
)


def start_browser(profile):
    """Return a driver of a browser without a window."""
    from selenium import webdriver

    options = webdriver.ChromeOptions()
    options.binary_location = BROWSER
    for flag in (*FLAGS, f"--user-data-dir={profile}"):
        options.add_argument(flag)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    return webdriver.Chrome(options=options, service=webdriver.ChromeService(DRIVER))


def find(page, selector):
    return page.find_elements("css selector", selector)


def press(page, key):
    from selenium import webdriver

    webdriver.ActionChains(page).send_keys(key).perform()


_ARRAYS = """
const read = () => [...document.querySelectorAll("#steps section:not([hidden]) [data-array]")].map(
  span => ({
    key: span.dataset.array, role: span.className, isVisible: span.checkVisibility(),
    texts: [...span.querySelectorAll("input.cell, span[title]")].map(e => e.value ?? e.textContent),
  }));
return arguments[0] ? sections.map((_, i) => { show(i); return read(); }) : [read()];"""


def shown_arrays(page, *, all_steps=False):
    """Return the arrays of the step that a page shows, or of all steps one after another.

    Each has its key, its role, and its numbers as they can be read.
    """
    steps = page.execute_script(_ARRAYS, all_steps)
    for array in [array for step in steps for array in step]:
        assert array["isVisible"]
        array["numbers"] = [float(text) for text in array["texts"]]
    return steps if all_steps else steps[0]
