"""Predict with a trained model from raw rows, in the units and class names of the data."""

from __future__ import annotations

import csv
import io
import re
from dataclasses import dataclass

import numpy as np
from scipy.special import expit, softmax

from nnlayers._core.arrays import Array
from nnlayers.data import Preprocessing, Table, batches
from nnlayers.layer import Layer
from nnlayers.losses import Loss, SigmoidCrossEntropy, SoftmaxCrossEntropy

__all__ = ["Predictor"]

# The number of rows that the model predicts at a time, so that memory does not grow with the file.
_CHUNK = 4096
# Text that a spreadsheet would evaluate, in Latin or full-width characters, and text that is a
# number.
_FORMULA = re.compile("[=+\\-@\t\r\n\uff1d\uff0b\uff0d\uff20]")
_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?", re.ASCII)


@dataclass(frozen=True)
class Predictor:
    """A model with the preparation of its inputs and the meaning of its outputs.

    Parameters
    ----------
    model : Layer
        The model.
    loss : Loss
        The loss that it was trained with.
    preprocessing : Preprocessing
        The preprocessing, fitted on the training rows.
    dtype : {"float32", "float64"}
        The dtype of the features.
    """

    model: Layer
    loss: Loss
    preprocessing: Preprocessing
    dtype: str

    def arrays(self, table: Table) -> tuple[Array, Array]:
        """Return a table's features and targets as the model and the loss take them."""
        encoded = self.preprocessing
        return encoded.features(table, self.dtype), encoded.targets(table, self.dtype)

    def outputs(self, table: Table) -> Array:
        """Return the model's outputs for raw rows."""
        x = self.preprocessing.features(table, self.dtype)
        if len(x) <= _CHUNK:  # An empty table too has an output, without rows.
            return np.asarray(self.model.predict(x))
        return np.concatenate([self.model.predict(x[rows]) for rows in batches(len(x), _CHUNK)])

    def predict(self, table: Table) -> Array:
        """Return the predicted targets of raw rows, in the units and class names of the data."""
        return self.preprocessing.decode(self.loss.decide(self.outputs(table)))

    def probabilities(self, table: Table) -> Array:
        """Return the probabilities of raw rows, one column for each class.

        Raises
        ------
        ValueError
            If the model was trained with a loss whose outputs are not log-odds of classes.
        """
        probabilities = self._probabilities(self.outputs(table))
        if not probabilities.shape[1]:
            raise ValueError(
                "probabilities need a model trained with SoftmaxCrossEntropy or "
                f"SigmoidCrossEntropy, this one was trained with {type(self.loss).__name__}"
            )
        return probabilities

    def check_model(self, x: Array) -> Array:
        """Return the model's outputs for a batch, after a check of their number.

        Raises
        ------
        ValueError
            If the target is classes, and the model does not have one output for each.
        """
        outputs = np.asarray(self.model.predict(x))
        expected = self.preprocessing.outputs
        if self.loss.targets == "classes" and outputs.shape[1:] != (expected,):
            raise ValueError(
                f"must give {expected} outputs, one for each class, got shape {outputs.shape[1:]}"
            )
        return outputs

    def predictions(self, table: Table) -> str:
        """Return predictions for raw rows as CSV: the target, and the probability of each class.

        A label or a column name that a spreadsheet would take for a formula gets a ``'`` before it:
        text that begins with ``=``, ``+``, ``-``, ``@``, a tab or a line break and is not a number.
        """
        outputs = self.outputs(table)
        decoded = self.preprocessing.decode(self.loss.decide(outputs)).tolist()
        probabilities = self._probabilities(outputs)
        names = self.preprocessing.classes if probabilities.shape[1] else ()
        header = [self.preprocessing.target_name, *(f"probability {name}" for name in names)]
        text = io.StringIO()
        # Before Python 3.13 the writer does not quote a cell because of a carriage return alone.
        has_returns = any("\r" in str(name) for name in (*header, *self.preprocessing.classes))
        writer = csv.writer(
            text,
            lineterminator="\n",
            quoting=csv.QUOTE_NONNUMERIC if has_returns else csv.QUOTE_MINIMAL,
        )
        writer.writerow(map(_escape_formula, header))
        rows = zip(decoded, probabilities.tolist(), strict=True)
        writer.writerows([_escape_formula(value), *row] for value, row in rows)
        return text.getvalue()

    def _probabilities(self, outputs: Array) -> Array:
        """Return one column for each class; none for a loss whose outputs are not log-odds."""
        scores = outputs.astype(np.float64)
        if isinstance(self.loss, SoftmaxCrossEntropy):
            return np.asarray(softmax(scores, axis=1))
        if isinstance(self.loss, SigmoidCrossEntropy):
            return np.hstack([expit(-scores), expit(scores)])
        return np.empty((len(outputs), 0))


def _escape_formula(cell: object) -> object:
    """Return a cell that a spreadsheet does not take for a formula."""
    is_formula = isinstance(cell, str) and _FORMULA.match(cell) and not _NUMBER.fullmatch(cell)
    return f"'{cell}" if is_formula else cell
