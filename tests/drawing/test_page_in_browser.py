"""The page in a browser: stepping through a sigmoid by slider, keys and buttons."""

import math

import pytest
from browser import find, needs_browser, press, shown_arrays

import nnlayers as nn
from nnlayers.drawing import to_html

webdriver = pytest.importorskip("selenium.webdriver")
Keys = webdriver.Keys
PHONE = {"width": 390, "height": 844, "deviceScaleFactor": 2, "mobile": True}

W, X = [1.0, 2.0], [3.0, -1.0]
E = 1.0
C = math.exp(-E)
Y = 1 / (1 + C)
SLOPE = Y * (1 - Y)

pytestmark = needs_browser

# The numbers of the closed forms in each step, by the class of the number in the page.
STEPS = [
    ("Step 0 of 11: given values", {"input": [1, 1, *W, *X]}),
    ("Step 1 of 11: forward, e", {"input": [*W, *X], "result": [E]}),
    ("Step 2 of 11: forward, d", {"input": [E], "result": [-E]}),
    ("Step 3 of 11: forward, c", {"input": [-E], "result": [C]}),
    ("Step 4 of 11: forward, b", {"input": [C], "result": [1 + C]}),
    ("Step 5 of 11: forward, y", {"input": [1 + C], "result": [Y]}),
    ("Step 6 of 11: the backward pass starts", {"incoming": [1]}),
    (
        "Step 7 of 11: backward, y",
        {"result": [Y], "incoming": [1], "factor": [-Y * Y], "sent": [-Y * Y], "total": [-Y * Y]},
    ),
    (
        "Step 8 of 11: backward, b",
        {"incoming": [-Y * Y], "factor": [1], "sent": [-Y * Y], "total": [-Y * Y]},
    ),
    (
        "Step 9 of 11: backward, c",
        {"incoming": [-Y * Y], "factor": [C], "sent": [-SLOPE], "total": [-SLOPE]},
    ),
    (
        "Step 10 of 11: backward, d",
        {"incoming": [-SLOPE], "factor": [-1], "sent": [SLOPE], "total": [SLOPE]},
    ),
    (
        "Step 11 of 11: backward, e",
        {
            "incoming": [SLOPE],
            "factor": [*X, *W],
            "sent": [SLOPE * number for number in (*X, *W)],
            "total": [SLOPE * number for number in (*X, *W)],
        },
    ),
]


@pytest.fixture(scope="module")
def address(tmp_path_factory):
    w, x = nn.Input("w"), nn.Input("x")
    e = (w @ x).named("e")
    d = (-e).named("d")
    c = nn.exp(d).named("c")
    b = (1 + c).named("b")
    graph = nn.Graph((1 / b).named("y"))
    graph.forward(w=W, x=X)
    graph.backward(1.0)
    path = tmp_path_factory.mktemp("page") / "sigmoid.html"
    to_html(graph, path)
    return path.as_uri()


@pytest.fixture
def page(browser, address):
    browser.get("about:blank")
    browser.get(address)
    return browser


def heading(page):
    (shown,) = [element for element in find(page, "#steps h2") if element.is_displayed()]
    return shown.text


def numbers(page, role):
    return [
        number
        for array in shown_arrays(page)
        if role in array["role"] and "product" not in array["role"]
        for number in array["numbers"]
    ]


def labels(page, kind):
    return [text.text for text in find(page, f"svg .{kind} text") if text.is_displayed()]


def active(page):
    return [node.text.split("\n")[-1] for node in find(page, "svg .node.active")]


def test_each_step_shows_the_numbers_of_the_closed_forms(page):
    for title, expected in STEPS:
        assert heading(page) == title
        for role, values in expected.items():
            assert sorted(numbers(page, role)) == pytest.approx(sorted(values), rel=1e-3), (
                title,
                role,
            )
        press(page, Keys.ARROW_RIGHT)
    assert heading(page) == STEPS[-1][0]  # The last step stays.


def test_keys_go_forward_and_back_and_to_both_ends(page):
    press(page, Keys.END)
    assert heading(page) == STEPS[11][0]
    press(page, Keys.ARROW_LEFT)
    assert heading(page) == STEPS[10][0]
    press(page, Keys.HOME)
    assert heading(page) == STEPS[0][0]
    press(page, Keys.ARROW_LEFT)
    assert heading(page) == STEPS[0][0]


def test_slider_moves_by_its_own_keys_once_a_press_and_by_mouse(page):
    (slider,) = find(page, "#slider")
    slider.send_keys(Keys.ARROW_RIGHT)
    assert heading(page) == STEPS[1][0]
    slider.send_keys(Keys.END)
    assert heading(page) == STEPS[11][0]
    slider.click()  # in the middle
    assert heading(page) in (STEPS[5][0], STEPS[6][0])
    assert slider.get_attribute("aria-valuetext") == heading(page)


def test_buttons_step(page):
    for button, step in [("next", 1), ("next", 2), ("back", 1), ("last", 11), ("first", 0)]:
        find(page, f"#{button}")[0].click()
        assert heading(page) == STEPS[step][0]


def test_everything_is_reached_by_the_tabulator_key(page):
    reached = []
    for _ in range(16):
        press(page, Keys.TAB)
        element = page.switch_to.active_element
        reached.append(element.get_attribute("id") or element.get_attribute("aria-label"))
        if reached[-1] == "last":
            press(page, Keys.ENTER)
            assert heading(page) == STEPS[11][0]
    assert reached == [
        *("drawing", "larger", "smaller", "fit", "slider", "speed"),
        *("first", "back", "play", "next", "last", "steps"),
        *("w, entry 1", "w, entry 2", "x, entry 1", "x, entry 2"),
    ]


def test_drawing_shows_values_as_they_come_and_the_active_node(page):
    assert labels(page, "above") == ["[1, 2]", "[3, -1]", "1", "1"]
    assert labels(page, "below") == []
    for _ in range(3):
        press(page, Keys.ARROW_RIGHT)
    assert active(page) == ["c"]
    assert f"{C:.4g}" in labels(page, "above")
    assert labels(page, "below") == []
    press(page, Keys.END)
    assert active(page) == ["e"]
    assert sorted(labels(page, "below"))[0] == f"{-SLOPE:.4g}"
    assert len(labels(page, "below")) == 7


def test_a_click_on_a_node_goes_to_its_step(page):
    (node,) = [node for node in find(page, "svg .node") if node.text.split("\n")[-1] == "b"]
    node.click()
    assert heading(page) == STEPS[4][0]
    node.click()
    assert heading(page) == STEPS[8][0]


def test_address_keeps_the_step(page, address):
    press(page, Keys.ARROW_RIGHT)
    assert page.current_url == f"{address}#step=1"
    page.get(f"{address}#step=9")
    assert heading(page) == STEPS[9][0]
    page.get(f"{address}#step=nonsense")
    assert heading(page) == STEPS[0][0]


def test_formulas_are_set_by_the_browser(page):
    press(page, Keys.END)
    for _ in range(4):
        press(page, Keys.ARROW_LEFT)
    fractions = [f for f in find(page, "#steps mfrac") if f.is_displayed()]
    assert fractions
    assert all(f.rect["height"] > 20 for f in fractions)  # one above the other


def test_page_fits_a_phone_with_buttons_for_fingers(page):
    page.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", PHONE)
    try:
        press(page, Keys.END)
        assert page.execute_script("return document.documentElement.scrollWidth") == 390
        buttons = [button for button in find(page, "button") if button.is_displayed()]
        assert len(buttons) == 8
        for button in buttons:
            assert button.rect["height"] >= 44
            assert button.rect["width"] >= 44
    finally:
        page.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_colours_contrast_in_both_schemes(page, scheme):
    feature = {"name": "prefers-color-scheme", "value": scheme}
    page.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": [feature]})
    press(page, Keys.END)
    script = """const style = getComputedStyle(document.documentElement);
      return ["page", "card", "ink", "quiet", "value", "gradient"].map(
        name => style.getPropertyValue("--" + name).trim());"""
    paper, card, *inks = [luminance(colour) for colour in page.execute_script(script)]
    assert (paper < 0.1) == (scheme == "dark")
    for ink in inks:
        for ground in (paper, card):
            high, low = max(ink, ground), min(ink, ground)
            assert (high + 0.05) / (low + 0.05) >= 4.5  # as WCAG 2 asks for text
    page.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": []})


def luminance(colour):
    """Return the luminance of a colour #rrggbb by the definition of WCAG 2."""
    parts = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def test_nothing_is_logged_and_nothing_is_loaded(page):
    press(page, Keys.END)
    assert page.get_log("browser") == []
    loaded = page.execute_script("return performance.getEntriesByType('resource').map(e => e.name)")
    assert [name for name in loaded if not name.startswith("data:")] == []
