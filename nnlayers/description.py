"""Architectures in JSON's terms: each layer by its class and its constructor's arguments."""

from __future__ import annotations

import importlib
import inspect
import sys
from collections.abc import Callable, Mapping
from typing import Any, TypeAlias

import numpy as np

from nnlayers import initializers
from nnlayers.constructors import call, kept_arguments
from nnlayers.layer import Layer, Parameter
from nnlayers.numerics import Array

__all__ = ["Builder", "Classes", "Description"]

Classes: TypeAlias = Mapping[str, type[Layer]]

_INITIALIZERS: dict[str, Any] = {
    name: getattr(initializers, name)
    for name in initializers.__all__
    if inspect.isclass(getattr(initializers, name))
}


class Description:
    """An architecture in JSON's terms, and beside it the arrays that JSON cannot hold.

    Attributes
    ----------
    layers, parameters : list
        A table for each, a layer's after those of the layers among its arguments. An object that
        occurs twice has one.
    arrays : list of ndarray
        What the tables refer to by place.
    classes : dict of str to class
        Those of the layers, by the name that the tables have.

    Examples
    --------
    >>> from nnlayers import Softmax
    >>> description = Description()
    >>> description.value((Softmax(axis=1), 2))
    {'tuple': [{'layer': 0}, 2]}
    >>> description.layers
    [{'class': 'nnlayers:Softmax', 'config': {'axis': 1}}]
    """

    def __init__(self) -> None:
        self.layers: list[Any] = []  # each after those among its arguments
        self.parameters: list[Any] = []
        self.arrays: list[Array] = []
        self.classes: dict[str, type[Layer]] = {}
        # The object itself too, for the id of one that is no more may be another's.
        self._seen: dict[int, tuple[Layer | Parameter, int | None]] = {}

    def value(self, value: Any) -> Any:
        """Return an argument; what has no equal in JSON is a table of its kind and its content.

        Raises
        ------
        ValueError
            If there is no way to write it, or a layer does not keep its constructor's arguments.
        """
        if value is None or type(value) in (bool, int, str):
            return value
        if type(value) is float:
            return value if np.isfinite(value) else {"float": str(value)}
        if type(value) is list:
            return [self.value(entry) for entry in value]
        if type(value) is tuple:
            return {"tuple": [self.value(entry) for entry in value]}
        if type(value) is dict:
            return {"dict": [[self.value(key), self.value(item)] for key, item in value.items()]}
        if isinstance(value, Layer | Parameter):
            return {"layer" if isinstance(value, Layer) else "parameter": self._place(value)}
        if type(value) in _INITIALIZERS.values():
            arguments = {parameter.name: kept for parameter, kept in kept_arguments(value)}
            return {"initializer": [type(value).__name__, self._table(arguments)]}
        if value is np.float32 or value is np.float64:
            return self.value(np.dtype(value))
        if isinstance(value, np.dtype) and value.kind in "biuf":
            return {"dtype": value.str}
        if type(value) is np.ndarray or isinstance(value, np.generic):
            return {"array" if type(value) is np.ndarray else "scalar": self._array(value)}
        raise ValueError(f"a file cannot hold {value!r}")

    def _table(self, arguments: Mapping[str, Any]) -> dict[str, Any]:
        table = {}
        for name, argument in arguments.items():
            try:
                table[name] = self.value(argument)
            except ValueError as error:
                raise ValueError(f"{name}: {error}") from None
        return table

    def _place(self, item: Layer | Parameter) -> int:
        if id(item) not in self._seen:
            self._seen[id(item)] = item, None
            entries = self.layers if isinstance(item, Layer) else self.parameters
            entry = self._layer(item) if isinstance(item, Layer) else self._parameter(item)
            self._seen[id(item)] = item, len(entries)
            entries.append(entry)
        place = self._seen[id(item)][1]
        if place is None:
            raise ValueError(f"{type(item).__name__} is among its own arguments")
        return place

    def _layer(self, layer: Layer) -> dict[str, Any]:
        cls = type(layer)
        name = _name_of(cls)
        if self.classes.setdefault(name, cls) is not cls:
            raise ValueError(f"two classes have one name, {name!r}")
        # Called through the class, as an instance may have an attribute of that name.
        return {"class": name, "config": self._table(cls.config(layer))}

    def _parameter(self, parameter: Parameter) -> dict[str, Any]:
        value = self._array(parameter.value)
        return {"value": value, "name": parameter.name, "trainable": parameter.trainable}

    def _array(self, value: Any) -> int:
        array = np.asarray(value)
        if array.dtype.hasobject:
            raise ValueError(f"a file cannot hold an array of dtype {array.dtype}")
        self.arrays.append(array)
        return len(self.arrays) - 1


class Builder:
    """Makes objects of what a :class:`Description` holds.

    Parameters
    ----------
    layers, parameters, arrays : list
        Its attributes.
    classes : mapping of str to class
        Layer classes by name; others are imported.

    Raises
    ------
    ValueError
        If a class is not found, or refuses its arguments.

    Examples
    --------
    >>> layers = [{"class": "nnlayers:Softmax", "config": {"axis": 1}}]
    >>> Builder(layers, [], [], {}).value({"tuple": [{"layer": 0}, 2]})
    (Softmax(axis=1), 2)
    """

    def __init__(
        self, layers: list[Any], parameters: list[Any], arrays: list[Array], classes: Classes
    ) -> None:
        self._arrays = arrays
        self._classes = classes
        self._parameters = [
            Parameter(arrays[entry["value"]], entry["name"], entry["trainable"])
            for entry in parameters
        ]
        self._layers: list[Layer] = []
        for entry in layers:
            self._layers.append(self._layer(entry))

    def value(self, value: Any) -> Any:
        """Return an argument."""
        if isinstance(value, list):
            return [self.value(entry) for entry in value]
        if not isinstance(value, dict):
            return value
        ((kind, content),) = value.items()
        makers: dict[str, Callable[[Any], Any]] = {
            "float": float,
            "tuple": lambda entries: tuple(map(self.value, entries)),
            "dict": lambda pairs: {self.value(key): self.value(item) for key, item in pairs},
            "layer": self._layers.__getitem__,
            "parameter": self._parameters.__getitem__,
            "initializer": self._initializer,
            "dtype": np.dtype,
            "array": self._arrays.__getitem__,
            "scalar": lambda place: self._arrays[place][()],
        }
        return makers[kind](content)

    def _table(self, table: dict[str, Any]) -> dict[str, Any]:
        return {name: self.value(argument) for name, argument in table.items()}

    def _layer(self, entry: dict[str, Any]) -> Layer:
        name, config = entry["class"], self._table(entry["config"])
        cls = self._classes.get(name) or _imported(name)
        try:
            return cls.from_config(config)
        except (TypeError, ValueError) as error:
            given = f"{name} of {', '.join(config) or 'no arguments'}"
            raise ValueError(f"cannot build {given}: {error}") from error

    def _initializer(self, content: list[Any]) -> Any:
        name, table = content
        return call(_INITIALIZERS[name], self._table(table))


def _name_of(cls: type) -> str:
    """Return the shortest import path of a class, as ``package.module:Class``."""
    parts = cls.__module__.split(".")
    modules = [".".join(parts[:length]) for length in range(1, len(parts) + 1)]
    for module in modules:
        if getattr(sys.modules.get(module), cls.__qualname__, None) is cls:
            return f"{module}:{cls.__qualname__}"
    return f"{cls.__module__}:{cls.__qualname__}"


def _imported(name: str) -> type[Layer]:
    """Return the layer class of an import path."""
    module_name, _, qualified_name = name.partition(":")
    try:
        found: Any = importlib.import_module(module_name)
        for part in qualified_name.split("."):
            found = getattr(found, part)
    except Exception as error:  # whatever the code of the module raises
        given = f"nn.load(path, classes={{{name!r}: {qualified_name.split('.')[-1]}}})"
        raise ValueError(
            f"cannot import the layer {name!r} ({type(error).__name__}: {error}); "
            f"give its class: {given}"
        ) from error
    if not (inspect.isclass(found) and issubclass(found, Layer)):
        raise ValueError(f"{name!r} is no Layer class, but {found!r}")
    return found
