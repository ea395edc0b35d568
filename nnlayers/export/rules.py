"""Rules: for each format a table that says how each layer is written."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Generic, TypeVar

from nnlayers.export.program import Instruction, Program

__all__ = ["Rules"]

R = TypeVar("R", bound=Callable[..., Any])


class Rules(Generic[R]):
    """Table of the functions that write layers in one format, by the class of the layer.

    Parameters
    ----------
    name : str
        The name of the format, for messages.
    *parts : Rules
        Tables whose rules this one has too.

    Examples
    --------
    >>> from nnlayers import Exp, Sequential
    >>> from nnlayers.export import trace
    >>> rules = Rules("Lisp")
    >>> @rules.add(Exp)
    ... def write_exp(instruction):
    ...     return f"(exp {instruction.inputs[0].name})"
    >>> program = trace(Sequential(Exp()), (2,))
    >>> rules.check(program)
    >>> [rules[instruction.kind](instruction) for instruction in program.instructions]
    ['(exp x)']
    """

    def __init__(self, name: str, *parts: Rules[R]) -> None:
        self.name = name
        self._rules: dict[type, R] = {}
        for part in parts:
            self._rules |= part._rules

    def add(self, *kinds: type) -> Callable[[R], R]:
        """Return the decorator of a function that writes these layers."""

        def decorate(rule: R) -> R:
            self._rules.update(dict.fromkeys(kinds, rule))
            return rule

        return decorate

    def __getitem__(self, kind: type) -> R:
        return self._rules[kind]

    def __contains__(self, kind: object) -> bool:
        return kind in self._rules

    def check(self, program: Program) -> None:
        """Raise an error that names the first layer without a rule, if there is one.

        Raises
        ------
        ValueError
            If a layer of the program cannot be written.
        """
        for instruction in program.instructions:
            if instruction.kind not in self:
                raise self.error(instruction, "there is no rule for this layer")

    def error(self, instruction: Instruction, reason: str) -> ValueError:
        """Return the error that names a layer and says why it cannot be written."""
        description = " ".join(repr(instruction.layer).split())
        layer = f"layer {instruction.path}, {description}," if instruction.path else description
        return ValueError(f"{layer} cannot be written as {self.name}: {reason}")
