"""Networks for tables of pytabkit, on PyTorch, and the same of layers of this library.

TabM and RealMLP have the same rows, encoded before, and the same sizes, initial distributions,
learning rates, weight decay, batches and epochs; the weights of the epoch that predicts the rows
for validation best are kept. The two train in turn in one process on one thread, so that the time
is that of the processor. A fit on few rows comes first, which compiles and loads what is needed.
"""

import logging
import sys
import warnings
from dataclasses import dataclass, replace
from functools import partial
from importlib.util import find_spec
from math import cos, log2, pi, sqrt
from statistics import mean, median, stdev
from time import process_time
from unittest.mock import patch

import numpy as np
import pandas as pd
from scipy.special import softmax
from sklearn.model_selection import train_test_split
from sklearn.preprocessing import OneHotEncoder, QuantileTransformer
from threadpoolctl import threadpool_limits

import nnlayers as nn
from benchmarks.report import Report
from benchmarks.tabular import CLASSES, NUMBERS
from nnlayers.initializers import Constant, Uniform

TABLES = {"california": (NUMBERS["california"], 13_000), "adult": (CLASSES["adult"], 13_000)}
EPOCHS = {"TabM": 15, "RealMLP": 20}
TABM = {"k": 8, "width": 128, "depth": 2, "bins": 48, "dim": 16, "dropout": 0.1}
WIDTH = 256
BATCH = 256
HEADER = (
    *("network", "table", "rows", "epochs", "seeds", "error"),
    *("nnlayers", "pytabkit", "difference", "nnlayers, s", "pytabkit, s", "times pytabkit"),
)


@dataclass
class Rows:
    """Encoded rows: numbers, then 0/1 features of categories; targets are ids or standardised."""

    x: np.ndarray
    y: np.ndarray

    def first(self, count):
        return Rows(self.x[:count], self.y[:count])


@dataclass
class Problem:
    """Rows to train on, for validation and for the test; the levels of each category."""

    parts: list[Rows]
    levels: list[int]
    classes: int
    unit: float  # Of the targets, in those of the table.

    @property
    def numbers(self):
        return self.parts[0].x.shape[1] - sum(self.levels)

    def small(self):
        return replace(self, parts=[part.first(512) for part in self.parts])


def split(X, y, most, seed, is_class):
    """Return a problem: 64 % of the rows to train on, 16 % for validation and 20 % for the test."""
    rng = np.random.default_rng(seed)
    chosen = rng.permutation(len(X))[:most]
    X, y = X.iloc[chosen], y[chosen]
    cut = partial(train_test_split, random_state=seed)
    rest, test = cut(np.arange(len(X)), test_size=0.2)
    train, held = cut(rest, test_size=0.2)
    is_number = [pd.api.types.is_numeric_dtype(kind) for kind in X.dtypes]
    numbers = X.loc[:, is_number]
    numbers = numbers.fillna(numbers.iloc[train].median()).to_numpy(np.float64)
    levels, blocks = [], [numbers]
    texts = X.loc[:, [not number for number in is_number]].astype(object).fillna("missing")
    if texts.shape[1]:
        encoder = OneHotEncoder(handle_unknown="ignore", sparse_output=False)
        encoder.fit(texts.iloc[train])
        levels = [len(values) for values in encoder.categories_]
        blocks.append(encoder.transform(texts))
    unit = 1 if is_class else y[train].std()
    if is_class:
        y = np.unique(y, return_inverse=True)[1]
    else:
        y = ((y - y[train].mean()) / unit).astype(np.float32)[:, np.newaxis]
    x = np.hstack(blocks)
    parts = [Rows(x[part], y[part]) for part in (train, held, test)]
    return Problem(parts, levels, int(y.max()) + 1 if is_class else 0, unit)


def encoded(problem, encode):
    """Return the problem with other numbers; `encode` gets those to train on and some rows."""
    train = problem.parts[0].x
    parts = [Rows(encode(train, part.x).astype(np.float32), part.y) for part in problem.parts]
    return replace(problem, parts=parts)


def by_quantiles(numbers, train, x):
    """Return rows whose numbers are normally distributed."""
    scaler = QuantileTransformer(output_distribution="normal", random_state=0)
    scaler.fit(train[:, :numbers])
    return np.hstack([scaler.transform(x[:, :numbers]), x[:, numbers:]])


def smoothly_clipped(train, x):
    """Return rows as RealMLP scales them: by their quartiles, and softly clipped to (-3, 3)."""
    low, middle, high = np.quantile(train, [0.25, 0.5, 0.75], axis=0)
    spread = np.where(high > low, high - low, np.ptp(train, axis=0) / 2)
    z = (x - middle) / np.where(spread > 0, spread, 1)
    return z / np.sqrt(1 + (z / 3) ** 2)


def own_tabm(problem, rng):
    """Return TabM of layers of this library; every layer has scales for each member."""
    k, width, dim, numbers = TABM["k"], TABM["width"], TABM["dim"], problem.numbers
    x = nn.Input("x")
    encoding = nn.PiecewiseLinear(numbers, TABM["bins"]).fit(problem.parts[0].x[:, :numbers])
    lines = straight_lines(encoding, dim, rng)
    vectors = nn.Reshape((numbers * dim,))(lines(encoding(x[:, :numbers])))
    inputs = nn.Graph(nn.concatenate(vectors, x[:, numbers:]) if problem.levels else vectors)
    lengths = [dim] * numbers + problem.levels
    layers = [inputs, nn.Reshape((1, sum(lengths)))]
    fan = sum(lengths)
    for _ in range(TABM["depth"]):
        layer = nn.EnsembleAffine(k, fan, width, weight_init=uniform(fan), rng=rng)
        layer.b.value[...] = rng.uniform(-1, 1, width) / sqrt(fan)
        layers += [layer, nn.ReLU(), nn.Dropout(TABM["dropout"], rng=rng)]
        fan = width
    layers[2].r.value[...] = np.repeat(rng.normal(size=(k, len(lengths))), lengths, axis=1)
    init = uniform(fan)
    head = nn.GroupedAffine(k, fan, outputs(problem), weight_init=init, bias_init=init, rng=rng)
    model = nn.Sequential(*layers, head)
    for name, parameter in model.named_parameters().items():
        parameter.decay = not name.endswith("b")
    return model, nn.optim.AdamW(model.parameters(), 2e-3, weight_decay=3e-4)


def straight_lines(encoding, dim, rng):
    """Return an affine layer for each number's code whose outputs start as lines of the number."""
    edges = encoding.edges.value
    layer = nn.GroupedAffine(encoding.features, encoding.bins, dim, rng=rng)
    slopes, offsets = rng.uniform(-1, 1, (2, encoding.features, dim)) / sqrt(dim)
    layer.W.value[...] = np.diff(edges)[:, :, np.newaxis] * slopes[:, np.newaxis]
    layer.b.value[...] = edges[:, :1] * slopes + offsets
    return layer


def uniform(fan):
    return Uniform(-1 / sqrt(fan), 1 / sqrt(fan))


def outputs(problem):
    return problem.classes or 1


def own_realmlp(problem, rng):
    """Return RealMLP-TD-S of layers of this library.

    The scales of the inputs are those of an ensemble of one member. Weights that are divided by the
    root of the fan-in are the same to Adam as smaller weights with a smaller learning rate.
    """
    fan = problem.parts[0].x.shape[1]
    first = nn.EnsembleAffine(1, fan, WIDTH, rng=rng)
    first.r.lr_scale = 6
    first.s.trainable = False
    hidden = [first, nn.Affine(WIDTH, WIDTH, rng=rng), nn.Affine(WIDTH, WIDTH, rng=rng)]
    for layer in hidden:
        root = sqrt(layer.in_features)
        layer.W.value[...] = rng.normal(size=layer.W.shape) / root
        layer.b.value[...] = rng.normal(size=WIDTH)
        layer.W.lr_scale, layer.b.lr_scale = 1 / root, 0.1
    head = nn.Affine(WIDTH, outputs(problem), weight_init=Constant(0.0), rng=rng)
    head.W.lr_scale, head.b.lr_scale = 1 / sqrt(WIDTH), 0.1
    activation = nn.SELU if problem.classes else nn.Mish
    layers = [nn.Reshape((1, fan))]
    for layer in hidden:
        layers += [layer, activation()]
    model = nn.Sequential(*layers, head)
    steps = EPOCHS["RealMLP"] * -(-len(problem.parts[0].x) // BATCH)
    rate = 0.04 if problem.classes else 0.07

    def schedule(step):
        return rate * (1 - cos(2 * pi * log2(1 + 15 * step / steps))) / 2

    return model, nn.optim.Adam(model.parameters(), schedule, betas=(0.9, 0.95))


def fit_own(make, smoothing, problem, epochs, seed):
    """Return a function from rows to values, or to the probabilities of classes."""
    rng = np.random.default_rng(seed)
    model, optimizer = make(problem, rng)
    train, held, _ = problem.parts
    loss, metric, monitor = nn.MeanSquaredError(), "mean_squared_error", "val_mean_squared_error"
    if problem.classes:
        loss = nn.SoftmaxCrossEntropy(label_smoothing=smoothing)
        metric, monitor = "accuracy", "val_accuracy"
    best = nn.callbacks.EarlyStopping(monitor, patience=epochs)
    trainer = nn.Trainer(
        model, nn.EnsembleLoss(loss), optimizer, metrics=[metric], callbacks=[best]
    )
    trainer.fit(
        train.x, train.y, epochs=epochs, batch_size=BATCH, validation=(held.x, held.y), rng=rng
    )

    def predict(x):
        y = model.predict(x)
        return (softmax(y, axis=-1) if problem.classes else y).mean(axis=1)

    return predict


def fit_tabm(problem, epochs, seed):
    from pytabkit import TabM_D_Classifier, TabM_D_Regressor
    from torch.nn import functional

    kind = TabM_D_Classifier if problem.classes else TabM_D_Regressor
    model = kind(
        device="cpu",
        random_state=seed,
        n_threads=1,
        arch_type="tabm",
        tabm_k=TABM["k"],
        num_emb_type="pwl",
        num_emb_n_bins=TABM["bins"],
        d_embedding=TABM["dim"],
        d_block=TABM["width"],
        n_blocks=TABM["depth"],
        dropout=TABM["dropout"],
        batch_size=BATCH,
        lr=2e-3,
        weight_decay=3e-4,
        n_epochs=epochs,
        patience=epochs,
        tfms=[],
        share_training_batches=True,
    )
    # Where members share batches, pytabkit 1.8 compares each value with the targets of all rows.
    mse_loss = functional.mse_loss

    def by_row(predicted, target):
        return mse_loss(predicted, target.reshape(predicted.shape))

    with patch.object(functional, "mse_loss", by_row):
        return fit_pytabkit(model, problem, partial(as_frame, problem))


def fit_realmlp(problem, epochs, seed):
    from pytabkit import RealMLP_TD_S_Classifier, RealMLP_TD_S_Regressor

    kind = RealMLP_TD_S_Classifier if problem.classes else RealMLP_TD_S_Regressor
    model = kind(
        device="cpu",
        random_state=seed,
        n_threads=1,
        hidden_sizes=[WIDTH] * 3,
        batch_size=BATCH,
        n_epochs=epochs,
        tfms=[],
    )
    return fit_pytabkit(model, problem, lambda x: x)


def fit_pytabkit(model, problem, frame):
    train, held, _ = problem.parts
    model.fit(frame(train.x), train.y.ravel(), frame(held.x), held.y.ravel())
    if problem.classes:
        return lambda x: model.predict_proba(frame(x))
    return lambda x: model.predict(frame(x))[:, np.newaxis]


def as_frame(problem, x):
    """Return rows as a frame of numbers and categories."""
    frame = pd.DataFrame(x[:, : problem.numbers]).add_prefix("x")
    start = problem.numbers
    for index, count in enumerate(problem.levels):
        codes = x[:, start : start + count].argmax(axis=1)
        frame[f"c{index}"] = pd.Categorical(codes, categories=range(count))
        start += count
    return frame


NETWORKS = {
    "TabM": (partial(fit_own, own_tabm, 0.0), fit_tabm),
    "RealMLP": (partial(fit_own, own_realmlp, 0.1), fit_realmlp),
}


def error(problem, predict):
    """Return the share of wrong classes of the test rows, or their root mean squared error."""
    x, y = problem.parts[2].x, problem.parts[2].y
    predicted = predict(x)
    if problem.classes:
        return float(np.mean(predicted.argmax(axis=1) != y))
    return float(problem.unit * np.sqrt(np.mean((predicted - y) ** 2)))


def compare(network, table, folder, seeds):
    """Return the cells of a row."""
    read, most = TABLES[table]
    X, y = read(folder)
    is_class, epochs = table in CLASSES, EPOCHS[network]
    errors, seconds = [], []
    for seed in range(seeds):
        problem = split(X, y, most, seed, is_class)
        encode = smoothly_clipped
        if network == "TabM":
            encode = partial(by_quantiles, problem.numbers)
        problem = encoded(problem, encode)
        pairs = [measure(fit, problem, epochs, seed) for fit in NETWORKS[network]]
        for values, pair in zip((errors, seconds), zip(*pairs, strict=True), strict=True):
            values.append(pair)
        print(network, table, seed, pairs, file=sys.stderr)
    differences = [own - other for own, other in errors]
    spread = stdev(differences) / sqrt(seeds) if seeds > 1 else 0.0
    texts = [f"{value:.4f}" for value in map(mean, zip(*errors, strict=True))]
    texts.append(f"{mean(differences):+.4f} ± {spread:.4f}")
    texts += [f"{value:.1f}" for value in map(mean, zip(*seconds, strict=True))]
    ratio = median(own / other for own, other in seconds)
    kind = "wrong" if is_class else "RMSE"
    return [network, table, most, epochs, seeds, kind, *texts, f"{ratio:.2f}"]


def measure(fit, problem, epochs, seed):
    """Return the error, and the seconds of the fit."""
    fit(problem.small(), 1, seed)
    start = process_time()
    predict = fit(problem, epochs, seed)
    seconds = process_time() - start
    return error(problem, predict), seconds


def run(options):
    """Print a row for each network and table."""
    if find_spec("pytabkit") is None:
        print("pytabkit is left out: pip install pytabkit")
        return
    import torch

    torch.set_num_threads(1)
    warnings.filterwarnings("ignore")
    logging.getLogger("pytorch_lightning").setLevel(logging.ERROR)
    report, rows = Report("peers", HEADER, options.output), [HEADER]
    with threadpool_limits(1):
        for network in NETWORKS:
            for table in options.only or TABLES:
                rows.append(compare(network, table, options.directory, options.seeds))
                report.add(rows[-1])
    report.save(rows)
