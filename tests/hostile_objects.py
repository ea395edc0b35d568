"""Estimators and trained runs with valid values of their arguments, for the same tests."""

import inspect
import warnings
from contextlib import contextmanager
from functools import cache, partial
from pathlib import Path

import numpy as np
from hostile_cases import Case
from sklearn.exceptions import ConvergenceWarning, DataConversionWarning

import nnlayers as nn
from nnlayers.config import Run, TrainedRun, prepare
from nnlayers.estimators import MLPClassifier, MLPRegressor

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
