"""Multi-layer perceptron for regression."""

from __future__ import annotations

import copy
from typing import Any, ClassVar, Self

import numpy as np
from sklearn.base import RegressorMixin, _fit_context
from sklearn.utils._param_validation import StrOptions
from sklearn.utils.metaestimators import available_if

from nnlayers._core.arrays import Array
from nnlayers._core.checks import check_boolean
from nnlayers.estimators.base import BaseMLP, store_arguments
from nnlayers.estimators.objectives import REGRESSION, regression
from nnlayers.losses import GaussianNLL, Loss

__all__ = ["MLPRegressor"]


class MLPRegressor(RegressorMixin, BaseMLP):
    r"""Multi-layer perceptron for regression, with scikit-learn's interface.

    .. math::

        \min_{W, b} \; \frac{\sum_i w_i\, \ell(f(x_i), y_i)}{\sum_i w_i}
        + \frac{\alpha}{2 \sum_i w_i} \lVert W \rVert^2

    The other parameters and the attributes are those of :class:`MLPClassifier`, except
    `class_weight` and ``classes_``. Scores are R². A `network` for the Gaussian loss needs two
    outputs for each column of y, see :class:`nnlayers.GaussianNLL`.

    Parameters
    ----------
    loss : str or Loss
        The loss to minimise: ``"squared_error"`` (half of it), ``"poisson"`` (half the deviance,
        with the exponential function after the last layer), ``"absolute_error"``, ``"huber"``,
        ``"gaussian_nll"``, or an object such as ``nn.Quantile(0.9)``.

    References
    ----------
    F. Pedregosa et al., "Scikit-learn: machine learning in Python", JMLR 12, 2011.

    Examples
    --------
    >>> X = np.linspace(-1, 1, 50)[:, None]
    >>> model = MLPRegressor(hidden_layer_sizes=(20,), solver="lbfgs", random_state=0)
    >>> model.fit(X, X[:, 0] ** 2).predict([[0.5]]).round(2)
    array([0.24])
    """

    _parameter_constraints: ClassVar[dict[str, Any]] = {
        **BaseMLP._parameter_constraints,
        "loss": [StrOptions(set(REGRESSION)), Loss],
    }

    def __init__(
        self,
        loss: str | Loss = "squared_error",
        hidden_layer_sizes: Any = (100,),
        activation: Any = "relu",
        *,
        solver: Any = "adam",
        alpha: float = 0.0001,
        batch_size: Any = "auto",
        learning_rate: Any = "constant",
        learning_rate_init: float = 0.001,
        power_t: float = 0.5,
        max_iter: int = 200,
        shuffle: bool = True,
        random_state: Any = None,
        tol: float = 1e-4,
        verbose: Any = False,
        warm_start: bool = False,
        momentum: float = 0.9,
        nesterovs_momentum: bool = True,
        early_stopping: bool = False,
        validation_fraction: float = 0.1,
        beta_1: float = 0.9,
        beta_2: float = 0.999,
        epsilon: float = 1e-8,
        n_iter_no_change: float = 10,
        max_fun: int = 15000,
        dropout: Any = 0.0,
        normalization: Any = None,
        network: Any = None,
        callbacks: Any = None,
        engine: str = "auto",
    ) -> None:
        store_arguments(locals())

    @available_if(lambda self: self._is_stochastic())
    @_fit_context(prefer_skip_nested_validation=True)
    def partial_fit(self, X: Any, y: Any, sample_weight: Any = None) -> Self:
        """Train for one epoch on some rows, continuing from the present weights.

        Parameters
        ----------
        X, y, sample_weight
            As for :meth:`fit`.

        Returns
        -------
        self
        """
        return self._fit(X, y, sample_weight, incremental=True)

    def predict(self, X: Any, return_std: bool = False) -> Array | tuple[Array, Array]:
        """Return the predicted value of each row.

        Parameters
        ----------
        X : array-like or sparse matrix, shape (n_samples, n_features)
            Inputs.
        return_std : bool
            Whether to return standard deviations too, which the Gaussian loss learns.

        Returns
        -------
        ndarray, shape (n_samples,) or (n_samples, n_outputs)
            The values; with `return_std`, a pair of such arrays.

        Raises
        ------
        ValueError
            If `return_std` is set and the loss is not Gaussian.
        """
        return_std = check_boolean("return_std", return_std)
        output = self._finite_output(X)
        values = self._decide(output)
        if not return_std:
            return values
        if not isinstance(self._loss, GaussianNLL):
            raise ValueError(f"return_std=True needs loss='gaussian_nll', got {self.loss!r}")
        log_variance = output[:, self.n_outputs_ :]
        # The loss has the same lower bound of 1e-6 on the variance.
        return values, np.maximum(np.exp(log_variance / 2), 1e-3).reshape(values.shape)

    def _validate_rows(self, X: Any, y: Any, reset: bool, **options: Any) -> tuple[Any, Array]:
        return super()._validate_rows(X, y, reset=reset, y_numeric=True, **options)

    def _prepare(self, y: Array, width: int | None, incremental: bool) -> None:
        self.n_outputs_ = 1 if y.ndim == 1 else y.shape[1]
        self._loss = regression(self.loss)
        # An error that is raised here names rows of y, and not rows of a batch.
        with np.errstate(all="ignore"):
            dtype = np.dtype(np.float64)
            zeros = np.zeros((len(y), self._width()), dtype)
            copy.copy(self._loss).forward(zeros, self._targets(y, dtype))

    def _targets(self, y: Array, dtype: np.dtype[Any]) -> Array:
        return y.reshape(len(y), -1).astype(dtype, copy=False)

    def _width(self) -> int:
        return self.n_outputs_ * (2 if isinstance(self._loss, GaussianNLL) else 1)

    def _out_activation(self) -> str:
        return "exp" if self.loss == "poisson" else "identity"

    def _decide(self, output: Array) -> Array:
        values = self._loss.decide(output)
        return values.ravel() if values.shape[1] == 1 else values

    def _score(self, output: Array, y: Array, weight: Array | None) -> float:
        if not np.isfinite(output).all():
            return np.nan
        # The checks of r2_score take longer than an epoch of a small network.
        mean = np.average(y, axis=0, weights=weight)
        error = np.average((y - self._decide(output)) ** 2, axis=0, weights=weight)
        variance = np.average((y - mean) ** 2, axis=0, weights=weight)
        with np.errstate(all="ignore"):
            r2 = np.where(variance > 0, 1 - error / variance, error == 0)
        return float(r2.mean())
