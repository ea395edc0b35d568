"""Lower bound: the matrix products alone, without bias, activation, loss or optimizer."""

import numpy as np

from benchmarks.contenders import in_turn, repeated


def step(task):
    """Forward and backward without the first layer's input gradient, into preallocated buffers."""
    weights = [W for W, _ in task.weights()]
    gradients = [np.empty_like(W) for W in weights]
    values = [np.empty((task.rows, size), np.float32) for size in task.sizes]
    douts = [np.ones((task.rows, size), np.float32) for size in task.sizes]

    def one(x):
        values[0] = x
        for i, W in enumerate(weights):
            np.dot(values[i], W, out=values[i + 1])
        for i in reversed(range(len(weights))):
            np.dot(values[i].T, douts[i + 1], out=gradients[i])
            if i:
                np.dot(douts[i + 1], weights[i].T, out=douts[i])
        # The next step starts from ones again, so that numbers do not grow from step to step.

    x, _ = task.batches()
    return in_turn(one, [(batch,) for batch in x])


def predict_by_hand(task):
    """The formula of inference, written directly in NumPy."""
    (W1, b1), (W2, b2), (W3, b3) = task.weights()
    x = task.batches()[0][0]

    def predict():
        return np.maximum(np.maximum(x @ W1 + b1, 0) @ W2 + b2, 0) @ W3 + b3

    return repeated(predict)
