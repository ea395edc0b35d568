"""Record a film of a training."""

from __future__ import annotations

import math
import time
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy.typing as npt

from nnlayers._core.arrays import Array
from nnlayers._core.checks import check_integer, check_strings
from nnlayers.training.callbacks.base import Callback

if TYPE_CHECKING:
    from nnlayers.drawing.film import Film
    from nnlayers.training.trainer import Trainer

__all__ = ["Recorder"]

# The share of the time of a fit that frames may take, and the seconds that those between the first
# and the last may take in any fit, so that one of a tenth of a second has a film too.
_SHARE, _FREE_SECONDS = 0.02, 0.025


class Recorder(Callback):
    """Record a film of a training, which :meth:`History.to_html` shows.

    A frame holds what the network is like at the end of an epoch: its weights, reduced to at most
    32 by 32 means; on at most 200 rows of the training data the norms of the gradients, histograms
    of the outputs of the layers, and the share of units that are 0 for all of these rows; and for
    one or two features what the network makes of the line or the plane.

    The start of the training and the last epoch have a frame, and so do the first epochs; of a
    longer training, later ones are further apart. Frames take at most 2 % of the time of a fit; a
    short one has the first and the last frame in any case, and as many between as take 0.025 s.
    They leave no trace in the training: with and without them it ends with the same bits.

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

    def __init__(
        self, frames: int = 50, features: Sequence[str] = (), classes: Sequence[str] = ()
    ) -> None:
        self.frames = check_integer("frames", frames, minimum=2, maximum=50)
        self.features = check_strings("features", features, "names of features")
        self.classes = check_strings("classes", classes, "names of classes")
        self.film: Film | None = None
        self._costs: list[float] = []
        self._started, self._epochs = 0.0, 0
        self._ready = self._ready_epoch = 0.0
        self._is_between_epochs = False

    def on_fit_start(self, trainer: Trainer) -> None:
        """Record the network as it is at the start, unless the film goes on."""
        self._is_between_epochs = True
        self._costs = []
        self._started, self._epochs = time.perf_counter(), len(trainer.history)
        self._record(trainer)

    def on_epoch_start(self, trainer: Trainer) -> None:
        """Note that the weights are no longer those of the end of an epoch."""
        self._is_between_epochs = False

    def on_epoch_end(self, trainer: Trainer) -> None:
        """Record a frame if the epoch is the last, or one is due and there is time for it."""
        self._is_between_epochs = True
        is_last = trainer.is_stopping or not trainer.epochs_left
        if is_last or (self._has_time(trainer) and self._is_due(len(trainer.history))):
            self._record(trainer)

    def on_fit_end(self, trainer: Trainer) -> None:
        """Record the last epoch if another callback has ended the fit there."""
        if self._is_between_epochs and len(trainer.history):
            self._record(trainer)
        self._is_between_epochs = False

    def state_dict(self) -> dict[str, Array]:
        """Return the film; nothing before the first frame."""
        state = {} if self.film is None else self.film.state_dict()
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

        film = Film() if self.film is None else self.film
        film.load_state_dict({name.removeprefix("film."): a for name, a in state.items()})
        self.film = film

    def _is_due(self, epoch: int) -> bool:
        return self.film is None or self.film.is_due(epoch, self.frames)

    def _has_time(self, trainer: Trainer) -> bool:
        """Return whether there is time for a frame that takes as long as those before."""
        return time.perf_counter() >= self._ready or len(trainer.history) >= self._ready_epoch

    def _plan(self, trainer: Trainer) -> None:
        """Find the time, and the epoch, from which on there is time for another frame.

        After each epoch there is only a look at both, because an epoch may take microseconds.
        """
        costs, epoch = self._costs, len(trainer.history)
        # The first frame takes longer than others, because all of its code is new to the processor.
        later = costs[1:] or [cost / 3 for cost in costs] or [0.0]
        cost = max(later[-1], sum(later) / len(later))
        # The last frame counts, too.
        self._ready = self._started + (sum(costs) + 2 * cost) / _SHARE
        # The frames of a short fit are spread as those of a long one.
        part = ((sum(costs[1:]) + cost) / _FREE_SECONDS) ** 2
        total = epoch - self._epochs + trainer.epochs_left
        self._ready_epoch = self._epochs + part * total if part <= 1 else math.inf

    def _record(self, trainer: Trainer) -> None:
        """Add a frame of the network as it is now, unless this epoch has one."""
        from nnlayers.drawing.film import Film
        from nnlayers.training.snapshots import points_of, take_snapshot

        epoch, film = len(trainer.history), self.film or Film()
        if film.epochs and film.epochs[-1] > epoch:
            film = Film()  # The one so far is that of another training.
        if not (film.epochs and film.epochs[-1] == epoch):
            begun = time.perf_counter()
            contents, frame = take_snapshot(trainer, film.contents, self.features, self.classes)
            if contents != film.contents:  # It has just begun, or the model has other layers now.
                film = Film()
                film.start(contents, *points_of(trainer, contents))
            film.add(epoch, frame, self.frames)
            self._costs.append(time.perf_counter() - begun)
        self.film = trainer.history.film = film
        self._plan(trainer)
