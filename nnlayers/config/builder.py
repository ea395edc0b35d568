"""Build objects from the tables of a config: each names a constructor and its arguments.

The signature and the type hints of a constructor are the schema of its table.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Container, Iterable, Mapping
from types import GenericAlias
from typing import Any, NamedTuple, get_type_hints

import numpy as np

from nnlayers._core.arrays import Array
from nnlayers._core.checks import unknown_name
from nnlayers._core.constructors import call
from nnlayers._core.resolving import check_modules
from nnlayers._core.toml_text import toml_key, toml_text
from nnlayers.config.document import ConfigError
from nnlayers.config.families import METRICS, Family, family_of, resolve
from nnlayers.config.hints import HintError, check_hint, mentions
from nnlayers.layer import Layer
from nnlayers.layers import EntityEmbedding
from nnlayers.optim import schedules
from nnlayers.training import DivergenceError

__all__ = ["Argument", "BuildResult", "Builder", "arguments_of"]

# The arguments of layers that follow from the width of their input.
_INPUT_WIDTHS = frozenset(["in_features", "features"])
# The errors by which a constructor refuses its arguments, or asks for too much memory.
_REFUSALS = (ArithmeticError, ImportError, MemoryError, RuntimeError, TypeError, ValueError)
# The schedules that end with the run unless they state their steps.
_WHOLE_RUN = (schedules.CosineDecay, schedules.OneCycle)
# The names of arguments in other libraries, and their names here.
_FOREIGN_NAMES = {
    "batch": "batch_size",
    "delimiter": "separator",
    "learning_rate": "lr",
    "max_lr": "lr",
    "n_epochs": "epochs",
    "num_epochs": "epochs",
    "na_values": "missing",
    "p": "rate",
    "sep": "separator",
    "units": "out_features",
}


class Argument(NamedTuple):
    """An argument of a constructor: its type hint, its default, and whether it is ``*name``."""

    hint: Any
    default: Any
    is_variadic: bool

    @property
    def required(self) -> bool:
        """Return whether there is no default."""
        return self.default is inspect.Parameter.empty and not self.is_variadic


def arguments_of(constructor: Callable[..., Any]) -> dict[str, Argument]:
    """Return the arguments that can be given by name, or as an array for ``*name``.

    Examples
    --------
    >>> from nnlayers import Dropout, Sequential
    >>> arguments_of(Dropout)["rate"]
    Argument(hint=<class 'float'>, default=0.5, is_variadic=False)
    >>> arguments_of(Sequential)["layers"].is_variadic
    True
    """
    function = constructor.__init__ if inspect.isclass(constructor) else constructor
    try:
        hints = get_type_hints(function, include_extras=True)
    except (NameError, TypeError):  # A user's module may import types for type checkers only.
        hints = {}
    return {
        name: Argument(
            hints.get(name, Any), parameter.default, parameter.kind is parameter.VAR_POSITIONAL
        )
        for name, parameter in inspect.signature(constructor).parameters.items()
        if parameter.kind is not parameter.VAR_KEYWORD
    }


class BuildResult(NamedTuple):
    """An object, and the table that describes it with all its arguments."""

    value: Any
    table: dict[str, Any]


class Builder:
    """Build objects from the tables of one file.

    Parameters
    ----------
    source : str
        The file, for messages.
    supplied : mapping of str to object
        Arguments that the program passes to every constructor that takes them, such as the random
        generator; a config cannot set them.
    modules : iterable of str
        Modules whose classes and functions the config may name besides those of nnlayers.
    width, outputs : int, optional
        The number of features, from which the input widths of layers follow, and the number of
        outputs, which the last layer may omit.
    steps : int, optional
        The number of steps of the run, which schedules that end with it may omit.
    ids : mapping of int to int
        The number of ids of each feature that holds some, which an ``EntityEmbedding`` may omit.
    """

    def __init__(
        self,
        source: str,
        supplied: Mapping[str, Any] | None = None,
        *,
        modules: Iterable[str] = (),
        width: int | None = None,
        outputs: int | None = None,
        steps: int | None = None,
        ids: Mapping[int, int] | None = None,
    ) -> None:
        self.source = source
        self.supplied = dict(supplied or {})
        self.modules = check_modules(modules)
        self.outputs = outputs
        self.steps = steps
        self.ids = ids
        # One row as it enters the layer that is built next.
        self._row: Array | None = None if width is None else np.ones((1, width), np.float32)

    def error(self, path: str, problem: str) -> ConfigError:
        """Return an error that names the file and the key."""
        return ConfigError(": ".join(part for part in (self.source, path, problem) if part))

    def attempt(self, path: str, arguments: Container[str], make: Callable[[], Any]) -> Any:
        """Return ``make()``; if it refuses, the error names the file and the key.

        Messages of the library begin with the name of an argument. A name in `arguments` becomes
        the last part of the key.
        """
        try:
            return make()
        except (ConfigError, DivergenceError, ModuleNotFoundError):
            raise
        except _REFUSALS as error:
            name, _, problem = str(error).partition(" ")
            if name in arguments:
                raise self.error(_key_path(path, name), problem) from error
            raise self.error(path, str(error) or type(error).__name__) from error

    def build(self, table: Any, path: str, family: Family, last: bool = True) -> BuildResult:
        """Return the object that a table with a `type` describes.

        Parameters
        ----------
        table : mapping
            The key ``type`` and the arguments.
        path : str
            The key path of the table.
        family : Family
            The family of the object, in which names are looked up.
        last : bool
            Whether the object is, or ends with, the last layer of the model.

        Raises
        ------
        ConfigError
            If the type or an argument is unknown, missing or does not fit the signature, or the
            constructor refuses it.
        """
        if not isinstance(table, Mapping) or not isinstance(table.get("type"), str):
            known = ", ".join(sorted(family.known))
            problem = f"must be a table with a type, got {toml_text(table)}. Known types: {known}"
            raise self.error(path, problem)
        constructor = self._resolve(table["type"], f"{path}.type", family)
        row = self._row
        arguments = {key: value for key, value in table.items() if key != "type"}
        built = self.construct(constructor, arguments, path, family, last=last)
        if not family.contains(built.value):  # A function may break the promise of its annotation.
            kind = type(built.value).__name__
            raise self.error(f"{path}.type", f"must make {family.noun}, it makes {kind}")
        if isinstance(built.value, Layer) and row is not None:
            self._row = self.attempt(path, (), lambda: _predict_row(built.value, row))
        return BuildResult(built.value, {"type": table["type"], **built.table})

    def construct(
        self,
        constructor: Callable[..., Any],
        table: Mapping[str, Any],
        path: str,
        family: Family | None = None,
        *,
        last: bool = False,
        supplied: Mapping[str, Any] | None = None,
    ) -> BuildResult:
        """Return the object that a constructor makes of a table of arguments.

        `supplied` are arguments that the program passes besides those of the builder.
        """
        known = arguments_of(constructor)
        if constructor is EntityEmbedding and self.ids is not None:
            ids = {"columns": list(self.ids), "levels": list(self.ids.values())}
            table = ids | dict(table)
        steps = self.steps
        if steps is not None and isinstance(table, Mapping):
            if constructor in _WHOLE_RUN:
                table = {"steps": steps} | dict(table)
            elif constructor is schedules.LinearWarmup and isinstance(table.get("steps"), int):
                # The schedule after the warm-up has the remaining steps.
                self.steps = max(steps - table["steps"], 1)
        fixed = {
            name: value
            for name, value in (self.supplied | dict(supplied or {})).items()
            if name in known
        }
        arguments = self.arguments(known, table, path, family, last=last, fixed=fixed)
        self.steps = steps
        open_names = known.keys() - fixed.keys()
        value = self.attempt(path, open_names, lambda: call(constructor, arguments.value | fixed))
        return BuildResult(value, arguments.table)

    def arguments(
        self,
        known: Mapping[str, Argument],
        table: Mapping[str, Any],
        path: str,
        family: Family | None = None,
        *,
        last: bool = False,
        fixed: Container[str] = (),
    ) -> BuildResult:
        """Return the checked arguments by name, and the table completed with defaults.

        The table must not set the arguments in `fixed`.
        """
        if not isinstance(table, Mapping):
            raise self.error(path, f"must be a table, got {toml_text(table)}")
        for key in table:
            if key in known and key in fixed:
                raise self.error(
                    _key_path(path, key), "cannot be set, it follows from the rest of the config"
                )
            if key not in known:
                open_names = [name for name in known if name not in fixed]
                problem = unknown_name("key", key, open_names, _FOREIGN_NAMES)
                raise self.error(_key_path(path, key), problem)
        values, completed = {}, {}
        for name, argument in known.items():
            if name in fixed:
                continue
            raw = table[name] if name in table else self._default(name, argument, path, last)
            if name in table:
                key_path = _key_path(path, name)
                values[name], raw = self._convert(raw, argument, key_path, family, last)
            elif _is_plain(raw):
                values[name] = raw
            if _is_plain(raw):
                completed[name] = raw
        return BuildResult(values, completed)

    def _default(self, name: str, argument: Argument, path: str, last: bool) -> Any:
        if argument.is_variadic:
            return []
        if not argument.required:
            return argument.default
        if name in _INPUT_WIDTHS and self._row is not None:
            return self._row.shape[-1]
        if name == "out_features" and last and self.outputs is not None:
            return self.outputs
        raise self.error(_key_path(path, name), "is missing")

    def _convert(
        self, raw: Any, argument: Argument, path: str, family: Family | None, last: bool
    ) -> tuple[Any, Any]:
        """Return the argument that a value of the file stands for, and the value completed."""
        hint = GenericAlias(list, (argument.hint,)) if argument.is_variadic else argument.hint
        value, completed = raw, raw
        if isinstance(raw, str) and _wants_list(hint):
            text = toml_text(raw)
            raise self.error(path, f"must be an array, such as [{text}], got {text}")
        inner_family = None if family is None else family_of(hint, family)
        if inner_family is not None and not mentions(hint, Mapping):
            value, completed = self._build_nested(raw, path, inner_family, last)
        try:
            checked = check_hint(value, hint)
            return checked, checked if _is_plain(checked) else completed
        except HintError as error:
            raise self.error(".".join([path, *error.keys]), str(error)) from None

    def _build_nested(self, raw: Any, path: str, family: Family, last: bool) -> tuple[Any, Any]:
        """Build the objects of the tables with a type within a value."""
        if isinstance(raw, dict) and "type" in raw:
            return self.build(raw, path, family, last)
        if family is METRICS and isinstance(raw, str) and ("." in raw or ":" in raw):
            return self._resolve(raw, path, family), raw
        if not isinstance(raw, list):
            return raw, raw
        pairs = [
            self._build_nested(item, f"{path}.{index}", family, last and index == len(raw) - 1)
            for index, item in enumerate(raw)
        ]
        return [value for value, _ in pairs], [completed for _, completed in pairs]

    def _resolve(self, name: str, path: str, family: Family) -> Callable[..., Any]:
        try:
            return resolve(name, family, self.modules)
        except ValueError as error:
            raise self.error(path, str(error)) from None


def _predict_row(layer: Layer, row: Array) -> Array:
    with np.errstate(all="ignore"):
        return np.asarray(layer.predict(row))


def _wants_list(hint: Any) -> bool:
    """Return whether a hint asks for several values, and takes neither text nor a table."""
    return mentions(hint, Iterable) and not (mentions(hint, str) or mentions(hint, Mapping))


def _key_path(path: str, key: str) -> str:
    return f"{path}.{toml_key(key)}" if path else toml_key(key)


def _is_plain(value: Any) -> bool:
    """Return whether TOML can hold the value."""
    if isinstance(value, list | tuple):
        return all(map(_is_plain, value))
    if isinstance(value, dict):
        return all(map(_is_plain, value.values()))
    return isinstance(value, bool | int | float | str)
