"""Delay signals until a step of training, or of writing, has ended."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable
from types import FrameType
from typing import Any, Self, TypeVar

__all__ = ["DelayedSignals"]

SIGNALS = (signal.SIGINT, signal.SIGTERM)
T = TypeVar("T")


class DelayedSignals:
    """Let Ctrl-C and SIGTERM end work between two steps, such as those of training, not within one.

    A context manager. Only the main thread receives signals, so nothing changes in other threads.
    A signal that is ignored, or not handled by Python code, is left alone.

    Examples
    --------
    >>> with DelayedSignals() as signals:
    ...     signals.run(sum, [1, 2])
    3
    """

    def __init__(self) -> None:
        self._handlers: dict[int, Any] = {}
        self._arrived: list[tuple[int, FrameType | None]] = []
        self._running = False

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
            # If a callback has installed another handler meanwhile, it stays.
            if signal.getsignal(number) == self._receive:
                signal.signal(number, handler)

    def run(self, function: Callable[..., T], *arguments: Any) -> T:
        """Return ``function(*arguments)``, and handle signals that arrive meanwhile after it."""
        self._running = True
        try:
            return function(*arguments)
        finally:
            self._running = False
            if self._arrived:
                number, frame = self._arrived.pop()
                self._arrived.clear()
                self._handlers[number](number, frame)

    def _receive(self, number: int, frame: FrameType | None) -> None:
        if self._running:
            self._arrived.append((number, frame))
        else:
            self._handlers[number](number, frame)
