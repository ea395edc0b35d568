"""Test scores of small networks by initializer, on eight data sets.

Each data set, activation, depth and seed is trained once with each pair of initializers, of hidden
layers and of the output layer, on the same rows in the same order: Adam at 0.005, batches of 64, 40
epochs, hidden layers of 32, at most 320 rows, everything standardised. A score is accuracy, or R2,
where negative values count as 0. Initializers of the output layer are compared with hidden layers
drawn by Glorot's for S-shaped activations, by LeCun's for SELU and by He's for the others; those of
hidden layers with an output layer drawn by "small_normal".
"""

from itertools import pairwise, product

import numpy as np
from sklearn import datasets
from sklearn.model_selection import train_test_split
from sklearn.preprocessing import scale
from threadpoolctl import threadpool_limits

import nnlayers as nn
from benchmarks.report import Report
from nnlayers.initializers import VarianceScaling, get
from nnlayers.layers.mlp import ACTIVATIONS

DEPTHS = (1, 3, 6)
SEEDS = range(5)
NAMES = ("relu", "elu", "gelu", "silu", "selu", "softplus", "sigmoid", "tanh", "softsign")
HIDDEN = ("lecun_normal", "he_normal", "glorot_uniform", "unit")
OUTPUT = ("as hidden", "glorot_uniform", "lecun_normal", "small_normal", "zeros")
S_SHAPED = ("sigmoid", "tanh", "softsign")
HEADER = (
    *("activation", "hidden layers"),
    *(f"output {name}" for name in OUTPUT),
    *(f"hidden {name}" for name in HIDDEN),
)


def spirals(rows, rng):
    label = rng.integers(2, size=rows)
    angle = 3 * np.pi * np.sqrt(rng.uniform(0.02, 1, rows))
    x = np.column_stack([np.cos(angle), np.sin(angle)]) * (angle * (2 * label - 1))[:, None]
    return x + 0.3 * rng.normal(size=x.shape), label


REGRESSION = {
    "friedman1": lambda: datasets.make_friedman1(1000, noise=1.0, random_state=0),
    "friedman2": lambda: datasets.make_friedman2(1000, noise=50.0, random_state=0),
    "friedman3": lambda: datasets.make_friedman3(1000, noise=0.1, random_state=0),
    "diabetes": lambda: datasets.load_diabetes(return_X_y=True),
}
CLASSIFICATION = {
    "digits": lambda: datasets.load_digits(return_X_y=True),
    "breast cancer": lambda: datasets.load_breast_cancer(return_X_y=True),
    "moons": lambda: datasets.make_moons(1000, noise=0.2, random_state=0),
    "spirals": lambda: spirals(1000, np.random.default_rng(0)),
}


def unit_gain(make):
    """Return the initializer that keeps the mean square at 1 after an activation."""
    z = np.linspace(-10, 10, 20001)[:, None]
    density = np.exp(-(z**2) / 2) / np.sqrt(2 * np.pi)
    square = float((make().predict(z) ** 2 * density).sum() * (z[1, 0] - z[0, 0]))
    return VarianceScaling(1 / square, "in", "normal")


class Stacked(nn.Layer):
    """Affine layers of many networks of equal sizes, computed together."""

    def __init__(self, weights):
        self.W = nn.Parameter(np.array(weights, np.float32))
        self.b = nn.Parameter(np.zeros((len(weights), 1, self.W.shape[2]), np.float32), name="b")

    def forward(self, x):
        self.x = x
        return x @ self.W.value + self.b.value

    def backward(self, dout):
        self.W.grad += self.x.transpose(0, 2, 1) @ dout
        self.b.grad += dout.sum(axis=1, keepdims=True)
        return dout @ self.W.value.transpose(0, 2, 1)


def networks(sizes, activation, pairs):
    """Return one network of stacked layers that holds a network for each pair and seed."""
    make = ACTIVATIONS[activation]
    drawn = []
    for (hidden, output), seed in product(pairs, SEEDS):
        rng = np.random.default_rng(seed)
        first = unit_gain(make) if hidden == "unit" else get(hidden)
        last = first if output == "as hidden" else get(output)
        initializers = [first] * (len(sizes) - 2) + [last]
        drawn.append(
            [
                init((fan_in, fan_out), fan_in=fan_in, fan_out=fan_out, rng=rng)
                for init, (fan_in, fan_out) in zip(initializers, pairwise(sizes), strict=True)
            ]
        )
    layers = [layer for weights in zip(*drawn, strict=True) for layer in (Stacked(weights), make())]
    return nn.Sequential(*layers[:-1])


def measure(data, activation, depth, pairs):
    """Return the scores on a data set, of shape (pairs, seeds)."""
    X, y = (REGRESSION | CLASSIFICATION)[data]()
    X, loss, outputs = scale(X).astype(np.float32), nn.SoftmaxCrossEntropy(), len(np.unique(y))
    if data in REGRESSION:
        y, loss, outputs = scale(y).astype(np.float32), nn.MeanSquaredError(), 1
    size = min(320, len(X) // 2)
    splits = [train_test_split(X, y, train_size=size, random_state=seed) for seed in SEEDS]
    x, x_test, y, y_test = (np.array(parts * len(pairs)) for parts in zip(*splits, strict=True))
    model = networks([X.shape[1], *[32] * depth, outputs], activation, pairs)
    optimizer = nn.optim.Adam(model.parameters(), lr=5e-3)
    rng = np.random.default_rng(0)
    for _ in range(40):
        order = rng.permutation(size)
        for start in range(0, size, 64):
            rows = order[start : start + 64]
            output = model.forward(x[:, rows])
            target = y[:, rows].ravel()
            if data in REGRESSION:
                target = target[:, None]
            loss.forward(output.reshape(-1, outputs), target)
            model.backward(loss.backward().reshape(output.shape), input_grad=False)
            optimizer.step()
    prediction = model.predict(x_test)
    if data in CLASSIFICATION:
        score = (prediction.argmax(axis=2) == y_test).mean(axis=1)
    else:
        error = ((prediction[..., 0] - y_test) ** 2).mean(axis=1)
        score = np.maximum(1 - error / y_test.var(axis=1), 0)
    return score.reshape(len(pairs), len(SEEDS))


def initializer_pairs(activation):
    """Return the hidden and output initializers of each column of the table."""
    usual = "glorot_uniform" if activation in S_SHAPED else "he_normal"
    if activation == "selu":
        usual = "lecun_normal"
    return [(usual, output) for output in OUTPUT] + [(hidden, "small_normal") for hidden in HIDDEN]


def run(options):
    """Print the table; with ``--quick`` for one depth."""
    report, rows = Report("initialization", HEADER, options.output), [HEADER]
    for activation, depth in product(NAMES, DEPTHS[:1] if options.quick else DEPTHS):
        columns = []
        for problems in (REGRESSION, CLASSIFICATION):
            with threadpool_limits(1), np.errstate(all="ignore"):
                scores = [
                    measure(data, activation, depth, initializer_pairs(activation))
                    for data in problems
                ]
            columns.append(np.mean(scores, axis=(0, 2)))
        cells = [f"{r2:.3f} {accuracy:.3f}" for r2, accuracy in zip(*columns, strict=True)]
        report.add([activation, depth, *cells])
        rows.append([activation, depth, *cells])
    report.save(rows)
