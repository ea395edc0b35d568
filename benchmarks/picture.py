"""Picture of races: each contender's time as a multiple of nnlayers'."""

import csv
from pathlib import Path

import matplotlib

matplotlib.use("agg")

from matplotlib import pyplot

DOCS = Path(__file__).parents[1] / "docs"
MARKERS = "osDv^<>pX*h"
# The first picture of the README: what runs beside nnlayers, and what it is called there.
SPEED = {
    "PyTorch": "PyTorch",
    "JAX": "JAX, jitted step",
    "JAX scan": "JAX, one call an epoch",
    "scikit-learn epoch": "scikit-learn",
}

pyplot.style.use(DOCS / "pictures.mplstyle")


def draw(races, contenders, path):
    """Write the picture of races (label, threads, results), one panel per number of threads."""
    others = [contender for contender in contenders if contender != "nnlayers"]
    counts = sorted({threads for _, threads, _ in races})
    panels_of = [
        [(label, results) for label, threads, results in races if threads == count]
        for count in counts
    ]
    size = (3 + 5 * len(counts), 1.6 + 0.4 * max(map(len, panels_of)))
    figure, axes = pyplot.subplots(1, len(counts), figsize=size, sharex=True, squeeze=False)
    for panel, count, races_shown in zip(axes[0], counts, panels_of, strict=True):
        for contender, marker in zip(others, MARKERS, strict=False):
            points = [
                (1 / result.ratio, row)
                for row, (_, results) in enumerate(races_shown)
                for result in results
                if result.contender == contender
            ]
            if points:
                panel.scatter(*zip(*points, strict=True), marker=marker, s=28, label=contender)
        panel.set_yticks(range(len(races_shown)), [label for label, _ in races_shown])
        panel.invert_yaxis()
        panel.set_xscale("log")
        panel.axvline(1, color="grey", linewidth=0.8)
        panel.grid(axis="x", which="both", alpha=0.3)
        panel.set_title(f"{count} thread{'s' if count > 1 else ''}")
        panel.set_xlabel("time as a multiple of nnlayers'")
    axes[0][-1].legend(loc="upper left", bbox_to_anchor=(1, 1), frameon=False)
    figure.tight_layout()
    figure.savefig(path, metadata={"Date": None})


def draw_bars(names, columns, path):
    """Write a picture of bars, with one panel per column of numbers."""
    size = (3 + 4 * len(columns), 1.2 + 0.35 * len(names))
    figure, panels = pyplot.subplots(1, len(columns), figsize=size, sharey=True)
    for panel, (title, numbers) in zip(panels, columns.items(), strict=True):
        panel.bar_label(panel.barh(names, numbers), fmt="{:,.3g}", padding=3)
        panel.margins(x=0.15)
        panel.set_title(title)
    panels[0].invert_yaxis()
    figure.tight_layout()
    figure.savefig(path, metadata={"Date": None})


def draw_speed(table, path):
    """Write the picture of a training step of plain networks on one thread, from its CSV file."""
    with table.open(newline="") as file:
        lines = [line for line in csv.DictReader(file) if line["threads"] == "1"]
    lines = [line for line in lines if line["race"].rpartition(", ")[2].isdigit()]
    races = list(dict.fromkeys(line["race"] for line in lines))
    figure, axes = pyplot.subplots(figsize=(5.4, 1.6 + 0.44 * len(races)), layout="constrained")
    for (contender, label), marker in zip(SPEED.items(), MARKERS, strict=False):
        points = [
            (1 / float(line["nnlayers' share"]), races.index(line["race"]))
            for line in lines
            if line["contender"] == contender
        ]
        if points:
            axes.scatter(*zip(*points, strict=True), marker=marker, s=44, label=label)
    axes.set_yticks(range(len(races)), [race.partition(",")[0] for race in races])
    axes.invert_yaxis()
    axes.set_xscale("log")
    axes.set_xticks([1, 2, 5, 10, 20, 50], ["1×", "2×", "5×", "10×", "20×", "50×"])
    axes.minorticks_off()
    axes.axvline(1, color="0.5", linewidth=2, zorder=0)
    axes.set_xlabel("time of a training step on one thread")
    axes.grid(axis="x", alpha=0.3)
    axes.spines["left"].set_visible(False)
    axes.tick_params(axis="y", length=0)
    figure.legend(loc="outside upper center", ncols=2)
    figure.savefig(path, metadata={"Date": None})
