import csv
import io

import numpy as np
import pytest
from sklearn.metrics import r2_score, root_mean_squared_error

import nnlayers as nn
from nnlayers.config import Predictor, score
from nnlayers.data import Preprocessing, Table, diabetes, iris, moons


def predictor(table, loss, outputs):
    preprocessing = Preprocessing().fit(table, loss.targets)
    model = nn.Affine(preprocessing.width, outputs, rng=0)
    return Predictor(model, loss, preprocessing, "float32")


def rows_of(text):
    return list(csv.DictReader(io.StringIO(text)))


def test_regression_is_scored_in_raw_units():
    table = diabetes()
    fitted = predictor(table, nn.MeanSquaredError(), 1)
    predicted = [float(row["target"]) for row in rows_of(fitted.predictions(table))]
    scores = score(fitted, table).values
    assert scores["r2"] == pytest.approx(r2_score(table.target, predicted), rel=1e-6)
    rmse = root_mean_squared_error(table.target, predicted)
    assert scores["rmse"] == pytest.approx(rmse, rel=1e-6)


@pytest.mark.parametrize(
    ("table", "loss", "outputs"),
    [(iris(), nn.SoftmaxCrossEntropy(), 3), (moons(50), nn.SigmoidCrossEntropy(), 1)],
)
def test_predicted_classes_are_the_most_probable_ones(table, loss, outputs):
    fitted = predictor(table, loss, outputs)
    rows = rows_of(fitted.predictions(table))
    columns = [f"probability {name}" for name in fitted.preprocessing.classes]
    probabilities = np.array([[float(row[column]) for column in columns] for row in rows])
    np.testing.assert_allclose(probabilities.sum(axis=1), 1)
    names = np.array(fitted.preprocessing.classes)[probabilities.argmax(axis=1)].astype(str)
    predicted = np.array([row[fitted.preprocessing.target_name] for row in rows])
    np.testing.assert_array_equal(predicted, names)
    accuracy = (predicted == table.target.astype(str)).mean()
    assert score(fitted, table).values["accuracy"] == pytest.approx(accuracy)


def test_a_loss_without_probabilities_gives_no_probability_columns():
    rows = rows_of(predictor(iris(), nn.Hinge(), 3).predictions(iris()))
    assert list(rows[0]) == ["target"]


FORMULAS = ["=1+1", "+1+cmd|' /C calc'!A0", "-2+3", "@SUM(A1)", "\t=1", "\r=1", "\n=1", "\uff1d1+1"]
TEXTS = ["-1", "+1.5", "-1e5", "-.5", "a=b", " x", "'quoted'", "100%", "http://x/?a=1", 'ü,\r\n"x']


@pytest.mark.parametrize("label", FORMULAS + TEXTS)
def test_labels_and_columns_that_look_like_formulas_are_escaped_and_others_unchanged(label):
    table = Table({"x": [1.0, 2.0, 3.0, 4.0]}, [label, "b", label, "b"], target_name=label)
    text = predictor(table, nn.SoftmaxCrossEntropy(), 2).predictions(table)
    header, *rows = csv.reader(io.StringIO(text, newline=""))
    expected = f"'{label}" if label in FORMULAS else label
    assert header[0] == expected
    assert {row[0] for row in rows} <= {expected, "b"}
    assert all(len(row) == 3 for row in rows)


def test_negative_numbers_stay_numbers():
    table = Table({"x": [1.0, 2.0]}, target=[-1, -2])
    text = predictor(table, nn.SoftmaxCrossEntropy(), 2).predictions(table)
    assert {row["target"] for row in rows_of(text)} <= {"-1", "-2"}
    table = Table({"x": [1.0, 2.0]}, target=[-1.5, -2.5])
    fitted = predictor(table, nn.MeanSquaredError(), 1)
    assert all(float(row["target"]) for row in rows_of(fitted.predictions(table)))
