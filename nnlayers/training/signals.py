"""Hold signals back until a training step has ended."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable
from types import FrameType
from typing import Any, Self, TypeVar

__all__ = ["HeldSignals"]

SIGNALS = (signal.SIGINT, signal.SIGTERM)
T = TypeVar("T")


class HeldSignals:
    """Let Ctrl-C and SIGTERM end training between two steps and never within one.

    For a ``with`` statement. Only the main thread receives signals; elsewhere nothing is changed.
    A signal that Python code does not handle, or that is ignored, is left alone.

    Examples
    --------
    >>> with HeldSignals() as signals:
    ...     signals.whole(sum, [1, 2])
    3
    """

    def __init__(self) -> None:
        self._handlers: dict[int, Any] = {}
        self._arrived: list[tuple[int, FrameType | None]] = []
        self._holding = False

    def __enter__(self) -> Self:
        if threading.current_thread() is threading.main_thread():
            for number in SIGNALS:
                handler = signal.getsignal(number)
                if callable(handler):
                    self._handlers[number] = handler
                    signal.signal(number, self._receive)
        return self

    def __exit__(self, *exception: object) -> None:
        for number, handler in self._handlers.items():
            if signal.getsignal(number) == self._receive:  # nobody has put another in its place
                signal.signal(number, handler)

    def whole(self, function: Callable[..., T], *arguments: Any) -> T:
        """Return ``function(*arguments)``; signals that arrive meanwhile take effect after it."""
        self._holding = True
        try:
            return function(*arguments)
        finally:
            self._holding = False
            if self._arrived:
                number, frame = self._arrived.pop()
                self._arrived.clear()
                self._handlers[number](number, frame)

    def _receive(self, number: int, frame: FrameType | None) -> None:
        if self._holding:
            self._arrived.append((number, frame))
        else:
            self._handlers[number](number, frame)
