"""Decide after which epochs a run writes a checkpoint."""

from __future__ import annotations

import time

from nnlayers.training.callbacks.interval import Interval

__all__ = ["CheckpointClock"]

# The training between two checkpoints takes at least so many times as long as one takes to write,
# which bounds their cost by 3 % with the first and the last one, which come on top.
_RATIO = 40


class CheckpointClock:
    """Tells whether a checkpoint is due.

    Parameters
    ----------
    checkpoint_every : str
        The interval between two checkpoints: a number of epochs (``"5 epochs"``) or a time
        (``"30 s"``), after which the next epoch ends with one. ``"auto"`` is after every epoch, but
        not so often that writing takes more than 3 % of the time.

    Raises
    ------
    TypeError, ValueError
        If it is neither.

    Examples
    --------
    >>> clock = CheckpointClock("2 epochs")
    >>> clock.start(epoch=0)
    >>> clock.is_due(1), clock.is_due(2)
    (False, True)
    """

    def __init__(self, checkpoint_every: str = "auto") -> None:
        self._interval = None
        if checkpoint_every != "auto":
            self._interval = Interval.parse("checkpoint_every", checkpoint_every)
            if self._interval.unit == "step":
                raise ValueError(
                    "checkpoint_every must be 'auto', a number of epochs such as '5 epochs' or a "
                    f"time such as '30 s', got {checkpoint_every!r}"
                )
        self._epoch, self._written, self._cost = 0, 0.0, 0.0

    def start(self, epoch: int) -> None:
        """Note that a checkpoint is about to be written after so many epochs."""
        self._epoch, self._written = epoch, time.perf_counter()

    def end(self) -> None:
        """Note that it has been written."""
        now = time.perf_counter()
        self._cost, self._written = now - self._written, now

    def is_due(self, epoch: int) -> bool:
        """Return whether the end of this epoch, counted from 1, needs a checkpoint."""
        if self._interval is not None and self._interval.unit == "epoch":
            return epoch - self._epoch >= self._interval.amount
        least = _RATIO * self._cost if self._interval is None else self._interval.amount
        return time.perf_counter() - self._written >= least
