"""Fingerprint of the settings of a run, which tells whether they are the same."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import Any

from nnlayers._core.fingerprint import text_fingerprint
from nnlayers.config.document import dumps

__all__ = ["settings_fingerprint"]


def settings_fingerprint(config: Mapping[str, Any]) -> str:
    """Return a fingerprint of a config without what may differ when its run is resumed."""
    settings = copy.deepcopy(dict(config))
    for name in ("epochs", "checkpoint_every", "engine"):
        settings["training"].pop(name, None)
    return text_fingerprint(dumps(settings))
