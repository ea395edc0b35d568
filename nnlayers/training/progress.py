"""The progress bar."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from nnlayers._core.checks import optional_library
from nnlayers.training.callbacks import Callback

if TYPE_CHECKING:
    from nnlayers.training.trainer import Trainer

__all__ = ["ProgressBar", "progress_bars"]


def progress_bars(epochs: int) -> list[Callback]:
    """Return the bar for a fit of so many epochs, if standard error is a terminal that shows it.

    Raises
    ------
    ModuleNotFoundError
        If rich is not installed.
    """
    optional_library("rich.progress", "cli")
    return [ProgressBar(epochs)] if sys.stderr.isatty() else []


class ProgressBar(Callback):
    """Show epoch, loss and validation loss on standard error.

    Parameters
    ----------
    epochs : int
        How many epochs are to come.
    """

    def __init__(self, epochs: int) -> None:
        rich = optional_library("rich.progress", "cli")
        self.epochs = epochs
        self._bar = rich.Progress(
            rich.TextColumn("epoch {task.completed}/{task.total}"),
            rich.BarColumn(),
            rich.TextColumn("{task.description}"),
            rich.TimeElapsedColumn(),
            console=optional_library("rich.console", "cli").Console(stderr=True),
            # What a callback prints belongs above the bar, unless it goes to a file.
            redirect_stdout=sys.stdout.isatty(),
        )

    def on_fit_start(self, trainer: Trainer) -> None:
        """Show the bar."""
        done = len(trainer.history)
        self._task = self._bar.add_task("", total=done + self.epochs, completed=done)
        self._bar.start()

    def on_epoch_end(self, trainer: Trainer) -> None:
        """Move the bar."""
        last = trainer.history.last
        shown = [f"{name} {last[name]:.4g}" for name in ("loss", "val_loss") if name in last]
        self._bar.update(self._task, advance=1, description="  ".join(shown))

    def on_fit_end(self, trainer: Trainer) -> None:
        """Leave the bar as it stands."""
        self._bar.stop()
