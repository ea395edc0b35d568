"""Estimators and trained runs with valid values of their arguments, for the same tests."""

import inspect
import warnings
from contextlib import contextmanager
from copy import deepcopy
from functools import cache, partial
from pathlib import Path

import joblib
import numpy as np
from hostile_cases import Case
from sklearn.exceptions import ConvergenceWarning, DataConversionWarning
from sklearn.linear_model import LinearRegression

import nnlayers as nn
from nnlayers import estimators
from nnlayers.config import Run, TrainedRun, prepare
from nnlayers.estimators import ConformalRegressor, MLPClassifier, MLPRegressor

X = np.random.default_rng(0).normal(size=(40, 2))
CLASSES = np.arange(40) % 2
# scikit-learn checks these.
ROWS_OF_ESTIMATORS = frozenset({"X", "y", "sample_weight", "classes", "validation_data"})
ROWS = {"x1": [0.5, 1.0], "x2": [0.0, -0.5]}


def estimator_cases():
    """Return the cases of the estimators: their constructors, which `fit` checks, and methods."""
    found = {"MLPClassifier": _constructor(MLPClassifier)}
    for estimator in (MLPClassifier, MLPRegressor):
        make = partial(estimator, max_iter=1, engine="numpy", random_state=0)
        valid = {"X": lambda: X, "y": lambda: CLASSES}
        classes = {"classes": lambda: [0, 1]} if estimator is MLPClassifier else {}
        for name, others in {"fit": {}, "partial_fit": classes}.items():
            title = f"{estimator.__name__}.{name}"
            found[title] = _quiet_method(make, name, valid | others)
        fitted = partial(_fitted, make)
        found[f"{estimator.__name__}.predict"] = _quiet_method(fitted, "predict", valid)
    return found


def uncertainty_cases():
    """Return the cases of functions of predictions, and of what makes intervals and ensembles."""
    row, probabilities = np.array([0.5, 1.0, 2.0]), np.full((3, 2), 0.5)
    valid = {"y": row, "lower": row, "scores": row, "probabilities": probabilities}
    classes = {"y": [0, 1, 1], "logits": probabilities, "probabilities": probabilities}
    plus = {"scores": row, "folds": [0, 1, 1], "lower": probabilities}
    functions = {
        "conformity_scores": valid,
        "conformal_quantile": valid,
        "split_interval": valid,
        "cv_plus_interval": plus,
        "fit_temperature": classes,
        "expected_calibration_error": classes,
        "draw_reliability": classes,
        "draw_coverage": {"y": row, "intervals": {0.5: np.ones((3, 2))}},
    }
    found = {}
    for name, values in functions.items():
        function = getattr(estimators, name)
        names = inspect.signature(function).parameters
        known = {n: partial(deepcopy, values[n]) for n in names if n in values}
        found[f"estimators.{name}"] = Case(function, known)
    make = partial(ConformalRegressor, LinearRegression(), folds=2, random_state=0)
    rows = {"X": lambda: X, "y": lambda: CLASSES}
    found["ConformalRegressor"] = _constructor_of_intervals()
    found["ConformalRegressor.fit"] = _quiet_method(make, "fit", rows)
    fitted = partial(_fitted, make)
    found["ConformalRegressor.predict_interval"] = _quiet_method(fitted, "predict_interval", rows)
    models = {"models": lambda: [nn.ReLU()]}
    found["Ensemble.of"] = Case(nn.Ensemble.of, models)
    ensemble = nn.Ensemble.of([nn.mlp([2, 3, 2], rng=0)])
    found["Ensemble.predict"] = Case(ensemble.predict, {"x": lambda: X})
    return found


def run_cases():
    """Return the cases of a trained run, and of the function that loads one."""
    run = cache(lambda: nn.load_run("run"))
    rows = {"rows": lambda: ROWS}
    labelled = {"rows": lambda: ROWS, "target": lambda: [0, 1]}
    methods = {"predict": rows, "predict_proba": rows, "evaluate": labelled}
    found = {f"TrainedRun.{name}": _run_method(run, name, valid) for name, valid in methods.items()}
    return found | {"nn.load_run": Case(nn.load_run, {"directory": lambda: "run"})}


def write_run():
    """Train a run in the working directory."""
    config = {
        "data": {"type": "moons", "rows": 40},
        "model": {"type": "mlp", "sizes": [2, 3, 2]},
        "loss": {"type": "SoftmaxCrossEntropy"},
        "optimizer": {"type": "SGD", "lr": 0.1},
        "training": {"epochs": 1, "engine": "numpy"},
    }
    Run(prepare(config, "moons.toml"), Path("run")).train()


def _constructor(estimator):
    """Return the case of a constructor's arguments, which `fit` checks."""

    def function(**arguments):
        model = estimator(**{"max_iter": 1, "engine": "numpy"} | arguments)
        with _without_remarks():
            model.fit(X, CLASSES)

    function.__signature__ = inspect.signature(estimator)
    return Case(function, {})


def _constructor_of_intervals():
    def function(**arguments):
        with _without_remarks(), joblib.parallel_config(backend="threading"):
            ConformalRegressor(**{"folds": 2} | arguments).fit(X, CLASSES)

    function.__signature__ = inspect.signature(ConformalRegressor)
    return Case(function, {"estimator": LinearRegression})


def _fitted(make):
    with _without_remarks():
        return make().fit(X, CLASSES)


def _quiet_method(make, name, valid):
    def function(**arguments):
        with _without_remarks():
            getattr(make(), name)(**arguments)

    function.__signature__ = inspect.signature(getattr(make(), name))
    names = function.__signature__.parameters
    known = {argument: valid[argument] for argument in names if argument in valid}
    return Case(function, known, ROWS_OF_ESTIMATORS)


def _run_method(run, name, valid):
    def function(**arguments):
        getattr(run(), name)(**arguments)

    function.__signature__ = inspect.signature(getattr(TrainedRun, name))
    parameters = [p for p in function.__signature__.parameters.values() if p.name != "self"]
    function.__signature__ = inspect.Signature(parameters)
    return Case(function, valid)


@contextmanager
def _without_remarks():
    """Hide the warnings of a batch beyond the rows, of one epoch, and of a column of labels."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Got `batch_size`")
        for category in (ConvergenceWarning, DataConversionWarning):
            warnings.simplefilter("ignore", category)
        yield
