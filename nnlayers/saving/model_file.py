"""Models as files: architecture, weights and state in one file, and nothing that is executed.

A file is a zip archive that ``numpy.load`` reads too. ``model.json`` holds the architecture: for
each layer its class by name and its constructor's arguments. Beside it lie the arrays of
``state_dict()``, and those among the arguments. The archive's comment, which ends the file, is the
format's version and the SHA-256 of all the bytes before.
"""

from __future__ import annotations

import hashlib
import inspect
import io
import json
import os
import re
import zipfile
from collections.abc import Callable, Iterable, Mapping
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from nnlayers._core.archives import Archive, add_array, one_line
from nnlayers._core.arrays import Array
from nnlayers._core.files import write_file
from nnlayers._core.rebuilding import rebuilding
from nnlayers._core.resolving import check_modules, resolve_class
from nnlayers.layer import Layer
from nnlayers.layers.sequential import check_distinct
from nnlayers.saving.description import Builder, Classes, Description

__all__ = ["load", "save"]

VERSION = 1

_TABLE = "model.json"
_ARGUMENTS = "arguments/"
_STATE = "state/"
_DIGEST_LENGTH = 64
_COMMENT = b"nnlayers model %d sha256 "
_END = re.compile(rb"nnlayers model (\d+) sha256 [0-9a-f]{64}\Z")
# A parameter's attributes beside its value, with their types, in the order of the file.
_SETTINGS = {"name": str, "trainable": bool}


def save(model: Layer, path: str | os.PathLike[str]) -> Path:
    """Write a model to a file: its architecture, weights and state, without pickle.

    What :func:`load` makes of the file predicts the same to the last bit. Each layer is written as
    its class and its constructor's arguments, see :meth:`nnlayers.Layer.config`. Before anything is
    written the model is built anew from that, without drawing weights, so that what cannot come
    back is refused here. Not kept are gradients, what ``forward`` cached, and random generators: a
    loaded dropout draws afresh.

    Parameters
    ----------
    model : Layer
        Of any kind, containers included.
    path : str or path-like
        The file. One that is there stays whole until the new one takes its place.

    Returns
    -------
    Path
        `path`.

    Raises
    ------
    TypeError
        If `model` is no layer.
    ValueError
        If the model could not be built anew: an argument is not kept or of a kind that a file
        cannot hold, a part was replaced or shared after construction, or layers are nested more
        than 32 deep.
    OSError
        If the file cannot be written.

    Examples
    --------
    >>> import tempfile
    >>> import nnlayers as nn
    >>> model = nn.mlp([4, 8, 3], rng=0)
    >>> with tempfile.TemporaryDirectory() as directory:
    ...     twin = nn.load(nn.save(model, f"{directory}/model.nn"))
    >>> x = np.ones((2, 4))
    >>> bool(np.all(twin.predict(x) == model.predict(x)))
    True
    """
    if not isinstance(model, Layer):
        raise TypeError(f"model must be a Layer, got {model!r}")
    try:
        content = _content(model)
    except RecursionError as error:
        raise ValueError(
            f"{type(model).__name__} cannot be saved: it is nested too deep"
        ) from error
    except (TypeError, ValueError) as error:
        raise ValueError(f"{type(model).__name__} cannot be saved: {error}") from error
    write_file(path, lambda file: file.write(content))
    return Path(path)


def load(
    path: str | os.PathLike[str],
    *,
    modules: Iterable[str] = (),
    classes: Classes | None = None,
    allow_nonfinite: bool = False,
) -> Layer:
    """Return the model that a file holds.

    Parameters
    ----------
    path : str or path-like
        What :func:`save` has written.
    modules : iterable of str
        Modules and packages, beside nnlayers, from which layer classes may be imported. The code of
        a module that is imported runs, so name those that you trust.
    classes : mapping of str to class, optional
        Layer classes that cannot be imported under the name in the file, by that name: those made
        within a function or in a script, or moved since. An error says which are needed.
    allow_nonfinite : bool
        Whether weights and state may be NaN or infinite.

    Raises
    ------
    ValueError
        If the file is no such model, altered, cut short, or of a newer format, a class is not
        found, not allowed or has changed, or a weight is not finite. The message is one line.
    TypeError
        If `modules` or `classes` holds anything else.
    OSError
        If there is no file, or it cannot be read.

    Notes
    -----
    The checksum finds damage, not malice. A file of a stranger runs no code: nothing in it is
    executed or unpickled, and the classes that it names must be those of layers, in nnlayers or in
    what you have allowed. Nor does it take more memory than a small multiple of its size.

    Examples
    --------
    >>> import tempfile
    >>> import nnlayers as nn
    >>> def scale_class():
    ...     class Scale(nn.Layer):
    ...         def __init__(self, factor):
    ...             self.factor = factor
    ...
    ...         def forward(self, x):
    ...             return self.factor * x
    ...
    ...         def backward(self, dout):
    ...             return self.factor * dout
    ...
    ...     return Scale
    >>> Scale = scale_class()  # made within a function, so it cannot be imported
    >>> name = f"{Scale.__module__}:{Scale.__qualname__}"
    >>> with tempfile.TemporaryDirectory() as directory:
    ...     nn.load(nn.save(Scale(3.0), f"{directory}/model.nn"), classes={name: Scale})
    Scale(3.0)
    """
    modules, classes = check_modules(modules), dict(classes or {})
    for name, cls in classes.items():
        if not (inspect.isclass(cls) and issubclass(cls, Layer)):
            raise TypeError(f"classes must hold subclasses of Layer, got {name!r}: {cls!r}")
    content = Path(path).read_bytes()

    base: Any = Layer  # to mypy an abstract class is no value

    @cache  # many layers are of few classes
    def find_class(name: str) -> type[Layer]:
        try:
            found: type[Layer] = classes.get(name) or resolve_class(name, base, modules)
        except ValueError as error:
            given = f"classes={{{name!r}: {name.rpartition('.')[2].rpartition(':')[2]}}}"
            raise ValueError(f"{error}; or give the class itself: {given}") from error
        return found

    try:
        _check_whole(content)
        table, arguments, state = _unpacked(content)
        if not allow_nonfinite:
            _check_finite(state)
        return _built(table, arguments, state, find_class, len(content))
    except ValueError as error:
        raise ValueError(f"{os.fspath(path)}: {one_line(error)}") from error
    except Exception as error:  # whatever a forged file leads to
        raise ValueError(f"{os.fspath(path)}: malformed: {one_line(error)}") from error


def _content(model: Layer) -> memoryview:
    """Return the content of a model's file."""
    description = Description()
    value = description.value(model)
    layers = model.layers_by_name()
    table = {
        "model": value,
        "layers": description.layers[:],
        "parameters": description.parameters[:],
        "evaluation": [name for name, layer in layers.items() if not layer.training],
        "names": {
            name: [getattr(parameter, setting) for setting in _SETTINGS]
            for name, parameter in model.named_parameters().items()
        },
    }
    arguments, state = description.arrays[:], model.state_dict()
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr(zipfile.ZipInfo(_TABLE), json.dumps(table, allow_nan=False))
        for index, array in enumerate(arguments):
            add_array(archive, f"{_ARGUMENTS}{index}", array)
        for name, array in state.items():
            add_array(archive, f"{_STATE}{name}", array)
        archive.comment = _COMMENT % VERSION + b"0" * _DIGEST_LENGTH
    # Copies, as a constructor may write to what it is given.
    copies = [array.copy() for array in arguments]
    size, classes = buffer.tell(), description.classes
    twin = _built(table, copies, state, classes.__getitem__, size)
    _check_same(layers, _outlines(layers, description), twin)
    buffer.seek(-_DIGEST_LENGTH, os.SEEK_END)
    buffer.write(_digest(buffer.getbuffer()))
    return buffer.getbuffer()


def _built(
    table: dict[str, Any],
    arguments: list[Array],
    state: Mapping[str, Array],
    find_class: Callable[[str], type[Layer]],
    size: int,
) -> Layer:
    """Return the model of a table, whose file has `size` bytes and so at most as many weights."""
    with rebuilding(size):
        builder = Builder(table["layers"], table["parameters"], arguments, find_class)
        model: Layer = builder.value(table["model"])
    check_distinct(model)
    layers, parameters = model.layers_by_name(), model.named_parameters()
    for name, parameter in parameters.items():
        if name in state and state[name].dtype != parameter.dtype:
            parameter.astype(state[name].dtype)
    for prefix, layer in layers.items():
        for attribute in layer.state_names:
            name = f"{prefix}.{attribute}" if prefix else attribute
            if name in state:
                setattr(layer, attribute, getattr(layer, attribute).astype(state[name].dtype))
    try:
        model.load_state_dict(state)
    except ValueError as error:
        raise ValueError(f"its weights are not those of the model built anew: {error}") from error
    for name, parameter in parameters.items():
        for (setting, kind), value in zip(_SETTINGS.items(), table["names"][name], strict=True):
            if type(value) is not kind:
                raise ValueError(f"{setting} of {name!r} must be a {kind.__name__}, got {value!r}")
            setattr(parameter, setting, value)
    evaluation = frozenset(table["evaluation"])
    for name, layer in layers.items():
        layer.training = name not in evaluation
    return model


def _check_whole(content: bytes) -> None:
    end = _END.search(content[-2 * _DIGEST_LENGTH :])
    if end is None:
        raise ValueError("no model that nn.save wrote, or cut short")
    if content[-_DIGEST_LENGTH:] != _digest(memoryview(content)):
        raise ValueError("damaged: the checksum differs")
    if int(end[1]) != VERSION:
        raise ValueError(f"has format version {int(end[1])}, this nnlayers reads {VERSION}")


def _digest(content: memoryview) -> bytes:
    """Return the checksum of a file, which is that of all before the place where it stands."""
    return hashlib.sha256(content[:-_DIGEST_LENGTH]).hexdigest().encode()


def _unpacked(content: bytes) -> tuple[dict[str, Any], list[Array], dict[str, Array]]:
    """Return the architecture in an archive, the arrays among the arguments, and the state."""
    archive = Archive(io.BytesIO(content))
    state = [name for name in archive.names if name.startswith(_STATE)]
    arguments = range(sum(name.startswith(_ARGUMENTS) for name in archive.names))
    return (
        json.loads(archive.content(_TABLE)),
        [archive.array(f"{_ARGUMENTS}{index}") for index in arguments],
        {name.removeprefix(_STATE): archive.array(name) for name in state},
    )


def _check_finite(state: Mapping[str, Array]) -> None:
    for name, array in state.items():
        # The extremes are NaN where an entry is, and take no memory.
        if array.dtype.kind == "f" and array.size and not np.isfinite(array.min() + array.max()):
            if np.isfinite(array).all():
                continue
            raise ValueError(
                f"entry {name!r} holds NaN or infinite values; pass allow_nonfinite=True to load "
                "it nevertheless"
            )


def _check_same(layers: Mapping[str, Layer], outlines: Mapping[str, Any], twin: Layer) -> None:
    """Raise an error that names the first layer of a model that is another in its twin."""
    twins = twin.layers_by_name()
    twin_outlines = _outlines(twins, Description())
    for name in {**outlines, **twin_outlines}:
        if outlines.get(name) != twin_outlines.get(name):
            had, has = (" ".join(repr(item.get(name)).split()) for item in (layers, twins))
            raise ValueError(
                f"built anew, its layer {name!r} is {has}, not {had}: what is replaced or shared "
                "after construction must be an argument of the constructor"
            )


def _outlines(layers: Mapping[str, Layer], description: Description) -> dict[str, Any]:
    """Return by name what the layers of two models that are built alike have in common.

    `description` is empty, or of the first layer.
    """
    outlines: dict[str, Any] = {}
    lists = (description.layers, description.parameters, description.arrays)
    counts = [0, 0, 0]
    for name, layer in layers.items():
        try:
            value = description.value(layer)
        except ValueError:  # a part that its holder makes, and that need not be written
            value = None
        # Of what it is made of only what is not in the outlines before: the rest has an index.
        entries, parameters, arrays = (
            new[count:] for new, count in zip(lists, counts, strict=True)
        )
        counts = [len(new) for new in lists]
        contents = [(array.dtype, array.shape, array.tobytes()) for array in arrays]
        outlines[name] = type(layer), value, entries, parameters, contents
    return outlines
