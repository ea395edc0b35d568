"""Draft a commented config that trains a network on a table."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from nnlayers._core.toml_text import toml_key, toml_text
from nnlayers.data.problems import count_of
from nnlayers.data.profiles import ColumnProfile
from nnlayers.data.target_profile import TargetProfile, Task

__all__ = ["draft_config"]

# The share of rows to train on, after those for validation and for the test.
_VALIDATION = _TEST = 0.15
# More columns than this are not listed, and get no intervals.
_MAX_LISTED = 200
# Together, intervals make at most this many features.
_MAX_FEATURES = 2048
_LOSSES = {
    "binary": ("SigmoidCrossEntropy", "one output: the log-odds of the second class"),
    "classes": ("SoftmaxCrossEntropy", "one output for each class"),
    "counts": ("Poisson", "the output is the logarithm of the expected count"),
    "numbers": ("MeanSquaredError", "of the standardised target"),
}


@dataclass(frozen=True)
class _Sizes:
    """The settings that follow from the number of training rows."""

    rows: int

    @property
    def is_small(self) -> bool:
        """Whether there are so few rows that a network learns little beyond the main effects."""
        return self.rows < 1000

    @property
    def width(self) -> int:
        """The number of units of a hidden layer."""
        return 64 if self.is_small else 128 if self.rows < 10_000 else 256

    def dropout(self, task: Task) -> float:
        """Return the share of units that a step leaves out.

        It shifts the mean of what a network predicts, which the exponential of a count does not
        bear.
        """
        if task == "counts":
            return 0.0
        if task == "numbers" or self.rows >= 5000:
            return 0.1
        return 0.5 if self.is_small else 0.3

    @property
    def weight_decay(self) -> float:
        """The weight decay."""
        if self.is_small:
            return 1.0
        return 0.1 if self.rows < 5000 else 0.01

    @property
    def batch_size(self) -> int:
        """The number of rows of a step."""
        if self.is_small:
            return 64 if self.rows < 500 else 128
        return int(2 ** np.clip(round(math.log2(self.rows / 50)), 5, 8))

    @property
    def epochs(self) -> int:
        """The largest number of epochs."""
        return int(np.clip(round(60 * math.sqrt(10_000 / max(self.rows, 1))), 5, 100))

    def intervals(self, columns: int) -> int:
        """Return the number of intervals of a number; below 2, numbers are standardised only."""
        if self.is_small or columns > _MAX_LISTED:
            return 0
        limit = min(64, _MAX_FEATURES // max(columns, 1))
        return int(np.clip(round(self.rows / 200), min(4, limit), limit))


def draft_config(
    rows: int,
    target: TargetProfile,
    columns: Sequence[ColumnProfile],
    data: dict[str, Any],
    file: str,
) -> str:
    """Return the TOML text of a config.

    Parameters
    ----------
    rows : int
        The number of rows with a target.
    target : TargetProfile
        The target.
    columns : sequence of ColumnProfile
        The columns; at least one is not left out.
    data : dict
        The section of the data source; empty if a program holds the rows.
    file : str
        The file or data set, for the first line.
    """
    sizes = _Sizes(round(rows * (1 - _VALIDATION - _TEST)))
    section = ["[data]", *(f"{toml_key(key)} = {toml_text(item)}" for key, item in data.items())]
    lines = [
        f"# A network for {_inline(file)}: {count_of(rows + target.missing, 'row')}, "
        f"{count_of(len(columns), 'column')}.",
        f"# Target {_inline(target.name)}: {_inline(target.description)}.",
        "seed = 0",
        "",
        *([*section, ""] if data else []),
        "# Validation rows choose the best epoch; test rows are scored at the end.",
        "[split]",
        f"validation = {_VALIDATION}",
        f"test = {_TEST}",
        "",
        "# How columns become features, learnt from the training rows alone.",
        "[preprocessing]",
        *_preprocessing(sizes, target, columns),
        *_network(sizes, target, columns),
    ]
    return "\n".join(lines) + "\n"


def _preprocessing(
    sizes: _Sizes, target: TargetProfile, columns: Sequence[ColumnProfile]
) -> list[str]:
    roles: dict[str, list[ColumnProfile]] = {}
    for column in columns:
        roles.setdefault(column.role, []).append(column)
    numbers = roles.get("number", [])
    intervals = sizes.intervals(len(numbers))
    lines = []
    if "ignored" in roles:
        lines += ["# Left out, each for the reason beside it."]
        lines += _names("ignore", roles["ignored"], lambda column: column.reason)
    if "category" in roles:
        lines += ["# A feature of 0 or 1 for each level."]
        lines += _names("categories", roles["category"], _describe)
    if "embedded" in roles:
        lines += [
            "# Categories of many levels: a learnt vector for each, by EntityEmbedding below."
        ]
        lines += _names("embed", roles["embedded"], _describe)
    if {"category", "embedded"} & roles.keys():
        count = int(np.clip(sizes.rows // 1000, 2, 10))
        lines += ["# Levels of fewer rows share the place of levels that training did not see."]
        lines += [f"min_count = {count}"]
    skewed = [column for column in numbers if column.is_skewed]
    if numbers and intervals > 1:
        lines += ["# Numbers, standardised and divided into intervals; others are standardised."]
        lines += _names("piecewise", numbers, _describe)
        lines += [f"intervals = {intervals}"]
    elif 0 < len(skewed) <= _MAX_LISTED:
        lines += ["# Skewed numbers, by their logarithm; others are standardised."]
        lines += _names("log", skewed, _describe)
    if any(column.missing for column in columns if column.role != "ignored"):
        lines += ["# A missing number gets the median and a feature that says so; text, a level."]
        lines += ['missing = "median"']
    if target.missing:
        lines += [
            f"# Left out: {count_of(target.missing, 'row')} without a target.",
            'missing_target = "drop"',
        ]
    if target.task == "counts":
        lines += ["# A Poisson loss takes counts as they are.", "standardize_target = false"]
    if "date" in roles:
        lines += ["", "# Dates: elapsed time, year, and the cycles of months, weekdays and hours."]
        lines += ["[preprocessing.dates]"]
        for column in roles["date"]:
            form = toml_text(column.notation or "ISO8601")
            lines += [f"{toml_key(column.name)} = {form}  # {_inline(_describe(column))}"]
    return [*lines, ""]


def _network(sizes: _Sizes, target: TargetProfile, columns: Sequence[ColumnProfile]) -> list[str]:
    loss, meaning = _LOSSES[target.task]
    rate = sizes.dropout(target.task)
    embeds = any(column.role == "embedded" for column in columns)
    first = ['    { type = "EntityEmbedding" },'] if embeds else []
    hidden = [
        f'    {{ type = "Affine", out_features = {sizes.width} }},',
        '    { type = "ReLU" },',
        *([f'    {{ type = "Dropout", rate = {rate} }},'] if rate else []),
    ]
    metrics = ['metrics = ["accuracy"]'] if target.is_class else []
    return [
        "# The widths of inputs and outputs follow from the data.",
        "[model]",
        'type = "Sequential"',
        "layers = [",
        *first,
        *hidden,
        *hidden,
        '    { type = "Affine", weight_init = "small_normal" },',
        "]",
        "",
        f"# {meaning[0].upper()}{meaning[1:]}.",
        "[loss]",
        f'type = "{loss}"',
        "",
        "[optimizer]",
        'type = "AdamW"',
        f"weight_decay = {sizes.weight_decay}",
        "",
        "[optimizer.lr]",
        'type = "CosineDecay"',
        "lr = 0.002",
        "",
        "# The run ends early, and goes back to its best epoch, if validation does not improve.",
        "[training]",
        f"epochs = {sizes.epochs}",
        f"batch_size = {sizes.batch_size}",
        *metrics,
        "",
        "[[training.callbacks]]",
        'type = "EarlyStopping"',
        f"patience = {max(sizes.epochs // 3, 5)}",
    ]


def _names(
    key: str, columns: Iterable[ColumnProfile], describe: Callable[[ColumnProfile], str]
) -> list[str]:
    """Return a list of columns, each with a comment."""
    items = [f"    {toml_text(column.name)},  # {_inline(describe(column))}" for column in columns]
    return [f"{key} = [", *items, "]"]


def _describe(column: ColumnProfile) -> str:
    """Return what a column holds, in words."""
    levels = f"{column.levels:,} levels: " if column.role in ("category", "embedded") else ""
    missing = f", {column.missing:,} missing" if column.missing else ""
    return f"{levels}{column.reason}{missing}"


def _inline(text: str) -> str:
    """Return text for a comment, without control characters."""
    shown = text if text.isprintable() else toml_text(text)
    return shown if len(shown) <= 160 else f"{shown[:157]}..."
