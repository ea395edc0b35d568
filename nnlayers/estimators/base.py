"""Base class of the classifier and the regressor."""

from __future__ import annotations

import copy
import os
from abc import ABC, abstractmethod
from collections.abc import Iterable
from typing import Any, ClassVar, Self

import numpy as np
from sklearn.base import BaseEstimator, _fit_context, is_classifier
from sklearn.model_selection import train_test_split
from sklearn.utils import column_or_1d
from sklearn.utils.validation import check_is_fitted

from nnlayers._core.arrays import Array, refuse_masked
from nnlayers._core.checks import check_path
from nnlayers.estimators.checks import as_row_weights, as_rows, check_parameters
from nnlayers.estimators.constraints import CONSTRAINTS
from nnlayers.estimators.fit_run import FitRun
from nnlayers.estimators.fitting import BatchFit, first_generator
from nnlayers.estimators.networks import (
    Data,
    Views,
    affine_layers,
    build,
    check_output,
    check_weights,
    hidden_sizes,
    network_for,
)
from nnlayers.estimators.records import Records
from nnlayers.estimators.solvers import minimize_by_lbfgs
from nnlayers.layer import Layer
from nnlayers.losses import Loss
from nnlayers.training.callbacks.base import list_callbacks
from nnlayers.training.checkpoint_files import SavedState, read_checkpoint
from nnlayers.training.generators import dump_generator

__all__ = ["BaseMLP", "store_arguments"]


class BaseMLP(BaseEstimator, ABC):
    """Base class of estimators that train a network, with scikit-learn's interface.

    A subclass converts labels or values to targets of the loss, and the network's outputs to labels
    or values.
    """

    hidden_layer_sizes: Any
    activation: Any
    solver: Any
    alpha: float
    batch_size: Any
    learning_rate: Any
    learning_rate_init: float
    power_t: float
    max_iter: int
    loss: str | Loss
    shuffle: bool
    random_state: Any
    tol: float
    verbose: Any
    warm_start: bool
    momentum: float
    nesterovs_momentum: bool
    early_stopping: bool
    validation_fraction: float
    beta_1: float
    beta_2: float
    epsilon: float
    n_iter_no_change: float
    max_fun: int
    dropout: Any
    normalization: Any
    network: Layer | None
    callbacks: Any
    engine: str

    _parameter_constraints: ClassVar[dict[str, Any]] = CONSTRAINTS

    @abstractmethod
    def _prepare(self, y: Array, width: int | None, incremental: bool) -> None:
        """Set `n_outputs_` and `_loss` from labels or values.

        `width` is the number of outputs of the `network` parameter, if there is one.
        """

    @abstractmethod
    def _targets(self, y: Array, dtype: np.dtype[Any]) -> Array:
        """Return labels or values as targets of the loss."""

    @abstractmethod
    def _score(self, output: Array, y: Array, weight: Array | None) -> float:
        """Return the score of the network's output; NaN if the output is not finite."""

    @abstractmethod
    def _width(self) -> int:
        """Return the number of outputs that the network needs."""

    @abstractmethod
    def _out_activation(self) -> str:
        """Return the name of the function that turns outputs into probabilities or values."""

    def _check_held_out(self, y: Array) -> None:
        """Raise ``ValueError`` for labels of `validation_data` that y does not hold."""

    @property
    def coefs_(self) -> list[Array]:
        """The weights of each affine layer; assigning copies into the network."""
        return Views([layer.W.value for layer in affine_layers(self.network_)])

    @coefs_.setter
    def coefs_(self, new: Iterable[Any]) -> None:
        self.coefs_[:] = new

    @property
    def intercepts_(self) -> list[Array]:
        """The biases of each affine layer; assigning copies into the network."""
        layers = affine_layers(self.network_)
        return Views([layer.b.value for layer in layers if layer.b is not None])

    @intercepts_.setter
    def intercepts_(self, new: Iterable[Any]) -> None:
        self.intercepts_[:] = new

    @_fit_context(prefer_skip_nested_validation=True)
    def fit(
        self,
        X: Any,
        y: Any,
        sample_weight: Any = None,
        *,
        validation_data: tuple[Any, Any] | None = None,
        resume: str | os.PathLike[str] | None = None,
    ) -> Self:
        """Train on X and y.

        Parameters
        ----------
        X : array-like or sparse matrix, shape (n_samples, n_features)
            Inputs. The network of float32 inputs is float32, except for ``solver="lbfgs"``; any
            other is float64.
        y : array-like, shape (n_samples,) or (n_samples, n_outputs)
            Labels or values.
        sample_weight : array-like of numbers of at least 0, shape (n_samples,), optional
            Weights of rows: a row of weight 2 counts as two rows, one of weight 0 as none.
        validation_data : (X, y), optional
            Rows to score after each epoch, for ``validation_scores_``. With `early_stopping` they
            replace the share of X that is held out.
        resume : str or path-like, optional
            A directory of :class:`nnlayers.callbacks.Checkpoint`, or one file in it, from which a
            fit that was killed goes on, to the last bit of the one that was not, see
            :doc:`/guide/training`. `callbacks` and the other parameters must be the same, except
            `max_iter`; `random_state` has no effect then.

        Returns
        -------
        self

        Raises
        ------
        ValueError
            If an argument is out of range or does not fit the others, or if training diverged: the
            weights or the loss became infinite or NaN; if a parameter or the data are not those of
            the checkpoint to resume from, or it is damaged.
        FileNotFoundError
            If there is nothing at `resume`.
        """
        return self._fit(X, y, sample_weight, validation_data, resume)

    def _fit(
        self,
        X: Any,
        y: Any,
        sample_weight: Any,
        validation_data: Any = None,
        resume: Any = None,
        incremental: bool = False,
    ) -> Self:
        self._check_combination(validation_data, resume, incremental)
        saved = None if resume is None else read_checkpoint(check_path("resume", resume))
        is_continued = saved is None and (self.warm_start or incremental)
        is_first = not (is_continued and hasattr(self, "network_"))
        X, y = self._validate_rows(X, y, reset=is_first)
        self._prepare(y, self._network_width(X), incremental)
        weight = self._row_weights(sample_weight, X, y)
        self._random_state = first_generator(self.random_state, saved)
        start = None if self.callbacks is None else dump_generator(self._random_state)
        if is_first:
            self._initialize(X)
        else:
            check_weights(self.network_)
        data = self._data(X, y, weight)
        with np.errstate(all="ignore"):
            if self.solver == "lbfgs":
                result = minimize_by_lbfgs(self, self.network_, self._loss, data)
                self.loss_, self.n_iter_ = result
            else:
                parts = self._parts(data, validation_data)
                self._fit_batches(*parts, incremental, start, saved)
        return self

    def _fit_batches(
        self,
        train: Data,
        held_out: Data | None,
        incremental: bool,
        start: Array | None,
        saved: SavedState | None,
    ) -> None:
        run = getattr(self, "_run", None)
        if not incremental or run is None or run.model is not self.network_:
            self._run = run = FitRun(self, self.network_, self._loss)
        self.history_ = run.history
        records = self._records
        fit = BatchFit(self, run, records, self._output, self._score, incremental, start)
        try:
            fit.fit(train, held_out, self._random_state, saved)
        finally:
            self.n_iter_ = fit.epochs
            self.t_ = records.rows_seen
            self.loss_curve_ = records.losses
            self.best_loss_ = records.best_loss
            self.validation_scores_ = records.scores
            self.best_validation_score_ = records.best_score
            if records.losses:
                self.loss_ = records.losses[-1]

    def _validate_params(self) -> None:
        """Check the parameters, as scikit-learn's decorator of `fit` asks for."""
        parameters = self.get_params(deep=False)
        check_parameters(type(self).__name__, parameters, self._parameter_constraints)

    def _check_combination(self, validation_data: Any, resume: Any, incremental: bool) -> None:
        """Raise an error for arguments that cannot be combined, or callbacks that are none."""
        if self.callbacks is not None:
            list_callbacks(self.callbacks)
        if incremental and self.early_stopping:
            raise ValueError("partial_fit does not support early_stopping=True")
        if self.solver == "lbfgs":
            for name, is_given in {
                "validation_data": validation_data is not None,
                "resume": resume is not None,
                "callbacks": self.callbacks is not None,
                "engine='compiled'": self.engine == "compiled",
                f"verbose={self.verbose!r}": isinstance(self.verbose, str),
            }.items():
                if is_given:
                    raise ValueError(f"{name} needs a stochastic solver, got solver='lbfgs'")
        if validation_data is not None and not (
            isinstance(validation_data, tuple | list) and len(validation_data) == 2
        ):
            length = f" of {len(validation_data)}" if isinstance(validation_data, tuple) else ""
            got = f"{type(validation_data).__name__}{length}"
            raise ValueError(f"validation_data must be a pair (X, y), got {got}")

    def _validate_rows(self, X: Any, y: Any, reset: bool, **options: Any) -> tuple[Any, Array]:
        """Return inputs as floats, dense or sparse, and labels or values."""
        refuse_masked(X, "X")
        refuse_masked(y, "y")
        X, y = as_rows(self, X, y, multi_output=True, reset=reset, **options)
        return X, column_or_1d(y, warn=True) if y.ndim == 2 and y.shape[1] == 1 else y

    def _row_weights(self, sample_weight: Any, X: Any, y: Array) -> Array | None:
        """Return the weights of rows, or None if all count alike."""
        if sample_weight is None:
            return None
        return as_row_weights(sample_weight, X)

    def _data(self, X: Any, y: Array, weight: Array | None) -> Data:
        """Return the rows whose weight is not 0, in the network's dtype."""
        X = X.astype(self._dtype, copy=False)
        data = Data(X, y, self._targets(y, self._dtype), weight)
        if weight is None or weight.all():
            return data
        if not weight.any():
            raise ValueError("Sample weights must contain at least one non-zero number.")
        return data.take(np.flatnonzero(weight))

    def _initialize(self, X: Any) -> None:
        """Build a new network, and reset the records of an earlier one."""
        self._dtype = dtype = np.dtype(np.float64) if self.solver == "lbfgs" else X.dtype
        if self.network is None:
            sizes = [X.shape[1], *hidden_sizes(self.hidden_layer_sizes), self._width()]
            self.network_: Layer = build(
                sizes,
                self.activation,
                self.normalization,
                self.dropout,
                self._random_state,
                dtype,
            )
        else:
            if self._network_width(X) != self._width():
                raise ValueError(
                    f"network must give {self._width()} outputs a row for this loss and y, "
                    f"got {self._network_width(X)}"
                )
            self.network_ = copy.deepcopy(self.network).astype(dtype)
        self._records = Records()
        self.n_iter_ = self.t_ = 0
        self.n_layers_ = len(affine_layers(self.network_)) + 1
        self.out_activation_ = self._out_activation()

    def _network_width(self, X: Any) -> int | None:
        """Return the number of outputs of the `network` parameter, if there is one."""
        if self.network is None:
            return None
        row = X[:1] if isinstance(X, np.ndarray) else X[:1].toarray()
        shape: tuple[int, ...] = np.shape(self.network.predict(row))
        if len(shape) != 2:
            raise ValueError(f"network must give a row of outputs for a row, got shape {shape}")
        return shape[1]

    def _parts(self, data: Data, validation_data: Any) -> tuple[Data, Data | None]:
        """Split the rows into those to train on and those to score after each epoch, if any."""
        if validation_data is not None:
            return data, self._held_out(data, *validation_data)
        if not self.early_stopping:
            return data, None
        # Like scikit-learn, do not stratify by several columns of targets.
        stratify = data.target if is_classifier(self) and self.n_outputs_ == 1 else None
        train, held_out = train_test_split(
            np.arange(len(data)),
            random_state=self._random_state,
            test_size=self.validation_fraction,
            stratify=stratify,
        )
        if len(held_out) < 2:
            raise ValueError(
                "The validation set is too small. Increase 'validation_fraction' "
                "or the size of your dataset."
            )
        return data.take(train), data.take(held_out)

    def _held_out(self, data: Data, X: Any, y: Any) -> Data:
        """Return the rows of `validation_data`, checked against those to train on."""
        X, y = self._validate_rows(X, y, reset=False)
        if y.shape[1:] != data.y.shape[1:]:
            raise ValueError(
                f"validation_data must have the columns of y, {data.y.shape[1:]}, got {y.shape[1:]}"
            )
        if y.shape[0] < 2:
            raise ValueError("validation_data must have at least 2 rows, got 1")
        self._check_held_out(y)
        return self._data(X, y, None)

    def _finite_output(self, X: Any) -> Array:
        """Return the network's output for X; raise ``ValueError`` if it is not finite."""
        check_is_fitted(self, "network_")
        refuse_masked(X, "X")
        X = as_rows(self, X, reset=False)
        with np.errstate(all="ignore"):  # The check below says more than NumPy's warnings.
            output = self._output(X)
        check_output(self.network_, output)
        return output

    def _output(self, X: Any) -> Array:
        X = X.astype(self._dtype, copy=False)
        try:
            output: Array = network_for(self.network_, X).predict(X)
        except FloatingPointError:  # The weights are not finite, which the caller reports.
            output = np.full((X.shape[0], self._width()), np.nan)
        return output

    def _is_stochastic(self) -> bool:
        if self.solver == "lbfgs":
            raise AttributeError(
                "partial_fit is only available for stochastic optimizers. "
                f"{self.solver} is not stochastic."
            )
        return True

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = True
        return tags


def store_arguments(arguments: dict[str, Any]) -> None:
    """Store the ``locals()`` of an estimator's constructor as its attributes."""
    estimator = arguments.pop("self")
    vars(estimator).update(arguments)
