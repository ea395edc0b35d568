"""Record a film of a training."""

from __future__ import annotations

import math
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
# The seconds of the two calls of an epoch in which there is nothing to do.
_CALL_SECONDS = 0.000002


class Recorder(Callback):
    """Record a film of a training, which :meth:`History.to_html` shows.

    A frame holds what the network is like at the end of an epoch: its weights, reduced to at most
    32 by 32 means; on at most 200 rows of the training data the norms of the gradients, histograms
    of the outputs of the layers, and the share of units that are 0 for all of these rows; and for
    one or two features what the network makes of the line or the plane.

    The start of the training and the last epoch have a frame, and so do the first epochs; of a
    longer training, later ones are further apart. While the network learns, only its weights are
    copied, for at most a share of the time of a fit, in which only the start and the last epoch
    have a frame in any case. Frames are made of the copies when the film is read, for a page or a
    checkpoint, which takes some milliseconds each, or at once where copies would take more than
    32 MB. They leave no trace in the training: with and without them it ends with the same bits.

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
        # The start of the fit and its last epoch, the seconds that copies had taken before, those
        # that all else has taken since, the number of copies, and when the next is due.
        self._started, self._last, self._before, self._others = 0.0, 0, 0.0, 0.0
        self._count, self._ready, self._due = 0, -math.inf, 0.0
        # The time and the epoch of the last look at the clock, and the epoch of the next.
        self._looked, self._epoch, self._next = 0.0, 0, 0
        self._is_between_epochs = False
        # The epochs that were asked for in one call, the one at which it began, and whether calls
        # stop for frames alone: never if nothing asks, and not if each ends after one epoch anyway.
        self._wanted, self._called, self._is_stopped = 0, 0, False

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

        self._started = self._looked = time.thread_time()
        self._epoch = len(trainer.history)
        self._last = self._epoch + trainer.epochs_left
        self._is_between_epochs, self._wanted, self._is_stopped = True, 0, False
        if self._reel is None or self._reel.epochs[-1:] > [self._epoch]:
            self._reel = Reel()  # The one so far is that of another training.
        trainer.history.reel = self._reel
        self._camera = Camera(trainer, self.features, self.classes)
        self._count, self._due = 0, self._reel.next_due(self.frames)
        self._before, now = self._reel.seconds, time.thread_time()
        self._others = now - self._started
        self._record(trainer)
        self._reel.seconds += time.thread_time() - now
        self._plan(self._reel, now, 0.0)

    def on_epoch_start(self, trainer: Trainer) -> None:
        """Note that the weights are no longer those of the end of an epoch."""
        self._is_between_epochs = False

    def epochs_to_call(self, trainer: Trainer) -> int:
        """Return the number of epochs until a frame is due and there is time for it."""
        self._called = len(trainer.history)
        # The first call asks for two, and so shows whether epochs are joined at all.
        self._wanted = max(1 if self._wanted else 2, self._next - self._called)
        return self._wanted

    def on_epoch_end(self, trainer: Trainer) -> None:
        """Record a frame if the epoch is the last, or one is due and there is time for it."""
        self._is_between_epochs, epoch = True, len(trainer.history)
        # An epoch may take microseconds, so that most do not even look at the clock.
        if self._reel is None or (epoch < self._next and not trainer.is_stopping):
            return
        now, count = time.thread_time(), max(1, epoch - self._epoch)
        if self._wanted > 1:
            self._is_stopped = epoch - self._called > 1
        is_last = epoch >= self._last or trainer.is_stopping
        if is_last or (now >= self._ready and epoch >= self._due):
            self._record(trainer)
        epoch_seconds = (now - self._looked) / count
        self._looked, self._epoch = now, epoch
        self._others += _STOP_SECONDS if self._is_stopped else count * _CALL_SECONDS
        self._reel.seconds += time.thread_time() - now
        self._plan(self._reel, now, epoch_seconds)

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
            self._due = reel.next_due(self.frames)
            self._count += 1

    def _plan(self, reel: Reel, now: float, epoch_seconds: float) -> None:
        """Find when there is time for the next frame, and the epoch of the next look."""
        wanted = max(self._due, self._epoch + 1.0)
        if self.share is not None:
            copies = reel.seconds - self._before
            cost = copies / max(1, self._count) + _STOP_SECONDS * self._is_stopped
            # The last frame counts, too.
            self._ready = self._started + (self._others + copies + 2 * cost) / self.share
            if epoch_seconds and self._ready > now:
                # A look that is too early needs another one, so it is a little later.
                left = (self._ready - now) / epoch_seconds
                wanted = max(wanted, self._epoch + 1.1 * left + 1)
        self._next = math.ceil(min(wanted, self._last))
