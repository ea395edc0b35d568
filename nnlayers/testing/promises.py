"""Check every promise that a layer makes, one after another."""

from __future__ import annotations

import warnings
from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from nnlayers._core.checks import check_number
from nnlayers.layer import Layer
from nnlayers.testing.case import Case
from nnlayers.testing.inputs import INPUTS
from nnlayers.testing.passes import INDEPENDENCE, PASSES, nothing_is_overwritten
from nnlayers.testing.predict import PREDICT
from nnlayers.testing.state import BASICS, STATE, copies_give_the_same_results

__all__ = ["check_layer"]

# Each check relies on those before it: most use inputs twice, and copies of the layer.
PROMISES = [
    *BASICS,
    nothing_is_overwritten,
    copies_give_the_same_results,
    *PASSES,
    *PREDICT,
    *INDEPENDENCE,
    *INPUTS,
    *STATE,
]


def check_layer(
    make_layer: Callable[[], Layer],
    *inputs: npt.ArrayLike,
    rtol: float = 1e-6,
    atol: float = 1e-8,
) -> None:
    """Check everything that a layer promises, as a test of your own layer.

    - ``forward`` and ``backward`` never write to their arguments; they and ``predict`` return new
      arrays, which never change later.
    - ``backward`` returns the gradient for every input and parameter, in both modes, see
      :func:`check_gradients`; it adds to the gradients of the parameters, of frozen ones too, which
      start from zero after a step of an optimizer. It is linear in `dout`.
    - A pass does not depend on earlier calls: ``backward`` belongs to the last ``forward``, in the
      mode of that call; an array whose entries have changed is a new input.
    - ``predict`` is ``forward`` in evaluation mode, leaves the layer unchanged, and serves many
      threads at once.
    - float32 stays float32 and float64 stays float64, after ``astype``.
    - Lists, integers, read-only and strided arrays are accepted, complex numbers and objects
      refused; an empty batch gives empty outputs and zero gradients; a single row works.
    - ``backward`` before ``forward`` and a `dout` of another shape are errors that name the layer.
    - ``parameters``, ``train``, ``eval``, ``state_dict``, ``load_state_dict``, ``initialize`` and
      ``astype`` behave as :class:`nnlayers.Layer` says; copies and pickles give the same results.

    NumPy's warnings, such as that of an overflow, count as errors.

    Parameters
    ----------
    make_layer : callable
        Makes a new layer at each call, without arguments: a class, or a ``lambda``.
    *inputs : array_like
        Example inputs of ``forward``, small, of at least two rows that differ; the first axis is
        the batch. An input whose first axis has another length than that of the first input is
        assumed to have no batch axis. Every entry x must be more than ``2e-6 * max(1, abs(x))``
        away from a kink, which has no derivative, and from the end of the domain.
    rtol, atol : float
        Tolerance of an entry of a gradient, as for :func:`check_gradients`.

    Raises
    ------
    LayerError
        If a promise is broken; the message names the promise and what was observed instead. For a
        wrong gradient it is a :class:`GradientError`.
    TypeError, ValueError
        If `make_layer` is a layer, makes none or returns the same one twice, or an input is not
        numeric.

    Examples
    --------
    A test for pytest is one call:

    >>> import nnlayers as nn
    >>> class Scale(nn.Layer):
    ...     def __init__(self, features):
    ...         self.s = nn.Parameter(np.ones(features), name="s")
    ...
    ...     def forward(self, x):
    ...         self.x = x
    ...         return x * self.s.value
    ...
    ...     def backward(self, dout):
    ...         self.s.grad += (dout * self.x).sum(axis=0)
    ...         return dout * self.s.value
    >>> def test_scale():
    ...     check_layer(lambda: Scale(3), [[0.5, -1.0, 2.0], [3.0, 0.0, -0.1]])
    >>> test_scale()

    It names the promise that a layer breaks:

    >>> class Clip(nn.Layer):
    ...     def forward(self, x):
    ...         self.inside = x > 0
    ...         x[~self.inside] = 0
    ...         return x
    ...
    ...     def backward(self, dout):
    ...         return dout * self.inside
    >>> check_layer(Clip, [[0.5, -1.0], [3.0, 0.1]])
    Traceback (most recent call last):
    nnlayers.testing.gradients.LayerError: Clip: forward must not write to its input: input 0
    changed at (0, 1) from -1.0 to 0.0
    """
    rtol = check_number("rtol", rtol, minimum=0)
    atol = check_number("atol", atol, minimum=0)
    case = Case(make_layer, inputs, rtol, atol)
    with warnings.catch_warnings(), np.errstate(divide="warn", over="warn", invalid="warn"):
        warnings.simplefilter("error", RuntimeWarning)
        for check in PROMISES:
            check(case)
