"""Many networks of nnlayers in threads and in processes, and searches over settings."""

import multiprocessing
import warnings
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from functools import partial

import joblib
import numpy as np
from sklearn import neural_network
from sklearn.exceptions import ConvergenceWarning
from sklearn.model_selection import GridSearchCV
from threadpoolctl import threadpool_limits

import nnlayers as nn
from benchmarks.contenders import repeated
from benchmarks.contenders.ours import parts
from nnlayers import estimators

warnings.simplefilter("ignore", ConvergenceWarning)
# Two networks at once leave no core for a second thread of a product, and OpenBLAS lets one thread
# at a time start such a product.
threadpool_limits(1)


def fits(task, seeds):
    """Return a function for each seed, which trains a network of its own."""
    x, y = map(np.concatenate, task.epoch())
    settings = {"epochs": task.epochs, "batch_size": task.rows}
    return [partial(nn.Trainer(*parts(task)).fit, x, y, rng=seed, **settings) for seed in seeds]


def call(work):
    """Call a function without returning its result, which a process would have to send."""
    work()


def one_thread(task):
    work = fits(task, range(task.networks))
    return repeated(lambda: list(map(call, work)))


def two_threads(task):
    work = fits(task, range(task.networks))
    threads = ThreadPoolExecutor(2)
    return repeated(lambda: list(threads.map(call, work)))


def prepare(task, part):
    """Make half of the networks, in a process of its own."""
    global _work
    _work = fits(task, range(part, task.networks, 2))


def train():
    for work in _work:
        work()


def two_processes(task):
    context = multiprocessing.get_context("spawn")
    processes = [
        ProcessPoolExecutor(1, context, initializer=prepare, initargs=(task, part))
        for part in range(2)
    ]

    def work():
        for done in [process.submit(train) for process in processes]:
            done.result()

    return repeated(work)


def search(task, library, **joblib_settings):
    x, y = task.rows_and_classes()
    settings = {"hidden_layer_sizes": task.sizes[1:-1], "max_iter": task.epochs, "random_state": 0}
    grid = {"alpha": [1e-5, 1e-4, 1e-3, 1e-2], "learning_rate_init": [1e-3, 3e-3]}

    def work():
        with joblib.parallel_config(**joblib_settings):
            GridSearchCV(library.MLPClassifier(**settings), grid, cv=3, refit=False).fit(x, y)

    return repeated(work)


def search_by_threads(task):
    return search(task, estimators, backend="threading", n_jobs=2)


def search_by_one(task):
    return search(task, estimators, backend="threading", n_jobs=1)


def search_by_processes(task):
    return search(task, estimators, backend="loky", n_jobs=2)


def search_scikit_learn(task):
    return search(task, neural_network, backend="loky", n_jobs=2)
