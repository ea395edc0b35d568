"""Learning rates and weight decay by the names of parameters, in the section of the optimizer."""

from __future__ import annotations

from collections.abc import Mapping
from fnmatch import fnmatchcase
from typing import Any

from nnlayers._core.checks import MOST_NAMES, check_number
from nnlayers._core.toml_text import toml_key
from nnlayers.config.builder import Builder
from nnlayers.config.hints import HintError, check_hint
from nnlayers.layer import Layer

__all__ = ["set_parameters", "split_settings"]

# The tables of settings, with the attribute of a parameter that each sets, and its type.
_TABLES: dict[str, tuple[str, type]] = {"scale": ("lr_scale", float), "decay": ("decay", bool)}


def split_settings(section: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return the optimizer's constructor, and the tables that set parameters.

    Examples
    --------
    >>> split_settings({"type": "SGD", "lr": 0.1, "scale": {"0.*": 0.5}})
    ({'type': 'SGD', 'lr': 0.1}, {'scale': {'0.*': 0.5}})
    """
    # A number under such a name is an argument: an optimizer of the user may have one.
    settings = {k: v for k, v in section.items() if k in _TABLES and isinstance(v, Mapping)}
    return {k: v for k, v in section.items() if k not in settings}, settings


def set_parameters(
    model: Layer, tables: Mapping[str, Mapping[str, Any]], builder: Builder
) -> dict[str, dict[str, Any]]:
    """Set the parameters whose names match the patterns, and return the tables in their types.

    A pattern has the wildcards of file names, as in ``"*.b"`` or ``"0.*"``. Where several match a
    name, the last one counts.

    Raises
    ------
    ConfigError
        If a pattern matches no parameter, or its value is of the wrong type or out of range.
    """
    parameters = model.named_parameters()
    checked: dict[str, dict[str, Any]] = {}
    for table, patterns in tables.items():
        attribute, kind = _TABLES[table]
        checked[table] = {}
        for pattern, raw in patterns.items():
            path = f"optimizer.{table}.{toml_key(pattern)}"
            matches = [name for name in parameters if fnmatchcase(name, pattern)]
            if not matches:
                raise builder.error(path, f"matches no parameter. Known: {_list(parameters)}")
            try:
                value = check_hint(raw, kind)
                if kind is float:
                    check_number(attribute, value, minimum=0)
            except HintError as error:
                raise builder.error(path, str(error)) from None
            except ValueError as error:
                raise builder.error(path, str(error).partition(" ")[2]) from None
            for name in matches:
                setattr(parameters[name], attribute, value)
            checked[table][pattern] = value
    return checked


def _list(parameters: Mapping[str, object]) -> str:
    names = list(parameters)
    if len(names) > MOST_NAMES:
        names[MOST_NAMES:] = ["..."]
    return ", ".join(names) or "none"
