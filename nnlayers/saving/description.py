"""Describe architectures in JSON: each layer by its class and its constructor's arguments."""

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

__all__ = ["Classes", "Description", "FindClass", "Rebuilder"]

Classes: TypeAlias = Mapping[str, type[Layer]]
FindClass: TypeAlias = Callable[[str], type[Layer]]

# The limit for layers within layers, and for lists within the lists of one argument: a search for
# parameters is a recursion through all levels, and Python's stack ends at 1,000 calls.
MAX_DEPTH = 32

_NUMBERS = "biuf"  # The kinds of dtype that hold real numbers.
_INITIALIZERS: dict[str, Any] = {
    name: getattr(initializers, name)
    for name in initializers.__all__
    if inspect.isclass(getattr(initializers, name))
}


class Description:
    """An architecture in JSON, and the arrays that JSON cannot hold.

    Attributes
    ----------
    layers, parameters : list
        One table for each layer and each parameter; a layer comes after the layers among its
        arguments. An object that is used twice has one table.
    arrays : list of ndarray
        The arrays that the tables refer to by index.
    classes : dict of str to class
        The classes of the layers, by their names in the tables.

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
        self.layers: list[Any] = []
        self.parameters: list[Any] = []
        self.arrays: list[Array] = []
        self.classes: dict[str, type[Layer]] = {}
        # Indices by id; holding the objects keeps their ids from being reused.
        self._seen: dict[int, tuple[Layer | Parameter, int | None]] = {}

    def value(self, value: Any) -> Any:
        """Return an argument in JSON; a type that JSON lacks becomes a table of kind and content.

        Raises
        ------
        ValueError
            If a file cannot hold the argument, or a layer does not store the arguments of
            its constructor.
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
        if isinstance(value, slice):
            return {"slice": self.value([value.start, value.stop, value.step])}
        if value is Ellipsis:
            return {"ellipsis": None}
        if isinstance(value, Layer | Parameter):
            return {"layer" if isinstance(value, Layer) else "parameter": self._index(value)}
        if type(value) in _INITIALIZERS.values():
            arguments = {parameter.name: item for parameter, item in constructor_arguments(value)}
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

    def _index(self, item: Layer | Parameter) -> int:
        if id(item) not in self._seen:
            self._seen[id(item)] = item, None
            entries = self.layers if isinstance(item, Layer) else self.parameters
            entry = self._layer(item) if isinstance(item, Layer) else self._parameter(item)
            self._seen[id(item)] = item, len(entries)
            entries.append(entry)
        index = self._seen[id(item)][1]
        if index is None:
            raise ValueError(f"{type(item).__name__} is among its own arguments")
        return index

    def _layer(self, layer: Layer) -> dict[str, Any]:
        cls = type(layer)
        name = _name_of(cls)
        if self.classes.setdefault(name, cls) is not cls:
            raise ValueError(f"two classes have one name, {name!r}")
        # Through the class, as an instance may have an attribute named config.
        return {"class": name, "config": self._table(cls.config(layer))}

    def _parameter(self, parameter: Parameter) -> dict[str, Any]:
        value = self._array(parameter.value)
        return {"value": value, "name": parameter.name, "trainable": parameter.trainable}

    def _array(self, value: Any) -> int:
        array = np.asarray(value)
        if array.dtype.kind not in "?biufcmMSU":  # The kinds that can be read from an archive.
            raise ValueError(f"a file cannot hold an array of dtype {array.dtype}")
        self.arrays.append(array)
        return len(self.arrays) - 1


class Rebuilder:
    """Rebuild layers and parameters from a :class:`Description`.

    Parameters
    ----------
    layers, parameters, arrays : list
        The attributes of the description.
    find_class : callable
        Returns the layer class of a name.

    Raises
    ------
    ValueError
        If a class is not found or refuses its arguments, layers are nested too deeply, or the lists
        are not those of a description.

    Examples
    --------
    >>> from nnlayers import Softmax
    >>> layers = [{"class": "nnlayers:Softmax", "config": {"axis": 1}}]
    >>> classes = {"nnlayers:Softmax": Softmax}
    >>> Rebuilder(layers, [], [], classes.__getitem__).value({"tuple": [{"layer": 0}, 2]})
    (Softmax(axis=1), 2)
    """

    def __init__(
        self,
        layers: list[Any],
        parameters: list[Any],
        arrays: list[Array],
        find_class: FindClass,
    ) -> None:
        self._arrays: list[Array | None] = [*arrays]
        self._find_class = find_class
        self._parameters = [
            Parameter(self._array(entry["value"]), entry["name"], entry["trainable"])
            for entry in parameters
        ]
        self._layers: list[Layer] = []
        self._depths: list[int] = []
        self._deepest = 0  # The depth of the deepest layer among the arguments read so far.
        for entry in layers:
            self._layers.append(self._layer(entry))

    def value(self, value: Any, depth: int = 0) -> Any:
        """Return an argument from its JSON, which is nested in `depth` lists."""
        if not isinstance(value, list | dict):
            return value
        if depth > MAX_DEPTH:
            raise ValueError(f"an argument is nested more than {MAX_DEPTH} deep")
        if isinstance(value, list):
            return [self.value(entry, depth + 1) for entry in value]
        ((kind, content),) = value.items()
        converters: dict[str, Callable[[Any], Any]] = {
            "float": float,
            "tuple": lambda entries: tuple([self.value(entry, depth + 1) for entry in entries]),
            "dict": lambda pairs: {
                self.value(key, depth + 1): self.value(item, depth + 1) for key, item in pairs
            },
            "slice": lambda bounds: slice(*self.value(bounds, depth + 1)),
            "ellipsis": lambda _: Ellipsis,
            "layer": self._layer_at,
            "parameter": lambda index: self._parameters[_check_index(index)],
            "initializer": self._initializer,
            "dtype": _dtype,
            "array": self._array,
            "scalar": lambda index: self._array(index)[()],
        }
        return converters[kind](content)

    def _table(self, table: dict[str, Any]) -> dict[str, Any]:
        return {name: self.value(argument) for name, argument in table.items()}

    def _layer(self, entry: dict[str, Any]) -> Layer:
        self._deepest = 0
        name, config = entry["class"], self._table(entry["config"])
        self._depths.append(self._deepest + 1)
        if self._depths[-1] > MAX_DEPTH:
            raise ValueError(f"its layers are nested more than {MAX_DEPTH} deep")
        cls = self._find_class(name)
        try:
            return cls.from_config(config)
        except Exception as error:  # A user's constructor may raise any error.
            arguments = ", ".join(config) or "no arguments"
            raise ValueError(f"cannot build {name} of {arguments}: {one_line(error)}") from error

    def _layer_at(self, index: Any) -> Layer:
        layer = self._layers[_check_index(index)]
        self._deepest = max(self._deepest, self._depths[index])
        return layer

    def _array(self, index: Any) -> Array:
        """Return an array, at most once, so that a small file cannot become many copies of it."""
        array, self._arrays[index] = self._arrays[_check_index(index)], None
        if array is None:
            raise ValueError(f"array {index} is used twice")
        return array

    def _initializer(self, content: list[Any]) -> Any:
        name, table = content
        return call(_INITIALIZERS[name], self._table(table))


def _check_index(value: Any) -> int:
    if type(value) is not int or value < 0:
        raise ValueError(f"an index must be an integer of at least 0, got {value!r}")
    return value


def _dtype(name: Any) -> np.dtype[Any]:
    """Return the dtype of a name; it must be one of real numbers."""
    dtype = np.dtype(name) if isinstance(name, str) else np.dtype("V")
    if dtype.kind not in _NUMBERS:
        raise ValueError(f"a dtype must be the name of a dtype of real numbers, got {name!r}")
    return dtype


def _name_of(cls: type) -> str:
    """Return the shortest import path of a class, as ``package.module:Class``."""
    parts = cls.__module__.split(".")
    modules = [".".join(parts[:length]) for length in range(1, len(parts) + 1)]
    for module in modules:
        if getattr(sys.modules.get(module), cls.__qualname__, None) is cls:
            return f"{module}:{cls.__qualname__}"
    return f"{cls.__module__}:{cls.__qualname__}"
