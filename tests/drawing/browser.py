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
return [...document.querySelectorAll("#steps section:not([hidden]) [data-array]")].map(span => ({
  key: span.dataset.array, role: span.className,
  texts: [...span.querySelectorAll("input.cell, span[title]")].map(e => e.value ?? e.textContent),
  rows: [...span.querySelectorAll("tr")].length,
  isVisible: span.checkVisibility(),
}))"""


def shown_arrays(page):
    """Return the arrays of the step that a page shows: keys, roles, and the numbers as read."""
    arrays = page.execute_script(_ARRAYS)
    assert all(array["isVisible"] for array in arrays)
    for array in arrays:
        array["numbers"] = [float(text) for text in array["texts"]]
    return arrays
