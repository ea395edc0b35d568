"""Metrics by name against scikit-learn, and against published or hand-made values without it."""

import warnings
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import sklearn.metrics as sk
from hypothesis import given
from hypothesis import strategies as st
from scipy.special import expit, softmax
from sklearn.exceptions import UndefinedMetricWarning

import nnlayers as nn
from nnlayers.training.measures import MEASURES, is_larger_better
from nnlayers.training.metrics import Metrics

AVERAGES = {"": "binary", "_macro": "macro", "_micro": "micro", "_weighted": "weighted"}
OF_LABELS = {
    "accuracy": sk.accuracy_score,
    "balanced_accuracy": sk.balanced_accuracy_score,
    **{
        name + ending: partial(function, average=average, zero_division=0)
        for name, function in (
            ("f1", sk.f1_score),
            ("precision", sk.precision_score),
            ("recall", sk.recall_score),
        )
        for ending, average in AVERAGES.items()
    },
}
OF_VALUES = {
    "mae": sk.mean_absolute_error,
    "mean_absolute_error": sk.mean_absolute_error,
    "mse": sk.mean_squared_error,
    "mean_squared_error": sk.mean_squared_error,
    "rmse": sk.root_mean_squared_error,
    "root_mean_squared_error": sk.root_mean_squared_error,
    "mape": sk.mean_absolute_percentage_error,
    "mean_absolute_percentage_error": sk.mean_absolute_percentage_error,
    "r2": sk.r2_score,
}
sizes = st.integers(1, 30)
seeds = st.integers(0, 2**16)


def measured(loss, names, y, output, weight=None):
    return Metrics(names, loss).measure(np.asarray(y), np.asarray(output), weight)


def by_scikit_learn(function, *arguments):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UndefinedMetricWarning)
        warnings.simplefilter("ignore", UserWarning)
        return function(*arguments)


def some_weights(rng, rows, kind):
    return {"none": None, "random": rng.uniform(0.1, 3, rows), "zeros": rng.integers(0, 2, rows)}[
        kind
    ]


weights = st.sampled_from(["none", "random", "zeros"])


def compare(values, expected, weight):
    """Compare metrics of labels with functions of weights."""
    for name, value in values.items():
        if weight is not None and not weight.sum():
            assert np.isnan(value) or value == 0
        else:
            reference = by_scikit_learn(expected[name], weight)
            np.testing.assert_allclose(value, reference, rtol=1e-10, atol=1e-12, err_msg=name)


@given(rows=sizes, classes=st.integers(2, 5), seed=seeds, kind=weights)
def test_metrics_of_labels_are_scikit_learns(rows, classes, seed, kind):
    rng = np.random.default_rng(seed)
    y, z = rng.integers(classes, size=rows), rng.normal(size=(rows, classes))
    weight = some_weights(rng, rows, kind)
    of_two = () if classes == 2 else ("f1", "precision", "recall")
    predicted = z.argmax(axis=1)
    expected = {
        name: lambda w, f=f: f(y, predicted, sample_weight=w)
        for name, f in OF_LABELS.items()
        if name not in of_two
    }
    for loss in (nn.SoftmaxCrossEntropy(), nn.Hinge()):
        compare(measured(loss, list(expected), y, z, weight), expected, weight)


@given(rows=sizes, seed=seeds, kind=weights, column=st.booleans())
def test_metrics_of_a_binary_output_are_scikit_learns(rows, seed, kind, column):
    rng = np.random.default_rng(seed)
    y, z = rng.integers(2, size=rows), rng.integers(-3, 4, size=rows) / 2.0
    weight = some_weights(rng, rows, kind)
    expected = {name: lambda w, f=f: f(y, z > 0, sample_weight=w) for name, f in OF_LABELS.items()}
    shape = (rows, 1) if column else (rows,)
    target, output = y.reshape(shape), z.reshape(shape)
    values = measured(nn.SigmoidCrossEntropy(), list(expected), target, output, weight)
    compare(values, expected, weight)


@given(rows=sizes, labels=st.integers(2, 4), seed=seeds, kind=weights)
def test_metrics_of_several_labels_are_scikit_learns(rows, labels, seed, kind):
    rng = np.random.default_rng(seed)
    y, z = rng.integers(2, size=(rows, labels)), rng.normal(size=(rows, labels))
    weight = some_weights(rng, rows, kind)
    names = [name for name in OF_LABELS if name.endswith(("macro", "micro", "weighted"))]
    expected = {name: lambda w, f=OF_LABELS[name]: f(y, z > 0, sample_weight=w) for name in names}
    compare(measured(nn.SigmoidCrossEntropy(), names, y, z, weight), expected, weight)


@given(rows=st.integers(2, 30), seed=seeds, weighted=st.booleans())
def test_areas_of_two_classes_are_scikit_learns(rows, seed, weighted):
    rng = np.random.default_rng(seed)
    y = rng.permutation(np.arange(rows) % 2)
    z = rng.integers(-3, 4, size=rows) / 2.0  # Some scores are equal.
    weight = rng.uniform(0.1, 3, rows) if weighted else None
    expected = sk.roc_auc_score(y, z, sample_weight=weight)
    two = np.stack([np.zeros(rows), z], axis=1)
    for loss, target, output in (
        (nn.SigmoidCrossEntropy(), y[:, None], z[:, None]),
        (nn.SoftmaxCrossEntropy(), y, two),
        (nn.Hinge(), y, two),
    ):
        values = measured(loss, ["roc_auc"], target, output, weight)
        assert values["roc_auc"] == pytest.approx(expected)
    for name in ("roc_auc_ovr", "roc_auc_ovo", "roc_auc_ovr_weighted", "roc_auc_ovo_weighted"):
        values = measured(nn.SoftmaxCrossEntropy(), [name], y, two, weight)
        assert values[name] == pytest.approx(expected)


@given(rows=st.integers(8, 40), classes=st.integers(3, 4), seed=seeds, weighted=st.booleans())
def test_areas_of_many_classes_are_scikit_learns(rows, classes, seed, weighted):
    rng = np.random.default_rng(seed)
    y, z = rng.permutation(np.arange(rows) % classes), rng.normal(size=(rows, classes))
    weight = rng.uniform(0.1, 3, rows) if weighted else None
    for kind in ("ovr", "ovo"):
        if kind == "ovo" and weighted:
            continue  # scikit-learn takes no weights here.
        for ending, average in (("", "macro"), ("_weighted", "weighted")):
            name = f"roc_auc_{kind}{ending}"
            expected = sk.roc_auc_score(
                y, softmax(z, axis=1), multi_class=kind, average=average, sample_weight=weight
            )
            value = measured(nn.SoftmaxCrossEntropy(), [name], y, z, weight)[name]
            assert value == pytest.approx(expected), name


def test_areas_of_several_labels_are_their_mean():
    rng = np.random.default_rng(0)
    y, z = rng.integers(2, size=(30, 3)), rng.normal(size=(30, 3))
    value = measured(nn.SigmoidCrossEntropy(), ["roc_auc"], y, z)["roc_auc"]
    assert value == pytest.approx(sk.roc_auc_score(y, z))


def test_an_area_counts_equal_scores_half():
    values = measured(nn.SigmoidCrossEntropy(), ["roc_auc"], [1, 0, 1, 0], [0.5, 0.5, 2.0, -1.0])
    assert values == {"roc_auc": (0.5 + 3) / 4}


def test_areas_tell_apart_probabilities_that_round_to_1():
    y, z = np.array([0, 1]), np.array([[0.0, 50.0], [0.0, 60.0]], np.float32)
    loss = nn.SoftmaxCrossEntropy()
    assert measured(loss, ["roc_auc", "roc_auc_ovr"], y, z) == {"roc_auc": 1.0, "roc_auc_ovr": 1.0}


def test_an_area_without_both_kinds_of_rows_is_nan_and_left_out_of_means():
    loss, z = nn.SoftmaxCrossEntropy(), np.array([[2.0, 1, 0], [0, 1, 0], [1, 0, 0]])
    assert np.isnan(measured(loss, ["roc_auc_ovr"], [1, 1, 1], z)["roc_auc_ovr"])
    assert np.isnan(measured(loss, ["roc_auc"], [1, 1], z[:2, :2])["roc_auc"])
    assert measured(loss, ["roc_auc_ovr", "roc_auc_ovo"], [0, 1, 0], z) == {
        "roc_auc_ovr": 1.0,
        "roc_auc_ovo": 1.0,
    }


@given(rows=sizes, classes=st.integers(2, 4), seed=seeds, kind=weights)
def test_log_loss_is_scikit_learns(rows, classes, seed, kind):
    rng = np.random.default_rng(seed)
    y, z = rng.integers(classes, size=rows), rng.normal(size=(rows, classes))
    weight = some_weights(rng, rows, kind)
    values = measured(nn.SoftmaxCrossEntropy([2.0] * classes, 0.1), ["log_loss"], y, z, weight)

    def expected(w):
        return sk.log_loss(y, softmax(z, axis=1), labels=range(classes), sample_weight=w)

    compare(values, {"log_loss": expected}, weight)
    soft = np.eye(classes)[y]
    of_rows = measured(nn.SoftmaxCrossEntropy(), ["log_loss"], soft, z, weight)
    np.testing.assert_allclose(of_rows["log_loss"], values["log_loss"])
    if classes == 2:
        margin = z[:, 1:] - z[:, :1]
        of_margin = measured(nn.SigmoidCrossEntropy(), ["log_loss"], y[:, None], margin, weight)
        np.testing.assert_allclose(of_margin["log_loss"], values["log_loss"])


def test_log_loss_by_hand():
    y, z = np.array([[1], [0]]), np.log(np.array([[3.0], [0.25]]))
    values = measured(nn.SigmoidCrossEntropy(), ["log_loss"], y, z)
    assert values["log_loss"] == pytest.approx(-(np.log(0.75) + np.log(0.8)) / 2)
    assert expit(z[0]) == pytest.approx(0.75)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_scores_at_the_extremes_give_a_log_loss_of_their_size(dtype):
    z = np.array([[1e4, 0], [0, 1e4]], dtype)
    assert measured(nn.SoftmaxCrossEntropy(), ["log_loss"], [0, 1], z) == {"log_loss": 0.0}
    assert measured(nn.SoftmaxCrossEntropy(), ["log_loss"], [1, 1], z) == {"log_loss": 5e3}
    z = np.array([[np.inf, 0], [0, 1e4]], dtype)
    assert measured(nn.SoftmaxCrossEntropy(), ["log_loss"], [0, 1], z) == {"log_loss": 0.0}


@given(rows=sizes, columns=st.integers(1, 3), seed=seeds, kind=weights, scale=st.integers(-8, 8))
def test_metrics_of_values_are_scikit_learns(rows, columns, seed, kind, scale):
    rng = np.random.default_rng(seed)
    y, p = rng.integers(-3, 4, size=(2, rows, columns)) * 10.0**scale
    weight = some_weights(rng, rows, kind)
    expected = {name: lambda w, f=f: f(y, p, sample_weight=w) for name, f in OF_VALUES.items()}
    values = measured(nn.MeanSquaredError(), list(OF_VALUES), y, p, weight)
    if weight is not None and not weight.sum():
        assert all(np.isnan(value) for value in values.values())
    else:
        compare(values, expected, weight)


@pytest.mark.parametrize(
    ("p", "expected"), [([2.0, 2.0], 1.0), ([2.0, 3.0], 0.0), ([2.0, np.nan], np.nan)]
)
def test_r2_of_equal_targets_is_1_if_they_are_met_and_otherwise_0(p, expected):
    value = measured(nn.MeanSquaredError(), ["r2"], [2.0, 2.0], p)["r2"]
    np.testing.assert_equal(value, expected)


def test_r2_of_one_row_is_nan():
    assert np.isnan(measured(nn.MeanSquaredError(), ["r2"], [[2.0]], [[2.0]])["r2"])


def test_metrics_of_values_take_what_a_loss_decides():
    rates = np.array([[0.5], [2.0]])
    assert measured(nn.Poisson(), ["mae"], rates, np.log(rates)) == {"mae": pytest.approx(0)}
    means = np.array([[1.0, 9.0], [2.0, -9.0]])
    assert measured(nn.GaussianNLL(), ["mse"], [[1.0], [4.0]], means) == {"mse": 2.0}


def test_huge_weights_count_as_their_ratios():
    y, p, weight = np.array([[0.0], [1.0]]), np.zeros((2, 1)), np.array([1e308, 1e308])
    assert measured(nn.MeanSquaredError(), ["mse"], y, p, weight) == {"mse": 0.5}


def test_rows_of_weight_0_may_hold_anything():
    y, p, weight = np.array([[0.0], [1.0]]), np.array([[np.inf], [0.0]]), np.array([0.0, 2.0])
    assert measured(nn.MeanSquaredError(), ["mse", "mae"], y, p, weight) == {"mse": 1, "mae": 1}


def test_accuracy_takes_the_largest_of_class_probabilities():
    y, z = [[0.2, 0.8], [0.7, 0.3]], [[0.0, 1.0], [0.0, 1.0]]
    assert measured(nn.SoftmaxCrossEntropy(), ["accuracy"], y, z) == {"accuracy": 0.5}


def test_accuracy_of_several_labels_is_the_share_of_all_of_them():
    y, z = [[1, 0, 1], [0, 0, 1]], [[1.0, 1, 1], [-1, 1, -1]]
    values = measured(nn.SigmoidCrossEntropy(), ["accuracy"], y, z)
    assert values["accuracy"] == pytest.approx(0.5)


def test_classes_at_several_positions_of_a_row_count_alike():
    rng = np.random.default_rng(0)
    y, z, weight = rng.integers(3, size=(6, 4)), rng.normal(size=(6, 4, 3)), rng.uniform(size=6)
    names = ["accuracy", "f1_macro", "log_loss", "roc_auc_ovr"]
    flat = measured(
        nn.SoftmaxCrossEntropy(), names, y.ravel(), z.reshape(-1, 3), np.repeat(weight, 4)
    )
    values = measured(nn.SoftmaxCrossEntropy(), names, y, z, weight)
    assert values == pytest.approx(flat)


@pytest.mark.parametrize(
    ("loss", "name", "y", "z", "message"),
    [
        (nn.SoftmaxCrossEntropy(), "f1", [0], [[0.0, 1, 2]], "use 'f1_macro' or 'f1_micro' or"),
        (nn.SoftmaxCrossEntropy(), "roc_auc", [0], [[0.0, 1, 2]], "use 'roc_auc_ovr' or"),
        (nn.SigmoidCrossEntropy(), "recall", [[0, 1]], [[0.0, 1]], "of two classes, use 'recall_"),
        (nn.SigmoidCrossEntropy(), "roc_auc_ovr", [[0, 1]], [[0.0, 1]], "one class a row, got 2"),
        (nn.SigmoidCrossEntropy(), "balanced_accuracy", [[0, 1]], [[0.0, 1]], "one class a row"),
        (nn.MeanSquaredError(), "mae", [1.0, 2.0], [[1.0], [2.0]], r"shape \(2,\), got \(2, 1\)"),
        (nn.SoftmaxCrossEntropy(), "accuracy", [0], [[0.0, 1]] * 2, "labels of one shape, got"),
    ],
)
def test_a_metric_that_does_not_fit_the_output_says_what_does(loss, name, y, z, message):
    with pytest.raises(ValueError, match=message):
        measured(loss, [name], y, z)


@pytest.mark.parametrize(
    ("loss", "name", "message"),
    [
        (
            nn.MeanSquaredError(),
            "accuracy",
            "a loss whose targets are classes, those of Mean",
        ),
        (nn.SoftmaxCrossEntropy(), "r2", "needs a loss whose targets are values, those of Softmax"),
        (
            nn.Hinge(),
            "log_loss",
            "needs probabilities, which Softmax.*, not Hinge",
        ),
        (nn.Hinge(), "roc_auc_ovr", "needs probabilities"),
        (nn.Hinge(), "f1_score", "unknown metric 'f1_score', did you mean 'f1'"),
        (nn.Hinge(), "neg_log_loss", "unknown metric 'neg_log_loss', did you mean 'log_loss'"),
        (nn.Hinge(), "auc", "unknown metric 'auc', did you mean 'roc_auc'"),
        (nn.Hinge(), "loss", "unknown metric|different names"),
    ],
)
def test_a_name_that_does_not_fit_the_loss_is_an_error(loss, name, message):
    with pytest.raises(ValueError, match=message):
        Metrics([name], loss)


def test_every_metric_is_on_the_page_of_metrics():
    page = (Path(__file__).parents[2] / "docs" / "reference" / "metrics.rst").read_text()
    assert [name for name in MEASURES if f"``{name}``" not in page] == []


def test_every_metric_fits_some_loss_and_knows_its_direction():
    rng = np.random.default_rng(0)
    y, z = np.arange(20) % 2, rng.normal(size=(20, 2))
    for name, measure in MEASURES.items():
        if measure.is_for_values:
            perfect = measured(nn.MeanSquaredError(), [name], z, z)[name]
            other = measured(nn.MeanSquaredError(), [name], z, z + 1)[name]
        else:
            perfect = measured(nn.SoftmaxCrossEntropy(), [name], y, 9 * np.eye(2)[y])[name]
            other = measured(nn.SoftmaxCrossEntropy(), [name], y, z)[name]
        assert (perfect > other) == measure.is_larger_better, name
        assert is_larger_better(f"val_{name}") == is_larger_better(name) == (perfect > other)
        mode = nn.callbacks.EarlyStopping(f"val_{name}").mode
        assert mode == ("max" if perfect > other else "min")


def test_a_function_gets_the_weights_if_it_takes_them():
    seen = []

    def plain(y_true, y_pred):
        seen.append(len(y_true))
        return 0.0

    y, p, weight = np.zeros((2, 1)), np.array([[1.0], [3.0]]), np.array([3.0, 1.0])
    metrics = Metrics([plain, sk.mean_absolute_error], nn.MeanSquaredError())
    assert metrics.measure(y, p, weight) == {"plain": 0.0, "mean_absolute_error": 1.5}
    assert metrics.measure(y, p) == {"plain": 0.0, "mean_absolute_error": 2.0}
    assert seen == [2, 2]


def test_a_function_without_a_signature_is_called_with_targets_and_predictions():
    assert measured(nn.MeanSquaredError(), [np.vdot], [1.0, 2.0], [3.0, 4.0]) == {"vdot": 11.0}


def test_units_convert_numbers_and_no_classes():
    metrics = Metrics(["mae"], nn.MeanSquaredError())
    metrics.units = lambda values: 10 * values + 5
    assert metrics.measure(np.array([[1.0]]), np.array([[3.0]])) == {"mae": 20.0}
    metrics = Metrics(["accuracy"], nn.SoftmaxCrossEntropy())
    metrics.units = lambda values: 1 / 0
    assert metrics.measure(np.array([1]), np.array([[1.0, 2.0]])) == {"accuracy": 1.0}


def one(y_true, y_pred):
    return 1.0


@pytest.mark.parametrize(
    ("metrics", "error", "message"),
    [
        ("accuracy", TypeError, "metrics must be a list"),
        (one, TypeError, "metrics must be a list of names or functions, got <function"),
        ([3], TypeError, "metrics must hold names or functions with a __name__, got 3"),
        (["accuracy", "accuracy"], ValueError, "got 'accuracy' twice"),
        ([one, one], ValueError, "got 'one' twice"),
    ],
)
def test_metrics_that_cannot_be_resolved_are_errors(metrics, error, message):
    with pytest.raises(error, match=message):
        Metrics(metrics, nn.SoftmaxCrossEntropy())


def test_a_metric_that_does_not_return_a_number_is_named():
    def each(y_true, y_pred):
        return y_true == y_pred

    with pytest.raises(TypeError, match="metric 'each' must return a number, got array"):
        measured(nn.MeanSquaredError(), [each], np.zeros(2), np.zeros(2))


def trainer_with(metrics, **options):
    model = nn.Sequential(nn.Affine(3, 2, dtype=np.float64, rng=3))
    optimizer = nn.optim.SGD(model.parameters(), lr=0.0)
    return nn.Trainer(model, nn.SoftmaxCrossEntropy(), optimizer, metrics=metrics, **options)


def test_metrics_of_an_epoch_are_those_of_all_its_rows_together():
    rng = np.random.default_rng(0)
    X, y, weight = rng.normal(size=(23, 3)), np.arange(23) % 2, rng.uniform(size=23)
    names = ["roc_auc", "f1_macro", "balanced_accuracy", "log_loss"]
    trainer = trainer_with(names)
    history = trainer.fit(
        X, y, epochs=1, batch_size=4, validation=(X[:9], y[:9]), sample_weight=weight, rng=0
    )
    z = trainer.model.predict(X)
    expected = measured(trainer.loss, names, y, z, weight)
    of_validation = measured(trainer.loss, names, y[:9], z[:9])
    for name in names:
        assert history.last[name] == pytest.approx(expected[name])
        assert history.last[f"val_{name}"] == pytest.approx(of_validation[name])
    assert trainer.evaluate(X, y).keys() == {"loss", *names}


def test_early_stopping_watches_a_metric_by_its_direction():
    X, y = np.random.default_rng(0).normal(size=(20, 3)), np.arange(20) % 2
    stopping = nn.callbacks.EarlyStopping("val_roc_auc", patience=2)
    trainer = trainer_with(["roc_auc"], callbacks=[stopping])
    history = trainer.fit(X, y, epochs=9, validation=(X, y))
    assert len(history) == 3
    assert stopping.best == history["val_roc_auc"][0]
