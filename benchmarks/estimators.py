"""Fit times of the estimators beside scikit-learn's, with the same settings and epochs.

The settings are the defaults: Adam, batches of 200 rows, ReLU, float64. The two fit in turn in one
process, and what is compared is the median over the rounds, since the machine's load drifts. With
one thread the time is that of the processor.
"""

import warnings
from statistics import median
from time import perf_counter, process_time

import numpy as np
from sklearn import neural_network
from sklearn.datasets import make_classification
from sklearn.exceptions import ConvergenceWarning
from threadpoolctl import threadpool_limits

from benchmarks.report import ESTIMATORS, Report
from nnlayers import estimators

# Hidden layers, and the approximate number of steps of a fit.
STEPS = {(10,): 300, (50,): 300, (100,): 300, (100, 100): 150, (512, 512): 20}
ROWS = (500, 5_000, 100_000)
HEADER = (
    *("hidden", "rows", "epochs", "threads"),
    *("classifier, s", "scikit-learn, s", "times faster"),
    *("regressor, s", "scikit-learn, s", "times faster"),
)


def problems(rows):
    """Return labels of ten classes and regression targets for 20 features."""
    X, y = make_classification(rows, 20, n_informative=10, n_classes=10, random_state=0)
    return X, {"MLPClassifier": y, "MLPRegressor": np.tanh(X[:, 0]) + X[:, 1] * X[:, 2]}


def seconds(module, name, settings, X, y, clock):
    model = getattr(module, name)(**settings)
    start = clock()
    model.fit(X, y)
    return clock() - start


def race(name, hidden, epochs, rounds, X, y, clock):
    """Return the median seconds of both, and the median factor by which nnlayers is faster."""
    settings = {"hidden_layer_sizes": hidden, "max_iter": epochs, "n_iter_no_change": np.inf}
    ours, theirs = zip(
        *(
            [
                seconds(module, name, settings | {"random_state": seed}, X, y, clock)
                for module in (estimators, neural_network)
            ]
            for seed in range(rounds)
        ),
        strict=True,
    )
    faster = median(b / a for a, b in zip(ours, theirs, strict=True))
    return f"{median(ours):.3f}", f"{median(theirs):.3f}", f"{faster:.2f}"


def run(options):
    """Print the table; with ``--quick`` three rounds and no more than 5,000 rows."""
    warnings.simplefilter("ignore", ConvergenceWarning)
    chosen = options.size or ["-".join(map(str, hidden)) for hidden in STEPS]
    sizes = [tuple(map(int, size.split("-"))) for size in chosen]
    report = Report("estimators", HEADER, options.output, page=ESTIMATORS)
    rows = [HEADER]
    for threads in options.threads:
        clock = process_time if threads == 1 else perf_counter
        for number in ROWS[:2] if options.quick else ROWS:
            X, targets = problems(number)
            for hidden in sizes:
                epochs = max(1, STEPS.get(hidden, 100) // -(-number // 200))
                rounds = 3 if options.quick or number > 5_000 else 7
                cells = [hidden, f"{number:,}", epochs, threads]
                with threadpool_limits(threads):
                    for name, y in targets.items():
                        cells += race(name, hidden, epochs, rounds, X, y, clock)
                report.add(cells)
                rows.append(cells)
    report.save(rows)
