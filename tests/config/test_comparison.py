import io

import pytest

from nnlayers.config import Comparison, Run, load_run, prepare
from nnlayers.config.document import differences


def train(directory, lr=0.1, hidden=4, **sections):
    layers = [{"type": "Affine", "out_features": hidden}, {"type": "ReLU"}, {"type": "Affine"}]
    config = {
        "data": {"type": "spirals", "rows": 60},
        "model": {"type": "Sequential", "layers": layers},
        "loss": {"type": "SoftmaxCrossEntropy"},
        "optimizer": {"type": "SGD", "lr": lr},
        "training": {"epochs": 2},
        **sections,
    }
    run = Run(prepare(config, "x.toml"), directory)
    run.train()
    run.test()
    return load_run(directory)


def test_the_table_holds_what_differs_and_the_scores_of_each_run(tmp_path):
    runs = [
        train(tmp_path / "a"),
        train(tmp_path / "b", lr=0.2),
        train(
            tmp_path / "c",
            hidden=8,
            training={"epochs": 3, "metrics": ["accuracy"]},
            split={"test": 0},
        ),
    ]
    first, second, third = rows = Comparison(runs).entries
    assert [row["run"] for row in rows] == [str(tmp_path / name) for name in "abc"]
    assert [row["optimizer.lr"] for row in rows] == ["0.1", "0.2", "0.1"]
    assert [row["model.layers.0.out_features"] for row in rows] == ["4", "4", "8"]
    assert [row["training.epochs"] for row in rows] == ["2", "2", "3"]
    assert [row["weights"] for row in rows] == ["27", "27", "51"]
    assert second["test_accuracy"] == f"{runs[1].test_scores['accuracy']:.4g}"
    assert third["test_accuracy"] == first["val_accuracy"] == "-"
    assert "seed" not in first
    header, *lines = str(Comparison(runs)).splitlines()
    assert header.split() == list(first)
    assert len({len(line) for line in [header, *lines]}) == 1
    assert Comparison(runs)._repr_html_().count("<tr>") == 4
    assert repr(Comparison(runs)) == f"Comparison({', '.join(str(tmp_path / n) for n in 'abc')})"


def test_models_of_other_lengths_differ_as_a_whole():
    configs = [{"layers": [1, 2]}, {"layers": [1, 3]}, {"layers": [1]}]
    assert list(differences(*configs)) == [("layers", [[1, 2], [1, 3], [1]])]
    assert list(differences({"a": 1}, {"a": 1, "b": 2}, {"a": 1})) == [("b", [None, 2, None])]


def test_all_curves_are_in_one_picture(tmp_path):
    names = ["_a", "b$c^{"]
    runs = [train(tmp_path / name) for name in names]
    figure = Comparison(runs).plot()
    (axes,) = figure.axes
    drawn = [line for line in axes.lines if len(line.get_xdata())]
    for index, run in enumerate(runs):
        for column, style in (("loss", "-"), ("val_loss", "--")):
            (line,) = [
                line
                for line in drawn
                if line.get_color() == f"C{index}" and line.get_linestyle() == style
            ]
            assert list(line.get_ydata()) == run.history[column]
    (legend,) = figure.legends
    assert [text.get_text() for text in legend.get_texts()] == [str(tmp_path / n) for n in names]
    figure.savefig(io.BytesIO(), format="svg")


def test_there_must_be_a_run():
    with pytest.raises(ValueError, match="runs must be at least one run"):
        Comparison([])
