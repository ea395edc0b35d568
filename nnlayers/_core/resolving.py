"""Find classes and functions by name, safely for names in a file from a stranger."""

from __future__ import annotations

import importlib
import inspect
from collections.abc import Iterable
from typing import Any, TypeVar

from nnlayers._core.checks import check_strings, unknown_name

__all__ = ["check_modules", "find", "is_within", "resolve_class"]

_OWN = __name__.partition(".")[0]
# Longer paths are refused, and cut off in messages.
_LONGEST = 200

T = TypeVar("T")


def check_modules(modules: Iterable[str]) -> tuple[str, ...]:
    """Return the allowed modules as a tuple.

    Raises
    ------
    TypeError
        If `modules` is a single string, or holds anything but strings.
    """
    return check_strings("modules", modules, "module names")


def is_within(module: str, modules: Iterable[str]) -> bool:
    """Return whether a module is one of `modules`, or lies in a package that is.

    Examples
    --------
    >>> is_within("mine.layers", ["mine"]), is_within("mine_too", ["mine"])
    (True, False)
    """
    return any(module == name or module.startswith(f"{name}.") for name in modules)


def find(path: str, modules: Iterable[str] = ()) -> Any:
    """Return the class or function of an import path, without calling anything.

    Only nnlayers and `modules` are imported. The path leads from the module to the class through
    classes only, so that it does not reach what those modules import. The caller checks that the
    result is of the wanted kind before calling it.

    Parameters
    ----------
    path : str
        ``"module.Class"`` or ``"module:Outer.Class"``.
    modules : iterable of str
        Modules and packages, beside nnlayers, whose code the caller allows to run.

    Raises
    ------
    ValueError
        If the module is not allowed or cannot be imported, or there is nothing of that name in it.

    Examples
    --------
    >>> find("nnlayers.mlp").__name__
    'mlp'
    >>> find("os.system")
    Traceback (most recent call last):
    ValueError: 'os.system' is code outside nnlayers, which runs only if you allow it: add \
--allow os on the command line, modules=['os'] in Python
    """
    module_name, attributes = _parts(path)
    if not is_within(module_name, (_OWN, *check_modules(modules))):
        raise ValueError(
            f"{_shorten(path)} is code outside nnlayers, which runs only if you allow it: add "
            f"--allow {module_name} on the command line, modules=[{module_name!r}] in Python"
        )
    first, *others = attributes.split(".")
    try:
        module = importlib.import_module(module_name)
        found = getattr(module, first, None)
        for name in others:
            found = vars(found).get(name) if inspect.isclass(found) else None
    except Exception as error:  # The code of an allowed module may raise anything.
        raise ValueError(
            f"cannot import {_shorten(module_name)}: {type(error).__name__}: {error}"
        ) from error
    if found is None:
        known = [name for name, item in vars(module).items() if inspect.isclass(item)]
        raise ValueError(unknown_name(f"name in {module_name}", attributes, known))
    return found


def resolve_class(path: str, base: type[T], modules: Iterable[str] = ()) -> type[T]:
    """Return the class of an import path, if it is a subclass of `base`; see :func:`find`.

    Parameters
    ----------
    path : str
        ``"module.Class"`` or ``"module:Outer.Class"``.
    base : type
        What the class must be, or be derived from.
    modules : iterable of str
        Modules and packages, beside nnlayers, whose code the caller allows to run.

    Raises
    ------
    ValueError
        If the module is not allowed or cannot be imported, or there is no such class in it.

    Examples
    --------
    >>> from nnlayers import Layer
    >>> resolve_class("nnlayers:ReLU", Layer)
    <class 'nnlayers.layers.rectifiers.ReLU'>
    >>> resolve_class("nnlayers.layer.np", Layer)
    Traceback (most recent call last):
    ValueError: 'nnlayers.layer.np' is not a class derived from Layer
    """
    found = find(path, modules)
    if not (inspect.isclass(found) and issubclass(found, base)):
        raise ValueError(f"{_shorten(path)} is not a class derived from {base.__name__}")
    return found


def _parts(path: str) -> tuple[str, str]:
    """Return the module's name in a path, and the rest."""
    module, _, attributes = path.partition(":") if ":" in path else path.rpartition(".")
    names = [*module.split("."), *attributes.split(".")]
    # Names with two underscores lead to packages' scripts and to the internals of classes.
    plain = all(name.isidentifier() and not name.startswith("__") for name in names)
    if not plain or len(path) > _LONGEST:
        raise ValueError(f"{_shorten(path)} is not an import path such as 'module.Class'")
    return module, attributes


def _shorten(path: str) -> str:
    return repr(path if len(path) <= _LONGEST else f"{path[:_LONGEST]}...")
