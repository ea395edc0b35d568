"""The page that plays a training in a browser: slider, keys, numbers, accessibility."""

import time
from pathlib import Path

import numpy as np
import pytest
from browser import find, needs_browser, press
from films import film_of, history_of, plane, trained_on_a_curve, trained_on_moons

from nnlayers.drawing.film import SCALE

webdriver = pytest.importorskip("selenium.webdriver")
Keys = webdriver.Keys
pytestmark = needs_browser


@pytest.fixture(scope="module")
def moons():
    return trained_on_moons(features=["across", "up"], classes=["one", "two"]).history


@pytest.fixture
def open_film(browser, tmp_path):
    """Return a function that writes the page of a history and opens it."""

    def open_history(history, step=None, title="Training run"):
        path = tmp_path / "run.html"
        history.to_html(path, title=title)
        browser.get("about:blank")
        browser.get(path.as_uri() + ("" if step is None else f"#step={step}"))
        return browser

    return open_history


@pytest.fixture
def screen(browser):
    def set_size(width, height, mobile=False, scheme="light"):
        metrics = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": mobile}
        browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)
        feature = {"name": "prefers-color-scheme", "value": scheme}
        browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": [feature]})

    yield set_size
    browser.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": []})


def texts(page, selector):
    script = "return [...document.querySelectorAll(arguments[0])].map(e => e.innerText)"
    return page.execute_script(script, selector)


def epoch(page):
    return texts(page, "#epoch")[0]


def test_it_opens_at_the_last_epoch_and_moves_by_slider_keys_buttons_and_address(open_film, moons):
    page = open_film(moons)
    assert epoch(page) == "Epoch 6"
    (slider,) = find(page, "#slider")
    slider.send_keys(Keys.ARROW_LEFT)
    assert (epoch(page), slider.get_attribute("aria-valuetext")) == ("Epoch 5", "Epoch 5")
    page.execute_script("document.activeElement.blur()")
    for key, expected in [
        *((Keys.HOME, 0), (Keys.ARROW_LEFT, 0), (Keys.ARROW_RIGHT, 1), (Keys.END, 6)),
        *((Keys.ARROW_RIGHT, 6), (Keys.ARROW_LEFT, 5)),
    ]:
        press(page, key)
        assert epoch(page) == f"Epoch {expected}"
    for button, expected in [("first", 0), ("next", 1), ("back", 0), ("last", 6)]:
        find(page, f"#{button}")[0].click()
        assert epoch(page) == f"Epoch {expected}"
    assert page.current_url.endswith("#step=6")
    assert epoch(open_film(moons, step=3)) == "Epoch 3"


def test_it_plays_until_it_is_paused_and_from_the_start_at_the_end(open_film, moons):
    page = open_film(moons)
    # Slow enough for a busy machine.
    page.execute_script("speed.append(new Option('slow', 0.2)); speed.value = '0.2'")
    press(page, Keys.SPACE)
    assert (texts(page, "#play"), epoch(page)) == (["Pause"], "Epoch 0")
    deadline = time.monotonic() + 10
    while epoch(page) == "Epoch 0" and time.monotonic() < deadline:
        time.sleep(0.02)
    press(page, Keys.SPACE)
    assert texts(page, "#play") == ["Play"]
    stopped = page.execute_script("return step")
    assert 0 < stopped < 6
    assert page.execute_script("return timer") == 0


def test_a_click_on_a_curve_goes_to_its_epoch(open_film, moons):
    page = open_film(moons)
    (curve, *_) = find(page, "svg.jump")
    curve.click()  # in the middle
    assert epoch(page) == "Epoch 3"


def test_each_epoch_shows_the_numbers_of_the_library(open_film, moons):
    page, film = open_film(moons), moons.film
    for i, number in enumerate(film.epochs):
        page.execute_script("show(arguments[0])", i)
        row = moons.rows[number - 1] if number else {}
        values = [row.get(name) for name in ("loss", "val_loss")]
        shown = ["–" if value is None else f"{value:.4g}" for value in values]
        assert texts(page, "#stage [data-column]") == shown
        frame = film.frames[i]
        norms = [float(text) for text in texts(page, ".norm")]
        gradients = frame["gradients"][np.isfinite(frame["gradients"])]
        np.testing.assert_allclose(norms, gradients, rtol=1e-3)
        weights = [
            f"{name}, {' × '.join(map(str, shape))}, from {low + 0:.4g} to {high + 0:.4g}, "
            f"mean {mean + 0:.4g}"
            for (name, shape), (low, high, mean, _) in zip(
                film.contents.weights.items(), frame["weights"], strict=True
            )
        ]
        assert texts(page, ".weight") == weights
        outputs = [f"Outputs from {a + 0:.4g} to {b + 0:.4g}" for a, b in frame["outputs"]]
        assert texts(page, ".output") == outputs
        dead = frame["dead"][np.isfinite(frame["dead"])]
        shares = [f"Dead units {100 * share:.4g} %" for share in dead]
        assert texts(page, ".share:not([hidden])") == shares


def test_the_plane_and_the_heat_maps_are_read_by_pointer_and_keys(open_film, moons):
    page, frame = open_film(moons), moons.film.frames[-1]
    (canvas,) = find(page, ".plane canvas:first-child")
    page.execute_script("arguments[0].focus()", canvas)
    press(page, Keys.ARROW_DOWN)
    view = moons.film.contents.view
    x, y = view.grid()[48]
    packed = int(frame["view"][0][48])
    assert texts(page, "#view .readout") == [
        f"across {x:.4g}, up {y:.4g}: {view.classes[packed >> 8]}, "
        f"probability {(packed & 255) / 255:.4g}"
    ]
    (heat, *_) = find(page, ".map canvas")
    page.execute_script("arguments[0].focus()", heat)
    press(page, Keys.ARROW_RIGHT)
    value = frame["cells"][1] / SCALE * frame["weights"][0][3]
    assert texts(page, ".map .readout")[0] == f"Row 1, column 2: {value:.4g}"
    assert epoch(page) == "Epoch 6"  # The keys moved within the maps.
    webdriver.ActionChains(page).move_to_element(canvas).perform()
    assert texts(page, "#view .readout")[0] != f"across {x:.4g}"


def test_a_plane_is_coloured_by_class_and_probability(open_film, moons):
    page, frame = open_film(moons), moons.film.frames[-1]
    pixels = page.execute_script(
        "const c = document.querySelector('.plane canvas');"
        "return [...c.getContext('2d').getImageData(0, 0, c.width, c.height).data]"
    )
    colours = np.array(pixels).reshape(-1, 4)[:, :3].astype(int)
    packed = frame["view"][0]
    sure = (packed & 255) > 200
    bluish = colours[:, 2] > colours[:, 0]
    assert sure.any()
    np.testing.assert_array_equal(bluish[sure], (packed >> 8)[sure] == 0)


def test_one_feature_has_a_curve_that_goes_through_its_values(open_film):
    history = trained_on_a_curve().history
    page = open_film(history)
    frame = history.film.frames[-1]
    (path,) = page.execute_script(
        "return [...document.querySelectorAll('#view .curve')].map(e => e.getAttribute('d'))"
    )
    ys = [-float(point.split(",")[1]) for point in path[1:].split("L")]
    assert np.corrcoef(ys, frame["view"][0])[0, 1] > 0.999
    assert len(find(page, "#view svg path[transform]")) == 40


def test_a_history_without_a_film_shows_its_curves(open_film):
    page = open_film(history_of(5))
    assert texts(page, "#stage h2") == ["loss"]
    assert not find(page, "#steps")[0].is_displayed()
    assert texts(page, "[data-column]") == ["0.2"]
    press(page, Keys.HOME)
    assert (epoch(page), texts(page, "[data-column]")) == ("Epoch 1", ["1"])


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("make", [trained_on_moons, trained_on_a_curve])
def test_axe_finds_nothing(open_film, screen, make, scheme):
    axe = pytest.importorskip("axe_core_python")
    source = (Path(axe.__file__).parent / "axe.min.js").read_text(encoding="utf-8")
    screen(1280, 800, scheme=scheme)
    page = open_film(make().history)
    page.execute_script(source)
    found = page.execute_async_script(
        "const done = arguments[0]; axe.run().then(r => done(r.violations.map("
        "v => [v.id, v.nodes.slice(0, 3).map(n => [n.html, n.failureSummary])])))"
    )
    assert found == []


def test_it_fits_a_laptop_and_a_phone(open_film, screen, moons):
    screen(1280, 800)
    page = open_film(moons)
    assert page.execute_script("return document.documentElement.scrollHeight") <= 800
    for selector in ("#controls", "#view"):
        box = find(page, selector)[0].rect
        assert box["y"] >= 0
        assert box["y"] + box["height"] <= 800
    screen(390, 844, mobile=True)
    page = open_film(moons)
    assert page.execute_script("return document.documentElement.scrollWidth") == 390
    for button in find(page, "#controls button"):
        assert button.rect["height"] >= 44
        assert button.rect["width"] >= 44


def test_names_are_shown_and_never_interpreted(open_film):
    name = "<img src=x onerror='window.hacked = 1'></script><script>window.hacked = 1</script>"
    history = history_of(2, name)
    history.film = film_of(2, 3, plane((name, "`${window.hacked = 1}`"), (name, "b")), (name,) * 3)
    page = open_film(history, title=name)
    assert texts(page, "h1") == [name]
    assert texts(page, "#steps h2")[0] == f"{name}0: {name}"
    for i in range(3):
        page.execute_script("show(arguments[0])", i)
    assert page.execute_script("return window.hacked === undefined")
    assert find(page, "img") == []


def test_a_large_page_loads_nothing_and_logs_nothing(open_film):
    history = history_of(100_000)
    history.film = film_of(20, 50, plane())
    page = open_film(history)
    for i in (0, 25, 49):
        page.execute_script("show(arguments[0])", i)
    loaded = page.execute_script("return performance.getEntriesByType('resource').map(e => e.name)")
    assert [name for name in loaded if not name.startswith("data:")] == []
    assert page.get_log("browser") == []
