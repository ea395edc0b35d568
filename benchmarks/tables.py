"""Errors of the networks that ``nnlayers init`` drafts for public tables, beside boosted trees.

Each table goes through init, train, evaluate and predict without an edit, once on the command line,
which is timed, and then for several seeds of the split in this process. scikit-learn's
HistGradientBoosting with its defaults learns from the training and the validation rows of the same
split, in the columns that init keeps. The error is that of the test rows: the share of wrong
classes, or the root mean squared error.
"""

import subprocess
import sys
import tempfile
from pathlib import Path
from statistics import mean
from time import perf_counter

import numpy as np
import pandas as pd
from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor

import nnlayers as nn
from benchmarks import tabular
from benchmarks.report import Report
from nnlayers.config import prepare

# The targets of the tables, by the names of their files.
TARGETS = {
    "penguins": "species",
    "titanic": "survived",
    "german_credit": "class",
    "abalone": "rings",
    "wine_quality_white": "quality",
    "california_housing": "median_house_value",
    "adult": "income",
}


def seeded(config, seed):
    return config | {"seed": seed, "split": config["split"] | {"seed": seed}}


def error(predicted, target, is_class):
    if is_class:
        return float(np.mean(predicted != target))
    return float(np.sqrt(np.mean(np.square(predicted - target.astype(np.float64)))))


def frame(table, columns):
    """Return the columns of a table, with text as categories."""
    series = {name: pd.Series(table.columns[name]) for name in columns}
    return pd.DataFrame(
        {
            name: values.astype("category") if values.dtype.kind not in "biuf" else values
            for name, values in series.items()
        }
    )


def trees(experiment, is_class):
    """Return the error of boosted trees."""
    parts, columns = experiment.parts, list(experiment.predictor.preprocessing.columns)
    rows = pd.concat([frame(parts[name], columns) for name in ("train", "validation", "test")])
    for name in columns:
        if not pd.api.types.is_numeric_dtype(rows[name]):
            rows[name] = rows[name].astype("category")
    target = np.concatenate([parts[name].target for name in ("train", "validation")])
    kind = HistGradientBoostingClassifier if is_class else HistGradientBoostingRegressor
    model = kind(categorical_features="from_dtype", random_state=0)
    model.fit(rows[: len(target)], target)
    return error(model.predict(rows[len(target) :]), parts["test"].target, is_class)


def command_seconds(path, target):
    """Return the seconds of init, train, evaluate and predict on the command line."""
    commands = (
        ["init", path, "--target", target, "-o", "config.toml"],
        ["train", "config.toml", "--out", "run"],
        ["evaluate", "run"],
        ["predict", "run", path, "-o", "predictions.csv"],
    )
    seconds = []
    with tempfile.TemporaryDirectory() as folder:
        for command in commands:
            start = perf_counter()
            subprocess.run(
                [sys.executable, "-m", "nnlayers", *command],
                cwd=folder,
                check=True,
                capture_output=True,
            )
            seconds.append(perf_counter() - start)
    return seconds


def run(options):
    """Print the table of ``init``, that of the estimators, or both."""
    if options.part != "estimators":
        run_init(options)
    if options.part != "init":
        tabular.run(options)


def run_init(options):
    """Print the table; with ``--quick`` over two seeds."""
    header = ("table", "rows", "splits", "error", "nnlayers", "trees", "ratio", "init s", "train s")
    header = (*header, "evaluate s", "predict s")
    report, rows = Report("tables", header, options.output), [header]
    for name, target in TARGETS.items():
        if options.only and name not in options.only:
            continue
        path = Path(options.directory, f"{name}.csv").resolve()
        inference = nn.data.infer(path, target)
        is_class = inference.target.is_class
        # The test rows of a small table are few, and so need more splits.
        seeds = range(2 if options.quick else 20 if inference.rows < 2000 else 5)
        errors, others = [], []
        for seed in seeds:
            experiment = prepare(seeded(inference.config, seed), name)
            experiment.fit()
            test = experiment.parts["test"]
            errors.append(error(experiment.predictor.predict(test), test.target, is_class))
            others.append(trees(experiment, is_class))
        ours, theirs = mean(errors), mean(others)
        numbers = [f"{value:.1%}" if is_class else f"{value:.4g}" for value in (ours, theirs)]
        seconds = [f"{value:.1f}" for value in command_seconds(path, target)]
        kind = "wrong" if is_class else "RMSE"
        ratio = f"{ours / theirs:.2f}"
        cells = [name, inference.rows, len(seeds), kind, *numbers, ratio, *seconds]
        report.add(cells)
        rows.append(cells)
    report.save(rows)
