"""From the tables of a config to objects: each names a constructor and its arguments."""

from __future__ import annotations

from collections.abc import Callable, Container, Iterable, Mapping
from types import GenericAlias
from typing import Any, NamedTuple

import numpy as np

from nnlayers._core.arrays import Array
from nnlayers._core.checks import unknown_name
from nnlayers._core.constructors import call
from nnlayers._core.resolving import check_modules
from nnlayers.config.document import ConfigError, shown, shown_key
from nnlayers.config.families import METRICS, Family, family_of, resolve
from nnlayers.config.signature import Argument, HintError, arguments_of, check_hint, mentions
from nnlayers.layer import Layer
from nnlayers.optim import schedules
from nnlayers.training import DivergenceError

__all__ = ["Builder", "Built"]

# Arguments of layers that follow from the width of their input.
_INPUT_WIDTHS = frozenset(["in_features", "features"])
# What a constructor raises for arguments that it does not take, an amount of memory among them.
_REFUSALS = (ArithmeticError, MemoryError, RecursionError, TypeError, ValueError)
# Schedules that end with the run, unless they say when.
_WHOLE_RUN = (schedules.CosineDecay, schedules.OneCycle)
# What other libraries call an argument.
_ELSEWHERE = {
    "batch": "batch_size",
    "learning_rate": "lr",
    "max_lr": "lr",
    "n_epochs": "epochs",
    "num_epochs": "epochs",
    "p": "rate",
    "units": "out_features",
}


class Built(NamedTuple):
    """What a table gave, and the table again with every argument written out."""

    value: Any
    table: dict[str, Any]


class Builder:
    """Builds objects from the tables of one file.

    Parameters
    ----------
    source : str
        The file, for messages.
    given : mapping of str to object
        Arguments that the program supplies to every constructor that takes them, such as the
        random generator; a config cannot set them.
    modules : iterable of str
        Modules whose classes and functions may be named beside those of nnlayers.
    width, outputs : int, optional
        The number of features, from which layers that do not state their input width have it, and
        the number of outputs, which the last layer may leave out.
    steps : int, optional
        The number of steps of the run, which schedules that last as long may leave out.
    """

    def __init__(
        self,
        source: str,
        given: Mapping[str, Any] | None = None,
        *,
        modules: Iterable[str] = (),
        width: int | None = None,
        outputs: int | None = None,
        steps: int | None = None,
    ) -> None:
        self.source = source
        self.given = dict(given or {})
        self.modules = check_modules(modules)
        self.outputs = outputs
        self.steps = steps
        # One row as the next layer gets it.
        self._row: Array | None = None if width is None else np.ones((1, width), np.float32)

    def error(self, path: str, problem: str) -> ConfigError:
        """Return the error that names the file and the key."""
        return ConfigError(": ".join(part for part in (self.source, path, problem) if part))

    def build(self, table: Any, path: str, family: Family, last: bool = True) -> Built:
        """Return the object whose constructor is the table's `type`, and the table completed.

        Parameters
        ----------
        table : mapping
            The key ``type`` and the arguments.
        path : str
            The keys that lead to the table.
        family : Family
            Where names are looked up.
        last : bool
            Whether the object is, or ends with, the model's last layer.

        Raises
        ------
        ConfigError
            If the type or an argument is unknown, missing or not what the signature says, or the
            constructor refuses it.
        """
        if not isinstance(table, Mapping) or not isinstance(table.get("type"), str):
            known = ", ".join(sorted(family.known))
            problem = f"must be a table with a type, got {shown(table)}. Known types: {known}"
            raise self.error(path, problem)
        constructor = self._resolved(table["type"], f"{path}.type", family)
        row = self._row
        arguments = {key: value for key, value in table.items() if key != "type"}
        built = self.construct(constructor, arguments, path, family, last=last)
        if not family.made(built.value):  # a function that does not keep to its annotation
            made = type(built.value).__name__
            raise self.error(f"{path}.type", f"must make {family.noun}, it makes {made}")
        if isinstance(built.value, Layer) and row is not None:
            self._row = self.checked(path, (), lambda: _output(built.value, row))
        return Built(built.value, {"type": table["type"], **built.table})

    def construct(
        self,
        constructor: Callable[..., Any],
        table: Mapping[str, Any],
        path: str,
        family: Family | None = None,
        *,
        last: bool = False,
        supplied: Mapping[str, Any] | None = None,
    ) -> Built:
        """Return what the constructor makes of a table of arguments, and the table completed.

        `supplied` are further arguments that the program gives and a config cannot set.
        """
        known = arguments_of(constructor)
        steps = self.steps
        if steps is not None and isinstance(table, Mapping):
            if constructor in _WHOLE_RUN:
                table = {"steps": steps} | dict(table)
            elif constructor is schedules.LinearWarmup and isinstance(table.get("steps"), int):
                self.steps = max(steps - table["steps"], 1)  # for the schedule that comes after it
        given = {
            name: value
            for name, value in (self.given | dict(supplied or {})).items()
            if name in known
        }
        arguments = self.arguments(known, table, path, family, last=last, given=given)
        self.steps = steps
        own = known.keys() - given.keys()
        value = self.checked(path, own, lambda: call(constructor, arguments.value | given))
        return Built(value, arguments.table)

    def arguments(
        self,
        known: Mapping[str, Argument],
        table: Mapping[str, Any],
        path: str,
        family: Family | None = None,
        *,
        last: bool = False,
        given: Mapping[str, Any] | None = None,
    ) -> Built:
        """Return the checked arguments by name, and the table with the defaults written out."""
        given = given or {}
        if not isinstance(table, Mapping):
            raise self.error(path, f"must be a table, got {shown(table)}")
        for key in table:
            if key in given:
                raise self.error(_joined(path, key), "follows from the rest, leave it out")
            if key not in known:
                open_names = known.keys() - given.keys()
                raise self.error(
                    _joined(path, key), unknown_name("key", key, open_names, _ELSEWHERE)
                )
        values, completed = {}, {}
        for name, argument in known.items():
            if name in given:
                continue
            raw = table[name] if name in table else self._default(name, argument, path, last)
            if name in table:
                values[name], raw = self._value(raw, argument, _joined(path, name), family, last)
            elif _is_plain(raw):
                values[name] = raw
            if _is_plain(raw):
                completed[name] = raw
        return Built(values, completed)

    def _default(self, name: str, argument: Argument, path: str, last: bool) -> Any:
        if argument.spread:
            return []
        if not argument.required:
            return argument.default
        if name in _INPUT_WIDTHS and self._row is not None:
            return self._row.shape[-1]
        if name == "out_features" and last and self.outputs is not None:
            return self.outputs
        raise self.error(_joined(path, name), "is missing")

    def _value(
        self, raw: Any, argument: Argument, path: str, family: Family | None, last: bool
    ) -> tuple[Any, Any]:
        """Return the argument that a value of the file gives, and the value completed."""
        hint = GenericAlias(list, (argument.hint,)) if argument.spread else argument.hint
        value, completed = raw, raw
        if isinstance(raw, str) and _wants_list(hint):
            raise self.error(path, f"must be an array, such as [{shown(raw)}], got {shown(raw)}")
        within = None if family is None else family_of(hint, family)
        if within is not None and not mentions(hint, Mapping):
            value, completed = self._nested(raw, path, within, last)
        try:
            checked = check_hint(value, hint)
            return checked, checked if _is_plain(checked) else completed
        except HintError as error:
            raise self.error(".".join([path, *error.place]), str(error)) from None

    def _nested(self, raw: Any, path: str, family: Family, last: bool) -> tuple[Any, Any]:
        """Build the tables within a value that have a type."""
        if isinstance(raw, dict) and "type" in raw:
            return self.build(raw, path, family, last)
        if family is METRICS and isinstance(raw, str) and ("." in raw or ":" in raw):
            return self._resolved(raw, path, family), raw
        if not isinstance(raw, list):
            return raw, raw
        pairs = [
            self._nested(item, f"{path}.{index}", family, last and index == len(raw) - 1)
            for index, item in enumerate(raw)
        ]
        return [value for value, _ in pairs], [completed for _, completed in pairs]

    def _resolved(self, name: str, path: str, family: Family) -> Callable[..., Any]:
        try:
            return resolve(name, family, self.modules)
        except ValueError as error:
            raise self.error(path, str(error)) from None

    def checked(self, path: str, known: Container[str], make: Callable[[], Any]) -> Any:
        """Return ``make()``; if it refuses, the error names the file and the key.

        Messages of the library begin with the name of an argument; if it is one of `known`, it
        becomes the last part of the key.
        """
        try:
            return make()
        except (ConfigError, DivergenceError):
            raise
        except _REFUSALS as error:
            name, _, problem = str(error).partition(" ")
            if name in known:
                raise self.error(_joined(path, name), problem) from error
            raise self.error(path, str(error) or type(error).__name__) from error


def _output(layer: Layer, row: Array) -> Array:
    with np.errstate(all="ignore"):
        return np.asarray(layer.predict(row))


def _wants_list(hint: Any) -> bool:
    """Whether a value of the hint is made of several, and is no text or table."""
    return mentions(hint, Iterable) and not (mentions(hint, str) or mentions(hint, Mapping))


def _joined(path: str, key: str) -> str:
    return f"{path}.{shown_key(key)}" if path else shown_key(key)


def _is_plain(value: Any) -> bool:
    """Whether TOML can hold the value."""
    if isinstance(value, list | tuple):
        return all(map(_is_plain, value))
    if isinstance(value, dict):
        return all(map(_is_plain, value.values()))
    return isinstance(value, bool | int | float | str)
