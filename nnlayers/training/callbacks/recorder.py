"""Record a film of a training."""

from __future__ import annotations

import math
import sys
import time
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy.typing as npt

from nnlayers._core.arrays import Array
from nnlayers._core.checks import check_integer, check_number, check_strings
from nnlayers.training.callbacks.base import Callback

if TYPE_CHECKING:
    from nnlayers.drawing.film import Film
    from nnlayers.training.reel import Reel
    from nnlayers.training.snapshots import Camera
    from nnlayers.training.trainer import Trainer

__all__ = ["Recorder"]

# The seconds by which a fit is longer for each end of a call that would otherwise run more epochs.
# Times are those of the processor in this thread, which are the same on a machine that is busy.
_STOP_SECONDS = 0.0003


class Recorder(Callback):
    """Record a film of a training, which :meth:`History.to_html` shows.

    A frame holds what the network is like at the end of an epoch: its weights, reduced to at most
    32 by 32 means; on at most 200 rows of the training data the norms of the gradients, histograms
    of the outputs of the layers, and the share of units that are 0 for all of these rows; and for
    one or two features what the network makes of the line or the plane.

    The start of the training and the last epoch have a frame, and so do the first epochs; of a
    longer training, later ones are further apart. While the network learns, only its weights are
    copied, for at most a share of the time of a fit, beside up to 1 ms at its start. Frames are
    made of the copies when the film is read, for a page or a checkpoint, which takes some
    milliseconds each, or at once where copies would take more than 32 MB. They leave no trace in
    the training: with and without them it ends with the same bits.

    Put it behind the callbacks that may end the fit, so that it sees that an epoch is the last. A
    film is part of the state that checkpoints keep, and goes on when a fit is resumed.

    Parameters
    ----------
    frames : int
        The largest number of frames, from 2 to 50.
    features : list of str
        Names of one or two features.
    classes : list of str
        Names of the classes, by their ids.
    share : float or None
        The largest share of the time of a fit, above 0 and at most 1; None records every epoch that
        is due, whatever it takes, as for a training of a tenth of a second that is to be shown.

    Attributes
    ----------
    film : Film or None
        The film, also ``trainer.history.film``; None before the first fit.

    Raises
    ------
    TypeError, ValueError
        If an argument is of the wrong kind or out of range.

    Examples
    --------
    >>> import tempfile
    >>> import numpy as np
    >>> import nnlayers as nn
    >>> table = nn.data.moons(100)
    >>> X = np.column_stack(list(table.columns.values()))
    >>> model = nn.mlp([2, 8, 2], rng=0)
    >>> optimizer = nn.optim.Adam(model.parameters(), lr=0.01)
    >>> recorder = Recorder(features=["x1", "x2"])
    >>> trainer = nn.Trainer(model, nn.SoftmaxCrossEntropy(), optimizer, callbacks=[recorder])
    >>> history = trainer.fit(X, table.target, epochs=5, rng=0)
    >>> history.film.epochs[0], history.film.epochs[-1]
    (0, 5)
    >>> with tempfile.TemporaryDirectory() as directory:
    ...     history.to_html(f"{directory}/moons.html")
    """

    is_observer = True

    def __init__(
        self,
        frames: int = 50,
        features: Sequence[str] = (),
        classes: Sequence[str] = (),
        share: float | None = 0.02,
    ) -> None:
        self.frames = check_integer("frames", frames, minimum=2, maximum=50)
        self.features = check_strings("features", features, "names of features")
        self.classes = check_strings("classes", classes, "names of classes")
        self.share = None if share is None else check_number("share", share, above=0, maximum=1)
        self._reel: Reel | None = None
        self._camera: Camera | None = None
        # The start of the fit, the seconds that the film had taken before and those of the first
        # copy, the number of copies since, and the time and the epoch of the next.
        self._started, self._before, self._first, self._count = 0.0, 0.0, 0.0, 0
        self._ready, self._due = -math.inf, 0.0
        # The time and the epoch of the last call, and the seconds of an epoch since.
        self._called, self._epoch, self._epoch_seconds = 0.0, 0, 0.0
        self._is_between_epochs = False
        # The epochs that were asked for in one call, and whether calls stop for frames alone: never
        # if nothing asks, and not if a call ends after one epoch in any case.
        self._wanted, self._is_stopped, self._stops = 0, False, 0

    @property
    def film(self) -> Film | None:
        """The film; reading it makes frames of the copies of the weights."""
        return None if self._reel is None else self._reel.film

    @film.setter
    def film(self, film: Film | None) -> None:
        from nnlayers.training.reel import Reel

        self._reel = None if film is None else Reel(film)

    def on_fit_start(self, trainer: Trainer) -> None:
        """Record the network as it is at the start, unless the film goes on."""
        from nnlayers.training.reel import Reel
        from nnlayers.training.snapshots import Camera

        self._started, self._epoch = time.thread_time(), len(trainer.history)
        self._is_between_epochs, self._wanted, self._is_stopped, self._stops = True, 0, False, 0
        if self._reel is None or self._reel.epochs[-1:] > [self._epoch]:
            self._reel = Reel()  # The one so far is that of another training.
        trainer.history.reel = self._reel
        self._camera = Camera(trainer, self.features, self.classes)
        self._before, self._epoch_seconds = self._reel.seconds, 0.0
        self._record(trainer)
        self._first, self._before = self._reel.seconds - self._before, self._reel.seconds
        self._count = 0
        self._plan()

    def on_epoch_start(self, trainer: Trainer) -> None:
        """Note that the weights are no longer those of the end of an epoch."""
        self._is_between_epochs = False
        self._called, self._epoch = time.thread_time(), len(trainer.history)

    def epochs_to_call(self, trainer: Trainer) -> int:
        """Return the number of epochs until a frame is due and there is time for it."""
        if not self._wanted:
            self._is_stopped = True
            self._plan()
        wanted: float = 1
        if self._epoch_seconds:
            left = (self._ready - self._called) / self._epoch_seconds
            # A call that ends too early needs another one, so it is a little longer.
            wanted = max(self._due - self._epoch, 1.1 * left + 1 if left > 0 else 1)
        self._wanted = math.ceil(min(wanted, sys.maxsize))
        return self._wanted

    def on_epoch_end(self, trainer: Trainer) -> None:
        """Record a frame if the epoch is the last, or one is due and there is time for it."""
        now, epoch = time.thread_time(), len(trainer.history)
        self._is_between_epochs = True
        count = epoch - self._epoch
        self._stops += 1
        if self._wanted > 1 and self._is_stopped != (count > 1):
            self._is_stopped = count > 1
            self._plan()
        self._epoch_seconds = (now - self._called) / max(1, count)
        is_last = trainer.is_stopping or not trainer.epochs_left
        if is_last or (now >= self._ready and epoch >= self._due):
            self._record(trainer)

    def on_fit_end(self, trainer: Trainer) -> None:
        """Record the last epoch if another callback has ended the fit there."""
        if self._is_between_epochs and len(trainer.history):
            self._record(trainer)
        self._is_between_epochs = False
        self._camera = None

    def state_dict(self) -> dict[str, Array]:
        """Return the film; nothing before the first frame."""
        film = self.film
        state = {} if film is None else film.state_dict()
        return {f"film.{name}": array for name, array in state.items()}

    def load_state_dict(self, state: Mapping[str, npt.ArrayLike]) -> None:
        """Restore the film; without entries, as in a checkpoint of a training without one, none.

        Raises
        ------
        ValueError
            If they are not those of a film.
        """
        # Drawing is imported where it is used, because most programs draw nothing.
        from nnlayers.drawing.film import Film

        film = self.film or Film()
        film.load_state_dict({name.removeprefix("film."): a for name, a in state.items()})
        self.film = film

    def _record(self, trainer: Trainer) -> None:
        """Copy the network as it is now, unless this epoch has a frame."""
        reel, epoch = self._reel, len(trainer.history)
        if reel is None or self._camera is None:  # It could not start.
            return
        if epoch not in reel.epochs[-1:]:
            reel.expose(epoch, self._camera, self.frames)
            self._count += 1
            self._plan()

    def _plan(self) -> None:
        """Find the time and the epoch of the next frame.

        After each epoch there is only a look at these two, because an epoch may take microseconds.
        """
        assert self._reel is not None
        self._due = self._reel.next_due(self.frames)
        if self.share is None:
            return
        spent = self._reel.seconds - self._before
        cost = spent / self._count if self._count else self._first
        if self._is_stopped:
            spent, cost = spent + self._stops * _STOP_SECONDS, cost + _STOP_SECONDS
        # The last frame counts, too.
        self._ready = self._started + (spent + 2 * cost) / self.share
