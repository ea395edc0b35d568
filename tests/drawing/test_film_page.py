"""The page that plays a training, as text: complete, safe, small, and with the right numbers."""

import base64
import json
import re

import numpy as np
import pytest
from films import film_of, history_of, plane, trained_on_moons
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from test_page import WICKED, Outline

from nnlayers.training import History


def page_of(history, tmp_path, **options):
    path = tmp_path / "run.html"
    assert history.to_html(path, **options) is None
    return path.read_text(encoding="utf-8")


def data(page):
    return json.loads(
        re.search(r'<script type="application/json" id="data">(.*)</script>', page)[1]
    )


def numbers(text, code="<f8"):
    return np.frombuffer(base64.b64decode(text), code)


def test_page_needs_nothing_else(tmp_path):
    page = page_of(trained_on_moons().history, tmp_path)
    outline = Outline(page)
    assert not re.search(r"https?:(?!//www\.w3\.org/2000/svg)", page)
    assert not {"iframe", "object", "embed", "img"} & set(outline.tags)
    sources = [value for name, value in outline.attributes if name in ("src", "href")]
    assert sources == ["data:,"]
    assert not re.search(r"@import|url\((?!#)", page)
    assert "default-src 'none'; " in page


def test_curves_are_those_of_the_history_to_the_last_bit(tmp_path):
    history = trained_on_moons().history
    stored = data(page_of(history, tmp_path))
    assert stored["epochs"] == [1, 2, 3, 4, 5, 6]
    assert stored["steps"] == [0, 1, 2, 3, 4, 5, 6]
    for name, text in stored["columns"]:
        assert numbers(text).tolist() == history[name]


def test_arrays_are_those_of_the_film(tmp_path):
    history = trained_on_moons().history
    stored = data(page_of(history, tmp_path))["film"]
    assert len(stored["arrays"]) == len(history.film.frames[0])
    for name, array in history.film.stacked().items():
        code = "<i2" if array.dtype.kind == "i" else "<f8"
        np.testing.assert_array_equal(numbers(stored["arrays"][name], code), array.ravel())


def test_a_history_without_a_film_has_its_curves_alone(tmp_path):
    stored = data(page_of(history_of(3), tmp_path))
    assert (stored["film"], stored["steps"]) == (None, [1, 2, 3])
    assert data(page_of(History(), tmp_path))["steps"] == []


def test_numbers_that_are_not_finite_are_stored(tmp_path):
    history = History()
    history.load_state_dict({"loss": [np.nan, np.inf, 1.0]})
    ((_, text),) = data(page_of(history, tmp_path))["columns"]
    np.testing.assert_array_equal(numbers(text), [np.nan, np.inf, 1.0])


def test_of_a_long_history_the_extremes_and_the_frames_are_shown(tmp_path):
    history = History()
    loss = np.random.default_rng(0).normal(size=100_000)
    loss[51_234], loss[70_001], loss[5] = 100.0, -100.0, np.nan
    history.load_state_dict({"loss": loss, "accuracy": loss[::-1]})
    history.film = film_of(1, 50)
    history.film.epochs = list(range(0, 100_000, 2_000))
    page = page_of(history, tmp_path)
    stored = data(page)
    assert len(stored["epochs"]) < 2_500
    assert {1, 51_235, 70_002, 100_000, *history.film.epochs[1:]} <= set(stored["epochs"])
    index = stored["epochs"].index(51_235)
    assert numbers(stored["columns"][0][1])[index] == 100.0
    assert "100,000 epochs" in page


@pytest.mark.parametrize(("layers", "view"), [(20, plane()), (64, None)])
def test_the_page_of_a_wide_network_stays_below_2_mb(tmp_path, layers, view):
    history = history_of(1_000)
    history.film = film_of(layers, 50, view)
    assert len(history.film.frames) == 50
    assert len(page_of(history, tmp_path)) < 2_000_000


@settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck))
@given(name=st.text(min_size=1, max_size=30))
@example(name=WICKED)
@example(name="</script><script>alert(1)</script>")
@example(name="--><!--<script>")
@example(name="</title><img src=x onerror=alert(1)>")
@example(name="${script}$data\u2028'\"`\ud83d")
def test_no_text_of_a_user_is_ever_interpreted(tmp_path, name):
    def outline_of(text):
        history = history_of(2, text)
        history.film = film_of(1, 2, plane((text, "x2"), (text, "1")), (text, text, text))
        page = page_of(history, tmp_path, title=text)
        return Outline(page), data(page)

    plain, _ = outline_of("a")
    outline, stored = outline_of(name)
    assert outline.tags == plain.tags
    assert {key for key, _ in outline.attributes} == {key for key, _ in plain.attributes}
    assert stored["columns"][0][0] == name
    assert stored["film"]["view"]["classes"] == [name, "1"]


def test_without_javascript_the_page_holds_the_last_epochs(tmp_path):
    page = page_of(history_of(30), tmp_path)
    text = re.search(r"<noscript>.*<pre>(.*)</pre></noscript>", page, re.DOTALL)[1]
    assert text.splitlines()[0] == "epoch  loss"
    assert text.splitlines()[-1] == "30  0.03333"


def test_a_wrong_title_or_path_is_named(tmp_path):
    with pytest.raises(TypeError, match="title must be"):
        history_of(1).to_html(tmp_path / "run.html", title=3)
    with pytest.raises(FileNotFoundError, match="missing"):
        history_of(1).to_html(tmp_path / "missing" / "run.html")
    assert list(tmp_path.iterdir()) == []
