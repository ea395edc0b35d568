"""Ensembles: networks of one kind that are trained apart and predict together."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any, Literal, Self

import numpy as np
import numpy.typing as npt

from nnlayers._core.arrays import Array
from nnlayers._core.checks import (
    as_generator,
    check_boolean,
    check_choice,
    check_instance,
    check_integer,
    is_iterable,
)
from nnlayers._core.showing import shown
from nnlayers.graphs import Graph, Input
from nnlayers.layer import Layer
from nnlayers.layers import Reshape
from nnlayers.layers.operation import Operation
from nnlayers.training.ensemble_outputs import (
    LINKS,
    EnsemblePrediction,
    expected_variance,
    outputs_of,
)
from nnlayers.training.history import History
from nnlayers.training.member_fits import MakeTrainer, make_fits, train_members
from nnlayers.training.rows import ByName

__all__ = ["Ensemble"]

# More would be a mistake in the argument, and exhaust the memory before an error.
_MOST_MEMBERS = 10_000


class Ensemble(Layer, guarded=False):
    r"""Ensemble of networks with random streams of their own, which predict the mean.

    .. math:: y = \frac1M \sum_{m=1}^M \mu(f_m(x))

    where :math:`\mu` turns outputs into what the loss learns: probabilities (softmax or sigmoid),
    rates of counts, the means of a Gaussian, or the values as they are.

    Member m draws its first weights, its dropout and the order of its rows from the m-th stream
    that is spawned from `rng`. It is the network that is trained alone with this stream, to the
    last bit:

    .. code-block:: python

        stream = np.random.default_rng(0).spawn(members)[m]
        make_trainer(make_model(stream)).fit(X, y, rng=stream, ...)

    An ensemble is a layer: ``forward`` and ``predict`` give the mean, ``state_dict`` the weights of
    all members, and :func:`nnlayers.save` writes it.

    Parameters
    ----------
    make_model : callable
        ``make_model(rng) -> Layer`` makes a member of one input, whose random draws are those of
        the generator.
    members : int
        Number M of members.
    rng : int or numpy.random.Generator
        Source of the members' streams.

    Attributes
    ----------
    models : list of Layer
        The members.
    streams : list of numpy.random.Generator
        Their random streams.
    outputs : {"values", "classes", "binary", "log_probabilities", "counts", "gaussian"}
        What the outputs of a member are, which :meth:`fit` learns from the loss: values, logits of
        classes (softmax) or of labels (sigmoid), log-probabilities, logarithms of rates, means and
        log variances.

    Raises
    ------
    TypeError, ValueError
        If an argument is out of range, or `make_model` does not make another layer each time.

    References
    ----------
    B. Lakshminarayanan, A. Pritzel and C. Blundell, "Simple and scalable predictive uncertainty
    estimation using deep ensembles", NeurIPS 2017.

    Examples
    --------
    >>> import nnlayers as nn
    >>> X = np.linspace(-1, 1, 64, dtype=np.float32)[:, None]
    >>> ensemble = Ensemble(lambda rng: nn.mlp([1, 16, 2], activation="tanh", rng=rng), members=3)
    >>> def make_trainer(model):
    ...     return nn.Trainer(model, nn.GaussianNLL(), nn.optim.Adam(model.parameters(), lr=0.01))
    >>> histories = ensemble.fit(make_trainer, X, X**2, epochs=100)
    >>> mean, disagreement, noise = ensemble.predict([[0.0], [5.0]], return_std=True)
    >>> bool(disagreement[1, 0] > 5 * disagreement[0, 0])  # no rows of training near 5
    True
    """

    def __init__(
        self,
        make_model: Callable[[np.random.Generator], Layer],
        members: int,
        rng: int | np.random.Generator | None = 0,
    ) -> None:
        if not callable(make_model):
            raise TypeError(f"make_model must be a function, got {shown(make_model)}")
        members = check_integer("members", members, minimum=1)
        if members > _MOST_MEMBERS:
            raise ValueError(f"members must be at most {_MOST_MEMBERS}, got {members}")
        self.streams = as_generator(rng).spawn(members)
        self.models = _distinct("make_model", [make_model(stream) for stream in self.streams])
        self.outputs = "values"

    @classmethod
    def of(
        cls,
        models: Iterable[Layer],
        *,
        outputs: str = "values",
        rng: int | np.random.Generator | None = 0,
    ) -> Self:
        """Return an ensemble of models that exist.

        Parameters
        ----------
        models : iterable of Layer
            The members, at least one.
        outputs : str
            What the outputs of a member are, see :attr:`outputs`.
        rng : int or numpy.random.Generator
            Source of the members' streams, for another :meth:`fit`.

        Examples
        --------
        >>> import nnlayers as nn
        >>> models = [nn.Affine(1, 1, weight_init="ones"), nn.Affine(1, 1, weight_init="zeros")]
        >>> Ensemble.of(models).predict([[3.0]])
        array([[1.5]], dtype=float32)
        """
        check_choice("outputs", outputs, LINKS)
        if isinstance(models, Layer | str) or not is_iterable(models):
            raise TypeError(f"models must be a list of layers, got {shown(models)}")
        known = _distinct("models", [*models])
        remaining = iter(known)
        ensemble = cls(lambda stream: next(remaining), len(known), rng)
        ensemble.outputs = outputs
        return ensemble

    def fit(
        self,
        make_trainer: MakeTrainer,
        X: ByName,
        y: ByName,
        *,
        epochs: int,
        batch_size: int = 32,
        validation: float | tuple[ByName, ...] | None = None,
        shuffle: bool = True,
        sample_weight: ByName | None = None,
        workers: int | None = None,
        backend: Literal["threads", "processes"] = "threads",
    ) -> list[History]:
        """Train the members side by side. Another call continues with their streams.

        Parameters
        ----------
        make_trainer : callable
            ``make_trainer(model) -> Trainer`` makes the trainer of one member, with a loss, an
            optimizer and callbacks of its own. It is called before the training, in order.
        X, y, epochs, batch_size, validation, shuffle, sample_weight
            As for :meth:`nnlayers.Trainer.fit`. A share for validation is drawn for each member
            from its stream.
        workers : int, optional
            Number of members to train at the same time; by default, as many as the
            process may use cores.
        backend : {"threads", "processes"}
            ``"threads"`` share the rows, and run at the same time with the compiled engine.
            ``"processes"`` are those of joblib, for everything else: within
            ``joblib.parallel_config("dask")`` they are the workers of a Dask cluster. They train
            copies, callbacks included, which replace :attr:`models` and :attr:`streams`.

        Returns
        -------
        list of History
            The history of each member.

        Raises
        ------
        DivergenceError, ValueError, TypeError
            As :meth:`nnlayers.Trainer.fit` does; a note says of which member. The others end after
            their present epoch.
        ModuleNotFoundError
            If processes are asked for and joblib is not installed.
        """
        fits = make_fits(self.models, self.streams, make_trainer)
        outputs = {outputs_of(fit.trainer.loss) for fit in fits}
        if len(outputs) > 1:
            raise ValueError(f"make_trainer must give one kind of loss, got {sorted(outputs)}")
        settings: dict[str, Any] = {
            "epochs": epochs,
            "batch_size": batch_size,
            "validation": validation,
            "shuffle": shuffle,
            "sample_weight": sample_weight,
        }
        fits = train_members(fits, self._shared(X), y, settings, workers, backend)
        self.models = [fit.model for fit in fits]
        self.streams = [fit.stream for fit in fits]
        (self.outputs,) = outputs
        return [fit.trainer.history for fit in fits]

    def forward(self, x: npt.ArrayLike) -> Array:
        """Return the mean of the members' predictions, and cache what :meth:`backward` needs."""
        with np.errstate(all="ignore"):
            results = [self._link.compute_forward(model.forward(x)) for model in self.models]
        y = _mean([result for result, _ in results])
        self._cache = y.shape, y.dtype, [saved for _, saved in results]
        return y

    def backward(self, dout: npt.ArrayLike) -> Array:
        """Return d loss / d x, and add to the gradients of all members."""
        dout, saved = self._backward_inputs(dout)
        share = dout / len(self.models)
        dx: Array = np.zeros((), share.dtype)
        for model, entry in zip(self.models, saved, strict=True):
            with np.errstate(all="ignore"):
                gradient = self._link.compute_backward(share, entry)
            dx = dx + model.backward(gradient)
        return dx

    def predict(self, x: npt.ArrayLike, return_std: bool = False) -> Any:
        """Return the mean of the members' predictions for inference, without caching anything.

        Parameters
        ----------
        x : array_like, shape (batch, ...)
            Inputs.
        return_std : bool
            Whether to return its uncertainty too.

        Returns
        -------
        ndarray
            For classes their probabilities, shape (batch, classes); otherwise of the targets'
            shape. With `return_std`, an :class:`EnsemblePrediction` of mean, disagreement and
            noise.
        """
        return_std = check_boolean("return_std", return_std)
        outputs = [model.predict(x) for model in self.models]
        with np.errstate(all="ignore"):
            means = [self._link.compute_forward(output)[0] for output in outputs]
            if not return_std:
                return _mean(means)
            deviation = np.std(means, axis=0)
            variances = [
                expected_variance(self.outputs, z, mean)
                for z, mean in zip(outputs, means, strict=True)
            ]
            noise = None if variances[0] is None else np.sqrt(_mean(variances))
        return EnsemblePrediction(_mean(means), deviation, noise)

    def to_layers(self) -> Layer:
        """Return the graph of the mean prediction, which exporters write."""
        x = Input("x")
        nodes = [model(x) for model in self.models]
        if self.outputs == "gaussian":
            nodes = [Reshape((2, -1))(node)[:, 0] for node in nodes]
        elif self.outputs != "values":
            nodes = [self._link(node) for node in nodes]
        return Graph(sum(nodes[1:], nodes[0]) / len(nodes), inputs=[x])

    def config(self) -> dict[str, Any]:
        """Return the members and what their outputs are, from which :func:`nnlayers.load` makes it.

        The streams are not saved: a loaded ensemble has those of ``rng=0``.
        """
        return {"models": self.models, "outputs": self.outputs}

    @classmethod
    def from_config(cls, config: Mapping[str, Any]) -> Self:
        """Return the ensemble of a :meth:`config`."""
        check_instance("config", config, Mapping)
        return cls.of(config["models"], outputs=config["outputs"])

    @property
    def _link(self) -> Operation:
        return LINKS[self.outputs]

    def _shared(self, X: Any) -> Any:
        """Return floats in the dtype of all members, so that each need not convert them."""
        dtypes = {parameter.dtype for model in self.models for parameter in model.parameters()}
        is_shared = type(X) is np.ndarray and X.dtype.kind == "f" and len(dtypes) == 1
        return X.astype(dtypes.pop(), copy=False) if is_shared else X

    def __repr__(self) -> str:
        first = " ".join(repr(self.models[0]).split())
        return f"{type(self).__name__}({len(self.models)} members of {self.outputs}: {first})"


def _mean(values: list[Array]) -> Array:
    """Return the mean of arrays, a new one."""
    total = values[0].copy()
    for value in values[1:]:
        total = total + value
    return np.asarray(total / len(values))


def _distinct(name: str, models: list[Any]) -> list[Layer]:
    """Return models, or raise an error if one is no layer or they share a part."""
    seen: set[int] = set()
    for model in models:
        check_instance(f"each of {name}", model, Layer)
        parts = {id(part) for part in (*model.named_layers().values(), *model.parameters())}
        if seen & parts:
            raise ValueError(f"{name} must have layers of its own for each member, got shared ones")
        seen |= parts
    if not models:
        raise ValueError(f"{name} must hold at least one layer, got none")
    return models
