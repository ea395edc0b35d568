"""Keep the two newest checkpoints of a run directory, and read them."""

from __future__ import annotations

import os
import warnings
from collections.abc import Mapping
from pathlib import Path

from nnlayers._core.arrays import Array
from nnlayers._core.files import temporary_path
from nnlayers._core.state import check_finite
from nnlayers.config.document import ConfigError
from nnlayers.config.run_files import CHECKPOINT, PREVIOUS, read_arrays, write_arrays
from nnlayers.layer import Layer
from nnlayers.training.state import split_state

__all__ = ["load_newest_weights", "read_checkpoint", "split_run_state", "write_checkpoint"]

# Entries of a checkpoint that are the run's and not the trainer's, with their kinds of dtype: the
# number of epochs; the state of the generator; whether a callback has ended the training; whether
# the model's file is that of the end of the training; fingerprints of data, settings and metrics.
_FINGERPRINTS = {"data": "U", "settings": "U", "metrics": "U"}
_RUN_STATE = {"epochs": "i", "rng": "U", "stopped": "b", "ended": "b", **_FINGERPRINTS}


def write_checkpoint(directory: Path, state: Mapping[str, Array]) -> None:
    """Write a checkpoint; the one before stays beside it under another name.

    At any moment, also after a power loss, the newest or the one before is whole.

    Raises
    ------
    OSError
        If it cannot be written; then both are as before.
    """
    newest, previous = directory / CHECKPOINT, directory / PREVIOUS
    # Renaming one name of a file to another name of the same file would do nothing.
    if newest.exists() and not (previous.exists() and previous.samefile(newest)):
        # A second name for the file costs no copy, and leaves the first name in its place.
        link = temporary_path(directory)
        try:
            os.link(newest, link)
        except OSError:  # The file system has no links.
            os.replace(newest, previous)
        else:
            os.replace(link, previous)
    write_arrays(newest, state)


def read_checkpoint(directory: Path, *, repair: bool = False) -> dict[str, Array]:
    """Return the newest checkpoint; with a warning, the one before if the newest is damaged.

    Parameters
    ----------
    directory : Path
        The run directory.
    repair : bool
        Whether to write the one before in place of a damaged one, from which a run goes on.

    Raises
    ------
    ConfigError
        If neither can be read.
    """
    newest, previous = directory / CHECKPOINT, directory / PREVIOUS
    try:
        return _read(newest)
    except ConfigError as error:
        if not previous.exists():
            raise
        state = _read(previous)
        warnings.warn(f"{error}; the checkpoint before it is used", stacklevel=2)
    if repair:
        write_arrays(newest, state)
    return state


def split_run_state(state: Mapping[str, Array]) -> tuple[dict[str, Array], dict[str, Array]]:
    """Return the run's entries of a checkpoint, and the trainer's."""
    run = {name: array for name, array in state.items() if name in _RUN_STATE}
    return run, {name: array for name, array in state.items() if name not in _RUN_STATE}


def load_newest_weights(model: Layer, directory: Path) -> None:
    """Set the model to the newest checkpoint of a run that was killed before it had ended.

    Its file then holds the weights of an earlier end or of the start. A directory without
    checkpoints, which a finished run does not need, holds the model as trained.

    Raises
    ------
    ConfigError
        If the checkpoint cannot be read, or is that of another run.
    """
    path = directory / CHECKPOINT
    if not (path.exists() or (directory / PREVIOUS).exists()):
        return
    run, state = split_run_state(read_checkpoint(directory))
    if not run["ended"]:
        try:
            weights = split_state(state, ["model"])[0]["model"]
            check_finite(weights)
            model.load_state_dict(weights)
        except (TypeError, ValueError) as error:
            raise ConfigError(f"{path}: not a checkpoint of this run: {error}") from None


def _read(path: Path) -> dict[str, Array]:
    state = read_arrays(path)
    for name, kind in _RUN_STATE.items():
        if name not in state:
            raise ConfigError(f"{path}: not a checkpoint of this run: no entry {name!r}")
        if state[name].shape or state[name].dtype.kind != kind:
            raise ConfigError(f"{path}: not a checkpoint of this run: entry {name!r} is malformed")
    return state
