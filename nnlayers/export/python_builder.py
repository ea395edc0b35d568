"""Collect the constants, functions and lines of a Python module that needs NumPy alone."""

from __future__ import annotations

import base64
import inspect
import re
import textwrap
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from types import CodeType
from typing import Any

import numpy as np

from nnlayers._core.arrays import Array

__all__ = ["PythonBuilder", "literal", "quoted"]

_WIDTH = 96


@dataclass
class PythonBuilder:
    """The parts of a module while it is written.

    Attributes
    ----------
    lines : list of str
        The lines of the function that predicts.
    """

    lines: list[str] = field(default_factory=list)
    _arrays: dict[str, Array] = field(default_factory=dict)
    _names: dict[int, str] = field(default_factory=dict)
    _functions: dict[str, Any] = field(default_factory=dict)
    _count: int = 0

    def constant(self, array: Array, prefix: str = "C") -> str:
        """Return the name of a constant array, which is defined once."""
        if id(array) not in self._names:
            name = f"{prefix}{len(self._arrays)}"
            self._arrays[name] = array
            self._names[id(array)] = name
        return self._names[id(array)]

    def use(self, function: Callable[..., Any]) -> str:
        """Return the name of a function, whose source becomes part of the module.

        So do the functions and constants of its file that it uses.
        """
        self._include(function.__name__, function)
        return function.__name__

    def assign(self, expression: str) -> str:
        """Add a line that assigns an expression, and return the name of the result."""
        self._count += 1
        name = f"v{self._count}"
        self.lines.append(f"{name} = {expression}")
        return name

    def functions(self) -> list[str]:
        """Return the sources of the functions and the constants that they use."""
        constants = [item for item in self._functions.items() if not inspect.isfunction(item[1])]
        texts = [f"{name} = {literal(value)}" for name, value in constants]
        sources = [
            textwrap.dedent(inspect.getsource(value)).rstrip()
            for value in self._functions.values()
            if inspect.isfunction(value)
        ]
        return [*(["\n".join(texts)] if texts else []), *map(_without_examples, sources)]

    def constants(self) -> list[str]:
        """Return the definitions of the constant arrays."""
        return [_definition(name, array) for name, array in self._arrays.items()]

    def _include(self, name: str, value: Any) -> None:
        if name in self._functions:
            return
        self._functions[name] = value
        if inspect.isfunction(value):
            namespace = value.__globals__
            for inner in _names_of(value.__code__):
                found = namespace.get(inner)
                is_local = inspect.isfunction(found) and found.__module__ == value.__module__
                if is_local or (inner.isupper() and inner in namespace):
                    self._include(inner, found)


def _names_of(code: CodeType) -> Iterator[str]:
    """Yield the names that code uses, that within it included."""
    yield from code.co_names
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield from _names_of(constant)


def _without_examples(source: str) -> str:
    """Return a function's source without the examples of its docstring, which tests run here."""
    return re.sub(r'\n\n    Examples\n    --------\n.*?\n    """', '"""', source, flags=re.DOTALL)


def _definition(name: str, array: Array) -> str:
    """Return the definition of an array, as the base64 code of its bytes."""
    little = array.astype(array.dtype.newbyteorder("<"), copy=False)
    code = base64.b64encode(np.ascontiguousarray(little).tobytes()).decode()
    lines = [code[start : start + _WIDTH - 6] for start in range(0, len(code), _WIDTH - 6)] or [""]
    body = "\n".join(f'    "{line}"' for line in lines)
    arguments = f'"{little.dtype.str}", {array.shape}'
    line = f"{name} = decode({arguments}, {body.strip()})"
    if len(lines) == 1 and len(line) <= _WIDTH:
        return line
    return f"{name} = decode(\n    {arguments},\n{body},\n)"


def quoted(text: str) -> str:
    r"""Return a string in ASCII, in double quotes where nothing in it needs an escape.

    Examples
    --------
    >>> print(quoted("a"), quoted('say "a"\n'))
    "a" 'say "a"\n'
    """
    escaped = ascii(text)
    is_plain = '"' not in text and "'" not in text and "\\" not in escaped
    return f'"{text}"' if is_plain else escaped


def literal(value: Any, indent: int = 0) -> str:
    """Return a string, number, list, set or dictionary in Python, in tidy lines.

    Examples
    --------
    >>> print(literal({"a": [1, "b"], "c": {}}))
    {
        "a": [1, "b"],
        "c": {},
    }
    """
    if isinstance(value, str):
        return quoted(value)
    if isinstance(value, dict) and value:
        margin = " " * (indent + 4)
        entries = (
            f"{margin}{literal(key)}: {literal(item, indent + 4)},\n" for key, item in value.items()
        )
        return "{\n" + "".join(entries) + " " * indent + "}"
    if isinstance(value, frozenset):
        return f"frozenset({literal(sorted(value), indent)})"
    if isinstance(value, list):
        texts = [literal(item, indent + 4) for item in value]
        line = f"[{', '.join(texts)}]"
        return line if indent + len(line) < _WIDTH - 20 else _packed(texts, indent)
    return repr(value)


def _packed(texts: Sequence[str], indent: int) -> str:
    """Return a list over several lines, each as full as it can be."""
    lines = [""]
    for text in texts:
        if lines[-1] and len(lines[-1]) + len(text) > _WIDTH - indent - 8:
            lines.append("")
        lines[-1] += f" {text}," if lines[-1] else f"{text},"
    margin = " " * (indent + 4)
    return "[\n" + "".join(f"{margin}{line}\n" for line in lines) + " " * indent + "]"
