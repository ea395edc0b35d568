"""The page in use: changing numbers, pointing, playing, zooming, folding; and its accessibility."""

import re
import time
from pathlib import Path

import numpy as np
import pytest
from browser import find, needs_browser, press, shown_arrays

import nnlayers as nn
from nnlayers.graphs import as_graph

webdriver = pytest.importorskip("selenium.webdriver")
Keys = webdriver.Keys
WebDriverWait = pytest.importorskip("selenium.webdriver.support.ui").WebDriverWait
pytestmark = needs_browser

W = np.array([[1.0, 2.0, -1.0], [0.0, 1.0, 1.0]])
X = np.array([[1.0, 0.0], [2.0, -1.0], [1.0, 3.0]])
B = np.array([[1.0], [-1.0]])


def layer_graph(W=W):
    """Return H = ReLU(W X + b) after both passes."""
    w, x, b = nn.Input("W"), nn.Input("X"), nn.Input("b")
    graph = nn.Graph(nn.relu(((w @ x).named("c") + b).named("a")).named("h"), inputs=[w, x, b])
    graph.forward(W, X, B)
    graph.backward([[1.0, 2.0], [3.0, -1.0]])
    return graph


def recurrent_graph(steps=50):
    w, r = nn.Input("W"), nn.Input("r_0")
    state = r
    for step in range(1, steps + 1):
        state = nn.relu((w @ state).named(f"a_{step}")).named(f"r_{step}")
    graph = nn.Graph(nn.sum(state).named("L"))
    graph.forward(np.eye(2) * 1.01, [1.0, 2.0])
    graph.backward(1.0)
    return graph


def network():
    """Return a network with weights, of which one is shown as a heat map."""
    rng = np.random.default_rng(0)
    graph = as_graph(nn.Sequential(nn.Affine(20, 12, rng=0), nn.Tanh(), nn.Affine(12, 2, rng=1)))
    graph.forward(rng.normal(size=(30, 20)).astype(np.float32))
    graph.backward(rng.normal(size=(30, 2)))
    return graph


@pytest.fixture
def screen(browser):
    """Return a function that sets the size of the screen, until the end of the test."""

    def set_size(width, height, mobile=False):
        metrics = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": mobile}
        browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)
        browser.execute_cdp_cmd("Emulation.setTouchEmulationEnabled", {"enabled": mobile})

    yield set_size
    browser.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})
    browser.execute_cdp_cmd("Emulation.setTouchEmulationEnabled", {"enabled": False})


@pytest.fixture
def media(browser):
    """Return a function that sets what the reader prefers, until the end of the test."""

    def prefer(**features):
        chosen = [
            {"name": f"prefers-{k.replace('_', '-')}", "value": v} for k, v in features.items()
        ]
        browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": chosen})

    yield prefer
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": []})


def numbers(page, key):
    found = [array["numbers"] for array in shown_arrays(page) if array["key"] == key]
    assert found
    return found[0]


def cell(page, name):
    (found,) = [c for c in find(page, f'input[aria-label="{name}"]') if c.is_displayed()]
    return found


def retype(page, name, text):
    cell(page, name).send_keys(Keys.CONTROL, "a")
    cell(page, name).send_keys(text)


def test_a_number_that_is_typed_changes_both_passes_panels_and_labels(open_page):
    page = open_page(layer_graph(), step=7)
    retype(page, "W, entry 1", "-2.5")
    changed = layer_graph(np.array([[-2.5, 2.0, -1.0], [0.0, 1.0, 1.0]]))
    assert numbers(page, "v2") == list(changed["c"].value.ravel())
    assert numbers(page, "c2.1") == list(changed["X"].grad.ravel())
    steps = shown_arrays(page, all_steps=True)
    for array in [array for step in steps for array in step if array["key"].startswith("v")]:
        expected = changed.nodes[int(array["key"][1:])].value
        np.testing.assert_allclose(array["numbers"], expected.ravel())
    find(page, "#reset")[0].click()
    page.execute_script("show(7)")
    assert numbers(page, "v2") == list(layer_graph()["c"].value.ravel())
    assert not find(page, "#reset")[0].is_displayed()


def test_labels_of_wires_follow_a_changed_number(open_page):
    w, x = nn.Input("w"), nn.Input("x")
    graph = nn.Graph((w * x + x).named("y"))
    graph.forward(2.0, 3.0)
    graph.backward(1.0)
    page = open_page(graph, step=5)
    page.execute_script("show(last)")
    retype(page, "x", "-4")
    texts = page.execute_script(
        "return [...picture().querySelectorAll('.label')].map(e => e.textContent)"
    )
    values = ["2", "-4", "-4", "-8", "-12"]
    assert sorted(texts) == sorted([*values, "-4", "2", "1", "1", "1", "Σ 3"])


def test_a_text_that_is_no_number_is_marked_and_changes_nothing(open_page):
    page = open_page(layer_graph(), step=7)
    retype(page, "W, entry 1", "abc")
    assert cell(page, "W, entry 1").get_attribute("aria-invalid") == "true"
    press(page, Keys.TAB)
    assert cell(page, "W, entry 1").get_attribute("value") == "1"
    assert numbers(page, "v2") == list(layer_graph()["c"].value.ravel())


def test_a_number_can_have_a_decimal_comma(open_page):
    page = open_page(layer_graph(), step=7)
    retype(page, "W, entry 1", "-2,5")
    assert page.execute_script("return arrays.get('v0').data[0]") == -2.5


def test_a_number_can_be_dragged(open_page):
    page = open_page(layer_graph(), step=7)
    actions = webdriver.ActionChains(page)
    actions.click_and_hold(cell(page, "W, entry 1")).move_by_offset(60, 0).release().perform()
    assert numbers(page, "v0")[0] == pytest.approx(2.0)
    assert numbers(page, "v2")[0] == pytest.approx(5.0)


def test_arrow_keys_change_a_number_by_a_tenth_of_its_leading_digit(open_page):
    page = open_page(layer_graph(), step=7)
    cell(page, "W, entry 2").send_keys(Keys.ARROW_UP, Keys.ARROW_UP, Keys.ARROW_DOWN)
    assert numbers(page, "v0")[1] == pytest.approx(2.1)
    assert page.execute_script("return step") == 7


def test_weights_of_layers_can_be_changed(open_page):
    layer = nn.Affine(1, 1, weight_init="ones", dtype=np.float64)
    graph = nn.Graph(layer(nn.Input("x")).named("y"))
    graph.forward([[3.0]])
    graph.backward([[10.0]])
    page = open_page(graph, step=1)
    retype(page, "W", "2")
    retype(page, "b", "0.5")
    assert numbers(page, "v1") == [6.5]
    page.execute_script("show(3)")
    assert (numbers(page, "c1.0"), numbers(page, "wc1.0")) == ([20.0], [30.0])


def test_an_entry_of_a_product_shows_its_row_column_and_sum(open_page):
    page = open_page(layer_graph(), step=1)
    result = find(page, "#step-1 table.explained")[0]
    webdriver.ActionChains(page).move_to_element(
        result.find_elements("css selector", "td")[1]
    ).perform()
    (line,) = find(page, "#step-1 .entry")
    assert line.text == "1 × 0 + 2 × (-1) + (-1) × 3 = -5"
    assert [td.text for td in find(page, "#step-1 td.chosen")] == [
        "1",
        "2",
        "-1",
        "0",
        "-1",
        "3",
        "-5",
    ]
    page.execute_script("arguments[0].focus()", result)
    press(page, Keys.ARROW_DOWN)
    assert line.text == "0 × 0 + 1 × (-1) + 1 × 3 = 2"
    assert page.execute_script("return step") == 1  # The key moved within the matrix.


def test_a_product_of_a_layer_adds_the_bias_in_its_sum(open_page):
    layer = nn.Affine(2, 2, weight_init="ones", bias_init="ones", dtype=np.float64)
    graph = nn.Graph(layer(nn.Input("x")))
    graph.forward([[3.0, 4.0]])
    graph.backward([[1.0, 1.0]])
    page = open_page(graph, step=1)
    entry = find(page, "#step-1 table.explained td")[1]
    webdriver.ActionChains(page).move_to_element(entry).perform()
    assert find(page, "#step-1 .entry")[0].text == "3 × 1 + 4 × 1 + 1 = 8"


def test_a_term_lights_its_wire_and_a_wire_its_terms(open_page):
    page = open_page(layer_graph(), step=7)
    term = find(page, '#step-7 [data-gradient="2"]')[0]
    webdriver.ActionChains(page).move_to_element(term).perform()
    lit = page.execute_script(
        "return [...drawing.querySelectorAll('.wire.lit')].map(e => e.dataset.source)"
    )
    assert lit == ["2"]
    wire = page.execute_script("return picture().querySelector('.wire[data-source=\"0\"]')")
    page.execute_script(
        "arguments[0].dispatchEvent(new PointerEvent('pointerover', {bubbles: true}))", wire
    )
    terms = [term.text for term in find(page, "#step-7 .lit")]
    assert terms
    assert all("W" in term for term in terms)
    page.execute_script(
        "document.body.dispatchEvent(new PointerEvent('pointerover', {bubbles: true}))"
    )
    assert find(page, ".lit") == []


def test_play_steps_on_until_it_is_paused(open_page):
    page = open_page(layer_graph())
    page.execute_script("speed.value = '4'")
    press(page, Keys.SPACE)
    assert find(page, "#play")[0].text == "Pause"
    deadline = time.monotonic() + 10
    while page.execute_script("return step") < 2 and time.monotonic() < deadline:
        time.sleep(0.05)
    press(page, Keys.SPACE)
    stopped = page.execute_script("return step")
    assert stopped >= 2
    assert find(page, "#play")[0].text == "Play"
    time.sleep(0.6)
    assert page.execute_script("return step") == stopped


@pytest.mark.parametrize("make", [layer_graph, recurrent_graph, network])
def test_the_panel_stands_on_a_laptop_s_screen_without_scrolling(open_page, screen, make):
    screen(1280, 800)
    page = open_page(make())
    steps = page.execute_script("return last")
    for step in (1, steps // 2, steps):
        page.execute_script("show(arguments[0])", step)
        boxes = page.execute_script(
            "return ['#drawing', '#controls', '#steps', 'section:not([hidden]) h2',"
            " 'section:not([hidden]) .card'].map(s => document.querySelector(s)"
            ".getBoundingClientRect().toJSON())"
        )
        assert all(box["top"] >= 0 and box["left"] >= 0 and box["right"] <= 1280 for box in boxes)
        assert all(box["bottom"] <= 800 for box in boxes[:4])
        assert boxes[2]["height"] >= 300
        active = page.execute_script(
            "return picture().querySelector('.node.active')?.getBoundingClientRect().toJSON()"
        )
        assert active is None or (boxes[0]["left"] <= active["left"] <= boxes[0]["right"])
        assert page.execute_script("return document.documentElement.scrollHeight") <= 800


def test_a_long_graph_is_folded_legible_and_unfolds(open_page, screen):
    screen(1280, 800)
    page = open_page(recurrent_graph(), step=60)
    (fold,) = [node for node in find(page, ".node.fold") if node.is_displayed()]
    assert "active" in fold.get_attribute("class")
    assert len([n for n in find(page, "svg .node") if n.is_displayed()]) == 8
    assert page.execute_script("return 15 * view.scale") >= 11  # pixels of a letter
    press(page, "u")
    assert len(find(page, "#drawing svg:not([hidden]) .node")) == 103
    assert find(page, "#fold")[0].get_attribute("aria-expanded") == "true"
    assert page.execute_script("return 15 * view.scale") >= 11
    press(page, "u")
    assert find(page, "#fold")[0].get_attribute("aria-expanded") == "false"


def touch(page, kind, points):
    touches = [{"x": x, "y": y, "id": i} for i, (x, y) in enumerate(points)]
    page.execute_cdp_cmd("Input.dispatchTouchEvent", {"type": kind, "touchPoints": touches})


def test_a_phone_drags_and_pinches_the_drawing(open_page, screen, media):
    screen(390, 844, mobile=True)
    media(reduced_motion="reduce")
    page = open_page(recurrent_graph())
    box = find(page, "#drawing")[0].rect
    x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    before = page.execute_script("return {...view}")
    touch(page, "touchStart", [(x, y)])
    for shift in (-20, -60, -100):
        touch(page, "touchMove", [(x + shift, y)])
    touch(page, "touchEnd", [])
    after = page.execute_script("return {...view}")
    assert after["x"] - before["x"] == pytest.approx(100 / before["scale"], rel=0.3)
    touch(page, "touchStart", [(x - 30, y), (x + 30, y)])
    for shift in (40, 50, 60):
        touch(page, "touchMove", [(x - shift, y), (x + shift, y)])
    touch(page, "touchEnd", [])
    assert page.execute_script("return view.scale") == pytest.approx(2 * before["scale"], rel=0.3)
    assert page.execute_script("return document.documentElement.scrollWidth") == 390


def test_keys_zoom_and_fit_the_drawing(open_page):
    page = open_page(layer_graph())
    before = page.execute_script("return view.scale")
    press(page, "+")
    assert page.execute_script("return view.scale") == pytest.approx(1.25 * before)
    press(page, "-")
    press(page, "-")
    assert page.execute_script("return view.scale") == pytest.approx(0.8 * before)
    press(page, "0")
    assert page.execute_script("return view.scale") == before


def test_a_heat_map_opens_and_its_entries_can_be_read(open_page):
    graph = network()
    page = open_page(graph, step=1)
    details = find(page, "#step-1 details")[0]
    assert "30 × 20 float32, from" in details.text
    details.find_element("css selector", "summary").click()
    # The browser tells the page a moment later that it is open.
    (canvas,) = WebDriverWait(page, 10).until(
        lambda _: details.find_elements("css selector", "canvas.large")
    )
    webdriver.ActionChains(page).move_to_element(canvas).perform()
    text = details.find_element("css selector", ".readout").text
    row, column = (int(number) - 1 for number in re.findall(r"\d+", text)[:2])
    assert (row, column) in [(14, 9), (14, 10), (15, 9), (15, 10)]
    assert text.endswith(f" = {graph['x'].value[row, column]:.4g}")
    canvas.send_keys(Keys.ARROW_DOWN)
    text = details.find_element("css selector", ".readout").text
    number = f"{graph['x'].value[row + 1, column]:.4g}"
    assert text == f"Row {row + 2}, column {column + 1} = {number}"


def test_no_motion_for_readers_who_want_none(open_page, media):
    media(reduced_motion="reduce")
    page = open_page(recurrent_graph())
    page.execute_script("toggleFold(); show(150)")
    durations = page.execute_script(
        "return [...document.querySelectorAll('.wire, .node rect')].map("
        "e => getComputedStyle(e).transitionDuration)"
    )
    assert set(durations) == {"0s"}
    box = page.execute_script(
        "const a = drawing.getBoundingClientRect(), b = picture().querySelector('.node.active')"
        ".getBoundingClientRect(); return b.left >= a.left && b.right <= a.right"
    )
    assert box  # at once, not after an animation


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("make", [layer_graph, network])
def test_axe_finds_no_fault(open_page, media, scheme, make):
    package = pytest.importorskip("axe_core_python")
    source = Path(package.__file__).with_name("axe.min.js").read_text(encoding="utf-8")
    media(color_scheme=scheme, reduced_motion="reduce")
    page = open_page(make())
    # Elements that are not shown would only cost time.
    page.execute_script("show(last); sections.slice(1, -1).forEach(section => section.remove())")
    page.execute_script(source)
    found = page.execute_async_script(
        "const done = arguments[0]; axe.run().then(r => done(r.violations.map("
        "v => [v.id, v.nodes.slice(0, 3).map(n => [n.html, n.failureSummary])])))"
    )
    assert found == []


def test_names_are_shown_and_never_interpreted(open_page):
    name = "<img src=x onerror='window.hacked = 1'>"
    wicked = "</script><script>window.hacked = 1</script>"
    x = nn.Input(f"x{name}")
    graph = nn.Graph((nn.exp(x).named(wicked) * x).named("`${window.hacked = 1}`"))
    graph.forward([[1.0, 2.0]])
    graph.backward([[1.0, 1.0]])
    page = open_page(graph, step=1)
    assert wicked in find(page, "#step-1 h2")[0].text
    retype(page, f"x{name}, entry 1", "3")
    page.execute_script("sections.forEach((_, i) => show(i))")
    assert page.execute_script("return window.hacked === undefined")
    assert find(page, "img") == []


def test_a_page_loads_nothing_and_logs_nothing(open_page):
    page = open_page(network())
    for step in range(8):
        page.execute_script("show(arguments[0])", step)
    loaded = page.execute_script("return performance.getEntriesByType('resource').map(e => e.name)")
    assert [name for name in loaded if not name.startswith("data:")] == []
    assert page.get_log("browser") == []
    policy = find(page, "meta[http-equiv]")[0].get_attribute("content")
    assert policy.startswith("default-src 'none'; ")
