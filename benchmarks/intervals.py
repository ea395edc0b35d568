"""Coverage and width of 90 % intervals, and calibration of probabilities, beside boosted trees.

TabularRegressor gives its own intervals. The others get theirs by CV+ of the same folds: networks
with their residuals, Gaussian networks with residuals over the predicted standard deviation,
LightGBM with its residuals and with two quantiles. Targets are standardised, so that widths are in
standard deviations of the target.
The calibration error is that of test rows. TabularClassifier has a temperature of its own; those of
the others come from a fifth of the training rows.
"""

import warnings
from statistics import mean

import numpy as np
from lightgbm import LGBMClassifier, LGBMRegressor
from scipy.special import softmax
from sklearn import datasets
from sklearn.exceptions import ConvergenceWarning
from sklearn.model_selection import train_test_split
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from benchmarks.report import Report
from nnlayers.estimators import (
    ConformalRegressor,
    MLPClassifier,
    MLPRegressor,
    TabularClassifier,
    TabularRegressor,
    expected_calibration_error,
    fit_temperature,
)

COVERAGE = 0.9
ROWS = 1500


def other_columns(load, column):
    """Return the columns of a shipped table but one, and this one as the target."""
    X = load().data
    return np.delete(X, column, axis=1), X[:, column]


def growing_noise(rng):
    X = rng.uniform(-1, 1, (ROWS, 3))
    return X, np.sin(3 * X[:, 0]) + (0.05 + np.abs(X[:, 1])) * rng.normal(size=ROWS)


def skewed_noise(rng):
    X = rng.normal(size=(ROWS, 4))
    return X, X[:, 0] * X[:, 1] + rng.exponential(1 + X[:, 2] ** 2)


NUMBERS = {
    "diabetes": lambda rng: datasets.load_diabetes(return_X_y=True),
    "iris, petal width": lambda rng: other_columns(datasets.load_iris, 3),
    "wine, proline": lambda rng: other_columns(datasets.load_wine, 12),
    "cancer, smoothness": lambda rng: other_columns(datasets.load_breast_cancer, 4),
    "friedman1": lambda rng: datasets.make_friedman1(ROWS, noise=1, random_state=0),
    "friedman2": lambda rng: datasets.make_friedman2(ROWS, noise=100, random_state=0),
    "friedman3": lambda rng: datasets.make_friedman3(ROWS, noise=0.1, random_state=0),
    "swiss roll": lambda rng: datasets.make_swiss_roll(ROWS, noise=1, random_state=0),
    "growing noise": growing_noise,
    "skewed noise": skewed_noise,
}
CLASSES = {
    "digits": lambda: datasets.load_digits(return_X_y=True),
    "breast cancer": lambda: datasets.load_breast_cancer(return_X_y=True),
    "wine": lambda: datasets.load_wine(return_X_y=True),
    "iris": lambda: datasets.load_iris(return_X_y=True),
    "moons": lambda: datasets.make_moons(ROWS, noise=0.3, random_state=0),
    "five classes": lambda: datasets.make_classification(
        ROWS, n_informative=8, n_classes=5, flip_y=0.1, random_state=0
    ),
}


def network(loss="squared_error"):
    return MLPRegressor(loss, early_stopping=True, learning_rate_init=0.01, random_state=0)


def trees(**settings):
    return LGBMRegressor(verbose=-1, n_jobs=1, **settings)


def conformal(estimator, **settings):
    return ConformalRegressor(estimator, random_state=0, **settings)


REGRESSORS = {
    "TabularRegressor": lambda: TabularRegressor(random_state=0),
    "network": lambda: conformal(network()),
    "Gaussian network": lambda: conformal(network("gaussian_nll"), uses_std=True),
    "LightGBM": lambda: conformal(trees()),
    "LightGBM, quantiles": lambda: conformal(
        trees(objective="quantile", alpha=0.05), upper=trees(objective="quantile", alpha=0.95)
    ),
}


def coverage_and_width(model, X, y, seed):
    """Return the share of test rows within their interval, and the mean width of intervals."""
    X_train, X_test, y_train, y_test = train_test_split(X, y, test_size=0.3, random_state=seed)
    scaler = StandardScaler().fit(X_train)
    center, spread = y_train.mean(), y_train.std()
    model.fit(scaler.transform(X_train), (y_train - center) / spread)
    low, high = model.predict_interval(scaler.transform(X_test), COVERAGE).T
    target = (y_test - center) / spread
    return np.mean((low <= target) & (target <= high)), np.mean(high - low)


def calibration_errors(X, y, seed):
    """Return the errors of all contenders, of the last two as they are and with a temperature."""
    X_train, X_test, y_train, y_test = train_test_split(
        X, y, test_size=0.3, stratify=y, random_state=seed
    )
    X_part, X_held, y_part, y_held = train_test_split(
        X_train, y_train, test_size=0.2, stratify=y_train, random_state=seed
    )
    tabular = TabularClassifier(random_state=0).fit(X_train, y_train)
    errors = [expected_calibration_error(y_test, tabular.predict_proba(X_test))]
    for make in (
        lambda: make_pipeline(StandardScaler(), MLPClassifier(random_state=0)),
        lambda: LGBMClassifier(verbose=-1, n_jobs=1),
    ):
        whole, part = make().fit(X_train, y_train), make().fit(X_part, y_part)
        logits = [np.log(part.predict_proba(rows).clip(1e-12)) for rows in (X_held, X_test)]
        temperature = fit_temperature(logits[0], y_held)
        predictions = whole.predict_proba(X_test), softmax(logits[1] / temperature, axis=1)
        errors += [expected_calibration_error(y_test, p) for p in predictions]
    return errors


def run(options):
    """Print both tables; means over the splits, with ``--quick`` over two."""
    warnings.simplefilter("ignore", ConvergenceWarning)
    warnings.filterwarnings("ignore", message="X does not have valid feature names")
    seeds = range(2 if options.quick else options.seeds)
    compare_intervals(seeds, options.output)
    compare_calibration(seeds, options.output)


def compare_intervals(seeds, folder):
    header = ("coverage and width", "rows", "splits", *REGRESSORS)
    report, rows, results = Report("intervals", header, folder), [header], []
    for name, load in NUMBERS.items():
        X, y = load(np.random.default_rng(0))
        measured = [
            np.mean([coverage_and_width(make(), X, y, seed) for seed in seeds], axis=0)
            for make in REGRESSORS.values()
        ]
        results.append(measured)
        rows.append([name, len(X), len(seeds), *map(cell, measured)])
        report.add(rows[-1])
    rows.append(["mean", "", "", *map(cell, np.mean(results, axis=0))])
    report.add(rows[-1])
    report.save(rows)


def cell(measured):
    return f"{measured[0]:.3f} {measured[1]:.2f}"


def compare_calibration(seeds, folder):
    kinds = (
        "TabularClassifier",
        "network",
        "with temperature",
        "LightGBM",
        "LightGBM with temperature",
    )
    header = ("calibration error", "rows", "splits", *kinds)
    report, rows, results = Report("calibration", header, folder), [header], []
    for name, load in CLASSES.items():
        X, y = load()
        results.append(np.mean([calibration_errors(X, y, seed) for seed in seeds], axis=0))
        rows.append([name, len(X), len(seeds), *(f"{error:.4f}" for error in results[-1])])
        report.add(rows[-1])
    rows.append(["mean", "", "", *(f"{mean(column):.4f}" for column in zip(*results, strict=True))])
    report.add(rows[-1])
    report.save(rows)
