"""Write the history to a CSV file as epochs end."""

from __future__ import annotations

import csv
import io
import os
from collections.abc import Iterable
from typing import TYPE_CHECKING

from nnlayers._core.checks import check_boolean, check_path
from nnlayers._core.files import append_file, write_file
from nnlayers.training.callbacks.base import Callback
from nnlayers.training.history import History

if TYPE_CHECKING:
    from nnlayers.training.trainer import Trainer

__all__ = ["CSVLogger"]


class CSVLogger(Callback):
    """Write the history to a CSV file, one row per epoch.

    The file always mirrors the trainer's history: a fit that continues adds its epochs, and a new
    trainer replaces the file. Each row is written before the next epoch starts.

    Parameters
    ----------
    path : str or path-like
        The file; its directory must exist.
    sync : bool
        Whether to wait until each row is on the disk, so that a power loss does not lose it.

    Raises
    ------
    OSError
        At the start of a fit, if the file cannot be written.
    """

    is_observer = True

    def __init__(self, path: str | os.PathLike[str], sync: bool = False) -> None:
        self.path = check_path("path", path)
        self.sync = check_boolean("sync", sync)
        self._columns: tuple[str, ...] | None = None
        self._rows = 0

    def on_fit_start(self, trainer: Trainer) -> None:
        """Write the epochs of earlier fits."""
        self._write_all(trainer.history)

    def on_epoch_end(self, trainer: Trainer) -> None:
        """Append the epochs that the file lacks, or write it again if there are new columns."""
        history = trainer.history
        if history.columns != self._columns:
            self._write_all(history)
            return
        text = _csv([i + 1, *history.rows[i].values()] for i in range(self._rows, len(history)))
        append_file(self.path, text, sync=self.sync)
        self._rows = len(history)

    def on_fit_end(self, trainer: Trainer) -> None:
        """Write the final history, which other callbacks may have changed."""
        if self._columns is not None:
            self._write_all(trainer.history)
            self._columns = None

    def _write_all(self, history: History) -> None:
        """Replace the file, which stays intact until the new one is complete."""
        rows = ([epoch, *row.values()] for epoch, row in enumerate(history, 1))
        text = _csv([["epoch", *history.columns], *rows])
        write_file(self.path, lambda file: file.write(text))
        self._columns, self._rows = history.columns, len(history)


def _csv(rows: Iterable[Iterable[object]]) -> bytes:
    text = io.StringIO()
    csv.writer(text).writerows(rows)
    return text.getvalue().encode()
