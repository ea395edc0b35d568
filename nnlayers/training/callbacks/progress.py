"""Progress bar of a fit."""

from __future__ import annotations

import sys
from contextlib import suppress
from typing import TYPE_CHECKING

from nnlayers._core.checks import optional_library
from nnlayers._core.streams import is_terminal
from nnlayers.training.callbacks.base import Callback

if TYPE_CHECKING:
    from nnlayers.training.trainer import Trainer

__all__ = ["ProgressBar", "progress_bars"]


def progress_bars(epochs: int) -> list[Callback]:
    """Return a bar for a fit of `epochs`, or none unless standard error is a terminal.

    Raises
    ------
    ModuleNotFoundError
        If rich is not installed.
    """
    optional_library("rich.progress", "cli")
    return [ProgressBar(epochs)] if is_terminal(sys.stderr) else []


class ProgressBar(Callback):
    """Show epoch, loss and validation loss on standard error.

    Parameters
    ----------
    epochs : int
        Number of epochs of the fit.
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
            # Other callbacks may print: on a terminal that belongs above the bar, but a redirected
            # standard output must stay as they wrote it.
            redirect_stdout=is_terminal(sys.stdout),
        )

    def on_fit_start(self, trainer: Trainer) -> None:
        """Show the bar."""
        done = len(trainer.history)
        self._task = self._bar.add_task("", total=done + self.epochs, completed=done)
        self._bar.start()

    def on_epoch_end(self, trainer: Trainer) -> None:
        """Advance the bar."""
        last = trainer.history.last
        losses = [f"{name} {last[name]:.4g}" for name in ("loss", "val_loss") if name in last]
        self._bar.update(self._task, advance=1, description="  ".join(losses))

    def on_fit_end(self, trainer: Trainer) -> None:
        """Stop the bar and leave it on the screen."""
        with suppress(OSError):  # The terminal may have been closed.
            self._bar.stop()
