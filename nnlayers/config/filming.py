"""The film of a run: its recorder, its file, and the units of its data."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import numpy.typing as npt

from nnlayers._core.arrays import Array
from nnlayers._core.checks import check_boolean
from nnlayers._core.state import check_names
from nnlayers.config.document import ConfigError
from nnlayers.config.run_files import FILM, read_arrays, write_arrays
from nnlayers.data import Preprocessing
from nnlayers.data.encoders import Encoder, Numbers
from nnlayers.data.scaling import Standardizer
from nnlayers.data.targets import Values
from nnlayers.drawing.film import Film
from nnlayers.training.callbacks import Recorder

if TYPE_CHECKING:
    from nnlayers.config.experiment import Experiment

__all__ = ["RunFilm", "RunRecorder", "is_recorded", "read_film"]


class RunRecorder(Recorder):
    """Recorder of a run, whose film is in a file of its own.

    Which frames there are depends on the time that they take, and the checkpoints of two runs of
    one config are to be equal.
    """

    def state_dict(self) -> dict[str, Array]:
        """Return nothing."""
        return {}

    def load_state_dict(self, state: Mapping[str, npt.ArrayLike]) -> None:
        """Leave the film as it is."""
        check_names(self, (), state)


def is_recorded(record: bool = True) -> bool:
    """Return whether a run records a film of its training.

    Parameters
    ----------
    record : bool
        Whether it does.
    """
    return check_boolean("record", record)


class RunFilm:
    """The recorder of a run, and the file of its film.

    Parameters
    ----------
    experiment : Experiment
        The run. Its config may have a recorder among its callbacks, or want none.

    Attributes
    ----------
    callbacks : list of Recorder
        What to add to the callbacks of the run.
    """

    def __init__(self, experiment: Experiment) -> None:
        own = [item for item in experiment.trainer.callbacks if isinstance(item, Recorder)]
        self._preprocessing = experiment.predictor.preprocessing
        is_wanted = not own and experiment.config["training"]["record"]
        self.callbacks = [_recorder_for(self._preprocessing)] if is_wanted else []
        self._recorder = next(iter([*own, *self.callbacks]), None)
        self._last = -1

    def write(self, directory: Path) -> None:
        """Write the film, if there is a new frame.

        Raises
        ------
        OSError
            If it cannot be written; an earlier one stays as it was.
        """
        film = None if self._recorder is None else self._recorder.film
        if film is not None and film.epochs and film.epochs[-1] != self._last:
            write_arrays(directory / FILM, film.state_dict())
            self._last = film.epochs[-1]

    def cut(self, epoch: int) -> None:
        """Leave out what comes after an epoch."""
        if self._recorder is not None and self._recorder.film is not None:
            self._recorder.film.cut(epoch)

    def read(self, directory: Path, epochs: int) -> None:
        """Go on with the film up to an epoch; with a warning, with a new one if it is damaged."""
        if self._recorder is None:
            return
        try:
            self._recorder.film = read_film(directory, epochs, self._preprocessing)
        except ConfigError as error:
            warnings.warn(f"{error}; the run goes on with a new one", stacklevel=2)


def _recorder_for(preprocessing: Preprocessing) -> Recorder:
    names = [
        name if encoder.width == 1 else f"{name} {i + 1}"
        for name, encoder in preprocessing.encoders.items()
        for i in range(encoder.width)
    ]
    return RunRecorder(features=names, classes=[str(name) for name in preprocessing.classes])


def read_film(directory: Path, epochs: int, preprocessing: Preprocessing) -> Film | None:
    """Return the film of a run up to an epoch, in the units of its data; None without one.

    Raises
    ------
    ConfigError
        If its file is damaged.
    """
    path = directory / FILM
    if not path.exists():
        return None
    film = Film()
    try:
        film.load_state_dict(read_arrays(path))
    except ValueError as error:
        raise ConfigError(f"{path}: not the film of a run: {error}") from None
    film.cut(epochs)
    film.units = [_unit_of(encoder) for encoder in preprocessing.encoders.values()]
    target = preprocessing.target
    if isinstance(target, Values):
        film.value_unit = target.standardizer.mean, target.standardizer.scale
    return film


def _unit_of(encoder: Encoder) -> tuple[float, float]:
    """Return the raw number of the feature 0, and by how much that of 1 is larger."""
    scaler = encoder.scaler if isinstance(encoder, Numbers) else None
    return (scaler.mean, scaler.scale) if isinstance(scaler, Standardizer) else (0.0, 1.0)
