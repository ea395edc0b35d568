"""Scores of a run beside a constant prediction, in the units of the data, and their pictures."""

import json
import sys

import numpy as np
import pytest
import sklearn.metrics as sk
from sklearn.dummy import DummyClassifier, DummyRegressor

import nnlayers as nn
from nnlayers._core.fingerprint import text_fingerprint
from nnlayers.config import ConfigError, Predictor, Run, load_run, prepare, score
from nnlayers.config.scoring import Baseline
from nnlayers.data import DataError, Preprocessing, Table
from nnlayers.training.pictures import draw_calibration, draw_confusion, draw_numbers
from nnlayers.training.predictions import Predictions

RNG = np.random.default_rng(0)
X = RNG.normal(size=(80, 2))
VALUES = 1000 + 50 * X[:, 0] + RNG.exponential(20, size=80)
LABELS = np.array(["no", "yes", "maybe"])[(X[:, 0] > -1).astype(int) + (X[:, 1] > 1)]


def table(target):
    return Table({"a": X[:, 0], "b": X[:, 1]}, target=list(target))


def predictor(rows, loss):
    preprocessing = Preprocessing().fit(rows, loss.targets)
    width = 2 if isinstance(loss, nn.GaussianNLL) else preprocessing.outputs
    return Predictor(nn.Affine(2, width, rng=0), loss, preprocessing, "float64")


def scores_of(rows, loss, metrics=()):
    fitted = predictor(rows, loss)
    targets = fitted.preprocessing.targets(rows, "float64")
    baseline = Baseline.fit(fitted.preprocessing, loss, targets)
    return fitted, score(fitted, rows, metrics, baseline)


@pytest.mark.parametrize(
    ("loss", "strategy"),
    [
        (nn.MeanSquaredError(), "mean"),
        (nn.GaussianNLL(), "mean"),
        (nn.MeanAbsoluteError(), "median"),
        (nn.Huber(), "median"),
        (nn.Quantile(0.5), "median"),
    ],
)
def test_numbers_are_scored_in_their_units_beside_scikit_learns_dummy(loss, strategy):
    rows = table(VALUES)
    metrics = ["mae", "mape", "mean_squared_error"]
    fitted, scores = scores_of(rows, loss, metrics)
    constant = DummyRegressor(strategy=strategy).fit(X, VALUES).predict(X)
    functions = {
        "rmse": sk.root_mean_squared_error,
        "r2": sk.r2_score,
        "mae": sk.mean_absolute_error,
        "mape": sk.mean_absolute_percentage_error,
        "mean_squared_error": sk.mean_squared_error,
    }
    assert list(scores.baseline) == list(functions)
    for name, function in functions.items():
        assert scores.values[name] == pytest.approx(function(VALUES, fitted.predict(rows)))
        assert scores.baseline[name] == pytest.approx(function(VALUES, constant), abs=1e-9)
    assert f"always {constant[0]:.4g}, the {strategy}" in str(scores)


@pytest.mark.parametrize("loss", [nn.SoftmaxCrossEntropy(), nn.Hinge()])
def test_classes_are_scored_beside_the_most_frequent_one(loss):
    rows = table(LABELS)
    fitted, scores = scores_of(rows, loss, ["f1_macro", "balanced_accuracy"])
    constant = DummyClassifier(strategy="most_frequent").fit(X, LABELS).predict(X)
    for found, predicted in ((scores.values, fitted.predict(rows)), (scores.baseline, constant)):
        assert found["accuracy"] == pytest.approx(sk.accuracy_score(LABELS, predicted))
        f1 = sk.f1_score(LABELS, predicted, average="macro")
        assert found["f1_macro"] == pytest.approx(f1)
        recall = sk.recall_score(LABELS, predicted, average="macro", zero_division=0)
        assert found["balanced_accuracy"] == pytest.approx(recall)
    assert f"always {constant[0]} (loss " in str(scores)


@pytest.mark.parametrize("loss", [nn.SoftmaxCrossEntropy(), nn.SigmoidCrossEntropy()])
@pytest.mark.parametrize("majority", [0, 1])
def test_the_baseline_of_probabilities_is_the_share_of_each_class(loss, majority):
    y = np.where(np.arange(80) % 4 == 0, 1 - majority, majority)
    _, scores = scores_of(table(y), loss, ["log_loss", "roc_auc"])
    dummy = DummyClassifier(strategy="prior").fit(X, y)
    expected = sk.log_loss(y, dummy.predict_proba(X))
    assert scores.baseline["log_loss"] == pytest.approx(expected)
    assert scores.baseline["roc_auc"] == 0.5
    assert scores.baseline["accuracy"] == 0.75


@pytest.mark.parametrize(
    ("loss", "strategy"), [(nn.MeanSquaredError(), "mean"), (nn.MeanAbsoluteError(), "median")]
)
def test_weights_count_in_scores_and_in_the_baseline(loss, strategy):
    weights = RNG.integers(1, 5, size=80).astype(float)
    rows = Table({"a": X[:, 0], "b": X[:, 1]}, list(VALUES), weights=weights)
    fitted = predictor(rows, loss)
    targets = fitted.preprocessing.targets(rows, "float64")
    baseline = Baseline.fit(fitted.preprocessing, loss, targets, weights)
    repeated = np.repeat(VALUES, weights.astype(int))
    constant = np.quantile(repeated, 0.5, method="inverted_cdf")
    expected = repeated.mean() if strategy == "mean" else constant
    assert baseline.value == pytest.approx(expected)
    scores = score(fitted, rows, ["mae"], baseline)
    of_model = sk.mean_absolute_error(VALUES, fitted.predict(rows), sample_weight=weights)
    assert scores.values["mae"] == pytest.approx(of_model)
    assert scores.baseline["mae"] == pytest.approx(np.abs(repeated - expected).mean())


def test_the_most_frequent_class_is_that_of_the_largest_weight():
    weights = np.where(LABELS == "maybe", 100.0, 1.0)
    rows = Table({"a": X[:, 0], "b": X[:, 1]}, list(LABELS), weights=weights)
    fitted = predictor(rows, nn.SoftmaxCrossEntropy())
    targets = fitted.preprocessing.targets(rows, "float64")
    baseline = Baseline.fit(fitted.preprocessing, fitted.loss, targets, weights)
    assert baseline.describe(fitted.preprocessing.classes) == "always maybe"


def test_without_rows_there_is_no_score():
    rows = table(VALUES)
    fitted, none = predictor(rows, nn.MeanSquaredError()), rows.rows(np.arange(0))
    with pytest.raises(DataError, match="there are no rows to score"):
        score(fitted, none)


def config(directory, target, loss, **training):
    np.savetxt(
        directory / "rows.csv",
        np.column_stack([X.astype(str), np.asarray(target).astype(str)]),
        fmt="%s",
        delimiter=",",
        header="a,b,y",
        comments="",
    )
    return {
        "data": {"type": "csv", "path": str(directory / "rows.csv"), "target": "y"},
        "model": {"type": "Sequential", "layers": [{"type": "Affine"}]},
        "loss": {"type": loss},
        "optimizer": {"type": "Adam", "lr": 0.01},
        "training": {"epochs": 2, **training},
    }


def train(directory, *arguments, modules=(), **training):
    run = Run(
        prepare(config(directory, *arguments, **training), "x.toml", modules), directory / "a"
    )
    run.train()
    return run, run.test()


def files(run):
    return {path.name for path in run.directory.glob("*.png")}


def test_a_run_of_numbers_reports_the_units_of_the_data_in_every_place(tmp_path):
    run, line = train(tmp_path, VALUES, "MeanSquaredError", metrics=["mae"])
    last = run.experiment.trainer.history.last
    assert last["mae"] > 10 > last["loss"]
    stored = json.loads((run.directory / "test.json").read_text())
    assert stored["mae"] > 10
    assert stored["baseline_mae"] == pytest.approx(50, abs=30)
    loaded = load_run(run.directory)
    assert loaded.evaluate().keys() == {"loss", "rmse", "r2", "mae"}
    assert str(loaded.score()) == line
    stored.pop("sha256")
    assert loaded.score().to_dict() == stored == loaded.test_scores
    assert files(run) == {"curves.png", "predicted.png"}


@pytest.mark.parametrize(
    ("loss", "pictures"),
    [
        ("SoftmaxCrossEntropy", {"curves.png", "confusion.png", "calibration.png"}),
        ("Hinge", {"curves.png", "confusion.png"}),
    ],
)
def test_a_run_of_classes_draws_its_confusions_and_probabilities(tmp_path, loss, pictures):
    run, line = train(tmp_path, LABELS, loss, metrics=["f1_weighted"])
    assert files(run) == pictures
    assert "against baseline accuracy" in line
    assert str(load_run(run.directory).score()) == line


def test_a_score_that_is_nan_is_null_in_the_file(tmp_path):
    config_of_run = config(tmp_path, VALUES, "MeanSquaredError")
    config_of_run["split"] = {"test": 0.0125}  # one of 80 rows
    run = Run(prepare(config_of_run, "x.toml"), tmp_path / "a")
    run.train()
    assert run.test().startswith("test R2 nan, ")
    text = (run.directory / "test.json").read_text()
    assert json.loads(text, parse_constant=lambda name: 1 / 0)["r2"] is None
    assert "r2" not in load_run(run.directory).test_scores


def test_training_on_removes_the_results_of_an_earlier_test(tmp_path):
    run, _ = train(tmp_path, LABELS, "SoftmaxCrossEntropy")
    longer = config(tmp_path, LABELS, "SoftmaxCrossEntropy")
    longer["training"]["epochs"] = 3
    resumed = Run(prepare(longer, "x.toml"), run.directory)
    resumed.resume()
    resumed.train()
    assert files(run) == {"curves.png"}
    assert not (run.directory / "test.json").exists()


def test_without_matplotlib_a_run_has_no_pictures(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    run, line = train(tmp_path, LABELS, "SoftmaxCrossEntropy")
    assert line.startswith("test accuracy ")
    assert files(run) == set()
    assert (run.directory / "model.nn").exists()


def share_of_yes(y_true, y_pred):
    return float(np.mean(y_pred == 1))


def test_a_metric_of_a_module_is_needed_for_scores_and_not_for_predictions(tmp_path):
    name = f"{__name__}.share_of_yes"
    run, line = train(tmp_path, LABELS, "SoftmaxCrossEntropy", metrics=[name], modules=[__name__])
    assert "share_of_yes " in line
    stranger = load_run(run.directory)
    assert len(stranger.predict({"a": [0.0], "b": [1.0]})) == 1
    with pytest.raises(ConfigError, match=rf"training.metrics.0: .* add --allow {__name__} "):
        stranger.evaluate()
    assert "share_of_yes" in load_run(run.directory, modules=[__name__]).evaluate()


@pytest.mark.parametrize(
    ("target", "loss", "metric", "message"),
    [
        (LABELS, "SoftmaxCrossEntropy", "f1", "training.metrics: metric 'f1' is that of two class"),
        (LABELS, "SoftmaxCrossEntropy", "roc_auc", "training.metrics: metric 'roc_auc' is that of"),
        (LABELS, "SoftmaxCrossEntropy", "r2", "training: metric 'r2' needs a loss whose targets"),
        (LABELS, "Hinge", "log_loss", "training: metric 'log_loss' needs probabilities"),
        (VALUES, "MeanSquaredError", "max", "training: unknown metric 'max'"),
    ],
)
def test_a_metric_that_does_not_fit_is_an_error_before_the_training(
    tmp_path, target, loss, metric, message
):
    with pytest.raises(ConfigError) as caught:
        prepare(config(tmp_path, target, loss, metrics=[metric]), "x.toml")
    assert str(caught.value).startswith(f"x.toml: {message}")


def write_baseline(path, content):
    """Write a file, of a table with the checksum that belongs to it."""
    if content.startswith("{") and content.endswith("}"):
        table = json.loads(content)
        content = json.dumps({"sha256": text_fingerprint(table), **table})
    path.write_text(content)


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    """One run of classes and one of numbers, whose baselines tests overwrite."""
    of_classes, _ = train(tmp_path_factory.mktemp("classes"), LABELS, "SoftmaxCrossEntropy")
    of_numbers, _ = train(tmp_path_factory.mktemp("numbers"), VALUES, "MeanSquaredError")
    return of_classes.directory, of_numbers.directory


@pytest.mark.parametrize(
    "content",
    [
        "[]",
        "{}",
        '{"counts": 3}',
        '{"counts": [1, 2]}',
        '{"counts": [1, 2, -3]}',
        '{"counts": [1, 2, "a"]}',
        '{"statistic": "mean", "value": 1}',
        "{",
        "null",
    ],
)
def test_a_damaged_baseline_is_an_error_of_one_line_that_names_its_file(runs, content):
    write_baseline(runs[0] / "baseline.json", content)
    with pytest.raises(ConfigError, match=r"baseline\.json: ") as caught:
        load_run(runs[0]).evaluate()
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "content", ["{}", '{"statistic": "mode", "value": 1}', '{"statistic": "mean", "value": NaN}']
)
def test_a_damaged_baseline_of_numbers_is_an_error(runs, content):
    write_baseline(runs[1] / "baseline.json", content)
    with pytest.raises(ConfigError, match=r"baseline\.json: "):
        load_run(runs[1]).evaluate()


def test_a_run_without_a_baseline_is_scored_alone(runs):
    (runs[0] / "baseline.json").unlink(missing_ok=True)
    line = str(load_run(runs[0]).score())
    assert line.startswith("test accuracy ")
    assert "baseline" not in line


def predictions(y, z, loss=None):
    loss = nn.SoftmaxCrossEntropy() if loss is None else loss
    return Predictions.of(loss, np.asarray(y), np.asarray(z, float))


def test_the_picture_of_confusions_counts_rows_by_true_and_predicted_class():
    z = np.eye(3)[[0, 1, 1, 2, 2]]
    axes = draw_confusion(predictions([0, 1, 1, 1, 2], z), ("a", "b$", "c\x1b")).axes[0]
    shown = np.array([text.get_text() for text in axes.texts]).reshape(3, 3).astype(int)
    np.testing.assert_array_equal(shown, sk.confusion_matrix([0, 1, 1, 1, 2], z.argmax(1)))
    np.testing.assert_allclose(axes.images[0].get_array()[1], [0, 2 / 3, 1 / 3])
    assert [tick.get_text() for tick in axes.get_yticklabels()] == ["a", "b$", "c\\x1b"]


def test_a_hundred_classes_have_a_picture_without_numbers_and_names():
    axes = draw_confusion(predictions(np.arange(100), np.eye(100)), tuple(range(100))).axes[0]
    assert len(axes.texts) == 0


@pytest.mark.parametrize("binary", [False, True])
def test_the_picture_of_calibration_has_the_shares_that_scikit_learn_finds(binary):
    from sklearn.calibration import calibration_curve

    rng = np.random.default_rng(1)
    z, y = rng.normal(size=200), rng.integers(2, size=200)
    if binary:
        rows = predictions(y[:, None], z[:, None], nn.SigmoidCrossEntropy())
    else:
        rows = predictions(y, np.stack([np.zeros(200), z], axis=1))
    figure = draw_calibration(rows, ("no", "yes"))
    means, shares = figure.axes[0].lines[-1].get_data()
    expected = calibration_curve(y, 1 / (1 + np.exp(-z)), n_bins=10)
    np.testing.assert_allclose(shares, expected[0])
    np.testing.assert_allclose(means, expected[1])
    assert sum(bar.get_height() for bar in figure.axes[1].patches) == 200


def test_the_picture_of_calibration_of_many_classes_is_that_of_the_predicted_one():
    rows = predictions([0, 1, 2, 2], 9 * np.eye(3)[[0, 1, 2, 0]])
    means, shares = draw_calibration(rows, ("a", "b", "c")).axes[0].lines[-1].get_data()
    assert shares == [0.75]
    assert means[0] > 0.99


def test_the_picture_of_numbers_of_many_rows_shows_some_thousands_of_them():
    y = np.arange(1e5)[:, None]
    line = draw_numbers(predictions(y, y, nn.MeanSquaredError()), "y").axes[0].lines[0]
    assert 2_500 < len(line.get_xdata()) <= 5_000


def test_the_picture_of_numbers_shows_each_row_and_leaves_out_nan():
    p = np.array([[1.5], [np.nan], [3.0]])
    axes = draw_numbers(predictions([[1.0], [2.0], [3.0]], p, nn.MeanSquaredError()), "y$").axes[0]
    np.testing.assert_array_equal(axes.lines[0].get_data(), [[1, 2, 3], [1.5, np.nan, 3]])
    nan = predictions([0, 1], np.full((2, 2), np.nan))
    assert len(draw_calibration(nan, ("a", "b")).axes[0].lines[-1].get_xdata()) == 0
