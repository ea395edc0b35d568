"""Masked arrays are refused, because NumPy would drop the mask and train on hidden entries."""

import numpy as np
import pytest

import nnlayers as nn
from nnlayers._core.arrays import unmasked
from nnlayers.data import DataError, split
from nnlayers.data.table import Table
from nnlayers.testing import check_gradients

X, Y, IDS, ONES = np.arange(8.0).reshape(4, 2), np.ones((4, 1)), np.array([0, 1, 0, 1]), np.ones(4)


def masked(array):
    """Return an array whose last entry is a huge one that is hidden."""
    mask = np.zeros(array.shape, bool)
    mask.flat[-1] = True
    filled = array.copy()
    filled.flat[-1] = 1e6
    return np.ma.masked_array(filled, mask)


class Double(nn.Layer):
    def forward(self, x):
        return 2 * x

    def backward(self, dout):
        return 2 * dout


def trainer():
    model = nn.Affine(2, 1, rng=0)
    return nn.Trainer(model, nn.MeanSquaredError(), nn.optim.SGD(model.parameters(), 1e-3))


def backward(layer, x, dout):
    layer.forward(x)
    return layer.backward(dout)


mse, node = nn.MeanSquaredError, nn.Input
ENTRANCES = {
    "forward": (lambda x: nn.Affine(2, 1).forward(x), X),
    "forward of a list": (lambda x: nn.Affine(2, 1).forward(list(x)), X),
    "forward of a nested list": (lambda x: nn.Affine(2, 1).forward([list(x)]), X),
    "forward of float32": (lambda x: nn.ReLU().forward(x), X.astype(np.float32)),
    "forward of ids": (lambda x: nn.Embedding(2, 3).forward(x), IDS),
    "predict": (lambda x: nn.ReLU().predict(x), X),
    "backward": (lambda x: backward(nn.ReLU(), X, x), X),
    "forward of a user's layer": (lambda x: Double().forward(x), X),
    "backward of a user's layer": (lambda x: backward(Double(), X, x), X),
    "an input's value": (lambda x: node("b", value=x), X),
    "an array in an expression": (lambda x: node("b") + x, X),
    "a graph's input": (lambda x: nn.Graph(nn.exp(node("a"))).forward(a=x), X),
    "a graph's dout": (lambda x: backward(nn.Graph(nn.exp(node("a"))), X, x), X),
    "jacobian": (lambda x: nn.jacobian(nn.Exp(), x), X),
    "Parameter": (nn.Parameter, X),
    "Parameter.value": (lambda x: setattr(nn.Parameter(X), "value", x), X),
    "Parameter.grad": (lambda x: setattr(nn.Parameter(X), "grad", x), X),
    "load_state_dict": (
        lambda x: nn.Affine(2, 1, bias=False).load_state_dict({"W": x}),
        np.ones((2, 1)),
    ),
    "prediction": (lambda x: mse().forward(x, Y), Y),
    "target": (lambda x: mse().forward(Y, x), Y),
    "class ids": (lambda x: nn.SoftmaxCrossEntropy().forward(X, x), IDS),
    "sample_weight": (lambda x: mse().forward(Y, Y, x), ONES),
    "class_weight": (lambda x: nn.SoftmaxCrossEntropy(class_weight=x), ONES),
    "pos_weight": (lambda x: nn.SigmoidCrossEntropy(pos_weight=x), ONES),
    "fit X": (lambda x: trainer().fit(x, Y, epochs=1), X),
    "fit y": (lambda x: trainer().fit(X, x, epochs=1), Y),
    "fit integers": (lambda x: trainer().fit(X, x, epochs=1), IDS[:, None]),
    "fit sample_weight": (lambda x: trainer().fit(X, Y, epochs=1, sample_weight=x), ONES),
    "validation": (lambda x: trainer().fit(X, Y, epochs=1, validation=(x, Y)), X),
    "validation y": (lambda x: trainer().fit(X, Y, epochs=1, validation=(X, x)), Y),
    "step": (lambda x: trainer().step(x, Y), X),
    "step y": (lambda x: trainer().step(X, x), Y),
    "evaluate": (lambda x: trainer().evaluate(X, x), Y),
    "minimize_lbfgs": (lambda x: nn.optim.minimize_lbfgs(nn.Affine(2, 1), mse(), x, Y), X),
    "split": (lambda x: split(4, validation=0.5, test=0, seed=0, stratify=x), IDS),
    "check_gradients": (lambda x: check_gradients(nn.Exp(), x), ONES),
}


@pytest.mark.parametrize(("enter", "array"), ENTRANCES.values(), ids=ENTRANCES)
def test_a_masked_entry_is_refused_wherever_arrays_come_in(enter, array):
    with pytest.raises(ValueError, match=r"must have no masked entries, got 1: drop or fill them"):
        enter(masked(array))
    enter(np.ma.masked_array(array, mask=False))


def test_a_table_s_columns_are_refused_by_name():
    def table(column):
        return Table({"a": column}, ONES, origin="here")

    with pytest.raises(DataError, match="'a' must have no masked entries, got 1"):
        table(masked(ONES))
    table(np.ma.masked_array(ONES))


@pytest.mark.parametrize("entries", [1, 3])
def test_masked_entries_are_counted_in_lists_of_arrays_and_numbers(entries):
    row = np.ma.masked_array([1.0, 2.0, 3.0], np.arange(3) < entries)
    for x in ([row, row], [[row], [row]], (row, row), np.ma.vstack([row, row])):
        with pytest.raises(ValueError, match=f"target must have no masked .* got {2 * entries}:"):
            unmasked(x, "target")
    with pytest.raises(ValueError, match=r"no masked entries, got 1:"):
        unmasked([1.0, np.ma.masked])


def test_lists_that_are_nested_without_end_are_refused():
    itself, twice, deep = [], [], []
    itself.append(itself)
    twice += [twice, twice]
    for _ in range(100_000):
        deep = [deep]
    for x in (itself, twice, deep, [[itself]]):
        with pytest.raises(ValueError, match=r"^target must be an array or lists .* got endless"):
            unmasked(x, "target")
