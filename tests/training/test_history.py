"""The history is a table with one row per epoch."""

import math
import pickle
import tracemalloc

import numpy as np
import pytest

from nnlayers.training import History


def history_of(*rows):
    history = History()
    for row in rows:
        history.append(row)
    return history


def test_columns_rows_and_length_agree():
    history = history_of({"loss": 2.0, "accuracy": 0.5}, {"loss": 1.0, "accuracy": 0.75})
    assert len(history) == 2
    assert history.columns == ("loss", "accuracy")
    assert history["accuracy"] == [0.5, 0.75]
    assert (
        history.rows
        == list(history)
        == [
            {"loss": 2.0, "accuracy": 0.5},
            {"loss": 1.0, "accuracy": 0.75},
        ]
    )
    assert "loss" in history
    assert "val_loss" not in history


def test_the_last_row_is_a_copy_whose_cost_does_not_grow_with_the_epochs():
    history = history_of({"loss": 2.0, "accuracy": 0.5}, {"loss": 1.0, "val_loss": 3.0})
    last = history.last
    assert last == pytest.approx({"loss": 1.0, "accuracy": math.nan, "val_loss": 3.0}, nan_ok=True)
    last["loss"] = 9.0
    assert history["loss"] == [2.0, 1.0]

    def allocated():
        tracemalloc.start()
        try:
            history.append({"loss": 1.0})
            history.last, history.rows[-1], history.rows[-5:]
            len(history), history.columns, "loss" in history, repr(history)
            return tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()

    few = allocated()
    history.load_state_dict({"loss": np.arange(50_000.0)})
    history.append({"loss": 1.0})  # after which the lists have spare capacity
    assert allocated() < few + 1000


def test_rows_index_and_slice_as_a_list_of_them_does():
    history = history_of(*({"loss": float(epoch), "accuracy": 0.5} for epoch in range(7)))
    rows, listed = history.rows, list(history)
    for first in (None, -9, -2, 0, 3, 9):
        for step in (None, -2, 1, 3):
            assert rows[first::step] == listed[first::step]
    for index in range(-7, 7):
        assert rows[index] == listed[index]
    for index in (-8, 7):
        with pytest.raises(IndexError):
            rows[index]
    assert repr(rows) == repr(listed)
    assert rows == listed == history_of(*rows).rows


def test_an_empty_history_has_no_last_row():
    with pytest.raises(IndexError, match="history has no last row before the end of the first"):
        _ = History().last


def test_an_empty_history_has_no_rows():
    assert len(History()) == 0
    assert History().rows == []
    assert repr(History()) == "History(0 epochs)"


def test_a_printed_history_is_a_table_of_aligned_columns():
    history = history_of({"loss": 0.51234, "accuracy": 0.5}, {"loss": 12.0}, {"loss": 1e-9})
    assert str(history).splitlines() == [
        "epoch    loss  accuracy",
        "    1  0.5123       0.5",
        "    2      12       nan",
        "    3   1e-09       nan",
    ]


@pytest.mark.parametrize(("epochs", "cut"), [(0, False), (20, False), (21, True), (500, True)])
def test_a_long_printed_history_shows_its_first_and_last_epochs(epochs, cut):
    lines = str(history_of(*({"loss": epoch / 2} for epoch in range(1, epochs + 1)))).splitlines()
    numbers = [line.split()[0] for line in lines]
    whole = [str(epoch) for epoch in range(1, epochs + 1)]
    assert numbers == ["epoch", *([*whole[:10], "...", *whole[-10:]] if cut else whole)]
    assert len(set(map(len, lines))) == 1


def test_a_value_not_recorded_is_nan():
    history = history_of({"loss": 2.0}, {"loss": 1.0, "val_loss": 3.0}, {"loss": 0.5})
    np.testing.assert_array_equal(history["val_loss"], [math.nan, 3.0, math.nan])


def test_an_unknown_column_is_named_with_the_nearest():
    with pytest.raises(KeyError, match="unknown column 'los', did you mean 'loss'"):
        history_of({"loss": 2.0})["los"]


def test_columns_and_rows_are_copies():
    history = history_of({"loss": 2.0})
    history["loss"].append(9.0)
    history.rows[0]["loss"] = 9.0
    assert history == history_of({"loss": 2.0})


def test_histories_of_equal_values_are_equal_nan_included():
    first = history_of({"loss": 2.0}, {"loss": math.nan, "val_loss": 1.0})
    again = History()
    again.load_state_dict(first.state_dict())
    assert again == first
    assert again != history_of({"loss": 2.0})
    assert again != 3


@pytest.mark.parametrize(
    ("columns", "best"),
    [
        ({}, 0),
        ({"loss": [math.nan, math.nan]}, 0),
        ({"loss": [3.0, 1.0, 2.0]}, 2),
        ({"loss": [3.0, 1.0, 2.0], "val_loss": [math.nan, 5.0, 4.0]}, 3),
        ({"loss": [3.0, 2.0, 1.0], "val_loss": [1.0, 2.0, 3.0], "val_score": [0.1, 0.9, 0.9]}, 2),
        ({"loss": [math.inf, math.inf]}, 1),
    ],
)
def test_the_best_epoch_is_that_of_validation_where_there_is_some(columns, best):
    history = History()
    history.load_state_dict(columns)
    assert history.best_epoch == best


def test_a_notebook_shows_a_table_with_the_best_epoch_in_bold():
    history = history_of(*({"loss": 1.0, "val_loss": abs(epoch - 3.0)} for epoch in range(1, 6)))
    html = history._repr_html_()
    assert "best epoch 3, by val_loss" in html
    (bold,) = [row for row in html.split("<tr>") if "font-weight:bold" in row]
    assert ">3</td>" in bold
    assert History()._repr_html_().count("<tr>") == 1


def test_a_notebook_shows_no_more_rows_than_fit():
    history = history_of(*({"loss": 1 / epoch} for epoch in range(1, 1001)))
    html = history._repr_html_()
    assert html.count("<tr>") == 22
    assert ">1000</td>" in html
    assert ">500</td>" not in html


def test_a_notebook_shows_a_plot_without_pyplot():
    pytest.importorskip("matplotlib")
    figure = history_of({"loss": 2.0}).plot()
    assert figure._repr_png_().startswith(b"\x89PNG")
    again = pickle.loads(pickle.dumps(figure))
    assert again._repr_png_().startswith(b"\x89PNG")


def lines(axes):
    return {line.get_label(): (line.get_xdata(), line.get_ydata()) for line in axes.lines}


def test_plot_draws_the_loss_and_beside_it_the_metrics(tmp_path):
    figure_class = pytest.importorskip("matplotlib.figure").Figure
    history = history_of(
        {"loss": 2.0, "accuracy": 0.5, "val_loss": 3.0, "val_accuracy": 0.25},
        {"loss": 1.0, "accuracy": 0.75, "val_loss": 2.0, "val_accuracy": 0.5},
    )
    figure = history.plot()
    assert isinstance(figure, figure_class)
    loss_axes, metric_axes = figure.axes
    assert list(lines(loss_axes)) == ["loss", "val_loss", "best epoch 2"]
    assert list(lines(metric_axes)) == ["accuracy", "val_accuracy", "best epoch 2"]
    x, y = lines(metric_axes)["val_accuracy"]
    np.testing.assert_array_equal(x, [1, 2])
    np.testing.assert_array_equal(y, [0.25, 0.5])
    figure.savefig(tmp_path / "run.png")


def test_plot_without_metrics_draws_on_one_axes():
    figure_class = pytest.importorskip("matplotlib.figure").Figure
    history = history_of({"loss": 2.0})
    assert len(history.plot().axes) == 1
    figure = figure_class()
    assert history.plot(figure.subplots()) is figure
    assert list(lines(figure.axes[0])) == ["loss", "best epoch 1"]
    with pytest.raises(ValueError, match="axes must hold 2 Axes, got 1"):
        history_of({"loss": 2.0, "accuracy": 1.0}).plot(figure.axes[0])


def test_plot_of_an_empty_history_is_an_empty_figure(tmp_path):
    pytest.importorskip("matplotlib")
    History().plot().savefig(tmp_path / "empty.png")
