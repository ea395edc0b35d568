"""Cross-validated scores of the estimators beside scikit-learn's, on eight data sets.

Five folds over five seeds, default settings but for 50 epochs, inputs standardised. The score is
accuracy, that of all labels together for several, and R2 for a regression.
"""

import warnings

import numpy as np
import scipy.sparse
from sklearn import datasets, neural_network
from sklearn.exceptions import ConvergenceWarning
from sklearn.model_selection import KFold, StratifiedKFold, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import MaxAbsScaler, StandardScaler
from threadpoolctl import threadpool_limits

from benchmarks.report import ESTIMATORS, Report
from nnlayers import estimators

HEADER = ("data", "nnlayers", "scikit-learn", "difference", "half a standard error")


def scaled_targets(X, y):
    return X, (y - y.mean(axis=0)) / y.std(axis=0)


def sparse_counts():
    X, y = datasets.make_multilabel_classification(
        1000, 300, n_classes=1, n_labels=1, length=40, sparse=True, random_state=0
    )
    return scipy.sparse.csr_matrix(X), y.ravel()


CLASSES = {
    "digits": lambda: datasets.load_digits(return_X_y=True),
    "breast cancer": lambda: datasets.load_breast_cancer(return_X_y=True),
    "wine": lambda: datasets.load_wine(return_X_y=True),
    "moons": lambda: datasets.make_moons(500, noise=0.25, random_state=0),
    "several labels": lambda: datasets.make_multilabel_classification(
        500, 20, n_classes=4, random_state=0
    ),
    "sparse": sparse_counts,
}
VALUES = {
    "diabetes": lambda: scaled_targets(*datasets.load_diabetes(return_X_y=True)),
    "three outputs": lambda: scaled_targets(
        *datasets.make_regression(500, 10, n_targets=3, noise=20, random_state=0)
    ),
}


def cross_validated(estimator, X, y, stratified, seed):
    scaler = MaxAbsScaler() if scipy.sparse.issparse(X) else StandardScaler()
    model = make_pipeline(scaler, estimator(max_iter=50, random_state=seed))
    folds = (StratifiedKFold if stratified else KFold)(5, shuffle=True, random_state=seed)
    return cross_val_score(model, X, y, cv=folds).mean()


def run(options):
    """Print the table; with ``--quick`` over two seeds."""
    seeds = range(2 if options.quick else 5)
    warnings.simplefilter("ignore", ConvergenceWarning)
    report = Report("estimator_scores", HEADER, options.output, page=ESTIMATORS)
    rows = [HEADER]
    for data, load in (CLASSES | VALUES).items():
        X, y = load()
        name = "MLPClassifier" if data in CLASSES else "MLPRegressor"
        stratified = data in CLASSES and y.ndim == 1
        with threadpool_limits(1):
            ours, theirs = (
                np.array(
                    [
                        cross_validated(getattr(module, name), X, y, stratified, seed)
                        for seed in seeds
                    ]
                )
                for module in (estimators, neural_network)
            )
        error = theirs.std(ddof=1) / np.sqrt(len(theirs))
        difference = f"{ours.mean() - theirs.mean():+.5f}"
        cells = [
            *(data, f"{ours.mean():.4f}", f"{theirs.mean():.4f}"),
            *(difference, f"{error / 2:.5f}"),
        ]
        report.add(cells)
        rows.append(cells)
    report.save(rows)
