"""Compare trained runs: a table of what differs, and their curves together."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from nnlayers._core.display import Grid
from nnlayers._core.toml_text import toml_text
from nnlayers.config.document import differences
from nnlayers.config.trained_run import TrainedRun
from nnlayers.training.figures import new_figure

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["Comparison"]

# A longer value of a config, such as a list of layers, is cut off in the table.
_MAX_WIDTH = 32
_COLOURS = 10


class Comparison:
    """Table of runs, one a row, and a picture of their curves.

    ``print(comparison)`` shows, for each run, the keys of the configs that are not the same in all
    runs, the number of epochs and of weights, the training time in seconds, the losses and metrics
    of the last epoch for the validation rows, and the scores of the test rows. A dash stands for a
    value that a run does not have.

    Parameters
    ----------
    runs : sequence of TrainedRun
        The runs, at least one.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> from nnlayers.config import Run, load_run, prepare
    >>> config = {
    ...     "data": {"type": "moons", "rows": 60},
    ...     "split": {"validation": 0, "test": 0},
    ...     "model": {"type": "mlp", "sizes": [2, 4, 2]},
    ...     "loss": {"type": "SoftmaxCrossEntropy"},
    ...     "optimizer": {"type": "SGD", "lr": 0.1},
    ...     "training": {"epochs": 1},
    ... }
    >>> with tempfile.TemporaryDirectory() as directory:
    ...     for name, lr in [("a", 0.1), ("b", 0.2)]:
    ...         config["optimizer"]["lr"] = lr
    ...         Run(prepare(config, "moons.toml"), Path(directory, name)).train()
    ...     rows = Comparison([load_run(Path(directory, name)) for name in "ab"]).entries
    >>> [(row["optimizer.lr"], row["weights"]) for row in rows]
    [('0.1', '22'), ('0.2', '22')]
    """

    def __init__(self, runs: Sequence[TrainedRun]) -> None:
        if not runs:
            raise ValueError("runs must be at least one run, got none")
        self.runs = list(runs)

    @property
    def entries(self) -> list[dict[str, str]]:
        """The rows of the table: texts by column."""
        rows = [{"run": str(run.directory)} for run in self.runs]
        for path, values in differences(*[run.config for run in self.runs]):
            for row, value in zip(rows, values, strict=True):
                row[path] = "-" if value is None else _shorten(toml_text(value))
        measured = [_measurements(run) for run in self.runs]
        for name in dict.fromkeys(name for values in measured for name in values):
            for row, texts in zip(rows, measured, strict=True):
                row[name] = texts.get(name, "-")
        return rows

    def plot(self) -> Figure:
        """Plot the loss and each metric over the epochs, with a colour for each run.

        Training is drawn with solid lines, validation with dashed ones.

        Raises
        ------
        ModuleNotFoundError
            Without matplotlib.
        """
        columns = dict.fromkeys(
            name.removeprefix("val_") for run in self.runs for name in run.history.columns
        )
        names = list(columns) or ["loss"]
        figure = new_figure(
            figsize=(5 * len(names), 3.5 + 0.2 * len(self.runs)), layout="constrained"
        )
        for axes, name in zip(figure.subplots(1, len(names), squeeze=False)[0], names, strict=True):
            self._draw(axes, name)
        handles = [
            figure.axes[0].plot([], [], f"C{i % _COLOURS}")[0] for i in range(len(self.runs))
        ]
        legend = figure.legend(
            handles, [str(run.directory) for run in self.runs], loc="outside lower center"
        )
        for text in legend.get_texts():
            text.set_parse_math(False)  # A dollar sign in a path does not begin a formula.
        return figure

    def _draw(self, axes: Axes, name: str) -> None:
        """Draw a column of all runs."""
        for index, run in enumerate(self.runs):
            epochs = range(1, len(run.history) + 1)
            for column, style in ((name, "-"), (f"val_{name}", "--")):
                if column in run.history:
                    axes.plot(epochs, run.history[column], style, color=f"C{index % _COLOURS}")
        axes.set_title(name, parse_math=False)
        axes.set_xlabel("epoch")
        axes.locator_params(axis="x", integer=True)

    def __repr__(self) -> str:
        return f"Comparison({', '.join(str(run.directory) for run in self.runs)})"

    def __str__(self) -> str:
        return self._grid().text()

    def _repr_html_(self) -> str:
        return self._grid().html()

    def _grid(self) -> Grid:
        rows = self.entries
        align = "l" + "r" * (len(rows[0]) - 1)
        return Grid(list(rows[0]), [list(row.values()) for row in rows], align)


def _measurements(run: TrainedRun) -> dict[str, str]:
    """Return the sizes, the duration and the scores of a run, as text by column."""
    last = run.history.last if len(run.history) else {}
    scores = {name: value for name, value in run.test_scores.items() if name != "rows"}
    weights = sum(parameter.size for parameter in run.model.parameters())
    return {
        "epochs": str(len(run.history)),
        "weights": f"{weights:,}",
        "seconds": "-" if run.seconds is None else f"{run.seconds:.1f}",
        **{name: f"{value:.4g}" for name, value in last.items() if name.startswith("val_")},
        **{f"test_{name}": f"{value:.4g}" for name, value in scores.items()},
    }


def _shorten(text: str) -> str:
    return text if len(text) <= _MAX_WIDTH else f"{text[: _MAX_WIDTH - 3]}..."
