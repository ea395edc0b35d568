"""Base class of all layers.

A layer is two short methods, ``forward(x)`` and ``backward(dout)``. :class:`Layer` derives the
rest from them: parameters by name, modes, saving, inference.
"""

from __future__ import annotations

import reprlib
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from inspect import signature
from itertools import chain
from typing import Any, ClassVar, Self, overload

import numpy as np
import numpy.typing as npt

from nnlayers._core.arrays import Array, as_floats, float_dtype
from nnlayers._core.checks import Absent, as_generator, check_instance, check_number
from nnlayers._core.constructors import call, constructor_arguments, constructor_repr
from nnlayers._core.formula import Formula
from nnlayers._core.guards import guard_methods
from nnlayers._core.state import Change, commit, validated_state
from nnlayers._core.symbol import S, Symbol
from nnlayers._core.tree import copy_branches, join, walk
from nnlayers.parameter import Parameter

__all__ = ["Layer", "Parameter"]

# The attributes that a forward pass leaves, which copies lack.
_CACHES = ("_cache", "_last_forward")


class Layer(ABC):
    r"""Building block of a network: a function and its backward pass.

    Your own layer needs only :meth:`forward` and :meth:`backward` and, if it has weights,
    attributes that are :class:`Parameter`\ s. Layers may hold layers, directly or in lists, tuples
    and dictionaries. The other methods then work without further code, and the arguments of your
    methods are checked. A layer that checks its arguments itself, as the library's do, says so
    where its class is written: ``class Sum(Layer, guarded=False)``.

    Attributes
    ----------
    training : bool
        Whether dropout and batch statistics act as in training, which is the default.
    formula : Formula or None
        The formula that drawings and explanations show, see :class:`nnlayers.Formula`.
    state_names : tuple of str
        Names of the arrays that are saved with the parameters although no optimizer moves them,
        such as running statistics.

    Examples
    --------
    >>> class Scale(Layer):
    ...     '''y = s x, entry by entry.'''
    ...
    ...     def __init__(self, features):
    ...         self.s = Parameter(np.ones(features), name="s")
    ...
    ...     def forward(self, x):
    ...         self.x = x
    ...         return x * self.s.value
    ...
    ...     def backward(self, dout):
    ...         self.s.grad += (dout * self.x).sum(axis=0)
    ...         return dout * self.s.value
    >>> layer = Scale(2)
    >>> layer.forward(np.array([[1.0, 2.0]]))
    array([[1., 2.]])
    >>> layer.backward(np.array([[1.0, 1.0]]))
    array([[1., 1.]])
    >>> layer.named_parameters()["s"].grad
    array([1., 2.])
    """

    training: bool = True
    formula: Formula | None = None
    state_names: ClassVar[tuple[str, ...]] = ()
    trainable = Absent("call freeze() or unfreeze(), or assign to .trainable of a parameter")
    requires_grad = Absent("call freeze() or unfreeze(), or assign to .trainable of a parameter")

    _takes_input_grad: ClassVar[bool] = False
    # `backward` needs these of the last `forward`: saved values, and for guards shapes and dtype.
    _cache: Any = None
    _last_forward: Any = None

    def __init_subclass__(cls, *, guarded: bool = True, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        # An inherited predict may compute what the base class's forward does, not what this does.
        if "forward" in vars(cls) and "predict" not in vars(cls):
            setattr(cls, "predict", Layer.predict)
        cls._takes_input_grad = "input_grad" in signature(cls.backward).parameters
        if guarded:
            guard_methods(cls, Layer)

    @abstractmethod
    def forward(self, *inputs: Any, **named_inputs: Any) -> Any:
        """Return the output, a new array, and cache what :meth:`backward` needs.

        Parameters
        ----------
        *inputs : array_like of real numbers
            One for most layers, two for binary arithmetic. They are never written to.

        Raises
        ------
        TypeError
            If an input is complex or holds objects.
        ValueError
            If its shape does not fit.
        """

    @abstractmethod
    def backward(self, dout: Any) -> Any:
        """Return d loss / d input, and add to the gradient of each parameter.

        Parameters
        ----------
        dout : array_like of real numbers
            d loss / d output, of the shape of the last output. It is never written to.

        Returns
        -------
        ndarray, or a tuple of them
            Of the shape of the input; a tuple for several inputs.

        Raises
        ------
        RuntimeError
            If :meth:`forward` was not called before.
        ValueError
            If `dout` has another shape than the output.
        """

    def backward_parameters(self, dout: Any) -> None:
        """Run :meth:`backward` for the parameters' gradients alone.

        A `backward` that has the argument `input_grad` is called with ``input_grad=False`` and
        saves the work for d loss / d input, which a network's first layer never needs.
        """
        if self._takes_input_grad:
            backward: Callable[..., Any] = self.backward
            backward(dout, input_grad=False)
        else:
            self.backward(dout)

    def predict(self, *inputs: Any) -> Any:
        """Return the output for inference, without caching anything.

        Dropout is off and running statistics are used, whatever the mode. Many threads may call it
        at once: it runs :meth:`forward` on a copy that shares the parameters, and all lists and
        dictionaries without layers. If `forward` changes one of these in place, define `predict`.
        """
        return copy_branches(self, Layer, _switch_off_training).forward(*inputs)

    @overload
    def __call__(self, first: Symbol[S], /, *inputs: Any, **named_inputs: Any) -> S: ...
    @overload
    def __call__(self, first: npt.ArrayLike, second: Symbol[S], /, *inputs: Any) -> S: ...
    @overload
    def __call__(self, *inputs: npt.ArrayLike) -> Array: ...
    def __call__(self, *inputs: Any, **named_inputs: Any) -> Any:
        """Return ``forward`` of arrays, or the node of a graph that applies the layer to nodes."""
        for item in (*inputs, *named_inputs.values()):
            if isinstance(item, Symbol):
                return item.apply(self, self._in_order(inputs, named_inputs))
        return self.forward(*inputs, **named_inputs)

    def parameters(self) -> list[Parameter]:
        """Return the parameters, those of inner layers included, in a fixed order."""
        return list(self.named_parameters().values())

    def named_parameters(self) -> dict[str, Parameter]:
        """Return the parameters by name, such as ``{"0.W": ..., "0.b": ...}``.

        A parameter that is used in several places appears once, under its first name.
        """
        return {name: item for name, item in self._walk().items() if isinstance(item, Parameter)}

    def named_layers(self) -> dict[str, Layer]:
        """Return the layer itself, under the empty name, and all layers within, by name."""
        return {name: item for name, item in self._walk().items() if isinstance(item, Layer)}

    def train(self) -> Self:
        """Switch the layer and all within to training mode; return it."""
        return self._set_training(True)

    def eval(self) -> Self:
        """Switch the layer and all within to evaluation mode; return it."""
        return self._set_training(False)

    def zero_grad(self) -> None:
        """Discard the accumulated gradients."""
        for parameter in self.parameters():
            parameter.zero_grad()

    def freeze(self) -> Self:
        """Keep optimizers from moving the parameters, those of inner layers too; return the layer.

        Examples
        --------
        >>> import nnlayers as nn
        >>> model = nn.mlp([4, 3, 2], rng=0)
        >>> _ = model[0].freeze()
        >>> [name for name, p in model.named_parameters().items() if p.trainable]
        ['2.W', '2.b']
        """
        return self._set_parameters(trainable=False)

    def unfreeze(self) -> Self:
        """Let optimizers move the parameters, those of inner layers too; return the layer.

        Gradients accumulated while a parameter was frozen are discarded.
        """
        return self._set_parameters(trainable=True)

    def scale_lr(self, factor: float) -> Self:
        """Set `lr_scale` of all parameters, those of inner layers too; return the layer.

        Optimizers multiply the learning rate by it, from their next step on. It replaces earlier
        factors: ``scale_lr(1)`` restores the optimizer's own rate.

        Raises
        ------
        TypeError, ValueError
            If `factor` is not a finite number of at least 0; then nothing has changed.

        Examples
        --------
        >>> import nnlayers as nn
        >>> model = nn.mlp([4, 3, 2], rng=0)
        >>> _ = model[0].scale_lr(0.1)
        >>> {name: p.lr_scale for name, p in model.named_parameters().items()}
        {'0.W': 0.1, '0.b': 0.1, '2.W': 1.0, '2.b': 1.0}
        """
        factor = check_number("factor", factor, minimum=0)
        return self._set_parameters(lr_scale=factor)

    def initialize(self, rng: int | np.random.Generator | None = None) -> Self:
        """Draw every parameter afresh from one seed or generator; return the layer.

        A parameter that was created from an array, as in a user's layer, gets this first value
        back. State is reset too, see :meth:`reset_state`.
        """
        rng = as_generator(rng)
        for parameter in self.parameters():
            parameter.initialize(rng)
        for layer in self.named_layers().values():
            layer.reset_state()
        return self

    def reset_state(self) -> None:
        """Set the arrays of :attr:`state_names` to their first values; without any, do nothing."""

    def astype(self, dtype: npt.DTypeLike) -> Self:
        """Convert parameters and state to float32 or float64; return the layer.

        The cache of :meth:`forward` is discarded.

        Raises
        ------
        ValueError
            If `dtype` is neither.
        """
        dtype = float_dtype(dtype)
        changes: list[Change] = []
        for parameter in self.parameters():
            changes += parameter.prepare_astype(dtype)
        for layer in self.named_layers().values():
            new = {name: getattr(layer, name).astype(dtype) for name in layer.state_names}
            changes += [partial(setattr, layer, name, array) for name, array in new.items()]
            changes += [partial(vars(layer).pop, name, None) for name in _CACHES]
        commit(changes)
        return self

    def formula_for(self, *shapes: tuple[int, ...]) -> Formula | None:
        """Return the formula for inputs of these shapes; None if it is not known.

        It is :attr:`formula` if the layer's class itself states one. An inherited formula does not
        count, because a subclass may compute something else.
        """
        return self.formula if "formula" in vars(type(self)) else None

    def state_dict(self) -> dict[str, Array]:
        """Return copies of all parameters and state by name."""
        return {name: array.copy() for name, array in self._arrays().items()}

    def load_state_dict(self, state: Mapping[str, npt.ArrayLike]) -> None:
        """Set all parameters and state to the arrays of a :meth:`state_dict`.

        Raises
        ------
        ValueError
            If an entry is missing, unknown or of another shape; then nothing has changed.
        """
        new = validated_state(self, self._arrays(), state)
        changes = [p.prepare_value(new[name]) for name, p in self.named_parameters().items()]
        for prefix, layer in self.named_layers().items():
            for name in layer.state_names:
                array = new[join(prefix, name)].copy()
                changes.append(partial(setattr, layer, name, array))
        commit(changes)

    def config(self) -> dict[str, Any]:
        """Return the constructor's arguments by name, which :func:`nnlayers.save` writes.

        They are read from the attributes of the same names; a class that stores an argument under
        another name overrides this method. Two may be missing: `rng`, because a file holds the
        weights that were drawn, and `dtype`, because it holds theirs.

        Raises
        ------
        ValueError
            If the layer has no attribute of an argument's name.

        Examples
        --------
        >>> import nnlayers as nn
        >>> nn.Softmax(axis=1).config()
        {'axis': 1}
        """
        config = {}
        for parameter, value in constructor_arguments(self):
            name = parameter.name
            if value is not parameter.empty and name != "rng":
                config[name] = value
            elif name not in ("dtype", "rng"):
                raise ValueError(
                    f"{type(self).__name__} does not store its constructor's argument {name!r}: "
                    f"store it as self.{name}, or define config() to return all arguments by name"
                )
        return config

    @classmethod
    def from_config(cls, config: Mapping[str, Any]) -> Self:
        """Return a new layer from the arguments of :meth:`config`, ``*name`` as a list."""
        check_instance("config", config, Mapping)
        return call(cls, config)

    def _arrays(self) -> dict[str, Array]:
        arrays = {name: parameter.value for name, parameter in self.named_parameters().items()}
        for prefix, layer in self.named_layers().items():
            arrays |= {join(prefix, name): getattr(layer, name) for name in layer.state_names}
        return arrays

    def _members(self) -> Iterator[tuple[str, Any]]:
        """Yield the attributes that are searched for parameters and layers, by name."""
        yield from vars(self).items()

    def _walk(self) -> dict[str, Layer | Parameter]:
        """Return this layer and all layers and parameters within, by name."""
        return walk(self, Layer, Parameter, lambda layer: layer._members())

    def _set_training(self, training: bool) -> Self:
        for layer in self.named_layers().values():
            layer.training = training
        return self

    def _set_parameters(self, **settings: Any) -> Self:
        commit(chain.from_iterable(p.prepare_settings(**settings) for p in self.parameters()))
        return self

    def _require_cache(self) -> Any:
        """Return the cache of `forward`, or raise an error if it was not called."""
        if self._cache is None:
            raise RuntimeError(f"{type(self).__name__}.backward was called before forward")
        return self._cache

    def _as_dout(self, dout: npt.ArrayLike, shape: tuple[int, ...], dtype: np.dtype[Any]) -> Array:
        """Return `dout` as an array of the output's dtype, after a check of its shape."""
        dout = as_floats(dout, dtype, "dout")
        if dout.shape != shape:
            raise ValueError(f"{self!r} expected dout of shape {shape}, got {dout.shape}")
        return dout

    def _backward_inputs(self, dout: npt.ArrayLike) -> tuple[Array, Any]:
        """Return the checked `dout` and the saved values of a cache (shape, dtype, saved)."""
        shape, dtype, saved = self._cache or self._require_cache()
        if type(dout) is not np.ndarray or dout.dtype is not dtype or dout.shape != shape:
            dout = self._as_dout(dout, shape, dtype)
        return dout, saved

    def _in_order(self, inputs: Sequence[Any], named_inputs: Mapping[str, Any]) -> Sequence[Any]:
        """Return the inputs of a call in order; only a graph takes them by name."""
        if named_inputs:
            names = ", ".join(map(repr, named_inputs))
            raise TypeError(f"{self!r} takes nodes by position, got {names} by name")
        return inputs

    def __getstate__(self) -> dict[str, Any]:
        return {name: item for name, item in vars(self).items() if name not in _CACHES}

    @reprlib.recursive_repr()
    def __repr__(self) -> str:
        return constructor_repr(self)


def _switch_off_training(layer: Layer) -> None:
    layer.training = False
