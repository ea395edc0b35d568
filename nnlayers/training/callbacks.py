"""What looks on at the ends of epochs, and may stop the training."""

from __future__ import annotations

import csv
import io
import os
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TextIO

from nnlayers._core.checks import check_path
from nnlayers._core.files import write_file
from nnlayers.training.callback import Callback
from nnlayers.training.history import History
from nnlayers.training.monitored import Checkpoint, EarlyStopping, ReduceOnPlateau

if TYPE_CHECKING:
    from nnlayers.training.trainer import Trainer

__all__ = [
    "CSVLogger",
    "Callback",
    "Checkpoint",
    "EarlyStopping",
    "LambdaCallback",
    "ReduceOnPlateau",
]


class LambdaCallback(Callback):
    """Call functions of your own, each with the trainer.

    Parameters
    ----------
    on_epoch_end, on_fit_start, on_fit_end : callable, optional
        ``function(trainer)``.

    Examples
    --------
    >>> report = LambdaCallback(lambda trainer: print(trainer.history.last))
    """

    def __init__(
        self,
        on_epoch_end: Callable[[Trainer], Any] | None = None,
        on_fit_start: Callable[[Trainer], Any] | None = None,
        on_fit_end: Callable[[Trainer], Any] | None = None,
    ) -> None:
        functions = {
            "on_epoch_end": on_epoch_end,
            "on_fit_start": on_fit_start,
            "on_fit_end": on_fit_end,
        }
        for name, function in functions.items():
            if function is not None:
                if not callable(function):
                    raise TypeError(f"{name} must be a function of the trainer, got {function!r}")
                setattr(self, name, function)


class CSVLogger(Callback):
    """Write the history to a CSV file, one row an epoch, as the epochs end.

    The file is the trainer's history at all times: a fit that continues adds its epochs, a new
    trainer starts the file anew. Each row is on its way to disk before the next epoch.

    Parameters
    ----------
    path : str or path-like
        The file; its directory must exist.

    Raises
    ------
    OSError
        At the start of fit, if the file cannot be written.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.path = check_path("path", path)
        self._file: TextIO | None = None
        self._columns: tuple[str, ...] = ()

    def on_fit_start(self, trainer: Trainer) -> None:
        """Write the epochs there are."""
        self._write_all(trainer.history)

    def on_epoch_end(self, trainer: Trainer) -> None:
        """Write the epoch, or everything where there are new columns."""
        history = trainer.history
        if self._file is None or history.columns != self._columns:
            self._write_all(history)
        else:
            csv.writer(self._file).writerow([len(history), *history.last.values()])
            self._file.flush()

    def on_fit_end(self, trainer: Trainer) -> None:
        """Close the file, with the rows that the history has after all."""
        if self._file is not None:
            self._write_all(trainer.history)
            self._close()

    def _close(self) -> None:
        if self._file is not None:
            self._file.close()
            self._file = None

    def _write_all(self, history: History) -> None:
        """Put a new file in the place of the old one, which is whole until then."""
        self._close()
        text = io.StringIO()
        writer = csv.writer(text)
        writer.writerow(["epoch", *history.columns])
        writer.writerows([epoch, *row.values()] for epoch, row in enumerate(history, 1))
        write_file(self.path, lambda file: file.write(text.getvalue().encode()))
        self._file = self.path.open("a", encoding="utf-8", newline="")
        self._columns = history.columns
