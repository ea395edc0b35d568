"""scikit-learn, with its checks of arguments and data turned off."""

import warnings

import numpy as np
import sklearn
from sklearn.exceptions import ConvergenceWarning
from sklearn.neural_network import MLPClassifier

from benchmarks.contenders import BATCHES, LEARNING_RATE, MOMENTUM, chosen, in_turn, repeated

sklearn.set_config(assume_finite=True, skip_parameter_validation=True)
warnings.simplefilter("ignore", ConvergenceWarning)

ACTIVATIONS = {"relu": "relu", "sigmoid": "logistic", "tanh": "tanh"}
OPTIMIZERS = {
    "sgd": {"solver": "sgd", "momentum": 0.0},
    "momentum": {"solver": "sgd", "momentum": MOMENTUM, "nesterovs_momentum": False},
    "adam": {"solver": "adam"},
}


def network(task, batch_size, **arguments):
    return MLPClassifier(
        task.sizes[1:-1],
        activation=chosen(task, "activation", ACTIVATIONS),
        learning_rate_init=LEARNING_RATE,
        alpha=0.0,
        batch_size=batch_size,
        random_state=0,
        **chosen(task, "optimizer", OPTIMIZERS),
        **arguments,
    )


def partial_fit(task):
    """One step: a pass over the rows of one batch."""
    x, y = task.batches()
    model = network(task, task.rows, shuffle=False)
    model.partial_fit(x[0], y[0], classes=range(task.sizes[-1]))
    return in_turn(model.partial_fit, list(zip(x, y, strict=True)))


def partial_fit_epoch(task):
    """Many steps in one call, which divides the cost of a call among them."""
    x, y = task.batches()
    copies = max(1, 2048 // (BATCHES * task.rows))
    x, y = np.tile(x.reshape(-1, task.sizes[0]), (copies, 1)), np.tile(y.ravel(), copies)
    model = network(task, task.rows, shuffle=False)
    model.partial_fit(x, y, classes=range(task.sizes[-1]))

    def run(n):
        epochs = -(-n // (copies * BATCHES))
        for _ in range(epochs):
            model.partial_fit(x, y)
        return epochs * copies * BATCHES

    return run


def fit(task):
    x, y = task.rows_and_classes()
    model = network(task, task.batch_size, max_iter=task.epochs, n_iter_no_change=task.epochs + 1)
    return repeated(lambda: model.fit(x, y))


def predict(task):
    x, y = task.batches()
    model = network(task, task.rows, max_iter=1)
    model.partial_fit(x[0], y[0], classes=range(task.sizes[-1]))
    return repeated(lambda: model.predict(x[0]))
