"""Runs with every kind of column, loss and target, without training them."""

import warnings
from functools import cache

import numpy as np

import nnlayers as nn
from nnlayers.config.predictor import Predictor
from nnlayers.data import Preprocessing, Table

ROWS = 10_000
HOSTILE = 'a "b"\n\0%*/??/\\\u202e🙂'
TEXTS = np.array(["red", "blue", HOSTILE, "x\0y", "x", "🙂", "%s", "*/", '"\\', None, "?"], object)


class Sign(nn.MeanSquaredError):
    """A loss of one score of two classes, which is no probability."""

    targets = "binary"


LOSSES = {
    "classes": (nn.SoftmaxCrossEntropy, "classes", 7),
    "margins": (nn.Hinge, "classes", 3),
    "binary": (nn.SigmoidCrossEntropy, "binary", 1),
    "sign": (Sign, "binary", 1),
    "values": (nn.MeanSquaredError, "values", 1),
    "counts": (nn.Poisson, "values", 1),
    "means": (nn.GaussianNLL, "values", 2),
    "members": (lambda: nn.EnsembleLoss(nn.MeanSquaredError()), "values", 2),
}


@cache
def raw_columns():
    """Return columns of every kind, with missing values and numbers at the edge of their range."""
    rng = np.random.default_rng(0)

    def missing(values, share=0.1):
        return np.where(rng.random(ROWS) < share, np.nan, values)

    def choose(values, **options):
        return np.array(values, object)[rng.choice(len(values), ROWS, **options)]

    dates = np.datetime64("1890-01-01", "us") + (rng.random(ROWS) * 200 * 365 * 86_400e6).astype(
        "timedelta64[us]"
    )
    edges = ["1900-02-28T23:59:59.999999", "1900-03-01", "2000-02-29", "2000-03-01", "0001-01-01"]
    edges += ["9999-12-31", "1969-12-31", "1970-01-01", "1582-10-15", "-0004-02-29", "NaT", "NaT"]
    dates[: len(edges)] = np.array(edges, "datetime64[us]")
    skewed = np.exp(rng.normal(size=ROWS) * 5) * rng.choice([-1, 0, 1], ROWS)
    skewed[:4] = [1e-300, -1e-20, 1e200, -0.0]
    ranked = np.round(rng.exponential(size=ROWS) * 3, 1)
    ranked[-4:] = [-1e-9, -5.0, -1e200, 1e200]  # Below and above all rows of the training.
    pieces = rng.gamma(2, size=ROWS) * 1e5
    pieces[-4:] = [-1e4, -1e9, 3e6, 1e12]  # Likewise.
    return {
        "number": rng.normal(size=ROWS) * 100,
        "with missing": missing(rng.normal(size=ROWS)),
        "skewed": missing(skewed),
        "ranked": missing(ranked),
        "in pieces": pieces,
        "constant": np.full(ROWS, 7.0),
        HOSTILE: TEXTS[rng.integers(0, len(TEXTS), ROWS)],
        "shape": choose(["round", "oval", "rare"], p=[0.6, 0.3998, 0.0002]),
        "code": missing(rng.integers(0, 7, ROWS)),
        "embedded": choose(["a", "b", "rare", None], p=[0.6, 0.1998, 0.0002, 0.2]),
        "embedded code": missing(rng.integers(0, 5, ROWS) + 0.5),
        "day": dates,
        "day as text": choose(["3.4.2026", "4.4.2026", "", "28.2.1999"]),
        "price": choose(["$1,234.50", "($3)", "$20", "?"]),
        "flag": choose(["yes", "no"]),
    }


def make_run(loss_name, dtype="float32"):
    """Return an untrained run, and a table of raw rows with levels that training did not see."""
    loss, target_kind, outputs = LOSSES[loss_name]
    rng = np.random.default_rng(1)
    targets = {
        "classes": TEXTS[rng.integers(0, 7, ROWS)],
        "margins": rng.integers(-1, 2, ROWS) * 2**40,
        "binary": rng.integers(3, 5, ROWS),
        "sign": rng.integers(3, 5, ROWS),
        "counts": rng.poisson(3, ROWS),
    }
    target = targets.get(loss_name, rng.normal(size=ROWS) * 100 + 5)
    table = Table(raw_columns(), target=target)
    preprocessing = Preprocessing(
        log=["skewed"],
        quantile=["ranked"],
        piecewise=["in pieces"],
        categories=["code", "embedded code"],
        embed=["embedded", "embedded code"],
        dates={"day as text": "%d.%m.%Y"},
        min_count=3,
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        preprocessing.fit(table.rows(slice(0, 5000)), target_kind)
        names = {
            HOSTILE: "green",
            "shape": "square",
            "code": 99.0,
            "embedded": "new",
            "embedded code": -1.0,
        }
        columns = {name: column.copy() for name, column in table.columns.items()}
        for name, level in names.items():
            columns[name][::100] = level
    first = nn.EntityEmbedding([*preprocessing.ids], [*preprocessing.ids.values()], rng=0)
    width = first.predict(np.zeros((1, preprocessing.width))).shape[1]
    hidden = nn.mlp([width, 16, outputs], activation="tanh", norm="batch", rng=1)
    last = [nn.Reshape((outputs, 1))] if loss_name == "members" else []
    model = nn.Sequential(first, *hidden, *last).astype(dtype)
    return Predictor(model, loss(), preprocessing, dtype), Table(columns)
