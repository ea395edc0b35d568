"""The contract: what a layer promises.

A layer is two short methods, ``forward(x)`` and ``backward(dout)``. Everything else that a network
needs of it (its parameters by name, modes, saving, inference) is derived here, so that a layer of
your own needs only those two.
"""

from __future__ import annotations

import copy
import reprlib
from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import partial
from inspect import signature
from itertools import chain, islice
from typing import Any, ClassVar, Generic, Self, TypeVar, overload

import numpy as np
import numpy.typing as npt
from numpy.lib.array_utils import normalize_axis_tuple

from nnlayers._core.arrays import Array, as_floats, float_dtype
from nnlayers._core.checks import Absent
from nnlayers._core.constructors import call, kept_arguments, written
from nnlayers._core.guards import guarded
from nnlayers._core.state import Change, commit, fitting_state
from nnlayers.parameter import Parameter

__all__ = ["Layer", "Parameter", "Symbol", "twin"]


S = TypeVar("S")


class Symbol(ABC, Generic[S]):
    """What stands for an array in an expression, such as a node of a graph.

    Its argument for type checkers is the class of what layers make of it.
    """

    @abstractmethod
    def apply(self, layer: Layer, inputs: Sequence[Any]) -> S:
        """Return what stands for ``layer.forward(*inputs)``, of which it is one."""


class Layer(ABC):
    r"""A building block: a function, and the way back through it.

    A layer of your own needs only :meth:`forward` and :meth:`backward`, and, if it has weights,
    attributes that are :class:`Parameter`\ s. Layers may hold layers, directly or in lists, tuples
    and dictionaries. The rest of this class then works as it stands, and what goes into your
    methods is checked: see :mod:`nnlayers._core.guards`.

    Attributes
    ----------
    training : bool
        What ``forward`` does with dropout and batch statistics; new layers are in training mode.
    state_names : tuple of str
        Names of the attributes that are arrays to be saved with the parameters, without being
        trained, such as running statistics.

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
    state_names: ClassVar[tuple[str, ...]] = ()
    trainable = Absent("call freeze() or unfreeze(), or assign to .trainable of a parameter")
    requires_grad = Absent("call freeze() or unfreeze(), or assign to .trainable of a parameter")

    _takes_input_grad: ClassVar[bool] = False  # whether `backward` has that argument
    _cache: Any = None
    _forwarded: Any = None  # for the guards: what the last output was like

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        # A subclass that changes forward must not keep the predict written for the old one.
        if "forward" in vars(cls) and "predict" not in vars(cls):
            setattr(cls, "predict", Layer.predict)
        cls._takes_input_grad = "input_grad" in signature(cls.backward).parameters
        for name in ("forward", "predict"):
            _guard(cls, name)
        if hasattr(cls.forward, "guarded"):  # which keeps what the guard of backward looks at
            _guard(cls, "backward")

    @abstractmethod
    def forward(self, *inputs: Any, **named_inputs: Any) -> Any:
        """Return the output, a new array, and keep what :meth:`backward` needs.

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
            If no :meth:`forward` went before.
        ValueError
            If `dout` has another shape than the output.
        """

    def backward_parameters(self, dout: Any) -> None:
        """Do :meth:`backward` without d loss / d input, which the first layer never needs.

        It saves the work where `backward` takes ``input_grad=False``.
        """
        if self._takes_input_grad:
            self.backward(dout, input_grad=False)  # type: ignore[call-arg]
        else:
            self.backward(dout)

    def predict(self, *inputs: Any) -> Any:
        """Return the output for inference, keeping nothing.

        Dropout is off and running statistics are used, whatever the mode; many threads may call
        it at once. Here it runs :meth:`forward` on a twin that shares the parameters, and all
        lists and dictionaries without layers: where `forward` changes one of them in place, define
        `predict` too.
        """
        return twin(self, training=False).forward(*inputs)

    @overload
    def __call__(self, first: Symbol[S], /, *inputs: Any, **named_inputs: Any) -> S: ...
    @overload
    def __call__(self, first: npt.ArrayLike, second: Symbol[S], /, *inputs: Any) -> S: ...
    @overload
    def __call__(self, *inputs: npt.ArrayLike) -> Array: ...
    def __call__(self, *inputs: Any, **named_inputs: Any) -> Any:
        """Return ``forward`` of the inputs; of nodes of a graph, the node that stands for it."""
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
        return {name: item for name, item in _found(self).items() if isinstance(item, Parameter)}

    def layers_by_name(self) -> dict[str, Layer]:
        """Return the layer itself, under the empty name, and all layers within, by name."""
        return {name: item for name, item in _found(self).items() if isinstance(item, Layer)}

    def train(self) -> Self:
        """Switch the layer and all within to training mode; return it."""
        return self._set_training(True)

    def eval(self) -> Self:
        """Switch the layer and all within to evaluation mode; return it."""
        return self._set_training(False)

    def zero_grad(self) -> None:
        """Discard the gradients gathered so far."""
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
        return self._set_trainable(False)

    def unfreeze(self) -> Self:
        """Let optimizers move the parameters, those of inner layers too; return the layer.

        Gradients gathered while a parameter was frozen are discarded.
        """
        return self._set_trainable(True)

    def initialize(self, rng: int | np.random.Generator | None = None) -> Self:
        """Draw every parameter afresh from one seed or generator; return the layer.

        A parameter of a layer of your own, which was given and not drawn, gets back the value that
        it was given. State starts afresh too, see :meth:`reset_state`.
        """
        rng = np.random.default_rng(rng)
        for parameter in self.parameters():
            parameter.initialize(rng)
        for layer in self.layers_by_name().values():
            layer.reset_state()
        return self

    def reset_state(self) -> None:
        """Set the arrays of :attr:`state_names` to what a new layer has; here there are none."""

    def astype(self, dtype: npt.DTypeLike) -> Self:
        """Convert parameters and state to float32 or float64; return the layer.

        What :meth:`forward` kept is discarded.

        Raises
        ------
        ValueError
            If `dtype` is neither.
        """
        dtype = float_dtype(dtype)
        changes: list[Change] = []
        for parameter in self.parameters():
            changes += parameter.prepare_astype(dtype)
        for layer in self.layers_by_name().values():
            new = {name: getattr(layer, name).astype(dtype) for name in layer.state_names}
            new |= {"_cache": None, "_forwarded": None}
            changes += [partial(setattr, layer, name, array) for name, array in new.items()]
        commit(changes)
        return self

    def state_dict(self) -> dict[str, Array]:
        """Return copies of all parameters and state by name."""
        return {name: array.copy() for name, array in self._arrays().items()}

    def load_state_dict(self, state: Mapping[str, npt.ArrayLike]) -> None:
        """Set all parameters and state to the arrays that :meth:`state_dict` gave.

        Raises
        ------
        ValueError
            If an entry is missing, unknown or of another shape; then nothing has changed.
        """
        new = fitting_state(self, self._arrays(), state)
        changes = [p.prepare_value(new[name]) for name, p in self.named_parameters().items()]
        for prefix, layer in self.layers_by_name().items():
            for name in layer.state_names:
                array = new[_joined(prefix, name)].copy()
                changes.append(partial(setattr, layer, name, array))
        commit(changes)

    def config(self) -> dict[str, Any]:
        """Return the constructor's arguments, from which :func:`nnlayers.save` makes a file.

        They are the attributes of the same names. A class that keeps an argument elsewhere says
        here where. Two are left out: `rng`, for a file holds what was drawn, and a `dtype` that is
        not kept, for it holds the weights' own.

        Raises
        ------
        ValueError
            If an argument is not kept.

        Examples
        --------
        >>> import nnlayers as nn
        >>> nn.Softmax(axis=1).config()
        {'axis': 1}
        """
        config = {}
        for parameter, value in kept_arguments(self):
            name = parameter.name
            if value is not parameter.empty and name != "rng":
                config[name] = value
            elif name not in ("dtype", "rng"):
                raise ValueError(
                    f"{type(self).__name__} does not keep its constructor's argument {name!r}: "
                    f"store it as self.{name}, or define config() to return all arguments by name"
                )
        return config

    @classmethod
    def from_config(cls, config: Mapping[str, Any]) -> Self:
        """Return a new layer of the arguments that :meth:`config` gave, ``*name`` as a list."""
        layer: Self = call(cls, config)
        return layer

    def _arrays(self) -> dict[str, Array]:
        arrays = {name: parameter.value for name, parameter in self.named_parameters().items()}
        for prefix, layer in self.layers_by_name().items():
            arrays |= {_joined(prefix, name): getattr(layer, name) for name in layer.state_names}
        return arrays

    def _members(self) -> Iterator[tuple[str, Any]]:
        """Yield the attributes in which parameters and layers are looked for, by name."""
        yield from vars(self).items()

    def _set_training(self, training: bool) -> Self:
        for layer in self.layers_by_name().values():
            layer.training = training
        return self

    def _set_trainable(self, trainable: bool) -> Self:
        commit(chain.from_iterable(p.prepare_trainable(trainable) for p in self.parameters()))
        return self

    def _cached(self) -> Any:
        """Return what `forward` kept for `backward`."""
        if self._cache is None:
            raise RuntimeError(f"{type(self).__name__}.backward was called before forward")
        return self._cache

    def _incoming(self, dout: npt.ArrayLike, shape: tuple[int, ...], dtype: np.dtype[Any]) -> Array:
        """Return `dout` as an array of the output's dtype, its shape checked."""
        dout = as_floats(dout, dtype, "dout")
        if dout.shape != shape:
            raise ValueError(f"{self!r} expected dout of shape {shape}, got {dout.shape}")
        return dout

    def _received(self, dout: npt.ArrayLike) -> tuple[Array, Any]:
        """Return `dout`, checked, and what `forward` kept behind its output's shape and dtype."""
        shape, dtype, kept = self._cache or self._cached()
        if type(dout) is not np.ndarray or dout.dtype is not dtype or dout.shape != shape:
            dout = self._incoming(dout, shape, dtype)
        return dout, kept

    def _in_order(self, inputs: Sequence[Any], named_inputs: Mapping[str, Any]) -> Sequence[Any]:
        """Return all inputs of a call in their order, which only a graph has names for."""
        if named_inputs:
            names = ", ".join(map(repr, named_inputs))
            raise TypeError(f"{self!r} takes nodes in their order, got {names} by name")
        return inputs

    def _axes(self, axis: int | tuple[int, ...] | None, x: Array) -> tuple[int, ...]:
        """Return `axis` as axes of `x` counted from 0; None is all."""
        try:
            return normalize_axis_tuple(range(x.ndim) if axis is None else axis, x.ndim)
        except ValueError:
            raise ValueError(f"{self!r} expected x with axis {axis}, got shape {x.shape}") from None

    def __getstate__(self) -> dict[str, Any]:
        kept = ("_cache", "_forwarded")
        return {name: item for name, item in vars(self).items() if name not in kept}

    @reprlib.recursive_repr()
    def __repr__(self) -> str:
        return written(self)


def _guard(cls: type[Layer], name: str) -> None:
    """Put the checks around a method, unless it is the library's own or has them."""
    method = getattr(cls, name)
    own = f"{method.__module__}.".startswith((f"{__name__}.", f"{__package__}.layers."))
    if not own and not hasattr(method, "guarded"):
        setattr(cls, name, guarded(name, method))


def _joined(prefix: str, name: str) -> str:
    return f"{prefix}.{name}" if prefix else name


_SEARCHED = (Layer, Parameter, list, tuple, dict)  # making it anew would take most of a search


def _found(layer: Layer) -> dict[str, Layer | Parameter]:
    """Return a layer and all layers and parameters within, each once, by dotted name."""
    found: dict[str, Layer | Parameter] = {}
    _search(layer, "", set(), found)
    return found


def _search(item: Any, name: str, seen: set[int], found: dict[str, Layer | Parameter]) -> None:
    # A dictionary to fill, as generators within generators would pass each item up every level.
    if not isinstance(item, _SEARCHED) or id(item) in seen:
        return
    seen.add(id(item))
    if isinstance(item, Layer | Parameter):
        found[name] = item
    if not isinstance(item, Parameter):
        for key, entry in _entries(item):
            _search(entry, _joined(name, str(key)), seen, found)


def _entries(item: Any) -> Iterable[tuple[Any, Any]]:
    if isinstance(item, Layer):
        return item._members()
    return item.items() if isinstance(item, dict) else enumerate(item)


_CONTAINERS = (list, tuple, dict)

# As many entries of a container are looked at, and into as many containers within it: a list of
# layers starts with layers, and going through 100,000 words takes longer than most predictions.
_ENTRIES, _WITHIN = 256, 32


def _holds_layers(container: Any, seen: set[int]) -> bool:
    """Return whether a layer is among the first entries, or theirs."""
    seen.add(id(container))
    values = container.values() if isinstance(container, dict) else container
    entries = list(islice(values, _ENTRIES))
    kinds = set(map(type, entries))
    if any(issubclass(kind, Layer) for kind in kinds):
        return True
    if not any(issubclass(kind, _CONTAINERS) for kind in kinds):
        return False
    within = [entry for entry in entries if isinstance(entry, _CONTAINERS)][:_WITHIN]
    return any(_holds_layers(entry, seen) for entry in within if id(entry) not in seen)


def twin(layer: Layer, training: bool | None = None) -> Layer:
    """Return a copy that shares parameters, arrays and lists, but not what ``forward`` caches.

    Lists, tuples and dictionaries are copied where layers are among their entries.

    Parameters
    ----------
    layer : Layer
        What to copy, with all layers within.
    training : bool, optional
        The mode of the copy; by default each layer's own.

    Examples
    --------
    >>> import nnlayers as nn
    >>> layer = nn.Affine(2, 1)
    >>> twin(layer).W is layer.W
    True
    """
    copied: Layer = _twin(layer, training, {})
    return copied


def _twin(item: Any, training: bool | None, made: dict[int, Any]) -> Any:
    if isinstance(item, _CONTAINERS) and not _holds_layers(item, set()):
        return item
    if isinstance(item, tuple):
        return tuple.__new__(type(item), [_twin(entry, training, made) for entry in item])
    if not isinstance(item, Layer | list | dict):
        return item
    if id(item) not in made:
        made[id(item)] = copied = copy.copy(item)
        entries: Any = vars(copied) if isinstance(copied, Layer) else copied
        for key, entry in enumerate(entries) if isinstance(entries, list) else entries.items():
            entries[key] = _twin(entry, training, made)
        if isinstance(copied, Layer) and training is not None:
            copied.training = training
    return made[id(item)]
