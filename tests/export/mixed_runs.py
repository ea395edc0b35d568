"""Runs on tables with columns of every kind, to compare exported ones with `predict`."""

import numpy as np

import nnlayers as nn
from nnlayers.config import Predictor
from nnlayers.data import Preprocessing, Table

HOSTILE = ['a "b"', "c\n\0%d", "*/ int x; /*", "??/", "??=\\", "\u202e🙂é", "'", " "]
DAYS = np.datetime64("1890-01-01", "us") + np.timedelta64(6, "h") * np.arange(0, 300_000, 977)


def draw_rows(count, *, seed=0, unseen=False, classes=("no", "yes", '*/ "maybe" ??/\n\0🙂')):
    """Return raw rows as columns, with missing values, and a target of named classes."""
    rng = np.random.default_rng(seed)
    number = rng.normal(size=count).astype(np.float32).astype(np.float64)
    gaps = np.where(rng.random(count) < 0.1, np.nan, number)
    levels = [*HOSTILE[:-1], *(["unseen"] if unseen else [])]
    kinds = rng.choice(np.array([*levels, None], object), count)
    days = rng.choice(DAYS, count)
    days[rng.random(count) < 0.1] = np.datetime64("NaT")
    skewed = np.exp(3 * number).astype(np.float32).astype(np.float64)
    columns = {
        'plain "*/': number,
        "plain 2": 1000 + 8 * rng.integers(0, 99, count),
        "gaps": gaps,
        "skewed": skewed * rng.choice([-1, 1], count),
        # With many ties, and few numbers far out.
        "ranks": np.where(rng.random(count) < 0.3, 0.1, (skewed - 1 / skewed).round(1)),
        "pieces": np.where(rng.random(count) < 0.05, np.nan, skewed),
        "kind\n??/": kinds,
        # The name holds words of the templates from which modules are written.
        "JOIN LINES": rng.choice(np.array(["x", "y", "z"], object), count, p=[0.6, 0.395, 0.005]),
        "code": rng.integers(0, 4, count).astype(float),
        "entity": rng.choice(np.array(["p", "q", "r", *(["s"] if unseen else [])], object), count),
        "day": days,
    }
    return columns, rng.choice(np.array(classes, object), count)


def make_run(targets, dtype="float32", seed=0):
    """Return a run whose model is drawn at random, on rows with columns of every kind."""
    columns, labels = draw_rows(600, seed=seed)
    losses = {
        "classes": (nn.SoftmaxCrossEntropy(), labels),
        "scores": (nn.Hinge(), labels),
        "binary": (nn.SigmoidCrossEntropy(), np.where(labels == "no", 7, -3)),
        "values": (nn.MeanSquaredError(), 1e4 + 50 * columns["skewed"]),
        "counts": (nn.Poisson(), columns["code"]),
        "means": (nn.GaussianNLL(), columns["skewed"]),
    }
    loss, target = losses[targets]
    table = Table(columns, target, "target")
    preprocessing = Preprocessing(
        categories=("code",),
        embed=("entity",),
        log=("skewed",),
        quantile=("ranks",),
        piecewise=("pieces",),
        intervals=6,
        min_count=5,
        standardize_target=targets != "counts",
    ).fit(table, loss.targets)
    ((column, levels),) = preprocessing.ids.items()
    outputs = 2 if targets == "means" else preprocessing.outputs
    embedding = nn.EntityEmbedding([column], [levels], dim=3, dtype=dtype, rng=seed)
    width = preprocessing.width + 2
    model = nn.Sequential(
        embedding,
        nn.Affine(width, 16, dtype=dtype, rng=seed),
        nn.SiLU(),
        nn.Affine(16, outputs, weight_init="lecun_normal", dtype=dtype, rng=seed),
    )
    return Predictor(model, loss, preprocessing, dtype)
