"""Read a hostile input, and hold the reader to its promises."""

from __future__ import annotations

import gc
import time
import tracemalloc
import warnings
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

MB = 1 << 20
# A second and 64 MB for each MB of an input, and for what is smaller.
SECONDS = 1.0
MEMORY = 64 * MB
MESSAGE = 10_000

STATUS, CLEAR = Path("/proc/self/status"), Path("/proc/self/clear_refs")


class BrokenPromiseError(Exception):
    """A reader that did with an input what it must not."""


def hold(
    read: Callable[[], object], errors: tuple[type[Exception], ...], size: int, patience: float = 1
) -> bool:
    """Call a reader, check what it does, and return whether it took its input.

    `patience` multiplies the time that it may take.

    Raises
    ------
    BrokenPromiseError
        If it raises another error than `errors`, or one of several lines, or takes more time or
        memory than an input of `size` bytes may.
    """
    units = max(size / MB, 1)
    meter = _Meter()
    began = time.process_time()
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            read()
        is_read = True
    except errors as error:
        _check_message(error, errors, size)
        is_read = False
    except BrokenPromiseError:
        raise
    except Exception as error:
        raise BrokenPromiseError(f"undocumented: {_named(error)}") from error
    finally:
        seconds, memory = time.process_time() - began, meter.stop()
    if seconds > SECONDS * units * patience:
        raise BrokenPromiseError(f"{seconds:.2f} s for {size:,} bytes")
    if memory > MEMORY * units:
        raise BrokenPromiseError(f"{memory / MB:,.0f} MB of memory for {size:,} bytes")
    return is_read


def _check_message(error: Exception, errors: tuple[type[Exception], ...], size: int) -> None:
    message = str(error)
    if type(error) not in errors:  # Such as UnicodeDecodeError, which is a ValueError.
        raise BrokenPromiseError(f"undocumented: {_named(error)}") from error
    if len(message.splitlines()) != 1:
        raise BrokenPromiseError(f"not one line: {_named(error)}") from error
    if len(message) > MESSAGE + size:  # It may repeat a value of the file.
        raise BrokenPromiseError(f"a message of {len(message):,} letters: {_named(error)}")


def _named(error: Exception) -> str:
    return f"{type(error).__name__}: {str(error)[:300]!r}"


class _Meter:
    """The highest memory of the process above what it was, from now on."""

    def __init__(self) -> None:
        self._uses_system = False
        with suppress(OSError):
            CLEAR.write_text("5")  # Linux then measures the peak from here.
            self._uses_system = True
        if self._uses_system:
            self._before = _kilobytes("VmRSS")
        else:
            gc.collect()
            tracemalloc.start()

    def stop(self) -> int:
        """Return the number of bytes."""
        if self._uses_system:
            return (_kilobytes("VmHWM") - self._before) * 1024
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return peak


def _kilobytes(name: str) -> int:
    lines = STATUS.read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(f"{name}:"))
