"""Alter bytes, text and the values of JSON at random."""

from __future__ import annotations

import json
import struct
from collections.abc import Sequence
from typing import Any

import numpy as np

INTEGERS = [0, 1, 2, 3, 7, 8, 15, 16, 64, 100, 127, 128, 255, 256, 1000, 32767, 65535, 2**31 - 1]
INTEGERS += [2**31, 2**32 - 1, 2**32, 2**62, 2**63 - 1, -1, -2, -128]
FORMATS = [f"{order}{kind}" for order in "<>" for kind in "bhiq"]
VALUES = [
    None,
    True,
    False,
    -1,
    0,
    1,
    2,
    10**9,
    2**63,
    10**400,
    -(10**30),
    0.5,
    -0.0,
    1e308,
    1e-320,
]
VALUES += [
    float("inf"),
    float("nan"),
    "",
    "0",
    "nan",
    "\0",
    "\ud800",
    "a\nb",
    "é" * 300,
    "x" * 9000,
]
VALUES += [[], {}, [[]], [0], ["a", "a"], {"": 0}, {"type": "os.system"}, [1, "a"], [[0]] * 40]


def altered(
    content: bytes,
    rng: np.random.Generator,
    others: Sequence[bytes] = (),
    words: Sequence[bytes] = (),
) -> bytes:
    """Return bytes with one to eight changes, such as other bits, lengths, parts or words."""
    changed = bytearray(content)
    for _ in range(int(rng.integers(1, 1 << int(rng.integers(1, 4))))):
        _alter(changed, rng, others, words)
    return bytes(changed)


def _alter(
    changed: bytearray, rng: np.random.Generator, others: Sequence[bytes], words: Sequence[bytes]
) -> None:
    place = int(rng.integers(len(changed) + 1))
    length = int(rng.integers(1, 1 + 2 ** int(rng.integers(1, 8))))
    kind = int(rng.integers(11 if words else 9))
    if kind == 0 and place < len(changed):
        changed[place] ^= 1 << int(rng.integers(8))
    elif kind == 1:
        changed[place : place + 1] = rng.bytes(1)
    elif kind == 2:
        del changed[place : place + length]
    elif kind == 3:
        changed[place : place + length] = rng.bytes(length)
    elif kind == 4:
        changed[place:place] = rng.bytes(length)
    elif kind == 5:
        start = int(rng.integers(len(changed) + 1))
        changed[place:place] = changed[start : start + length] * int(rng.integers(1, 5))
    elif kind == 6:
        form, number = FORMATS[rng.integers(8)], INTEGERS[rng.integers(len(INTEGERS))]
        size = struct.calcsize(form)
        number = (number + (1 << 8 * size - 1)) % (1 << 8 * size) - (1 << 8 * size - 1)
        changed[place : place + size] = struct.pack(form, number)
    elif kind == 7 and others:
        other = others[rng.integers(len(others))]
        start = int(rng.integers(len(other) + 1))
        changed[place : place + length] = other[start : start + length]
    elif kind == 8 and rng.random() < 0.3:
        del changed[place:]
    elif kind > 8:
        word = words[rng.integers(len(words))]
        end = place + (length if kind == 10 else 0)
        changed[place:end] = word * int(rng.choice([1, 1, 1, 2, 50]))


def altered_value(item: Any, rng: np.random.Generator, chance: float, extra: Sequence[Any]) -> Any:
    """Return a value of JSON with parts replaced, left out, repeated or exchanged."""
    if rng.random() < chance:
        choices = [*VALUES, *extra]
        return choices[rng.integers(len(choices))]
    if isinstance(item, dict):
        pairs = [(name, altered_value(part, rng, chance, extra)) for name, part in item.items()]
        pairs = [pair for pair in pairs if rng.random() > chance / 4]
        if pairs and rng.random() < chance:
            pairs.append((str(VALUES[rng.integers(17, 24)]), pairs[0][1]))
        return dict(pairs)
    if isinstance(item, list):
        parts = [altered_value(part, rng, chance, extra) for part in item]
        parts = [part for part in parts if rng.random() > chance / 4]
        return parts * int(1 + (rng.random() < chance / 4))
    return item


def altered_json(text: str | bytes, rng: np.random.Generator, extra: Sequence[Any] = ()) -> str:
    """Return the text of a JSON value with parts changed; about two of its parts are."""
    count = text.count(b"," if isinstance(text, bytes) else ",") + 2
    return json.dumps(altered_value(json.loads(text), rng, min(2 / count, 0.3), extra))
