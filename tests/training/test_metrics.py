"""Metrics by name, and the values they return."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import accuracy_score

import nnlayers as nn
from nnlayers.training.metrics import accuracy, measure, resolve_metrics


@given(st.lists(st.tuples(st.integers(0, 2), st.integers(0, 2)), min_size=1))
def test_accuracy_is_scikit_learns(pairs):
    y_true, y_pred = np.array(pairs).T
    assert accuracy(y_true, y_pred) == accuracy_score(y_true, y_pred)


def test_accuracy_of_a_binary_column_counts_its_entries():
    assert accuracy([[0.0], [1.0], [1.0], [0.0]], [[0], [1], [0], [0]]) == 0.75


def test_accuracy_takes_the_largest_of_class_probabilities():
    assert accuracy([[0.2, 0.8], [0.7, 0.3]], [1, 1]) == 0.5


@pytest.mark.parametrize(("y_true", "y_pred"), [([0, 1], [[0], [1]]), ([], []), ([0, 1], [0])])
def test_accuracy_of_labels_that_do_not_fit_is_an_error(y_true, y_pred):
    with pytest.raises(ValueError, match="accuracy needs labels of one shape"):
        accuracy(y_true, y_pred)


@pytest.mark.parametrize(
    ("metrics", "error", "message"),
    [
        ("accuracy", TypeError, "metrics must be a list"),
        ([3], TypeError, "metrics must hold names or functions with a __name__, got 3"),
        ([accuracy, "accuracy"], ValueError, "got 'accuracy' twice"),
    ],
)
def test_metrics_that_cannot_be_resolved_are_errors(metrics, error, message):
    with pytest.raises(error, match=message):
        resolve_metrics(metrics, nn.SoftmaxCrossEntropy())


def test_accuracy_needs_a_loss_for_classes():
    with pytest.raises(ValueError, match="needs a loss whose targets are classes"):
        resolve_metrics(["accuracy"], nn.MeanSquaredError())


def test_a_metric_that_does_not_return_a_number_is_named():
    def each(y_true, y_pred):
        return y_true == y_pred

    with pytest.raises(TypeError, match="metric 'each' must return a number, got array"):
        measure({"each": each}, np.zeros(2), np.zeros(2))
