"""Test scores of the configs beside scikit-learn's MLP, over five seeds and splits.

Both train on the same standardised rows, and neither sees the test rows; scikit-learn has no
dropout, and stops when its training loss does. The score is accuracy, or R2 for a regression.
"""

import warnings
from pathlib import Path
from statistics import mean, stdev
from time import perf_counter

from sklearn.exceptions import ConvergenceWarning
from sklearn.neural_network import MLPClassifier, MLPRegressor

from benchmarks.report import Report
from nnlayers.config import prepare, read

CONFIGS = Path(__file__).parents[1] / "configs"
SEEDS = range(1, 6)


def ours(experiment):
    start = perf_counter()
    experiment.fit()
    seconds = perf_counter() - start
    scores = experiment.score(experiment.parts["test"]).values
    return scores["accuracy" if "accuracy" in scores else "r2"], seconds


def scikit_learn(experiment):
    config, parts = experiment.config, experiment.parts
    layers = [layer for layer in config["model"]["layers"] if layer["type"] == "Affine"]
    estimator = MLPClassifier if experiment.predictor.preprocessing.classes else MLPRegressor
    network = estimator(
        hidden_layer_sizes=[layer["out_features"] for layer in layers[:-1]],
        learning_rate_init=config["optimizer"]["lr"],
        batch_size=config["training"]["batch_size"],
        max_iter=config["training"]["epochs"],
        random_state=config["seed"],
    )
    x, y = experiment.predictor.arrays(parts["train"])
    start = perf_counter()
    network.fit(x, y.ravel())
    seconds = perf_counter() - start
    x, y = experiment.predictor.arrays(parts["test"])
    return network.score(x, y.ravel()), seconds


def seeded(config, seed):
    return config | {"seed": seed, "split": config["split"] | {"seed": seed}}


def run(options):
    """Print the table; with ``--quick`` over two seeds."""
    seeds = (1, 2) if options.quick else SEEDS
    warnings.simplefilter("ignore", ConvergenceWarning)
    header = ("config", "nnlayers", "s", "scikit-learn", "s")
    report, rows = Report("accuracy", header, options.output), [header]
    for name in ("digits", "breast_cancer", "spirals", "diabetes"):
        config = read(CONFIGS / f"{name}.toml")
        results = {ours: [], scikit_learn: []}
        for seed in seeds:
            for train, measured in results.items():
                measured.append(train(prepare(seeded(config, seed), name)))
        cells = [name]
        for measured in results.values():
            scores, seconds = zip(*measured, strict=True)
            cells += [f"{mean(scores):.3f} ± {stdev(scores):.3f}", f"{mean(seconds):.2f}"]
        report.add(cells)
        rows.append(cells)
    report.save(rows)
