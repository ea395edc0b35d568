"""Collect the arrays, functions and steps of a C file, and lay out the memory that it needs."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np

from nnlayers._core.arrays import FLOAT32, Array
from nnlayers.export.c_loops import Access, contiguous, loop_nest
from nnlayers.export.c_text import array_text, c_type, comment_text, literal
from nnlayers.export.program import Instruction

__all__ = ["CBuilder", "Place"]

Dtype = np.dtype[Any]


@dataclass(frozen=True, eq=False)
class Place:
    """An array in C, which holds what a program computes for one row, a weight or a constant.

    Attributes
    ----------
    name : str
        The name of the array.
    shape : tuple of int
        Its shape, without the axis of the rows.
    dtype : numpy.dtype
        The dtype of its entries, as they are stored.
    start : int
        The index of its first entry.
    content : ndarray or None
        The entries of a weight or constant.
    is_scratch : bool
        Whether it lies in memory that can hold something else when it is no longer needed.
    """

    name: str
    shape: tuple[int, ...]
    dtype: Dtype
    start: int = 0
    content: Array | None = None
    is_scratch: bool = False

    @property
    def size(self) -> int:
        """The number of entries."""
        return math.prod(self.shape)

    def access(self, strides: Sequence[int] | None = None) -> Access:
        """Return how a loop over the shape, or over the axes of the strides, reads it."""
        return Access(
            self.name, contiguous(self.shape) if strides is None else tuple(strides), self.start
        )

    def broadcast(self, shape: Sequence[int]) -> Access:
        """Return how a loop over a shape reads it, as NumPy broadcasts arrays."""
        own = contiguous(self.shape)
        steps = [0 if length == 1 else step for length, step in zip(self.shape, own, strict=True)]
        return self.access([0] * (len(shape) - len(steps)) + steps)

    def entry(self, *terms: str) -> str:
        """Return the expression of an entry, by the terms of its index."""
        start = [str(self.start)] if self.start else []
        return f"{self.name}[{' + '.join([*terms, *start])}]"

    def pointer(self, start: str = "") -> str:
        """Return the expression of the address of its first entry, or of one further on."""
        terms = [self.name, str(self.start) if self.start else "", start]
        return " + ".join(term for term in terms if term)


@dataclass
class _Step:
    """Lines of the function, and the scratch arrays that they read and write."""

    lines: list[str]
    reads: list[Place]
    writes: list[Place]
    may_overwrite: list[Place]


class _Constant(NamedTuple):
    """A constant array, and what its comment says of it."""

    array: Array
    note: str
    is_weight: bool


@dataclass
class CBuilder:
    """The parts of a C file while it is written.

    Parameters
    ----------
    name : str
        The beginning of all names.

    Attributes
    ----------
    helpers : dict of str to str
        The definitions of static functions by name.
    products : int
        The number of products that are added up for one row.
    """

    name: str
    helpers: dict[str, str] = field(default_factory=dict)
    products: int = 0
    _constants: dict[str, _Constant] = field(default_factory=dict)
    _places: dict[int, Place] = field(default_factory=dict)
    _steps: list[_Step] = field(default_factory=list)
    _count: int = 0

    def constant(self, array: Array, note: str = "", *, is_weight: bool = False) -> Place:
        """Return the place of a constant array, which is defined once."""
        if id(array) not in self._places:
            name = f"{self.name}_{'w' if is_weight else 'c'}{len(self._constants)}"
            self._constants[name] = _Constant(array, note, is_weight)
            self._places[id(array)] = Place(name, array.shape, array.dtype, content=array)
        return self._places[id(array)]

    def weight(self, array: Array, instruction: Instruction, name: str) -> Place:
        """Return the place of a weight of a layer."""
        path = f"{instruction.path}.{name}" if instruction.path else name
        shape = " x ".join(map(str, array.shape))
        return self.constant(array, f"{path}: {shape}", is_weight=True)

    def scratch(self, shape: Sequence[int], dtype: Dtype) -> Place:
        """Return the place of a new array in the memory of the function."""
        self._count += 1
        return Place(f"v{self._count}", tuple(shape), dtype, is_scratch=True)

    def helper(self, name: str, dtype: Dtype, source: str) -> str:
        """Return the name of a static function; in `source` stand ``T`` for the type, ``$`` for f.

        The name ends with f for float32, as those in math.h do.
        """
        suffix = "f" if dtype == FLOAT32 else ""
        full = f"{self.name}_{name}{suffix}"
        text = re.sub(r"\bT\b", c_type(dtype), source.strip("\n")).replace("$", suffix)
        self.helpers[full] = text.replace("NAME", full)
        return full

    def add(
        self,
        lines: Iterable[str],
        reads: Sequence[Place] = (),
        writes: Sequence[Place] = (),
        may_overwrite: Sequence[Place] = (),
    ) -> None:
        """Add lines to the function.

        Those of `may_overwrite` may lie where the result does, as each entry is read before the
        entry of the result with the same index is written, and not after.
        """
        scratch = [[p for p in places if p.is_scratch] for places in (reads, writes, may_overwrite)]
        self._steps.append(_Step(list(lines), *scratch))

    def pointwise(
        self, shape: Sequence[int], dtype: Dtype, inputs: Sequence[Place], expression: str
    ) -> Place:
        """Return the result of an expression for each entry, in which ``{0}`` is the first input.

        The inputs are broadcast to the shape.
        """
        y = self.scratch(shape, dtype)
        accesses = {"y": y.access()}
        texts = {}
        for index, x in enumerate(inputs):
            if x.content is not None and x.size == 1:
                texts[f"x{index}"] = literal(x.content.item(), x.dtype)
            else:
                accesses[f"x{index}"] = x.broadcast(shape)
        named = re.sub(r"\{(\d)\}", r"{x\1}", expression)
        for key, text in texts.items():
            named = named.replace(f"{{{key}}}", text)
        same = [x for x in inputs if x.shape == y.shape and x.dtype == y.dtype]
        lines = loop_nest(shape, accesses, f"{{y}} = {named};")
        self.add(lines, inputs, [y], same)
        return y

    def copy(self, x: Place, shape: Sequence[int], strides: Sequence[int], start: int) -> Place:
        """Return a copy of entries of an array, given by strides and the first entry's index."""
        y = self.scratch(shape, x.dtype)
        source = Access(x.name, tuple(strides), x.start + start)
        self.add(loop_nest(shape, {"y": y.access(), "x": source}, "{y} = {x};"), [x], [y])
        return y

    def functions(self, lines: Sequence[str]) -> list[str]:
        """Return the definitions of the static functions that are called in lines."""
        words = {word for line in lines for word in re.findall(r"\w+", line)}
        return [text for name, text in self.helpers.items() if name in words]

    def definitions(self, lines: Sequence[str]) -> tuple[list[str], int, int]:
        """Return the definitions of the constants in lines, and the bytes of weights and others."""
        words = {word for line in lines for word in re.findall(r"\w+", line)}
        used = {name: item for name, item in self._constants.items() if name in words}
        weights, others = (
            sum(item.array.nbytes for item in used.values() if item.is_weight is is_weight)
            for is_weight in (True, False)
        )
        return [_definition(name, item) for name, item in used.items()], weights, others

    def body(self) -> tuple[list[str], int]:
        """Return the lines of the function, and the number of bytes that its arrays take."""
        names, slots = _lay_out(self._steps)
        lines = [line for step in self._steps for line in step.lines]
        pattern = re.compile(r"\bv\d+\b")
        lines = [pattern.sub(lambda match: names.get(match[0], match[0]), line) for line in lines]
        declarations = [f"{c_type(dtype)} {name}[{size}];" for name, (size, dtype) in slots.items()]
        return declarations + lines, sum(size * dtype.itemsize for size, dtype in slots.values())


def _definition(name: str, constant: _Constant) -> str:
    array = constant.array
    kind = {"f": c_type(array.dtype), "u": "unsigned short", "i": "int"}[array.dtype.kind]
    comment = f"/* {comment_text(constant.note)} */\n" if constant.note else ""
    return f"{comment}static const {kind} {name}[{array.size}] = {array_text(array)};"


def _lay_out(
    steps: Sequence[_Step],
) -> tuple[dict[str, str], dict[str, tuple[int, Dtype]]]:
    """Return the array in which each value lies, by name, and the size and dtype of the arrays."""
    last = {
        place.name: index for index, step in enumerate(steps) for place in step.reads + step.writes
    }
    names: dict[str, str] = {}
    slots: dict[str, tuple[int, Dtype]] = {}
    free: list[str] = []
    for index, step in enumerate(steps):
        ending = {p.name: names[p.name] for p in step.reads if last[p.name] == index}
        early = {p.name for p in step.may_overwrite} & ending.keys()
        free += dict.fromkeys(ending.pop(name) for name in sorted(early))
        for place in step.writes:
            if place.name not in names:
                slot = _choose(free, slots, place)
                size = max(place.size, slots[slot][0] if slot in slots else 1)
                slots[slot] = size, place.dtype
                names[place.name] = slot
        free += [slot for slot in dict.fromkeys(ending.values()) if slot not in free]
    return names, slots


def _choose(free: list[str], slots: Mapping[str, tuple[int, Dtype]], place: Place) -> str:
    """Take the array that fits best from those that are free, or a new one."""
    fitting = [slot for slot in free if slots[slot][1] == place.dtype]
    if not fitting:
        return f"a{len(slots)}"
    # The smallest that is large enough, otherwise the largest.
    slot = min(
        fitting, key=lambda slot: (slots[slot][0] < place.size, abs(slots[slot][0] - place.size))
    )
    free.remove(slot)
    return slot
