"""Multi-layer perceptron for classification."""

from __future__ import annotations

from typing import Any, ClassVar, Self

import numpy as np
from sklearn.base import ClassifierMixin, _fit_context
from sklearn.preprocessing import LabelBinarizer
from sklearn.utils._param_validation import StrOptions
from sklearn.utils.metaestimators import available_if
from sklearn.utils.multiclass import (
    _check_partial_fit_first_call,
    type_of_target,
    unique_labels,
)

from nnlayers._core.arrays import Array
from nnlayers._core.showing import shown
from nnlayers.estimators.base import BaseMLP, store_arguments
from nnlayers.estimators.checks import in_one_line
from nnlayers.estimators.labels import ids_of, note_labels
from nnlayers.estimators.objectives import CLASSIFICATION, classification, weights_by_class
from nnlayers.layers import Sigmoid, Softmax
from nnlayers.losses import Loss, SoftmaxCrossEntropy

__all__ = ["MLPClassifier"]


class MLPClassifier(ClassifierMixin, BaseMLP):
    r"""Multi-layer perceptron for classification, with scikit-learn's interface.

    .. math::

        \min_{W, b} \; \frac{\sum_i w_i\, \ell(f(x_i), y_i)}{\sum_i w_i}
        + \frac{\alpha}{2 \sum_i w_i} \lVert W \rVert^2

    The parameters up to `max_fun` are those of scikit-learn's class of this name, with the same
    defaults and meaning. With the same `random_state` both draw equal weights, orders and splits.

    Parameters
    ----------
    hidden_layer_sizes : int or sequence of int
        Numbers of features of the hidden layers.
    activation : str, Layer, callable, or a list of them
        The activation after each hidden layer, or a list with one for each: a name (``"relu"``,
        ``"tanh"``, ``"logistic"``, ``"identity"``, ``"softplus"``, ...), a layer, which is copied,
        or a function that returns one, such as its class.
    solver : {"adam", "sgd", "lbfgs"} or callable
        The optimizer. A callable ``solver(params, lr)`` returns an
        :class:`~nnlayers.optim.Optimizer`, as the classes of :mod:`nnlayers.optim` do.
    alpha : float
        The penalty :math:`\alpha` on the matrices W, at least 0. Biases are not penalised.
    batch_size : int or "auto"
        The number of rows of a step; ``"auto"`` is 200, or all rows if there are fewer.
    learning_rate : {"constant", "invscaling", "adaptive"} or callable
        ``"invscaling"`` divides by :math:`t^{power\_t}` after t rows; ``"adaptive"`` divides by 5
        when the fit would otherwise stop for lack of improvement. ``"adam"`` ignores both. A
        schedule ``schedule(step) -> lr`` works with all solvers except ``"lbfgs"``.
    learning_rate_init : float
        The first learning rate.
    power_t : float
        The exponent of ``"invscaling"``.
    max_iter : int
        The largest number of epochs, or of iterations of ``"lbfgs"``.
    shuffle : bool
        Whether each epoch goes through the rows in a random order.
    random_state : int, RandomState or None
        The generator of all draws, or its seed.
    tol : float
        The smallest change of loss or score that counts as an improvement.
    verbose : bool, "bar" or "log"
        Whether to print the loss of each epoch; ``"bar"`` shows a bar, in a terminal or a notebook,
        ``"log"`` prints a line every few epochs.
    warm_start : bool
        Whether `fit` continues from the weights of the previous fit.
    momentum : float
        The momentum of ``"sgd"``, from 0 to 1.
    nesterovs_momentum : bool
        Whether ``"sgd"`` uses Nesterov's momentum.
    early_stopping : bool
        Whether to stop when the score of held-out rows no longer improves, and to restore the
        weights of the best epoch.
    validation_fraction : float
        The share of rows held out.
    beta_1, beta_2, epsilon : float
        The decay rates and epsilon of ``"adam"``.
    n_iter_no_change : int
        The number of epochs without improvement after which the fit ends.
    max_fun : int
        The largest number of evaluations of the loss by ``"lbfgs"``.
    loss : {"log_loss", "hinge"} or Loss
        The loss to minimise. The attribute :attr:`nnlayers.Loss.targets` of an object determines
        whether it gets class ids, or a column of zeros and ones for each class.
    class_weight : dict, list of dict, "balanced" or None
        The weight of each class, which multiplies the `sample_weight` of its rows; ``"balanced"``
        gives all classes the same total weight. Several columns of labels take a list.
    dropout : float or list of float
        The rate after each hidden layer.
    normalization : {"batch", "layer", "rms"}, callable, a list of them, or None
        The normalization between the matrix and the activation of a hidden layer; a function is
        called with the number of features.
    network : Layer or None
        A network to use instead of the parameters that describe one. It is copied with its weights,
        and its outputs are the scores that the loss takes.
    callbacks : list of Callback or None
        Callbacks, which are copied; see :mod:`nnlayers.callbacks <nnlayers.training.callbacks>`.
    engine : {"auto", "compiled", "numpy"}
        What runs the steps of ``"sgd"``, ``"adam"`` and other stochastic solvers on dense X:
        ``"compiled"`` needs Numba, see :doc:`/guide/engine`; ``"auto"`` uses it where it can.

    Attributes
    ----------
    classes_ : ndarray
        The labels.
    network_ : Layer
        The trained network.
    coefs_ : list of ndarray
        The matrices of its affine layers, as views of the network's weights.
    intercepts_ : list of ndarray
        The biases of its affine layers, likewise.
    loss_ : float
        The loss of the last epoch.
    loss_curve_ : list of float
        The loss of each epoch.
    best_loss_ : float or None
        The smallest loss; None with `early_stopping`.
    validation_scores_ : list of float or None
        The score of the held-out rows after each epoch, if there are any.
    best_validation_score_ : float or None
        The largest score.
    history_ : History
        A row for each epoch with ``loss``, for held-out rows ``val_score``, and with callbacks also
        ``val_loss``. Not with ``"lbfgs"``.
    n_iter_ : int
        The number of epochs of the last fit.
    t_ : int
        The number of rows in all epochs of all fits.
    n_features_in_ : int
        The number of features.
    feature_names_in_ : ndarray of str
        The names of the features, if X has a name for each.
    n_outputs_ : int
        1 for two classes, otherwise the number of classes or labels.
    n_layers_ : int
        The number of affine layers plus 1 for the input.
    out_activation_ : {"logistic", "softmax", "identity"}
        The function that turns the network's outputs into probabilities.

    References
    ----------
    F. Pedregosa et al., "Scikit-learn: machine learning in Python", JMLR 12, 2011.

    Examples
    --------
    >>> from sklearn.datasets import make_moons
    >>> X, y = make_moons(200, noise=0.1, random_state=0)
    >>> model = MLPClassifier((20,), solver="lbfgs", class_weight="balanced", random_state=0)
    >>> model.fit(X, y).score(X, y)
    1.0
    >>> model.predict([[0.0, 1.0]])
    array([0])
    """

    class_weight: Any

    _parameter_constraints: ClassVar[dict[str, Any]] = {
        **BaseMLP._parameter_constraints,
        "loss": [StrOptions(set(CLASSIFICATION)), Loss],
        "class_weight": [dict, list, StrOptions({"balanced"}), None],
    }

    def __init__(
        self,
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
        loss: str | Loss = "log_loss",
        class_weight: Any = None,
        dropout: Any = 0.0,
        normalization: Any = None,
        network: Any = None,
        callbacks: Any = None,
        engine: str = "auto",
    ) -> None:
        store_arguments(locals())

    @available_if(lambda self: self._is_stochastic())
    @_fit_context(prefer_skip_nested_validation=True)
    def partial_fit(self, X: Any, y: Any, sample_weight: Any = None, classes: Any = None) -> Self:
        """Train for one epoch on some rows, continuing from the present weights.

        Parameters
        ----------
        X, y, sample_weight
            As for :meth:`fit`.
        classes : array-like, optional
            All labels of this and later calls; required in the first call.

        Returns
        -------
        self
        """
        if self.class_weight == "balanced":
            raise ValueError(
                "class_weight='balanced' is not supported for partial_fit, because the rows of one "
                "call do not show how often each class occurs. Give weights as a dict."
            )
        with in_one_line():
            if _check_partial_fit_first_call(self, classes):
                multilabel = type_of_target(y).startswith("multilabel")
                self._label_binarizer = LabelBinarizer().fit(y if multilabel else classes)
        return self._fit(X, y, sample_weight, incremental=True)

    def predict(self, X: Any) -> Any:
        """Return the class of each row.

        Parameters
        ----------
        X : array-like or sparse matrix, shape (n_samples, n_features)
            Inputs.

        Returns
        -------
        ndarray, shape (n_samples,) or (n_samples, n_outputs)
        """
        return self._decide(self._finite_output(X))

    @available_if(lambda self: self._gives_probabilities())
    def predict_proba(self, X: Any) -> Array:
        """Return the probability of each class, a column for each of ``classes_``."""
        scores = self._finite_output(X)
        if self.out_activation_ == "softmax":
            return Softmax().predict(scores)
        p = Sigmoid().predict(scores)
        if p.shape[1] == 1:
            return np.hstack([1 - p, p])
        # Each output is the probability of one class alone, so they need not add up to 1.
        one_each = self._label_binarizer.y_type_ == "multiclass"
        return p / p.sum(axis=1, keepdims=True) if one_each else p

    @available_if(lambda self: self._gives_probabilities())
    def predict_log_proba(self, X: Any) -> Array:
        """Return the logarithm of :meth:`predict_proba`."""
        with np.errstate(divide="ignore"):
            return np.asarray(np.log(self.predict_proba(X)))

    @available_if(lambda self: getattr(self, "out_activation_", None) == "identity")
    def decision_function(self, X: Any) -> Array:
        """Return the score of each class; for two classes, one score, above 0 for the second.

        Only for a loss without probabilities.

        Parameters
        ----------
        X : array-like or sparse matrix, shape (n_samples, n_features)
            Inputs.

        Returns
        -------
        ndarray, shape (n_samples, n_classes), or (n_samples,) for two classes
        """
        scores = self._finite_output(X)
        if self._loss.targets != "classes":
            scores = self._loss.decide(scores) - 0.5  # The targets are 0 and 1.
        if self._label_binarizer.y_type_ != "binary":
            return scores
        return scores[:, -1] - (scores[:, 0] if scores.shape[1] == 2 else 0)

    def _prepare(self, y: Array, width: int | None, incremental: bool) -> None:
        if not hasattr(self, "classes_") or not (self.warm_start or incremental):
            with in_one_line():
                self._label_binarizer = LabelBinarizer().fit(note_labels(y))
            self.classes_ = self._label_binarizer.classes_
        else:
            self._check_classes(y)
        kind = self._label_binarizer.y_type_
        self.n_outputs_ = 1 if kind == "binary" else len(self.classes_)
        self._loss = classification(
            self.loss,
            multiclass=kind == "multiclass" or (kind == "binary" and width == 2),
            line_search=self.solver == "lbfgs",
        )
        if kind.startswith("multilabel") and self._loss.targets == "classes":
            raise ValueError(f"loss {self.loss!r} takes one class a row, and y has several labels")

    def _check_classes(self, y: Array) -> None:
        classes = unique_labels(note_labels(y))
        known, given = shown(self.classes_.tolist()), shown(classes.tolist())
        if self.warm_start:
            if set(classes) != set(self.classes_):
                raise ValueError(
                    "warm_start can only be used where `y` has the same classes as in the previous "
                    f"call to fit. Previously got {known}, `y` has {given}"
                )
        elif len(np.setdiff1d(classes, self.classes_, assume_unique=True)):
            raise ValueError(
                "`y` has classes not in `self.classes_`. "
                f"`self.classes_` has {known}. 'y' has {given}."
            )

    def _check_held_out(self, y: Array) -> None:
        unknown = np.setdiff1d(unique_labels(note_labels(y)), self.classes_)
        if len(unknown):
            raise ValueError(
                f"validation_data has classes that y does not have: {shown(unknown.tolist())}"
            )

    def _row_weights(self, sample_weight: Any, X: Any, y: Array) -> Array | None:
        weight = super()._row_weights(sample_weight, X, y)
        if self.class_weight is None:
            return weight
        # All classes, because the rows of a call of partial_fit may lack some.
        several = self._label_binarizer.y_type_.startswith("multilabel")
        classes = np.array([0, 1]) if several else self.classes_
        by_class = weights_by_class(self.class_weight, classes, y, weight)
        return by_class if weight is None else weight * by_class

    def _targets(self, y: Array, dtype: np.dtype[Any]) -> Array:
        if self._loss.targets == "classes":
            return ids_of(y, self.classes_)
        if self._label_binarizer.y_type_ == "binary":
            # This is a millisecond faster than `transform`.
            return ids_of(y, self.classes_)[:, None].astype(dtype)
        target = self._label_binarizer.transform(y)
        return np.asarray(getattr(target, "toarray", lambda: target)(), dtype)

    def _width(self) -> int:
        return len(self.classes_) if self._loss.targets == "classes" else self.n_outputs_

    def _out_activation(self) -> str:
        if isinstance(self._loss, SoftmaxCrossEntropy):
            return "softmax"
        return "logistic" if self._loss.targets == "binary" else "identity"

    def _gives_probabilities(self) -> bool:
        activation = getattr(self, "out_activation_", None)
        if activation == "identity":
            raise AttributeError(f"loss {self.loss!r} gives scores, not probabilities")
        return True

    def _decide(self, output: Array) -> Any:
        if self._loss.targets == "classes":
            return self.classes_[output.argmax(axis=1)]
        if self._loss.targets == "binary":
            output = Sigmoid().predict(output)
        else:
            output = self._loss.decide(output)
        return self._label_binarizer.inverse_transform(output, threshold=0.5)

    def _score(self, output: Array, y: Array, weight: Array | None) -> float:
        if not np.isfinite(output).all():
            return np.nan
        decided = self._decide(output)
        if not isinstance(y, np.ndarray):
            y, decided = y.toarray(), decided.toarray()
        hits = (decided == y).reshape(len(y), -1).all(axis=1)
        # The checks of accuracy_score take longer than an epoch of a small network.
        return float(np.average(hits, weights=weight))

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.classifier_tags.multi_label = True
        return tags

    def _more_tags(self) -> dict[str, bool]:  # scikit-learn 1.5 reads only this.
        return {"multilabel": True}
