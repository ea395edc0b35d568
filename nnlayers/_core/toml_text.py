"""Write values and keys in TOML's notation."""

from __future__ import annotations

import json
import re
from typing import Any

__all__ = ["toml_key", "toml_text"]


def toml_text(value: Any) -> str:
    """Return a value in TOML's notation.

    Examples
    --------
    >>> toml_text("ten"), toml_text([True, 0.5])
    ('"ten"', '[true, 0.5]')
    """
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, str):
        return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
    if isinstance(value, list | tuple):
        return f"[{', '.join(map(toml_text, value))}]"
    if isinstance(value, dict):
        pairs = (f"{toml_key(key)} = {toml_text(item)}" for key, item in value.items())
        return f"{{{', '.join(pairs)}}}"
    return str(value)


def toml_key(key: str) -> str:
    """Return a key in TOML's notation: in quotes unless it is a plain word.

    Examples
    --------
    >>> toml_key("lr"), toml_key("a b")
    ('lr', '"a b"')
    """
    return key if re.fullmatch(r"[A-Za-z0-9_-]+", str(key)) else toml_text(str(key))
