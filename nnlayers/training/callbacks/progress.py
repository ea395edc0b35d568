"""Progress of a fit: a bar in a terminal or a notebook, or lines for a log file."""

from __future__ import annotations

import sys
import time
from contextlib import suppress
from html import escape
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

from nnlayers._core.checks import optional_library
from nnlayers._core.showing import shown
from nnlayers._core.streams import is_terminal, notebook_display
from nnlayers.training.callbacks.base import Callback

if TYPE_CHECKING:
    from nnlayers.training.trainer import Trainer

__all__ = ["LogLines", "NotebookBar", "Progress", "ProgressBar", "check_progress", "show_progress"]

Progress: TypeAlias = bool | Literal["log"]

# A log of a fit has about this many lines, and more if they are further apart than a minute.
_LINES = 20
_MAX_SECONDS = 60.0
# An epoch may take less time than a message to a notebook.
_MIN_SECONDS = 0.1
_BAR = "width:12em;vertical-align:middle;margin-right:0.6em"


def check_progress(progress: object) -> Progress:
    """Return the argument `progress`, or raise ``TypeError`` unless it is a boolean or ``"log"``.

    Examples
    --------
    >>> check_progress("bar")
    Traceback (most recent call last):
    TypeError: progress must be True, False or 'log', got 'bar'
    """
    if isinstance(progress, str) and progress == "log":
        return "log"
    if not isinstance(progress, bool):
        raise TypeError(f"progress must be True, False or 'log', got {shown(progress)}")
    return progress


def show_progress(progress: Progress, epochs: int) -> list[Callback]:
    """Return what shows the progress of a fit of `epochs`.

    True is a bar in a notebook, or on standard error if that is a terminal; ``"log"`` is lines on
    standard output.

    Raises
    ------
    ModuleNotFoundError
        If rich is not installed, which draws the bar in a terminal.
    """
    if not progress:
        return []
    if progress == "log":
        return [LogLines(epochs)]
    display = notebook_display()
    if display is not None:
        return [NotebookBar(epochs, display)]
    optional_library("rich.progress", "cli")
    return [ProgressBar(epochs)] if is_terminal(sys.stderr) else []


class LogLines(Callback):
    """Print a line every few epochs: after the first and the last one, and about 20 between.

    Epochs that are longer than a few seconds have more lines, at least one in a minute.

    Parameters
    ----------
    epochs : int
        Number of epochs of the fit.

    Examples
    --------
    >>> [lines_apart(epochs) for epochs in (3, 50, 300, 10_000)]
    [1, 5, 20, 500]
    """

    is_observer = True

    def __init__(self, epochs: int) -> None:
        self.epochs = epochs
        self._has_started = False

    def on_fit_start(self, trainer: Trainer) -> None:
        """Note the time."""
        self._has_started = True
        self._first = self._last = len(trainer.history)
        self._start = self._last_time = time.perf_counter()
        self._every = lines_apart(self.epochs)

    def on_epoch_end(self, trainer: Trainer) -> None:
        """Print a line if one is due."""
        epoch = len(trainer.history)
        is_late = time.perf_counter() - self._last_time >= _MAX_SECONDS
        if epoch == self._first + 1 or epoch % self._every == 0 or is_late:
            self._print(trainer)

    def on_fit_end(self, trainer: Trainer) -> None:
        """Print the last epoch, if it has no line yet."""
        if self._has_started and len(trainer.history) > self._last:
            self._print(trainer)

    def _print(self, trainer: Trainer) -> None:
        self._last, self._last_time = len(trainer.history), time.perf_counter()
        row = _row_text(trainer, tuple(trainer.history.last))
        seconds = self._last_time - self._start
        # A reader that has gone, or a closed file, is no reason to end the fit.
        with suppress(OSError, ValueError):
            print(
                f"epoch {self._last} of {self._first + self.epochs}: {row} ({_duration(seconds)})",
                flush=True,
            )


class NotebookBar(Callback):
    """Show a bar with the losses below the cell of a notebook.

    Parameters
    ----------
    epochs : int
        Number of epochs of the fit.
    display : callable
        IPython's function ``display``.
    """

    is_observer = True

    def __init__(self, epochs: int, display: Any) -> None:
        self.epochs = epochs
        self._display = display
        self._handle: Any = None

    def on_fit_start(self, trainer: Trainer) -> None:
        """Show the bar."""
        self._done = len(trainer.history)
        self._total = self._done + self.epochs
        self._start = self._last_time = time.perf_counter()
        self._text = ""
        self._handle = self._display(self, display_id=True)

    def on_epoch_end(self, trainer: Trainer) -> None:
        """Advance the bar."""
        if time.perf_counter() - self._last_time >= _MIN_SECONDS:
            self._update(trainer)

    def on_fit_end(self, trainer: Trainer) -> None:
        """Leave the bar as it is at the end."""
        if self._handle is not None:  # The fit may have failed before it began.
            self._update(trainer)

    def _update(self, trainer: Trainer) -> None:
        self._done, self._last_time = len(trainer.history), time.perf_counter()
        losses = _row_text(trainer, ("loss", "val_loss")) if self._done else ""
        self._text = f"{losses} ({_duration(self._last_time - self._start)})"
        self._handle.update(self)

    def __repr__(self) -> str:
        return f"epoch {self._done} of {self._total}: {self._text}"

    def _repr_html_(self) -> str:
        bar = f'<progress value="{self._done}" max="{self._total}" style="{_BAR}"></progress>'
        return f"<div>{bar}{escape(repr(self))}</div>"


class ProgressBar(Callback):
    """Show epoch, loss and validation loss on standard error.

    Parameters
    ----------
    epochs : int
        Number of epochs of the fit.
    """

    is_observer = True

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
        losses = _row_text(trainer, ("loss", "val_loss"))
        self._bar.update(self._task, advance=1, description=losses)

    def on_fit_end(self, trainer: Trainer) -> None:
        """Stop the bar and leave it on the screen."""
        with suppress(OSError):  # The terminal may have been closed.
            self._bar.stop()


def lines_apart(epochs: int) -> int:
    """Return the number of epochs from a line to the next: 1, 2 or 5 times a power of ten."""
    power = 1
    while True:
        for factor in (1, 2, 5):
            if factor * power * _LINES >= epochs:
                return factor * power
        power *= 10


def _row_text(trainer: Trainer, names: tuple[str, ...]) -> str:
    """Return some of the losses and metrics of the last epoch."""
    last = trainer.history.last
    return ", ".join(f"{name} {last[name]:.4g}" for name in names if name in last)


def _duration(seconds: float) -> str:
    """Return a time as text.

    Examples
    --------
    >>> _duration(0.25), _duration(3700.0)
    ('0.2 s', '1:01:40')
    """
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(int(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}"
