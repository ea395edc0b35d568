"""The estimators beside scikit-learn's: test scores on eight data sets, and the time of a fit.

    python benchmarks/estimators.py scores
    python benchmarks/estimators.py seconds [FEATURES]

Scores are those of five-fold cross-validation over five seeds, with the default settings and 50
epochs, the inputs standardised. A fit is timed with default settings for the same epochs, the two
in turn, and their medians are compared, since the machine's load drifts.
"""

import os
import sys
import warnings
from statistics import median
from time import perf_counter

os.environ.pop("OPENBLAS_CORETYPE", None)

import numpy as np
import scipy.sparse
from sklearn import datasets, neural_network
from sklearn.exceptions import ConvergenceWarning
from sklearn.model_selection import KFold, StratifiedKFold, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import MaxAbsScaler, StandardScaler
from threadpoolctl import threadpool_limits

from nnlayers import estimators

SEEDS = range(5)
SIZES = [(10,), (100,), (100, 100), (512, 512)]
ROWS = [500, 5_000, 20_000, 100_000]
STEPS = {(10,): 300, (100,): 300, (100, 100): 100, (512, 512): 20}


def scaled_targets(X, y):
    return X, (y - y.mean(axis=0)) / y.std(axis=0)


def sparse_counts():
    X, y = datasets.make_multilabel_classification(
        1000, 300, n_classes=1, n_labels=1, length=40, sparse=True, random_state=0
    )
    return scipy.sparse.csr_matrix(X), y.ravel()


DATA = {
    "digits": ("MLPClassifier", lambda: datasets.load_digits(return_X_y=True)),
    "breast cancer": ("MLPClassifier", lambda: datasets.load_breast_cancer(return_X_y=True)),
    "wine": ("MLPClassifier", lambda: datasets.load_wine(return_X_y=True)),
    "moons": ("MLPClassifier", lambda: datasets.make_moons(500, noise=0.25, random_state=0)),
    "several labels": (
        "MLPClassifier",
        lambda: datasets.make_multilabel_classification(500, 20, n_classes=4, random_state=0),
    ),
    "sparse": ("MLPClassifier", sparse_counts),
    "diabetes": (
        "MLPRegressor",
        lambda: scaled_targets(*datasets.load_diabetes(return_X_y=True)),
    ),
    "three outputs": (
        "MLPRegressor",
        lambda: scaled_targets(
            *datasets.make_regression(500, 10, n_targets=3, noise=20, random_state=0)
        ),
    ),
}


def cross_validated(module, name, X, y, seed):
    scaler = MaxAbsScaler() if scipy.sparse.issparse(X) else StandardScaler()
    model = make_pipeline(scaler, getattr(module, name)(max_iter=50, random_state=seed))
    classes = name == "MLPClassifier" and y.ndim == 1
    folds = (StratifiedKFold if classes else KFold)(5, shuffle=True, random_state=seed)
    return cross_val_score(model, X, y, cv=folds).mean()


def scores():
    print("| data | nnlayers | scikit-learn | difference | half a standard error |")
    print("| --- | --- | --- | --- | --- |")
    for data, (name, load) in DATA.items():
        X, y = load()
        with threadpool_limits(1):
            ours, theirs = (
                np.array([cross_validated(module, name, X, y, seed) for seed in SEEDS])
                for module in (estimators, neural_network)
            )
        half_error = theirs.std(ddof=1) / np.sqrt(len(theirs)) / 2
        difference = ours.mean() - theirs.mean()
        print(
            f"| {data} | {ours.mean():.4f} | {theirs.mean():.4f} | {difference:+.5f} "
            f"| {half_error:.5f} |",
            flush=True,
        )


def seconds_of(model, X, y):
    start = perf_counter()
    model.fit(X, y)
    return perf_counter() - start


def ratio(name, X, y, sizes, epochs, rounds=5):
    settings = {"hidden_layer_sizes": sizes, "max_iter": epochs, "n_iter_no_change": np.inf}
    times = [
        [
            seconds_of(getattr(module, name)(**settings, random_state=seed), X, y)
            for module in (estimators, neural_network)
        ]
        for seed in range(rounds)
    ]
    ours, theirs = (median(column) for column in zip(*times, strict=True))
    return ours, theirs


def seconds(features):
    print(f"{features} features; classes: 10\n")
    print("| hidden | rows | epochs | classifier | scikit-learn | ratio | regressor |", end="")
    print(" scikit-learn | ratio |\n|" + " --- |" * 9)
    for sizes in SIZES:
        for rows in ROWS:
            epochs = max(1, STEPS[sizes] // (rows // 200 + 1))
            X, y = datasets.make_classification(
                rows, features, n_informative=10, n_classes=10, random_state=0
            )
            target = np.tanh(X[:, 0]) + X[:, 1] * X[:, 2]
            cells = []
            for name, labels in (("MLPClassifier", y), ("MLPRegressor", target)):
                ours, theirs = ratio(name, X, labels, sizes, epochs)
                cells += [f"{ours:.3f}", f"{theirs:.3f}", f"{theirs / ours:.2f}"]
            print(f"| {sizes} | {rows:,} | {epochs} | {' | '.join(cells)} |", flush=True)


def main():
    warnings.simplefilter("ignore", ConvergenceWarning)
    if sys.argv[1:2] == ["scores"]:
        scores()
    elif sys.argv[1:2] == ["seconds"]:
        seconds(int(sys.argv[2]) if sys.argv[2:] else 20)
    else:
        sys.exit(__doc__)


if __name__ == "__main__":
    main()
