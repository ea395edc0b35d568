"""Read, override, compare and write the TOML text of a config."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from nnlayers._core.checks import optional_library
from nnlayers._core.toml_text import toml_key, toml_text

__all__ = ["ConfigError", "differences", "dumps", "override", "read"]

# A key path, in which quotes may enclose an equals sign, and a value.
_ASSIGNMENT = re.compile(
    r"""(?P<path>(?:"(?:[^"\\]|\\.)*"|'[^']*'|[^="'])+)=(?P<value>.*)""", re.DOTALL
)
# The limit for tables and arrays within each other, far below Python's recursion limit.
_MAX_DEPTH = 64
# A key of too many parts, for which tomllib takes time with the square of their number.
_PART = r"""(?:[\w-]++|"[^"\n]*+"|'[^'\n]*+')[ \t]*+"""
_DEEP_KEY = re.compile(rf"(?<![\w.-])(?:{_PART}\.[ \t]*+){{{_MAX_DEPTH}}}{_PART}")


class ConfigError(ValueError):
    """A config or a run directory that cannot be used; one line that names the file and the key."""

    def __init__(self, message: object = "") -> None:
        super().__init__(
            " ".join(str(message).splitlines())
        )  # Paths and keys may hold line breaks.


def read(path: str | Path) -> dict[str, Any]:
    """Return the tables of a TOML file.

    Raises
    ------
    ConfigError
        If the file cannot be read, is not TOML, or is nested too deeply.
    """
    try:
        text = Path(path).read_text(encoding="utf-8")
        if _DEEP_KEY.search(text):
            raise ConfigError(f"{path}: must not be nested {_MAX_DEPTH} tables or arrays deep")
        config = tomllib.loads(text)
    except ConfigError:
        raise
    except OSError as error:
        raise ConfigError(f"{path}: {error.strerror}") from None
    except UnicodeDecodeError as error:
        raise ConfigError(f"{path}: not UTF-8 text, at byte {error.start}") from None
    except Exception as error:  # tomllib also passes on errors of int() and of deep recursion.
        raise ConfigError(f"{path}: not valid TOML: {error}") from None
    _check_depth(config, str(path))
    return config


def override(config: dict[str, Any], assignments: Iterable[str], source: str) -> None:
    """Set keys of `config` in place from ``key.path=value``; a number indexes an array.

    A key with a dot in it stands in quotes, as in ``optimizer.scale."*.b"=0.1``. A value that is
    not TOML becomes a string.

    Parameters
    ----------
    config : dict
        The tables of the config.
    assignments : iterable of str
        The keys and their values.
    source : str
        The file of the config, for messages.

    Raises
    ------
    ConfigError
        If an assignment has no ``=``, its path leads through something other than a table, or the
        config becomes nested too deeply.

    Examples
    --------
    >>> config = {"optimizer": {"lr": 0.1}, "layers": [{"rate": 0.5}]}
    >>> override(config, ["optimizer.lr=0.01", "layers.0.rate=0.2", "loss.type=Huber"], "x.toml")
    >>> config
    {'optimizer': {'lr': 0.01}, 'layers': [{'rate': 0.2}], 'loss': {'type': 'Huber'}}
    """
    for assignment in assignments:
        match = _ASSIGNMENT.fullmatch(assignment)
        if match is None:
            raise ConfigError(f"--set must be key=value, got {assignment!r}")
        path, text = match["path"].strip(), match["value"]
        *parents, last = _split_path(path)
        table: Any = config
        for depth, name in enumerate(parents, start=1):
            prefix = f"{source}: {'.'.join(parents[:depth])}"
            key = _key(table, name, prefix)
            table = table.setdefault(key, {}) if isinstance(table, dict) else table[key]
            if not isinstance(table, dict | list):
                got = toml_text(table)
                raise ConfigError(f"{prefix}: must be a table to set {path!r}, got {got}")
        table[_key(table, last, f"{source}: {path}")] = _parse_value(text.strip())
    _check_depth(config, source)


def dumps(config: Mapping[str, Any]) -> str:
    """Return the config as TOML."""
    return str(optional_library("tomli_w", "cli").dumps(config))


def differences(*configs: Any, path: str = "") -> Iterator[tuple[str, list[Any]]]:
    """Yield the key paths at which configs differ, with the value of each; None for a missing one.

    Arrays of different lengths differ as a whole, as ``--set`` adds no entries to an array.

    Examples
    --------
    >>> list(differences({"a": {"b": 1}, "c": [1, 2]}, {"a": {"b": 2}, "c": [1]}))
    [('a.b', [1, 2]), ('c', [[1, 2], [1]])]
    """
    tables = [_children(config) for config in configs]
    children = [table for table in tables if table is not None]
    lengths = {len(config) for config in configs if isinstance(config, list)}
    if len(children) < len(configs) or len(lengths) > 1:
        if any(config != configs[0] for config in configs):
            yield path, list(configs)
        return
    for key in dict.fromkeys(key for table in children for key in table):
        inner_path = f"{path}.{toml_key(key)}" if path else toml_key(key)
        yield from differences(*[table.get(key) for table in children], path=inner_path)


def _check_depth(config: dict[str, Any], source: str) -> None:
    level: list[Any] = [config]
    for _ in range(_MAX_DEPTH):
        level = [item for entry in level for item in (_children(entry) or {}).values()]
    if level:
        raise ConfigError(f"{source}: must not be nested {_MAX_DEPTH} tables or arrays deep")


def _children(value: Any) -> dict[str, Any] | None:
    """Return the entries of a table or an array by key or index, or None for any other value."""
    if isinstance(value, dict):
        return value
    if isinstance(value, list):
        return {str(index): item for index, item in enumerate(value)}
    return None


def _key(table: dict[str, Any] | list[Any], name: str, prefix: str) -> Any:
    """Return the key in a table, or the index in an array, that one part of a key path names."""
    if isinstance(table, dict):
        return name
    if not (name.isascii() and name.isdecimal()) or int(name) >= len(table):
        raise ConfigError(f"{prefix}: there are {len(table)} entries, counted from 0")
    return int(name)


def _split_path(path: str) -> list[str]:
    """Return the keys of a path, which may stand in quotes as in TOML."""
    try:
        table: Any = tomllib.loads(f"{path} = 0")
    except (RecursionError, ValueError):
        return path.split(".")
    keys = []
    while isinstance(table, dict) and len(table) == 1:
        ((key, table),) = table.items()
        keys.append(key)
    return keys if table == 0 else path.split(".")


def _parse_value(text: str) -> Any:
    try:
        parsed = tomllib.loads(f"value = {text}")
    except (RecursionError, ValueError):
        return text
    return parsed["value"] if len(parsed) == 1 else text
