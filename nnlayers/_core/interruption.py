"""Answer SIGINT and SIGTERM by one line and an exit status, from the first import on."""

from __future__ import annotations

import os
import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from types import FrameType
from typing import NoReturn

__all__ = [
    "Interruption",
    "exit_on_signals",
    "exit_status",
    "ignore_signals",
    "is_command_line",
    "raising_on_signals",
]

SIGNALS = (signal.SIGINT, signal.SIGTERM)


class Interruption(KeyboardInterrupt):
    """SIGINT or SIGTERM has arrived.

    Parameters
    ----------
    number : int
        The number of the signal.
    """

    def __init__(self, number: int) -> None:
        super().__init__(number)
        self.number = number


def exit_status(interrupt: KeyboardInterrupt) -> int:
    """Return the exit status that shells give to a process that a signal has ended.

    Examples
    --------
    >>> exit_status(KeyboardInterrupt()), exit_status(Interruption(signal.SIGTERM))
    (130, 143)
    """
    return 128 + getattr(interrupt, "number", signal.SIGINT)


def is_command_line() -> bool:
    """Return whether this process was started as ``nnlayers`` or ``python -m nnlayers``."""
    program = os.path.basename(sys.argv[0]) if sys.argv else ""
    # While Python looks for the module to run, "-m" stands instead of the program.
    return program in ("nnlayers", "nnlayers.exe") or (
        program == "-m" and not {"nnlayers", "-mnnlayers"}.isdisjoint(sys.orig_argv)
    )


def exit_on_signals() -> None:
    """Exit at once on SIGINT and SIGTERM, except where one is ignored."""
    for number in SIGNALS:
        # A process that was started in the background ignores SIGINT, and must continue to.
        if signal.getsignal(number) in (signal.SIG_DFL, signal.default_int_handler):
            signal.signal(number, _exit)


def ignore_signals() -> None:
    """Ignore SIGINT and SIGTERM from now on, because only the end of the process is left."""
    for number in SIGNALS:
        signal.signal(number, signal.SIG_IGN)


@contextmanager
def raising_on_signals() -> Iterator[None]:
    """Raise :class:`Interruption` on SIGINT and SIGTERM, so that work in progress ends cleanly.

    Only the main thread receives signals, so nothing changes in other threads, nor for a signal
    that is ignored.
    """
    previous = {}
    if threading.current_thread() is threading.main_thread():
        for number in SIGNALS:
            if signal.getsignal(number) is not signal.SIG_IGN:
                previous[number] = signal.signal(number, _raise)
    try:
        yield
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)


def _raise(number: int, frame: FrameType | None) -> NoReturn:
    raise Interruption(number)


def _exit(number: int, frame: FrameType | None) -> NoReturn:
    # An exception could be raised in the middle of an import or of a finalizer, which would print
    # a traceback.
    with suppress(OSError):
        os.write(2, b"nnlayers: interrupted\n")
    os._exit(128 + number)
