"""The estimators with the tools of scikit-learn, joblib and pandas."""

import os
import pickle
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest
import scipy.sparse
import sklearn
from sklearn.base import clone
from sklearn.datasets import make_classification, make_regression
from sklearn.exceptions import ConvergenceWarning, NotFittedError
from sklearn.model_selection import GridSearchCV, RandomizedSearchCV, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.estimator_checks import parametrize_with_checks

import nnlayers as nn
from nnlayers.estimators import MLPClassifier, MLPRegressor

pytestmark = [
    pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning"),
    pytest.mark.filterwarnings("ignore::sklearn.exceptions.SkipTestWarning"),
]
X, Y = make_classification(120, 5, random_state=0)
XR, YR = make_regression(120, 5, random_state=0)
YR = YR / YR.std()
QUICK = {"hidden_layer_sizes": (8,), "max_iter": 10, "random_state": 0}


def fitted(**settings):
    return MLPClassifier(**(QUICK | settings)).fit(X, Y)


@pytest.mark.untraced
@parametrize_with_checks([MLPClassifier(max_iter=40), MLPRegressor(max_iter=40)])
@pytest.mark.filterwarnings("ignore")
def test_every_check_for_estimators_holds(estimator, check):
    check(estimator)


def test_pickle_keeps_the_weights_and_training_continues_alike():
    model = MLPClassifier(**QUICK).partial_fit(X, Y, classes=[0, 1])
    copied = pickle.loads(pickle.dumps(model))
    np.testing.assert_array_equal(copied.predict_proba(X), model.predict_proba(X))
    for _ in range(3):
        model.partial_fit(X, Y)
        copied.partial_fit(X, Y)
    np.testing.assert_array_equal(copied.coefs_[0], model.coefs_[0])


def test_clone_is_unfitted_and_has_the_same_parameters():
    copied = clone(fitted(network=nn.mlp([5, 4, 1], rng=0)))
    assert copied.get_params()["random_state"] == 0
    with pytest.raises(NotFittedError):
        copied.predict(X)


@pytest.mark.parametrize("search", ["grid", "random"])
def test_search_over_parameters_of_a_pipeline_in_processes(search):
    model = MLPClassifier(**QUICK, learning_rate_init=0.1, engine="numpy")
    pipeline = make_pipeline(StandardScaler(), model)
    space = {"mlpclassifier__activation": ["tanh", ["gelu"], nn.LeakyReLU(0.1)]}
    if search == "grid":
        found = GridSearchCV(pipeline, space, cv=2, n_jobs=2, error_score="raise")
    else:
        found = RandomizedSearchCV(pipeline, space, n_iter=2, cv=2, random_state=0)
    assert found.fit(X, Y).best_score_ > 0.6


def test_cross_val_score_gives_one_score_a_fold():
    assert cross_val_score(MLPRegressor(**QUICK), XR, YR, cv=3).shape == (3,)


def test_pandas_frames_give_feature_names_and_the_same_model():
    frame = pd.DataFrame(X, columns=list("abcde"))
    model = MLPClassifier(**QUICK).fit(frame, pd.Series(Y))
    assert list(model.feature_names_in_) == list("abcde")
    np.testing.assert_array_equal(model.predict(frame), fitted().predict(X))
    with pytest.raises(ValueError, match="feature names"):
        model.predict(frame.rename(columns={"a": "z"}))


def test_the_output_of_a_transformer_with_set_output_is_accepted():
    pipeline = make_pipeline(StandardScaler().set_output(transform="pandas"), MLPRegressor(**QUICK))
    pipeline.fit(pd.DataFrame(XR, columns=list("abcde")), YR)
    assert list(pipeline[-1].feature_names_in_) == list("abcde")


def test_sample_weight_is_routed_as_metadata():
    weight = np.where(Y == 1, 3.0, 1.0)
    with sklearn.config_context(enable_metadata_routing=True):
        model = MLPClassifier(**QUICK).set_fit_request(sample_weight=True)
        scaler = StandardScaler().set_fit_request(sample_weight=False)
        pipeline = make_pipeline(scaler, model).fit(X, Y, sample_weight=weight)
    direct = MLPClassifier(**QUICK).fit(StandardScaler().fit_transform(X), Y, weight)
    np.testing.assert_array_equal(pipeline[-1].coefs_[0], direct.coefs_[0])


@pytest.mark.parametrize("kind", ["csr_matrix", "csc_matrix", "csr_array", "coo_matrix"])
@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"solver": "lbfgs"},
        {"normalization": "layer"},
        {"hidden_layer_sizes": ()},
        {"network": nn.Sequential(nn.LayerNorm(5), nn.Affine(5, 1, rng=0))},
    ],
    ids=str,
)
def test_sparse_rows_give_the_model_of_dense_ones(kind, settings):
    dense = np.where(np.abs(X) > 0.7, X, 0)
    sparse = getattr(scipy.sparse, kind)(dense)
    settings = QUICK | settings
    model, same = (MLPClassifier(**settings).fit(rows, Y) for rows in (sparse, dense))
    np.testing.assert_allclose(model.coefs_[0], same.coefs_[0], atol=1e-8)
    np.testing.assert_allclose(model.predict_proba(sparse), same.predict_proba(dense), atol=1e-8)


def test_string_and_several_labels_come_back_as_they_were():
    names = np.array(["no", "yes"])[Y]
    assert set(MLPClassifier(**QUICK).fit(X, names).predict(X)) <= {"no", "yes"}
    labels = np.column_stack([Y, 1 - Y, Y])
    model = MLPClassifier(**(QUICK | {"max_iter": 300})).fit(X, labels)
    assert model.predict(X).shape == labels.shape
    assert model.score(X, labels) > 0.8
    sparse = MLPClassifier(**QUICK).fit(X, scipy.sparse.csr_matrix(labels))
    assert scipy.sparse.issparse(sparse.predict(X))


@pytest.mark.parametrize("estimator", [MLPClassifier, MLPRegressor])
@pytest.mark.parametrize(
    ("name", "bad"),
    [("activation", "relo"), ("alpha", -1), ("solver", "newton"), ("max_iter", 0), ("loss", "mse"),
     ("dropout", 1.0), ("normalization", "batches"), ("momentum", 1.5), ("network", "mlp")],
)  # fmt: skip
def test_a_bad_parameter_is_reported_as_scikit_learn_does(estimator, name, bad):
    with pytest.raises(ValueError, match=f"The '{name}' parameter of {estimator.__name__} must be"):
        estimator(**{name: bad}).fit(X, Y)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"hidden_layer_sizes": (5, 0)}, "hidden_layer_sizes must be > 0"),
        ({"hidden_layer_sizes": (5, 2.5)}, r"must be > 0 and integers, got \[5, 2.5\]"),
        ({"activation": ["relu", "tanh"]}, "activation must be one for all hidden layers"),
        ({"activation": ["relo"]}, "unknown activation 'relo', did you mean 'relu'"),
        ({"dropout": [1.5]}, "dropout must be a finite number"),
        ({"solver": "lbfgs", "callbacks": []}, "callbacks needs a stochastic solver"),
        ({"network": nn.mlp([5, 3], rng=0)}, "network must give 1 outputs a row"),
        ({"network": nn.Sum(axis=1, keepdims=True)}, "network must have a parameter to train"),
        ({"class_weight": {0: 1, 1: -2}}, "class_weight must be finite and at least 0, got -2"),
        ({"class_weight": {0: 1, 1: np.nan}}, "class_weight must be finite .* got nan"),
        ({"early_stopping": True, "validation_fraction": 0.001}, "should be greater or equal to"),
    ],
)
def test_arguments_that_do_not_fit_are_a_value_error(settings, message):
    with pytest.raises(ValueError, match=message):
        MLPClassifier(**(QUICK | settings)).fit(X, Y)


@pytest.mark.parametrize("bad", [np.tanh, lambda: 3])
def test_an_activation_that_makes_no_layer_is_a_type_error(bad):
    with pytest.raises(TypeError, match="activation must be a name, a layer or a function"):
        fitted(activation=bad)


def test_partial_fit_exists_only_for_stochastic_solvers():
    assert not hasattr(MLPClassifier(solver="lbfgs"), "partial_fit")
    with pytest.raises(ValueError, match="early_stopping"):
        MLPRegressor(early_stopping=True).partial_fit(XR, YR)
    with pytest.raises(ValueError, match="balanced"):
        MLPClassifier(class_weight="balanced").partial_fit(X, Y, classes=[0, 1])
    with pytest.raises(ValueError, match="classes must be passed"):
        MLPClassifier().partial_fit(X, Y)


def test_too_few_iterations_are_a_convergence_warning():
    for solver in ("adam", "lbfgs"):
        with pytest.warns(ConvergenceWarning, match="reached|failed to converge"):
            MLPRegressor(solver=solver, max_iter=1).fit(XR, YR)


def test_a_batch_size_larger_than_the_data_is_clipped_with_a_warning():
    with pytest.warns(UserWarning, match="clipped"):
        fitted(batch_size=1000)


def test_without_scikit_learn_the_import_says_which_extra_to_install():
    script = (
        "import sys; sys.modules['sklearn'] = None\n"
        "import nnlayers\n"
        "try:\n    import nnlayers.estimators\n"
        "except ImportError as error:\n    print(error)\n"
    )
    out = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True, env=os.environ
    ).stdout
    assert out == 'sklearn is not installed: pip install "nnlayers[sklearn]"\n'
