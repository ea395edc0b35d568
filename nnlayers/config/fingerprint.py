"""Fingerprints of the settings and the history of a run, which tell whether they are the same."""

from __future__ import annotations

import copy
import hashlib
from collections.abc import Mapping
from itertools import islice
from typing import Any

import numpy as np

from nnlayers._core.fingerprint import text_fingerprint
from nnlayers.config.document import dumps
from nnlayers.training import History

__all__ = ["HistoryFingerprint", "is_history", "settings_fingerprint"]


def settings_fingerprint(config: Mapping[str, Any]) -> str:
    """Return a fingerprint of a config without what may differ when its run is resumed."""
    settings = copy.deepcopy(dict(config))
    for name in ("epochs", "checkpoint_every", "engine", "record"):
        settings["training"].pop(name, None)
    return text_fingerprint(dumps(settings))


class HistoryFingerprint:
    """The fingerprint of a history that grows, which takes the time of its new rows alone.

    Examples
    --------
    >>> history = History()
    >>> history.append({"loss": 0.5})
    >>> HistoryFingerprint().update(history)[:10]
    '1 74b9ccf0'
    """

    def __init__(self) -> None:
        self._columns: tuple[str, ...] | None = None

    def update(self, history: History) -> str:
        """Return the number of columns, and the checksum of their names and numbers."""
        if history.columns != self._columns:
            self._columns, self._rows = history.columns, 0
            self._digest = hashlib.sha256("\n".join(history.columns).encode())
        new = np.array([[*row.values()] for row in history.rows[self._rows :]], np.float64)
        new[np.isnan(new)] = np.nan  # NaN has many bit patterns, of which text keeps one.
        self._digest.update(new.tobytes())
        self._rows = len(history)
        return f"{len(history.columns)} {self._digest.hexdigest()}"


def is_history(columns: Mapping[str, list[float]], fingerprint: str) -> bool:
    """Return whether the columns of a file begin with those of a fingerprint.

    A column that a later epoch has added may follow.
    """
    history = History()
    history.load_state_dict(dict(islice(columns.items(), int(fingerprint.split()[0]))))
    return HistoryFingerprint().update(history) == fingerprint
