"""A film while it is recorded: copies of weights, of which frames are made when it is read."""

from __future__ import annotations

import math
import time
from typing import TYPE_CHECKING, Any

from nnlayers.training.snapshots import Camera, Exposure

if TYPE_CHECKING:
    from nnlayers.drawing.film import Film

__all__ = ["Reel", "least_missed", "next_due"]

# Copies of more than so many bytes become frames at once, so that a large network is not kept
# fifty times.
_MOST_BYTES = 32_000_000


class Reel:
    """The film of a training, and copies of the network that are no frames yet.

    Parameters
    ----------
    film : Film, optional
        The film so far.

    Attributes
    ----------
    seconds : float
        The time of the processor that frames have taken when the film was read, to which a recorder
        adds that of the copies.
    """

    def __init__(self, film: Film | None = None) -> None:
        # Drawing is imported where it is used, because most programs draw nothing.
        from nnlayers.drawing.film import Film

        self._film = Film() if film is None else film
        self._exposures: list[tuple[int, Camera, Exposure]] = []
        self.seconds = 0.0

    @property
    def epochs(self) -> list[int]:
        """The epochs that the film has, or will have, a frame of."""
        return self._film.epochs + [epoch for epoch, _, _ in self._exposures]

    @property
    def film(self) -> Film:
        """The film, of which all frames are made now."""
        if self._exposures:
            begun = time.thread_time()
            self._develop()
            self.seconds += time.thread_time() - begun
        return self._film

    def next_due(self, most: int) -> float:
        """Return the next epoch that needs a frame in a film of `most`."""
        return next_due(self.epochs, most)

    def expose(self, epoch: int, camera: Camera, most: int) -> None:
        """Copy the network after an epoch; of more than `most` epochs one is left out."""
        copies = camera.expose()
        self._exposures.append((epoch, camera, copies))
        while len(self.epochs) > most:
            left_out = least_missed(self.epochs)
            if left_out in self._film.epochs:
                self._film.remove(left_out)
            self._exposures = [item for item in self._exposures if item[0] != left_out]
        size = sum(array.nbytes for array in copies.values())
        if size * len(self._exposures) > _MOST_BYTES:
            self._develop()

    def _develop(self) -> None:
        """Make frames of all copies."""
        while self._exposures:
            camera = self._exposures[0][1]
            mine = [(epoch, copies) for epoch, one, copies in self._exposures if one is camera]
            before = self._film.contents
            contents, frames = camera.develop([copies for _, copies in mine], before)
            if contents != before:  # It has just begun, or the model has other layers now.
                vars(self._film).update(epochs=[], frames=[])
                self._film.start(contents, *camera.points(contents))
            for (epoch, _), frame in zip(mine, frames, strict=True):
                self._film.add(epoch, frame)
            del self._exposures[: len(mine)]

    def __getstate__(self) -> dict[str, Any]:
        """Return the film: a copy has no part in the model that it shows."""
        return {"_film": self.film, "_exposures": [], "seconds": self.seconds}


def next_due(epochs: list[int], most: int) -> float:
    """Return the next epoch that needs a frame in a film of `most`, infinity if none does.

    The first epochs have one each; then the distances grow with the root of the epoch, because a
    network changes more at first.

    Examples
    --------
    >>> recorded = []
    >>> for epoch in range(1000):
    ...     if epoch >= next_due(recorded, most=10):
    ...         recorded.append(epoch)
    ...         if len(recorded) > 10:
    ...             recorded.remove(least_missed(recorded))
    >>> recorded
    [0, 16, 45, 118, 190, 306, 492, 623, 789, 999]
    """
    if len(epochs) < most:
        return epochs[-1] + 1 if epochs else 0
    if most == 2:
        return math.inf
    start, last = epochs[0], epochs[-1]
    return start + (last - start) * ((most - 1) / (most - 2)) ** 2


def least_missed(epochs: list[int]) -> int:
    """Return the epoch without which those that are left are spread most evenly."""
    roots = [math.sqrt(epoch - epochs[0]) for epoch in epochs]
    gaps = [roots[i + 1] - roots[i - 1] for i in range(1, len(roots) - 1)]
    return epochs[1 + gaps.index(min(gaps))]
