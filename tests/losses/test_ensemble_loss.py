"""The mean of the losses of an ensemble's members."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from loss_catalogue import COLUMNS, LOSSES, both_reductions

import nnlayers as nn


@given(
    name=st.sampled_from(list(LOSSES)),
    members=st.integers(1, 3),
    rows=st.integers(0, 4),
    is_weighted=st.booleans(),
    seed=st.integers(0, 9),
)
@both_reductions
def test_it_is_the_mean_of_the_members_losses(reduction, name, members, rows, is_weighted, seed):
    entry, rng = LOSSES[name], np.random.default_rng(seed)
    outputs = [rng.normal(size=(rows, COLUMNS)) for _ in range(members)]
    target = entry.draw_target(rng, (rows, COLUMNS))
    weight = rng.uniform(0.5, 2, rows) if is_weighted else None
    loss = nn.EnsembleLoss(entry.make(reduction=reduction))
    value = loss.forward(np.stack(outputs, axis=1), target, weight)
    slopes = loss.backward()
    singles = [entry.make(reduction=reduction) for _ in outputs]
    values = [one.forward(p, target, weight) for one, p in zip(singles, outputs, strict=True)]
    np.testing.assert_allclose(value, np.mean(values), rtol=1e-12, atol=1e-12)
    for m, one in enumerate(singles):
        expected = one.backward() / members
        np.testing.assert_allclose(slopes[:, m], expected, rtol=1e-12, atol=1e-12)
        if reduction == "mean":
            np.testing.assert_allclose(loss.total_weight, one.total_weight, rtol=1e-12)


def test_classes_are_those_of_the_mean_output():
    loss = nn.EnsembleLoss(nn.SoftmaxCrossEntropy())
    assert loss.targets == "classes"
    assert loss.decide([[[0.0, 1.0], [3.0, 0.0]]]).tolist() == [0]


@pytest.mark.parametrize("shape", [(3,), (3, 0, 2), ()])
def test_a_prediction_without_members_is_refused(shape):
    with pytest.raises(ValueError, match=r"prediction must have shape \(batch, members, \.\.\.\)"):
        nn.EnsembleLoss(nn.MeanSquaredError()).forward(np.zeros(shape), np.zeros((3, 2)))


def test_a_target_of_another_length_is_refused():
    with pytest.raises(ValueError, match="target"):
        nn.EnsembleLoss(nn.MeanSquaredError()).forward(np.zeros((3, 2, 1)), np.zeros((2, 1)))


def test_only_a_loss_has_members():
    with pytest.raises(TypeError, match="loss must be a Loss"):
        nn.EnsembleLoss("mean")


def test_members_with_a_shared_layer_fit_a_curve():
    x = np.linspace(-1, 1, 64)[:, np.newaxis]
    y = np.abs(x)
    model = nn.Sequential(
        nn.PiecewiseLinear(1, 8).fit(x),
        nn.EnsembleAffine(4, 8, 16, r_init=nn.initializers.Normal(std=1.0), rng=0),
        nn.ReLU(),
        nn.GroupedAffine(4, 16, 1, rng=1),
    )
    optimizer = nn.optim.Adam(model.parameters(), lr=0.01)
    trainer = nn.Trainer(model, nn.EnsembleLoss(nn.MeanSquaredError()), optimizer)
    history = trainer.fit(x, y, epochs=200, rng=0)
    assert history["loss"][-1] < 0.05 * y.var()
    np.testing.assert_allclose(model.predict(x).mean(axis=1), y, atol=0.1)
