"""Tables and descriptions of objects are legible as text, and harmless as HTML."""

import html.parser

import pytest
from hypothesis import given
from hypothesis import strategies as st

import nnlayers as nn
from nnlayers._core.display import Grid, describe_html, describe_text, html_of_object

TAGS = {"div", "table", "caption", "strong", "br", "thead", "tbody", "tr", "th", "td"}
HOSTILE = "<script>alert('1')</script>\n\"&lt; \x1b[31m"


class Page(html.parser.HTMLParser):
    """The elements and the text of a page, as a browser reads them."""

    def __init__(self, text):
        super().__init__()
        self.tags, self.attributes, self.texts = [], set(), []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.attributes |= {name for name, _ in attrs}

    def handle_data(self, data):
        self.texts.append(data)


@given(st.lists(st.lists(st.text(max_size=30), min_size=2, max_size=2), max_size=4), st.text())
def test_cells_and_titles_are_never_interpreted(rows, title):
    page = Page(Grid([title, HOSTILE], [*rows, [HOSTILE, title]], "lr").html(title, HOSTILE))
    assert {*page.tags} <= TAGS
    assert page.attributes == {"style"}
    assert page.tags.count("tr") == len(rows) + 2
    shown = " ".join("".join(page.texts).split())
    assert " ".join(HOSTILE.split()) in shown


def test_a_long_cell_is_cut_off():
    text = "".join(Page(Grid([], [["x" * 10_000]], "l").html()).texts)
    assert len(text) < 200
    assert text.endswith("...")


def test_text_is_aligned_as_asked_and_without_blanks_at_the_ends_of_lines():
    grid = Grid(["name", "n", "note"], [["a", "1", "long"], ["bcdef", "200", ""]], "lrl")
    assert grid.text() == "name     n  note\na        1  long\nbcdef  200"
    assert Grid(["a", "b"], [], "lr").text() == "a  b"


def test_a_description_has_an_entry_in_each_line():
    entries = {"model": "Sequential(\n  0: ReLU()\n)", "loss": "Huber()"}
    assert describe_text("Trainer", entries) == (
        "Trainer(\n  model: Sequential( 0: ReLU() )\n  loss: Huber()\n)"
    )
    assert Page(describe_html("Trainer", entries)).tags.count("tr") == 2


@pytest.mark.parametrize(
    ("item", "note", "arguments"),
    [
        (nn.SoftmaxCrossEntropy(label_smoothing=0.1), "Softmax cross", ["label_smoothing", "0.1"]),
        (nn.callbacks.EarlyStopping(patience=3), "not improved", ["patience", "3", "'val_loss'"]),
        (nn.MeanSquaredError(), "squared", ["reduction", "'mean'"]),
    ],
)
def test_losses_and_callbacks_show_their_purpose_and_arguments(item, note, arguments):
    texts = Page(item._repr_html_()).texts
    assert texts[0] == type(item).__name__
    assert note in texts[1]
    assert {*arguments} <= {*texts}


def test_a_class_without_docstring_or_arguments_has_a_name():
    class Quiet:
        pass

    assert Page(html_of_object(Quiet())).texts == ["Quiet"]
