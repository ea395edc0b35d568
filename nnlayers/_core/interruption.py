"""Answer SIGINT and SIGTERM by one line and an exit status, from the first import on."""

from __future__ import annotations

import _thread
import os
import signal
import sys
import threading
import time
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

    Python drops what is raised in a finalizer, or in the callback of a weak reference. A signal
    that arrives there is sent again a moment later. Only the main thread receives signals, so
    nothing changes in other threads, nor for a signal that is ignored.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    previous = {}
    for number in SIGNALS:
        if signal.getsignal(number) is not signal.SIG_IGN:
            previous[number] = signal.signal(number, _raise)
    report = sys.unraisablehook

    def report_or_send_again(dropped: sys.UnraisableHookArgs) -> None:
        if isinstance(dropped.exc_value, Interruption):
            _thread.start_new_thread(_send_soon, (dropped.exc_value.number,))
        else:
            report(dropped)

    sys.unraisablehook = report_or_send_again
    try:
        yield
    finally:
        sys.unraisablehook = report
        for number, handler in previous.items():
            signal.signal(number, handler)


def _raise(number: int, frame: FrameType | None) -> NoReturn:
    raise Interruption(number)


def _send_soon(number: int) -> None:
    """Send a signal to this process once the finalizer that it arrived in has ended."""
    time.sleep(0.01)
    signal.raise_signal(number)


def _exit(number: int, frame: FrameType | None) -> NoReturn:
    # An exception could be raised in the middle of an import or of a finalizer, which would print
    # a traceback.
    with suppress(OSError):
        os.write(2, b"nnlayers: interrupted\n")
    os._exit(128 + number)
