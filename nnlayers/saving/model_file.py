"""Save and load models: architecture, weights and state in one file that runs no code.

A file is written in one of two formats, :mod:`.archive_format` and :mod:`.safetensors_format`.
"""

from __future__ import annotations

import inspect
import os
from collections.abc import Iterable, Mapping
from functools import cache
from pathlib import Path
from typing import Any

from nnlayers._core.archives import one_line
from nnlayers._core.checks import check_boolean, check_instance, check_path
from nnlayers._core.files import write_file
from nnlayers._core.rebuilding import rebuilding
from nnlayers._core.resolving import check_modules, resolve_class
from nnlayers._core.showing import shown
from nnlayers._core.state import check_finite
from nnlayers.layer import Layer
from nnlayers.saving import archive_format, safetensors_format
from nnlayers.saving.contents import Contents
from nnlayers.saving.description import Classes, Description, FindClass, Rebuilder

__all__ = ["dumps", "load", "loads", "save"]

# The attributes of a parameter that are saved beside its value, in the order of the file. Files of
# version 1 have the first two.
_SETTINGS = {"name": str, "trainable": bool, "lr_scale": float, "decay": bool}


def save(model: Layer, path: str | os.PathLike[str]) -> Path:
    """Save a model to a file: its architecture, weights and state, without pickle.

    The model that :func:`load` returns predicts the same to the last bit. Each layer is saved as
    its class and the arguments of its constructor, see :meth:`nnlayers.Layer.config`. The model is
    rebuilt from them before anything is written, so that a model that could not be loaded is
    refused here. Gradients, the caches of ``forward`` and random generators are not saved: a
    loaded dropout layer draws afresh.

    Parameters
    ----------
    model : Layer
        The model: any layer, containers included.
    path : str or path-like
        The file. An existing one stays whole until the new one replaces it. If the name ends in
        ``.safetensors``, the file has that format, and its weights open in every library that
        reads it, by the names of ``model.state_dict()``.

    Returns
    -------
    Path
        `path`.

    Raises
    ------
    TypeError
        If `model` is not a layer.
    ValueError
        If the model could not be rebuilt: a layer does not store an argument of its constructor, an
        argument is of a kind that a file cannot hold, a part was replaced or shared after
        construction, or layers are nested more than 32 deep.
    OSError
        If the file cannot be written.

    Examples
    --------
    >>> import tempfile
    >>> import numpy as np
    >>> import nnlayers as nn
    >>> model = nn.mlp([4, 8, 3], rng=0)
    >>> with tempfile.TemporaryDirectory() as directory:
    ...     twin = nn.load(nn.save(model, f"{directory}/model.nn"))
    >>> x = np.ones((2, 4))
    >>> bool(np.all(twin.predict(x) == model.predict(x)))
    True
    """
    path = check_path("path", path)
    content = dumps(model, safetensors=path.suffix == safetensors_format.SUFFIX)
    write_file(path, lambda file: file.write(content))
    return path


def load(
    path: str | os.PathLike[str],
    *,
    modules: Iterable[str] = (),
    classes: Classes | None = None,
    allow_nonfinite: bool = False,
) -> Layer:
    """Load a model from a file.

    Parameters
    ----------
    path : str or path-like
        A file from :func:`save`, of either format.
    modules : iterable of str
        Modules and packages from which layer classes may be imported, besides nnlayers. Importing
        a module runs its code, so name only modules that you trust.
    classes : mapping of str to class, optional
        Layer classes that cannot be imported under the name in the file, by that name: classes
        defined within a function or in a script, or moved since. An error says which are needed.
    allow_nonfinite : bool
        Whether weights, state and the constants of graphs may be NaN or infinite.

    Raises
    ------
    ValueError
        If the file is not a model file, was altered or cut short, or has a newer format; if a class
        is not found, not allowed or has changed; or if a weight or a constant of a graph is not
        finite. The message is one line.
    TypeError
        If `modules` holds anything but strings, or `classes` anything but layer classes.
    OSError
        If the file cannot be read.

    Notes
    -----
    The checksum detects damage, not malice. A file from a stranger runs no code: nothing in it is
    executed or unpickled, and the classes that it names must be layers, in nnlayers or in the
    modules that you have allowed. Loading takes no more memory than a small multiple of the file's
    size.

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
    >>> Scale = scale_class()  # defined within a function, so it cannot be imported
    >>> name = f"{Scale.__module__}:{Scale.__qualname__}"
    >>> with tempfile.TemporaryDirectory() as directory:
    ...     nn.load(nn.save(Scale(3.0), f"{directory}/model.nn"), classes={name: Scale})
    Scale(3.0)
    """
    path = check_path("path", path)
    allow_nonfinite = check_boolean("allow_nonfinite", allow_nonfinite)
    find_class = _class_finder(modules, {} if classes is None else classes)
    content = path.read_bytes()
    try:
        return _parse(content, find_class, allow_nonfinite)
    except ValueError as error:
        raise ValueError(f"{os.fspath(path)}: {error}") from error


def dumps(model: Layer, *, safetensors: bool = False) -> memoryview:
    """Return the content of the file that :func:`save` writes.

    Raises
    ------
    TypeError, ValueError
        As :func:`save` does.
    """
    if not isinstance(model, Layer):
        raise TypeError(f"model must be a Layer, got {shown(model)}")
    try:
        return _content(model, safetensors)
    except RecursionError as error:
        raise ValueError(
            f"{type(model).__name__} cannot be saved: it is nested too deep"
        ) from error
    except (TypeError, ValueError) as error:
        raise ValueError(f"{type(model).__name__} cannot be saved: {error}") from error


def loads(
    content: bytes | memoryview, *, modules: Iterable[str] = (), allow_nonfinite: bool = False
) -> Layer:
    """Return the model of a file's content, as :func:`load` does."""
    return _parse(content, _class_finder(modules, {}), allow_nonfinite)


def _class_finder(modules: Iterable[str], classes: Classes) -> FindClass:
    """Return the function that finds layer classes by their names in a file."""
    check_instance("classes", classes, Mapping)
    modules, classes = check_modules(modules), dict(classes)
    for name, cls in classes.items():
        if not (inspect.isclass(cls) and issubclass(cls, Layer)):
            raise TypeError(f"classes must hold subclasses of Layer, got {name!r}: {shown(cls)}")
    base: Any = Layer  # mypy does not take an abstract class for a type[Layer].

    @cache  # A model has many layers of few classes.
    def find_class(name: str) -> type[Layer]:
        try:
            layer_class: type[Layer] = classes.get(name) or resolve_class(name, base, modules)
        except ValueError as error:
            example = f"classes={{{name!r}: {name.rpartition('.')[2].rpartition(':')[2]}}}"
            raise ValueError(f"{error}; or give the class itself: {example}") from error
        return layer_class

    return find_class


def _parse(content: bytes | memoryview, find_class: FindClass, allow_nonfinite: bool) -> Layer:
    try:
        view = memoryview(content)
        is_safetensors = safetensors_format.is_safetensors(view)
        unpack = safetensors_format.unpack if is_safetensors else archive_format.unpack
        contents = unpack(view)
        if not allow_nonfinite:
            check_finite(contents.state)
        return _rebuild(contents, find_class, len(content), allow_nonfinite)
    except ValueError as error:
        raise ValueError(one_line(error)) from error
    except Exception as error:  # A forged file may cause any error.
        raise ValueError(f"malformed: {one_line(error)}") from error


def _content(model: Layer, is_safetensors: bool) -> memoryview:
    description = Description()
    value = description.value(model)
    layers = model.named_layers()
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
    contents = Contents(table, description.arrays[:], model.state_dict())
    pack = safetensors_format.pack if is_safetensors else archive_format.pack
    content = pack(contents)
    # A constructor may write to an array that is passed to it, so it gets copies.
    copies = contents._replace(arguments=[array.copy() for array in contents.arguments])
    twin = _rebuild(copies, description.classes.__getitem__, len(content))
    _check_same(layers, _outlines(layers, description), twin)
    return content


def _rebuild(
    contents: Contents, find_class: FindClass, size: int, allow_nonfinite: bool = True
) -> Layer:
    """Return the model of a file's contents; a file of `size` bytes holds no more weights."""
    table, arguments, state = contents
    # A layer may draw weights that it replaces, so there may be more than are stored.
    with rebuilding(size, 2 * len(state) + 100, allow_nonfinite=allow_nonfinite):
        rebuilder = Rebuilder(table["layers"], table["parameters"], arguments, find_class)
        model: Layer = rebuilder.value(table["model"])
    layers, parameters = model.named_layers(), model.named_parameters()
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
        raise ValueError(f"its weights do not fit the rebuilt model: {error}") from error
    for name, parameter in parameters.items():
        values = table["names"][name]
        if len(values) == 2:
            values = [*values, 1.0, True]
        for (setting, kind), value in zip(_SETTINGS.items(), values, strict=True):
            if type(value) is not kind:
                raise ValueError(
                    f"{setting} of {name!r} must be a {kind.__name__}, got {shown(value)}"
                )
            setattr(parameter, setting, value)
    evaluation = frozenset(table["evaluation"])
    for name, layer in layers.items():
        layer.training = name not in evaluation
    return model


def _check_same(layers: Mapping[str, Layer], outlines: Mapping[str, Any], twin: Layer) -> None:
    """Raise an error for the first layer of a model that its rebuilt twin does not have."""
    twins = twin.named_layers()
    twin_outlines = _outlines(twins, Description())
    for name in {**outlines, **twin_outlines}:
        if outlines.get(name) != twin_outlines.get(name):
            had, has = (" ".join(repr(item.get(name)).split()) for item in (layers, twins))
            raise ValueError(
                f"rebuilt, its layer {name!r} is {has}, not {had}: a part that is replaced or "
                "shared after construction must be an argument of the constructor"
            )


def _outlines(layers: Mapping[str, Layer], description: Description) -> dict[str, Any]:
    """Return, by layer name, a value that is equal for equal layers.

    `description` is empty, or that of the first layer.
    """
    outlines: dict[str, Any] = {}
    lists = (description.layers, description.parameters, description.arrays)
    counts = [0, 0, 0]
    for name, layer in layers.items():
        try:
            value = description.value(layer)
        except ValueError:  # The layer that holds this part makes it, so the file need not.
            value = None
        # Only the entries that this layer added: earlier ones are referred to by index.
        entries, parameters, arrays = (
            new[count:] for new, count in zip(lists, counts, strict=True)
        )
        counts = [len(new) for new in lists]
        contents = [(array.dtype, array.shape, array.tobytes()) for array in arrays]
        outlines[name] = type(layer), value, entries, parameters, contents
    return outlines
