"""Describe experiments and runs by what they are made of, in a line each."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

from nnlayers._core.showing import shown
from nnlayers.config.document import ConfigError
from nnlayers.training.entries import describe_history, describe_model, entries_of

if TYPE_CHECKING:
    from nnlayers.config.experiment import Experiment
    from nnlayers.config.trained_run import TrainedRun

__all__ = ["entries_of_experiment", "entries_of_run"]

_MOST_NAMES = 10


def entries_of_experiment(experiment: Experiment) -> dict[str, str]:
    """Return the config, the numbers of rows and the trainer of an experiment as texts by name."""
    rows = ", ".join(f"{len(table):,} {name}" for name, table in experiment.parts.items())
    return {"config": experiment.source, "rows": rows, **entries_of(experiment.trainer)}


def entries_of_run(run: TrainedRun) -> dict[str, str]:
    """Return the data, the model and the scores of a run as texts by name.

    What cannot be read from its directory is left out.
    """
    columns = [*map(repr, run.preprocessing.columns)]
    if len(columns) > _MOST_NAMES:
        columns[_MOST_NAMES - 1 :] = [f"{len(columns) - _MOST_NAMES + 1:,} more"]
    classes = len(run.preprocessing.classes)
    entries = {
        "directory": str(run.directory),
        "columns": ", ".join(columns),
        "target": f"{run.preprocessing.target_name!r}, "
        + (f"{classes} classes" if classes else "a number"),
        "model": describe_model(run.model),
        "loss": shown(run.loss),
    }
    with suppress(ConfigError, OSError):
        entries["trained"] = describe_history(run.history)
    with suppress(ConfigError, OSError):
        if scores := run.test_scores:
            own = {k: v for k, v in scores.items() if k != "rows" and "baseline" not in k}
            entries["test"] = ", ".join(f"{name} {value:.4g}" for name, value in own.items())
    return entries
