"""Weights of rows and classes count as repetitions of rows."""

import numpy as np
import pytest
import scipy.sparse
from sklearn.datasets import make_classification, make_multilabel_classification, make_regression

import nnlayers as nn
from nnlayers.estimators import MLPClassifier, MLPRegressor

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")

X, Y = make_classification(60, 6, n_informative=4, n_classes=3, random_state=0)
XR, YR = make_regression(60, 5, n_targets=2, random_state=0)
YR = YR / YR.std()
XL, YL = make_multilabel_classification(60, 5, n_classes=3, random_state=0)
PROBLEMS = {
    "classes": (MLPClassifier, X, Y, {}),
    "labels": (MLPClassifier, XL, YL, {}),
    "exact loss": (MLPClassifier, X, Y, {"loss": nn.SoftmaxCrossEntropy()}),
    "hinge": (MLPClassifier, X, Y, {"loss": "hinge"}),
    "outputs": (MLPRegressor, XR, YR, {}),
    "counts": (MLPRegressor, XR, YR**2, {"loss": "poisson"}),
    "gaussian": (MLPRegressor, XR, YR, {"loss": "gaussian_nll"}),
}
COUNTS = np.random.default_rng(0).integers(0, 4, 60)


def full_batches(**settings):
    quick = {"hidden_layer_sizes": (6,), "activation": "tanh", "max_iter": 15, "batch_size": 10**4}
    return quick | {"alpha": 0.2, "random_state": 0, "shuffle": False} | settings


def assert_same_network(one, other, tolerance=1e-9):
    for a, b in zip(one.coefs_ + one.intercepts_, other.coefs_ + other.intercepts_, strict=True):
        np.testing.assert_allclose(b, a, rtol=0, atol=tolerance)


@pytest.mark.filterwarnings("ignore:Got `batch_size`")
@pytest.mark.parametrize("solver", ["sgd", "adam", "lbfgs"])
@pytest.mark.parametrize("problem", PROBLEMS)
def test_a_row_of_weight_w_is_w_rows_for_full_batches(problem, solver):
    kind, x, y, loss = PROBLEMS[problem]
    settings = full_batches(solver=solver, **loss)
    weighted = kind(**settings).fit(x, y, sample_weight=COUNTS)
    repeated = kind(**settings).fit(np.repeat(x, COUNTS, axis=0), np.repeat(y, COUNTS, axis=0))
    assert_same_network(weighted, repeated)
    assert weighted.loss_ == pytest.approx(repeated.loss_)


@pytest.mark.filterwarnings("ignore:Got `batch_size`")
@pytest.mark.parametrize("solver", ["sgd", "adam", "lbfgs"])
def test_a_class_of_weight_w_is_its_rows_w_times_for_full_batches(solver):
    settings = full_batches(solver=solver)
    weighted = MLPClassifier(**settings, class_weight={0: 1, 1: 3, 2: 2}).fit(X, Y)
    times = np.array([1, 3, 2])[Y]
    repeated = MLPClassifier(**settings).fit(np.repeat(X, times, axis=0), np.repeat(Y, times))
    assert_same_network(weighted, repeated)


def test_a_class_of_weight_w_is_its_rows_w_times_in_expectation_for_shuffled_batches():
    times = np.array([1, 2, 3])[Y]
    settings = {"network": nn.mlp([6, 3], rng=0), "solver": "sgd", "max_iter": 1, "alpha": 0}

    def moved(*rows, **more):
        """Return where an epoch of as many batches leads to, over 100 orders of the rows."""
        models = [MLPClassifier(**settings, **more, random_state=seed) for seed in range(100)]
        return np.array([model.fit(*rows).coefs_[0].ravel() for model in models])

    weighted = moved(X, Y, class_weight={0: 1, 1: 2, 2: 3}, batch_size=20)
    repeated = moved(
        np.repeat(X, times, axis=0), np.repeat(Y, times), batch_size=-(-times.sum() // 3)
    )
    error = np.sqrt((weighted.var(axis=0) + repeated.var(axis=0)) / 100)
    assert np.abs(weighted.mean(axis=0) - repeated.mean(axis=0)).max() < 4 * error.max()


@pytest.mark.parametrize("problem", PROBLEMS)
@pytest.mark.parametrize("early_stopping", [False, True])
def test_rows_of_weight_zero_have_no_influence(problem, early_stopping):
    kind, x, y, loss = PROBLEMS[problem]
    settings = {"hidden_layer_sizes": (6,), "max_iter": 5, "batch_size": 8, "random_state": 0}
    settings |= {"normalization": "batch", "early_stopping": early_stopping} | loss
    kept = COUNTS > 0
    model = kind(**settings).fit(x, y, sample_weight=kept)
    without = kind(**settings).fit(x[kept], y[kept], sample_weight=np.ones(kept.sum()))
    for name, array in model.network_.state_dict().items():
        np.testing.assert_array_equal(without.network_.state_dict()[name], array)


def test_rows_of_weight_zero_change_nothing_in_partial_fit():
    settings = {"hidden_layer_sizes": (6,), "random_state": 0}
    kept = COUNTS > 0
    model, without = MLPRegressor(**settings), MLPRegressor(**settings)
    for _ in range(3):
        model.partial_fit(XR, YR, sample_weight=kept)
        without.partial_fit(XR[kept], YR[kept])
    assert_same_network(model, without)


@pytest.mark.parametrize("weight", [np.zeros(60), 0.0])
def test_a_total_weight_of_zero_is_an_error(weight):
    with pytest.raises(ValueError, match="at least one non-zero"):
        MLPClassifier().fit(X, Y, sample_weight=weight)


def test_weights_that_cancel_with_those_of_the_classes_are_an_error():
    with pytest.raises(ValueError, match="at least one non-zero"):
        MLPClassifier(class_weight={0: 0, 1: 1, 2: 1}).fit(X, Y, sample_weight=(Y == 0) * 1.0)


@pytest.mark.parametrize(
    ("weight", "message"),
    [(-np.ones(60), "Negative values"), (np.ones(59), "sample_weight.shape"),
     (np.full(60, np.nan), "NaN"), (np.ones((60, 1)), "1D array")],
)  # fmt: skip
def test_bad_weights_are_a_value_error(weight, message):
    with pytest.raises(ValueError, match=message):
        MLPRegressor().fit(XR, YR, sample_weight=weight)


def test_balanced_classes_have_equal_total_weights_for_any_row_weights():
    settings = full_batches(solver="lbfgs", class_weight="balanced")
    model = MLPClassifier(**settings).fit(X, Y, sample_weight=COUNTS)
    repeated = MLPClassifier(**settings).fit(np.repeat(X, COUNTS, axis=0), np.repeat(Y, COUNTS))
    totals = np.bincount(Y, weights=COUNTS)
    settings["class_weight"] = dict(enumerate(totals.sum() / (3 * totals)))
    by_hand = MLPClassifier(**settings).fit(X, Y, sample_weight=COUNTS)
    assert_same_network(model, repeated)
    assert_same_network(model, by_hand)


@pytest.mark.parametrize("weight", ["balanced", [{0: 1, 1: 2}, {0: 1, 1: 3}, {0: 2, 1: 1}]])
def test_sparse_labels_are_weighted_as_dense_ones(weight):
    settings = full_batches(solver="lbfgs", class_weight=weight)
    sparse = MLPClassifier(**settings).fit(XL, scipy.sparse.csr_matrix(YL))
    assert_same_network(sparse, MLPClassifier(**settings).fit(XL, YL))


def test_weights_of_several_columns_multiply():
    weights = [{0: 1, 1: 2}, {0: 1, 1: 3}, {0: 1, 1: 1}]
    settings = full_batches(solver="lbfgs")
    model = MLPClassifier(**settings, class_weight=weights).fit(XL, YL)
    product = np.array([1, 2])[YL[:, 0]] * np.array([1, 3])[YL[:, 1]]
    assert_same_network(model, MLPClassifier(**settings).fit(XL, YL, sample_weight=product))


@pytest.mark.parametrize("labels", [False, True])
def test_rows_of_partial_fit_may_lack_a_class_that_has_a_weight(labels):
    x, y = (XL, YL) if labels else (X, Y)
    class_weight = [{1: 2.0}] * 3 if labels else {0: 1.0, 1: 3.0}  # The others count 1.
    rows = (y[:, 0] == 0) if labels else y != 1
    weight = 2.0 ** y.sum(axis=1) if labels else np.where(y == 1, 3.0, 1.0)
    settings = {"hidden_layer_sizes": (6,), "random_state": 0}
    model, same = MLPClassifier(**settings, class_weight=class_weight), MLPClassifier(**settings)
    for some in (rows, ~rows, rows):
        model.partial_fit(x[some], y[some], classes=[0, 1, 2])
        same.partial_fit(x[some], y[some], sample_weight=weight[some], classes=[0, 1, 2])
    assert_same_network(model, same)


@pytest.mark.parametrize("weight", [{0: 1, 1: 2}, [{0: 1, 1: 2}]])
def test_class_weights_that_are_not_one_dict_a_column_are_an_error(weight):
    with pytest.raises(ValueError, match="class_weight must be 'balanced' or a list of 3 dicts"):
        MLPClassifier(class_weight=weight).fit(XL, YL)


def test_a_rare_class_is_found_more_often_with_balanced_classes():
    x, y = make_classification(400, 5, weights=[0.95], class_sep=0.5, random_state=0)
    settings = {"hidden_layer_sizes": (10,), "max_iter": 30, "random_state": 0}
    recalls = [
        np.mean(MLPClassifier(**settings, class_weight=weight).fit(x, y).predict(x[y == 1]) == 1)
        for weight in (None, "balanced")
    ]
    assert recalls[1] > recalls[0] + 0.2
