"""Architectures in JSON's terms: each layer by its class and its constructor's arguments."""

from __future__ import annotations

import inspect
import sys
from collections.abc import Callable, Mapping
from typing import Any, TypeAlias

import numpy as np

from nnlayers import initializers
from nnlayers._core.archives import one_line
from nnlayers._core.arrays import Array
from nnlayers._core.constructors import call, constructor_arguments
from nnlayers.layer import Layer, Parameter

__all__ = ["Builder", "Classes", "Description"]

Classes: TypeAlias = Mapping[str, type[Layer]]

# How deep layers may be nested in layers, and lists in the lists of one argument: each search for
# parameters goes through all of these levels, and Python's own stack ends at 1,000 calls.
MOST_NESTED = 32

_NUMBERS = "biuf"  # the kinds of dtype
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
            If there is no way to write it, or a layer does not store its constructor's arguments.
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
            arguments = {parameter.name: kept for parameter, kept in constructor_arguments(value)}
            return {"initializer": [type(value).__name__, self._table(arguments)]}
        if value is np.float32 or value is np.float64:
            return self.value(np.dtype(value))
        if isinstance(value, np.dtype) and value.kind in _NUMBERS:
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
        if array.dtype.kind not in "?biufcmMSU":  # which are what an archive gives back
            raise ValueError(f"a file cannot hold an array of dtype {array.dtype}")
        self.arrays.append(array)
        return len(self.arrays) - 1


class Builder:
    """Makes objects of what a :class:`Description` holds.

    Parameters
    ----------
    layers, parameters, arrays : list
        Its attributes.
    find_class : callable
        Returns the layer class of a name.

    Raises
    ------
    ValueError
        If a class is not found, or refuses its arguments, layers are nested too deeply, or the
        lists hold anything that no description does.

    Examples
    --------
    >>> from nnlayers import Softmax
    >>> layers = [{"class": "nnlayers:Softmax", "config": {"axis": 1}}]
    >>> classes = {"nnlayers:Softmax": Softmax}
    >>> Builder(layers, [], [], classes.__getitem__).value({"tuple": [{"layer": 0}, 2]})
    (Softmax(axis=1), 2)
    """

    def __init__(
        self,
        layers: list[Any],
        parameters: list[Any],
        arrays: list[Array],
        find_class: Callable[[str], type[Layer]],
    ) -> None:
        self._arrays: list[Array | None] = [*arrays]
        self._find_class = find_class
        self._parameters = [
            Parameter(self._array(entry["value"]), entry["name"], entry["trainable"])
            for entry in parameters
        ]
        self._layers: list[Layer] = []
        self._depths: list[int] = []
        self._deepest = 0  # of the layers among the arguments of the one that is being made
        for entry in layers:
            self._layers.append(self._layer(entry))

    def value(self, value: Any, depth: int = 0) -> Any:
        """Return an argument, which is `depth` lists deep in others."""
        if not isinstance(value, list | dict):
            return value
        if depth > MOST_NESTED:
            raise ValueError(f"an argument is nested more than {MOST_NESTED} deep")
        if isinstance(value, list):
            return [self.value(entry, depth + 1) for entry in value]
        ((kind, content),) = value.items()
        makers: dict[str, Callable[[Any], Any]] = {
            "float": float,
            "tuple": lambda entries: tuple([self.value(entry, depth + 1) for entry in entries]),
            "dict": lambda pairs: {
                self.value(key, depth + 1): self.value(item, depth + 1) for key, item in pairs
            },
            "layer": self._layer_at,
            "parameter": lambda index: self._parameters[_index(index)],
            "initializer": self._initializer,
            "dtype": _dtype,
            "array": self._array,
            "scalar": lambda index: self._array(index)[()],
        }
        return makers[kind](content)

    def _table(self, table: dict[str, Any]) -> dict[str, Any]:
        return {name: self.value(argument) for name, argument in table.items()}

    def _layer(self, entry: dict[str, Any]) -> Layer:
        self._deepest = 0
        name, config = entry["class"], self._table(entry["config"])
        self._depths.append(self._deepest + 1)
        if self._depths[-1] > MOST_NESTED:
            raise ValueError(f"its layers are nested more than {MOST_NESTED} deep")
        cls = self._find_class(name)
        try:
            return cls.from_config(config)
        except Exception as error:  # whatever a constructor of a user's raises
            given = f"{name} of {', '.join(config) or 'no arguments'}"
            raise ValueError(f"cannot build {given}: {one_line(error)}") from error

    def _layer_at(self, index: Any) -> Layer:
        layer = self._layers[_index(index)]
        self._deepest = max(self._deepest, self._depths[index])
        return layer

    def _array(self, index: Any) -> Array:
        """Return an array; as each has a single use, a file cannot make many of one."""
        array, self._arrays[index] = self._arrays[_index(index)], None
        if array is None:
            raise ValueError(f"array {index} is used twice")
        return array

    def _initializer(self, content: list[Any]) -> Any:
        name, table = content
        return call(_INITIALIZERS[name], self._table(table))


def _index(value: Any) -> int:
    if type(value) is not int or value < 0:
        raise ValueError(f"an index must be an integer from 0 on, got {value!r}")
    return value


def _dtype(name: Any) -> np.dtype[Any]:
    """Return the dtype of a name, if it is one of numbers."""
    dtype = np.dtype(name) if isinstance(name, str) else np.dtype("V")
    if dtype.kind not in _NUMBERS:
        raise ValueError(f"a dtype must be the name of one of real numbers, got {name!r}")
    return dtype


def _name_of(cls: type) -> str:
    """Return the shortest import path of a class, as ``package.module:Class``."""
    parts = cls.__module__.split(".")
    modules = [".".join(parts[:length]) for length in range(1, len(parts) + 1)]
    for module in modules:
        if getattr(sys.modules.get(module), cls.__qualname__, None) is cls:
            return f"{module}:{cls.__qualname__}"
    return f"{cls.__module__}:{cls.__qualname__}"
