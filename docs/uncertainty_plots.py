"""Charts of the page on uncertainty, of the names that its examples define."""

import matplotlib.pyplot as plt
import numpy as np
from scipy.special import softmax


def draw_coverage(names):
    """Draw the coverage of rows with much and with little noise, for two kinds of intervals."""
    asked = np.linspace(0.1, 0.95, 18)
    X, y, loud = names["X"][names["test"]], names["y"][names["test"]], names["loud"]
    _, panels = plt.subplots(1, 2, figsize=(7, 3), sharey=True, layout="constrained")
    models = {"network": names["plain"], "Gaussian network": names["gaussian"]}
    for axes, (title, model) in zip(panels, models.items(), strict=True):
        held = np.array(
            [
                (low <= y) & (y <= high)
                for low, high in (model.predict_interval(X, c).T for c in asked)
            ]
        )
        axes.plot([0, 1], [0, 1], color="0.5", linewidth=0.8)
        for label, rows in {"all rows": loud | ~loud, "much noise": loud, "less": ~loud}.items():
            axes.plot(asked, held[:, rows].mean(axis=1), ".-", label=label)
        axes.set_title(title)
        axes.set_xlabel("coverage asked for")
    panels[0].set_ylabel("share of targets within")
    panels[0].legend()


def draw_reliability(names):
    """Draw how often rows are of the second class, before and after a temperature."""
    X, label = names["X"][names["test"]], names["label"][names["test"]]
    logits = names["model"].predict_log_proba(X)
    _, axes = plt.subplots(figsize=(4.5, 3), layout="constrained")
    axes.plot([0, 1], [0, 1], color="0.5", linewidth=0.8)
    for title, temperature in {"as trained": 1.0, "with temperature": names["temperature"]}.items():
        p = softmax(logits / temperature, axis=1)[:, 1]
        bins = np.minimum((10 * p).astype(int), 9)
        points = [(p[bins == b].mean(), label[bins == b].mean()) for b in np.unique(bins)]
        axes.plot(*np.transpose(points), "o-", label=title)
    axes.set_xlabel("predicted probability")
    axes.set_ylabel("share of rows for which it is right")
    axes.legend()


def draw_ensemble(names):
    """Draw the mean of an ensemble, what its members disagree on, and the noise."""
    x = np.linspace(-2.5, 2.5, 400)
    prediction = names["ensemble"].predict(x[:, None], return_std=True)
    mean, disagreement, total = (
        part[:, 0] for part in (prediction.mean, prediction.disagreement, prediction.std)
    )
    _, axes = plt.subplots(figsize=(7, 3), layout="constrained")
    axes.plot(names["rows"], names["target"], ".", markersize=3, label="rows")
    for width, label in ((total, "with noise"), (disagreement, "disagreement")):
        axes.fill_between(x, mean - 2 * width, mean + 2 * width, alpha=0.3, label=label)
    axes.plot(x, mean, color="0.5", linewidth=2, label="mean")
    axes.set_ylim(-2, 2.4)
    axes.legend(ncols=4, loc="upper center")
