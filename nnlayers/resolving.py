"""Classes and functions by name, out of files that a stranger may have written."""

from __future__ import annotations

import importlib
import inspect
from collections.abc import Callable, Iterable
from typing import Any, TypeVar

__all__ = ["check_modules", "resolve_class", "resolve_function", "within"]

_OWN = __name__.partition(".")[0]
# As much of a name as a message shows.
_LONGEST = 80

T = TypeVar("T")


def check_modules(modules: Iterable[str]) -> tuple[str, ...]:
    """Return the modules that a caller allows.

    Raises
    ------
    TypeError
        If `modules` is a single string, or holds anything but strings.
    """
    names = modules if isinstance(modules, str) else tuple(modules)
    if isinstance(names, str) or not all(isinstance(name, str) for name in names):
        raise TypeError(f"modules must be a list of module names, got {modules!r}")
    return names


def within(module: str, modules: Iterable[str]) -> bool:
    """Whether a module is one of `modules`, or belongs to a package that is.

    Examples
    --------
    >>> within("mine.layers", ["mine"]), within("mine_too", ["mine"])
    (True, False)
    """
    return any(module == name or module.startswith(f"{name}.") for name in modules)


def resolve_class(path: str, base: type[T], modules: Iterable[str] = ()) -> type[T]:
    """Return the class that an import path names, without calling anything.

    Only nnlayers itself and `modules` are imported, and the way from the module to the class leads
    through classes alone, so that what the modules have imported for themselves is out of reach.

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
    >>> resolve_class("os.system", Layer)
    Traceback (most recent call last):
    ValueError: 'os.system' is code outside nnlayers, which runs only if you allow it: add \
--allow os on the command line, modules=['os'] in Python
    """
    found = _found(path, modules)
    if not (inspect.isclass(found) and issubclass(found, base)):
        raise ValueError(f"{_shown(path)} is not a class derived from {base.__name__}")
    return found


def resolve_function(path: str, modules: Iterable[str] = ()) -> Callable[..., Any]:
    """Return the function that an import path names, without calling it.

    It must be written in Python, outside a class, and be defined in nnlayers or in `modules` and not
    only imported there.

    Raises
    ------
    ValueError
        If the module is not allowed or cannot be imported, or there is no such function in it.

    Examples
    --------
    >>> resolve_function("nnlayers.training.metrics.accuracy")([1, 2], [1, 3])
    0.5
    >>> resolve_function("nnlayers.files.threading")
    Traceback (most recent call last):
    ValueError: 'nnlayers.files.threading' is not a function defined in an allowed module
    """
    modules = check_modules(modules)
    found = _found(path, modules)
    defined_in = getattr(found, "__module__", None) or ""
    is_method = ":" in path and "." in path.partition(":")[2]
    if is_method or not inspect.isfunction(found) or not within(defined_in, (_OWN, *modules)):
        raise ValueError(f"{_shown(path)} is not a function defined in an allowed module")
    made: Callable[..., Any] = found
    return made


def _found(path: str, modules: Iterable[str]) -> Any:
    """Return what a path leads to, None if there is nothing."""
    modules = check_modules(modules)
    colon = ":" in path
    module_name, _, attributes = path.partition(":") if colon else path.rpartition(".")
    names = [*module_name.split("."), *attributes.split(".")]
    # Names with two underscores lead to the scripts of packages and the insides of classes.
    if not all(name.isidentifier() and not name.startswith("__") for name in names):
        raise ValueError(f"{_shown(path)} is not an import path such as 'module.Class'")
    if not within(module_name, (_OWN, *modules)):
        raise ValueError(
            f"{_shown(path)} is code outside nnlayers, which runs only if you allow it: add "
            f"--allow {module_name} on the command line, modules=[{module_name!r}] in Python"
        )
    try:
        found: Any = importlib.import_module(module_name)
        first, *others = attributes.split(".")
        found = getattr(found, first, None)
        for name in others:
            found = vars(found).get(name) if inspect.isclass(found) else None
    except Exception as error:  # whatever the code of an allowed module raises
        raise ValueError(
            f"cannot import {_shown(module_name)}: {type(error).__name__}: {error}"
        ) from error
    return found


def _shown(path: str) -> str:
    return repr(path if len(path) <= _LONGEST else f"{path[:_LONGEST]}...")
