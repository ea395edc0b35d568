"""Write the history to a CSV file as epochs end."""

from __future__ import annotations

import csv
import io
import os
from typing import TYPE_CHECKING, TextIO

from nnlayers._core.checks import check_path
from nnlayers._core.files import write_file
from nnlayers.training.callbacks.base import Callback
from nnlayers.training.history import History

if TYPE_CHECKING:
    from nnlayers.training.trainer import Trainer

__all__ = ["CSVLogger"]


class CSVLogger(Callback):
    """Write the history to a CSV file, one row per epoch.

    The file always mirrors the trainer's history: a fit that continues adds its epochs, and a new
    trainer replaces the file. Each row is flushed before the next epoch starts.

    Parameters
    ----------
    path : str or path-like
        The file; its directory must exist.

    Raises
    ------
    OSError
        At the start of a fit, if the file cannot be written.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.path = check_path("path", path)
        self._file: TextIO | None = None
        self._columns: tuple[str, ...] = ()

    def on_fit_start(self, trainer: Trainer) -> None:
        """Write the epochs of earlier fits."""
        self._write_all(trainer.history)

    def on_epoch_end(self, trainer: Trainer) -> None:
        """Append the epoch, or write the whole file again if there are new columns."""
        history = trainer.history
        if self._file is None or history.columns != self._columns:
            self._write_all(history)
        else:
            csv.writer(self._file).writerow([len(history), *history.last.values()])
            self._file.flush()

    def on_fit_end(self, trainer: Trainer) -> None:
        """Write the final history, which other callbacks may have changed, and close the file."""
        if self._file is not None:
            self._write_all(trainer.history)
            self._close()

    def _close(self) -> None:
        if self._file is not None:
            self._file.close()
            self._file = None

    def _write_all(self, history: History) -> None:
        """Replace the file, which stays intact until the new one is complete."""
        self._close()
        text = io.StringIO()
        writer = csv.writer(text)
        writer.writerow(["epoch", *history.columns])
        writer.writerows([epoch, *row.values()] for epoch, row in enumerate(history, 1))
        write_file(self.path, lambda file: file.write(text.getvalue().encode()))
        self._file = self.path.open("a", encoding="utf-8", newline="")
        self._columns = history.columns
