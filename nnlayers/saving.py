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
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from nnlayers.description import Builder, Classes, Description
from nnlayers.files import write_file
from nnlayers.layer import Layer
from nnlayers.numerics import Array

__all__ = ["load", "save"]

VERSION = 1

_TABLE = "model.json"
_ARGUMENTS = "arguments/"
_STATE = "state/"
_DIGEST_LENGTH = 64
_COMMENT = b"nnlayers model %d sha256 "
_END = re.compile(rb"nnlayers model (\d+) sha256 [0-9a-f]{64}\Z")

# What a file gives that is whole, and yet not what `save` writes.
_MALFORMED = (
    AttributeError,
    EOFError,
    LookupError,
    RuntimeError,
    TypeError,
    zipfile.BadZipFile,
    zlib.error,
)


def save(model: Layer, path: str | os.PathLike[str]) -> Path:
    """Write a model to a file: its architecture, weights and state, without pickle.

    What :func:`load` makes of the file predicts the same to the last bit. Each layer is written as
    its class and its constructor's arguments, see :meth:`nnlayers.Layer.config`. Before anything is
    written the model is built anew from that, so that what cannot come back is refused here. Not
    kept are gradients, what ``forward`` cached, and random generators: a loaded dropout draws
    afresh.

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
        cannot hold, or a part was replaced or shared after construction.
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
        content, classes = _written(model)
        _check_same(model, _read(content, classes))
    except (RecursionError, TypeError, ValueError) as error:
        raise ValueError(f"{type(model).__name__} cannot be saved: {error}") from error
    write_file(path, lambda file: file.write(content))
    return Path(path)


def load(path: str | os.PathLike[str], classes: Classes | None = None) -> Layer:
    """Return the model that a file holds.

    Parameters
    ----------
    path : str or path-like
        What :func:`save` has written.
    classes : mapping of str to class, optional
        Layer classes that cannot be imported under the name in the file, by that name: those made
        within a function or in another script, or moved since. An error says which are needed.

    Raises
    ------
    ValueError
        If the file is no such model, altered, cut short, or of a newer format, or a class is not
        found or has changed.
    OSError
        If there is no file, or it cannot be read.

    Notes
    -----
    The checksum finds damage, not malice. Nothing in a file is executed and nothing unpickled, but
    a file says which modules are imported, as by an ``import`` statement, and which subclasses of
    :class:`nnlayers.Layer` in them are called with which arguments. So load a stranger's file
    only where no importable module does harm when it is imported.

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
    classes = dict(classes or {})
    for name, cls in classes.items():
        if not (inspect.isclass(cls) and issubclass(cls, Layer)):
            raise TypeError(f"classes must hold subclasses of Layer, got {name!r}: {cls!r}")
    content = Path(path).read_bytes()
    try:
        return _read(content, classes)
    except ValueError as error:
        raise ValueError(f"{os.fspath(path)}: {error}") from error


def _written(model: Layer) -> tuple[bytes, Classes]:
    """Return the content of a model's file, and the classes of its layers."""
    description = Description()
    table = {
        "model": description.value(model),
        "layers": description.layers,
        "parameters": description.parameters,
        "evaluation": [
            name for name, layer in model.layers_by_name().items() if not layer.training
        ],
        "names": {
            name: [parameter.name, parameter.trainable]
            for name, parameter in model.named_parameters().items()
        },
    }
    arrays = {f"{_ARGUMENTS}{place}": array for place, array in enumerate(description.arrays)}
    arrays |= {f"{_STATE}{name}": array for name, array in model.state_dict().items()}
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        # A ZipInfo of a name alone has no time, so that one model gives one file.
        text = json.dumps(table, indent=1, allow_nan=False)
        archive.writestr(zipfile.ZipInfo(_TABLE), text)
        for name, array in arrays.items():
            with archive.open(zipfile.ZipInfo(f"{name}.npy"), "w", force_zip64=True) as file:
                np.lib.format.write_array(file, array, allow_pickle=False)
        archive.comment = _COMMENT % VERSION + b"0" * _DIGEST_LENGTH
    buffer.seek(-_DIGEST_LENGTH, os.SEEK_END)
    buffer.write(_digest(buffer.getbuffer()))
    return buffer.getvalue(), description.classes


def _read(content: bytes, classes: Classes) -> Layer:
    """Return the model of a file's content."""
    _check_whole(content)
    try:
        table, arrays = _unpacked(content)
        places = range(sum(name.startswith(_ARGUMENTS) for name in arrays))
        arguments = [arrays[f"{_ARGUMENTS}{place}"] for place in places]
        builder = Builder(table["layers"], table["parameters"], arguments, classes)
        model: Layer = builder.value(table["model"])
        names, evaluation = table["names"], frozenset(table["evaluation"])
        state = {
            name.removeprefix(_STATE): array
            for name, array in arrays.items()
            if name.startswith(_STATE)
        }
        _restore(model, state)
        for name, parameter in model.named_parameters().items():
            parameter.name, parameter.trainable = names[name]
        for name, layer in model.layers_by_name().items():
            layer.training = name not in evaluation
    except _MALFORMED as error:
        raise ValueError(f"malformed: {type(error).__name__}: {error}") from error
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


def _unpacked(content: bytes) -> tuple[dict[str, Any], dict[str, Array]]:
    """Return the architecture in an archive, and the arrays by name."""
    arrays = {}
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        for entry in archive.namelist():
            name, suffix = os.path.splitext(entry)
            if suffix == ".npy":
                with archive.open(entry) as file:
                    arrays[name] = np.lib.format.read_array(file, allow_pickle=False)
        return json.loads(archive.read(_TABLE)), arrays


def _restore(model: Layer, state: Mapping[str, Array]) -> None:
    """Set weights and state, each in the dtype that it had."""
    for name, parameter in model.named_parameters().items():
        if name in state:
            parameter.astype(state[name].dtype)
    for prefix, layer in model.layers_by_name().items():
        for attribute in layer.state_names:
            name = f"{prefix}.{attribute}" if prefix else attribute
            if name in state:
                setattr(layer, attribute, getattr(layer, attribute).astype(state[name].dtype))
    try:
        model.load_state_dict(state)
    except ValueError as error:
        raise ValueError(f"its weights are not those of the model built anew: {error}") from error


def _check_same(model: Layer, twin: Layer) -> None:
    """Raise an error that names the first layer of a model that is another in its twin."""
    layers, twins = model.layers_by_name(), twin.layers_by_name()
    for name in layers | twins:
        layer, other = layers.get(name), twins.get(name)
        if layer is None or other is None or _outline(layer) != _outline(other):
            had, has = (" ".join(repr(item).split()) for item in (layer, other))
            raise ValueError(
                f"built anew, its layer {name!r} is {has}, not {had}: what is replaced or shared "
                "after construction must be an argument of the constructor"
            )


def _outline(layer: Layer) -> Any:
    """Return what two layers that are built alike have in common."""
    description = Description()
    try:
        value = description.value(layer)
    except ValueError:  # a part that its holder makes, and that need not be written
        return type(layer)
    arrays = [(array.dtype, array.shape, array.tobytes()) for array in description.arrays]
    return value, description.layers, description.parameters, description.classes, arrays
