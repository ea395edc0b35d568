"""Argument checks around the methods of a user's layer.

The library's layers check their arguments themselves, each at the lowest cost. A user's layer only
does its arithmetic; :class:`nnlayers.Layer` wraps its ``forward``, ``predict`` and ``backward`` in
these checks, so that bad input gives the same errors.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any

import numpy as np

from nnlayers._core.arrays import FLOAT32, FLOAT64, as_floats, as_reals

__all__ = ["guard_methods"]


def guard_methods(cls: Any, base: type) -> None:
    """Wrap the methods that a class defines, or inherits from a class that is not a layer.

    ``forward`` and ``predict`` get their inputs as arrays of real numbers, of any dtype, and return
    an array. ``backward`` gets `dout` as an array of the dtype and shape of the last output;
    without one it does not run. The gradients that it returns share no memory with `dout` or with
    each other. Each wrapper has the attribute ``guarded``.

    Parameters
    ----------
    cls : type
        A subclass of `base`.
    base : type
        ``nnlayers.Layer``. Methods inherited from a subclass of it stay as they are, because that
        class states whether they are guarded.

    Raises
    ------
    TypeError
        From a wrapped method, if an input or `dout` holds anything but real numbers.
    RuntimeError
        If ``backward`` is called before ``forward``.
    ValueError
        If `dout` has another shape than the output. A ``ValueError`` of ``backward`` itself is
        raised again with the shapes of everything that it may have multiplied.

    Examples
    --------
    >>> from nnlayers import Layer
    >>> class Double(Layer):
    ...     def forward(self, x):
    ...         return 2 * x
    ...
    ...     def backward(self, dout):
    ...         return 2 * dout
    >>> layer = Double()
    >>> layer.backward([1.0])
    Traceback (most recent call last):
    RuntimeError: Double.backward was called before forward
    >>> layer.forward([1j])
    Traceback (most recent call last):
    TypeError: x must hold real numbers, got dtype complex128
    >>> layer.forward([1.0, 5.0])
    array([ 2., 10.])
    >>> layer.backward([1.0])
    Traceback (most recent call last):
    ValueError: Double() expected dout of shape (2,), got (1,)
    """
    for name, guard in _GUARDS.items():
        method = getattr(cls, name)
        inherited = any(
            getattr(ancestor, name, None) is method
            for ancestor in cls.__mro__[1:]
            if issubclass(ancestor, base)
        )
        # The guard of backward needs what the guard of forward records.
        records = name != "backward" or hasattr(cls.forward, "guarded")
        if records and not inherited and not hasattr(method, "guarded"):
            wrapper = wraps(method)(guard(method))
            setattr(wrapper, "guarded", True)
            setattr(cls, name, wrapper)


def _guarded_forward(forward: Callable[..., Any]) -> Callable[..., Any]:
    def guard(self: Any, *inputs: Any, **named_inputs: Any) -> Any:
        before = self._last_forward
        y = _output(forward, self, inputs, named_inputs)
        by_name = {f"input {index}": x for index, x in enumerate(inputs)} | named_inputs
        self._last_forward = y.shape, y.dtype, {name: np.shape(x) for name, x in by_name.items()}
        # Containers tell forward passes apart by the identity of the cache. A layer that does not
        # set it gets another one here.
        if self._cache is before:
            self._cache = self._last_forward
        return y

    return guard


def _guarded_predict(predict: Callable[..., Any]) -> Callable[..., Any]:
    def guard(self: Any, *inputs: Any, **named_inputs: Any) -> Any:
        return _output(predict, self, inputs, named_inputs)

    return guard


def _guarded_backward(backward: Callable[..., Any]) -> Callable[..., Any]:
    def guard(self: Any, dout: Any, *options: Any, **named_options: Any) -> Any:
        if self._last_forward is None:
            raise RuntimeError(f"{type(self).__name__}.backward was called before forward")
        shape, dtype, inputs = self._last_forward
        dout = as_floats(dout, dtype if dtype in (FLOAT32, FLOAT64) else None, "dout")
        # `super().backward` is the backward pass of a part of the layer, with another output.
        outermost = getattr(type(self).backward, "__wrapped__", None) is backward
        if outermost and dout.shape != shape:
            raise ValueError(f"{self!r} expected dout of shape {shape}, got {dout.shape}")
        try:
            returned = backward(self, dout, *options, **named_options)
        except ValueError as error:
            if not outermost:
                raise
            raise ValueError(f"{_shapes(self, dout)}: {error}") from error
        others = [dout]
        if isinstance(returned, tuple) or (isinstance(returned, list) and len(inputs) > 1):
            return tuple([_unshared(gradient, others) for gradient in returned])
        return _unshared(returned, others)

    return guard


def _shapes(layer: Any, dout: Any) -> str:
    """Describe a failed backward by the shapes of everything that it may have multiplied."""
    shapes = {"dout": dout.shape, **layer._last_forward[2]}
    shapes |= {name: p.value.shape for name, p in layer.named_parameters().items()}
    return f"{layer!r}.backward of {', '.join(f'{name} {s}' for name, s in shapes.items())}"


def _output(
    method: Callable[..., Any], layer: Any, inputs: tuple[Any, ...], named: dict[str, Any]
) -> Any:
    name = "x" if len(inputs) == 1 else "input {}"
    arrays = [_reals(x, name.format(index)) for index, x in enumerate(inputs)]
    named = {key: _reals(x, key) for key, x in named.items()}
    return np.asarray(method(layer, *arrays, **named))


def _reals(x: Any, name: str) -> Any:
    # None and strings are options that a user's layer may take.
    return x if x is None or isinstance(x, str) else as_reals(x, name)


def _unshared(gradient: Any, others: list[Any]) -> Any:
    """Return a gradient as an array that shares no memory with others, and add it to them."""
    if gradient is None:
        return None
    array = np.asarray(gradient)
    if any(np.may_share_memory(array, other) for other in others):
        array = array.copy()
    others.append(array)
    return array


_GUARDS: dict[str, Callable[[Callable[..., Any]], Callable[..., Any]]] = {
    "forward": _guarded_forward,
    "predict": _guarded_predict,
    "backward": _guarded_backward,
}
