"""Properties that every loss has."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from loss_catalogue import COLUMNS, LOSSES, both_reductions, draw, every_loss

import nnlayers as nn
from nnlayers.config import families
from nnlayers.testing import check_gradients

SHAPE = (6, COLUMNS)
WEIGHTS = [1.0, 2.0, 0.0, 0.5, 3.0, 1.0]
VALUES = np.random.default_rng(1).normal(size=SHAPE)


@st.composite
def shapes(draw_from, entry):
    """Draw the shape of a prediction: rows, up to three more axes, and columns."""
    if entry.fewest_axes == 1 and draw_from(st.booleans()):
        return (draw_from(st.integers(0, 3)),)
    inner = draw_from(hnp.array_shapes(min_dims=0, max_dims=3, min_side=0, max_side=2))
    return draw_from(st.integers(0, 3)), *inner, COLUMNS


def weights_of(shape, seed):
    return np.random.default_rng(seed).choice([0.0, 0.5, 1.0, 3.0], size=shape[0])


def test_every_loss_is_in_the_catalogue():
    # The predictions of an ensemble have an axis of members, so its loss has tests of its own.
    public = set(families.LOSSES.known.values()) - {nn.EnsembleLoss}
    assert {type(entry.make()) for entry in LOSSES.values()} == public


@every_loss
@both_reductions
@given(data=st.data(), seed=st.integers(0, 9))
@settings(max_examples=12)
def test_backward_agrees_with_finite_differences_in_any_shape(entry, reduction, data, seed):
    shape = data.draw(shapes(entry))
    p, target = draw(entry, shape, seed)
    weights = weights_of(shape, seed) if data.draw(st.booleans()) else None
    check_gradients(
        entry.make(reduction=reduction), p, target, *([weights] * (weights is not None))
    )


@every_loss
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_inputs_may_be_strided_and_read_only_and_do_not_change(entry, dtype):
    p, target = draw(entry, (5, 3, COLUMNS))
    p, loss = p.astype(dtype), entry.make()
    value, gradient = loss.forward(p, target, WEIGHTS[:5]), loss.backward()
    for layout in (np.asfortranarray, lambda a: np.repeat(a, 2, axis=0)[::2], lambda a: a[::-1]):
        given = [layout(array) for array in (p, target, np.array(WEIGHTS[:5]))]
        kept = [array.copy() for array in given]
        for array in given:
            array.flags.writeable = False
        assert loss.forward(*given) == pytest.approx(value, rel=1e-14)
        found = loss.backward()
        np.testing.assert_array_equal(found, layout(gradient))
        assert found.flags.writeable
        for array, copy in zip(given, kept, strict=True):
            np.testing.assert_array_equal(array, copy)


@every_loss
def test_a_gradient_never_changes_later(entry):
    p, target = draw(entry, SHAPE)
    loss = entry.make()
    loss.forward(p, target)
    first, again = loss.backward(), loss.backward()
    kept = first.copy()
    assert not np.shares_memory(first, again)
    loss.forward(p + 1, target)
    loss.backward()
    np.testing.assert_array_equal(first, kept)


@every_loss
@pytest.mark.parametrize(
    ("given", "dtype"),
    [("float16", "float32"), ("float32", "float32"), ("float64", "float64"), ("int8", "float64")],
)
def test_the_gradient_has_the_dtype_of_the_prediction(entry, given, dtype):
    p, target = draw(entry, SHAPE)
    p, loss = (3 * p).astype(given), entry.make()
    for weights in (None, WEIGHTS, np.zeros(6)):
        value = loss.forward(p, target, weights)
        gradient = loss.backward()
        assert gradient.dtype == dtype
        assert type(value) is float
        assert loss.forward(p.tolist(), target.tolist(), weights) == pytest.approx(value, rel=1e-14)
        np.testing.assert_allclose(loss.backward(), gradient, rtol=1e-6)


@every_loss
@pytest.mark.parametrize("place", [0, 1, 2])
@pytest.mark.parametrize("dtype", [complex, object])
def test_anything_but_real_numbers_is_refused(entry, place, dtype):
    given = [*draw(entry, SHAPE), np.ones(6)]
    given[place] = given[place].astype(dtype)
    name = ["prediction", "target", "sample_weight"][place]
    with pytest.raises(TypeError, match=f"{name} must hold real numbers, got dtype "):
        entry.make().forward(*given)


@every_loss
@both_reductions
def test_a_row_of_weight_two_counts_as_two_rows(entry, reduction):
    p, target = draw(entry, SHAPE)
    counts = np.array([1, 2, 0, 3, 1, 2])
    loss, repeated = entry.make(reduction=reduction), entry.make(reduction=reduction)
    value = loss.forward(p, target, counts)
    rows = np.repeat(np.arange(6), counts)
    assert value == pytest.approx(repeated.forward(p[rows], target[rows]), rel=1e-12)


@every_loss
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_without_rows_or_weight_loss_and_gradient_are_zero(entry, dtype):
    p, target = draw(entry, SHAPE)
    p, loss = p.astype(dtype), entry.make()
    assert loss.forward(p[:0], target[:0]) == 0.0
    assert loss.backward().shape == (0, COLUMNS)
    assert loss.forward(p, target, np.zeros(6)) == 0.0
    gradient = loss.backward()
    assert gradient.dtype == dtype
    assert (gradient == 0).all()


@every_loss
def test_backward_before_forward_names_the_loss(entry):
    loss = entry.make()
    with pytest.raises(RuntimeError, match=f"{type(loss).__name__}.backward was called before"):
        loss.backward()


@every_loss
def test_bad_weights_are_refused_with_their_rows(entry):
    p, target = draw(entry, SHAPE)
    for bad in (-1, np.nan, np.inf):
        with pytest.raises(ValueError, match=f"sample_weight must .*{bad}.* in row 2"):
            entry.make().forward(p, target, [1, 1, bad, 1, 1, 1])
    with pytest.raises(ValueError, match="sample_weight must"):
        entry.make().forward(p, target, [1.0])


@pytest.mark.parametrize(
    ("loss", "target", "message"),
    [
        (nn.MeanSquaredError(), np.full(SHAPE, np.nan), "got NaN in rows 0, 1, 2, 3, 4 and 1 more"),
        (nn.MeanSquaredError(), VALUES[:, :1], r"shape \(6, 4\), got \(6, 1\)"),
        (nn.GaussianNLL(), VALUES, r"\(batch, \.\.\., d\), got \(6, 4\) for \(6, 4\)"),
        (nn.SoftmaxCrossEntropy(), [0, 1, 2, 3, 4, 0], "from 0 to 3, got 4 in row 4"),
        (nn.SoftmaxCrossEntropy(), [0, 1, -1, 3, 2, 0], "from 0 to 3, got -1 in row 2"),
        (nn.SoftmaxCrossEntropy(), VALUES, "probabilities"),
        (nn.SigmoidCrossEntropy(), VALUES * 5, "between 0 and 1"),
        (nn.SigmoidCrossEntropy([1, 2]), VALUES > 0, r"last axes, got \(2,\) for \(6, 4\)"),
        (nn.SigmoidCrossEntropy(np.ones(SHAPE)), VALUES > 0, r"last axes, got \(6, 4\) for"),
        (nn.Poisson(), -np.ones(SHAPE), "target must be finite and at least 0, got -1.0 in rows 0"),
        (nn.KLDivergence(), np.full(SHAPE, 1.5), "between 0 and 1, got 1.5 in rows 0"),
        (nn.Hinge(), [9, 0, 0, 0, 0, 0], "row 0"),
    ],
)
def test_targets_out_of_range_are_refused_with_their_rows(loss, target, message):
    with pytest.raises(ValueError, match=message):
        loss.forward(np.zeros(SHAPE), target)


@every_loss
def test_a_nan_target_is_refused(entry):
    p, target = draw(entry, SHAPE)
    target = target.astype(float)
    target[3] = np.nan
    with pytest.raises(ValueError, match=r"target must "):
        entry.make().forward(p, target)


def test_a_gaussian_needs_a_batch():
    with pytest.raises(ValueError, match=r"got \(4,\) for \(2,\)"):
        nn.GaussianNLL().forward(np.zeros(4), np.zeros(2))


def test_repr_is_the_call_that_makes_the_loss():
    assert repr(nn.Quantile(0.9, reduction="sum")) == "Quantile(0.9, reduction='sum')"
    weighted = nn.SoftmaxCrossEntropy(class_weight=[1.0, 2.0])
    assert repr(weighted) == "SoftmaxCrossEntropy(class_weight=array([1., 2.]))"
