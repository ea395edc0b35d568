"""Errors of the compiled engine."""

__all__ = ["MachineError", "UnsupportedError"]


class UnsupportedError(Exception):
    """Error for something that the compiled engine does not know; the message names it."""


class MachineError(Exception):
    """Error for kernels that cannot be compiled on this machine; the message says why."""
