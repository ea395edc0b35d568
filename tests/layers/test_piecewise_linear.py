"""Piecewise-linear encodings."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import nnlayers as nn
from nnlayers.testing import check_gradients


def encode(x, edges):
    """Encode one number as the definition has it, bin by bin."""
    widths = np.diff(edges)
    used = np.flatnonzero(widths > 0)
    code = np.zeros(len(widths))
    for t in used:
        y = (x - edges[t]) / widths[t]
        y = y if t == used[0] else max(y, 0.0)
        code[t] = y if t == used[-1] else min(y, 1.0)
    return code


def layer_of(columns, bins, dtype=np.float64):
    return nn.PiecewiseLinear(columns.shape[1], bins, dtype=dtype).fit(columns)


@given(
    rows=st.integers(1, 30),
    bins=st.integers(1, 8),
    kind=st.sampled_from(["normal", "integers", "constant"]),
    seed=st.integers(0, 99),
)
def test_the_code_is_that_of_the_definition(rows, bins, kind, seed):
    rng = np.random.default_rng(seed)
    fitted = {
        "normal": rng.normal(size=(rows, 2)),
        "integers": rng.integers(-2, 3, size=(rows, 2)).astype(float),
        "constant": np.full((rows, 2), 3.0),
    }[kind]
    layer = layer_of(fitted, bins)
    x = np.concatenate([fitted, rng.normal(size=(3, 2)) * 5])
    expected = [[encode(value, layer.edges.value[j]) for j, value in enumerate(row)] for row in x]
    if kind == "constant" or rows == 1:
        expected = np.zeros((len(x), 2, bins))
    np.testing.assert_allclose(layer.forward(x), expected, rtol=1e-12, atol=1e-12)
    np.testing.assert_array_equal(layer.predict(x), layer.forward(x))


@given(seed=st.integers(0, 99), bins=st.integers(1, 9))
def test_codes_times_widths_add_up_to_the_number(seed, bins):
    rng = np.random.default_rng(seed)
    layer = layer_of(rng.normal(size=(50, 3)), bins)
    x = rng.normal(size=(20, 3)) * 3
    total = (layer.forward(x) * np.diff(layer.edges.value)).sum(axis=-1) + layer.edges.value[:, 0]
    np.testing.assert_allclose(total, x, rtol=1e-12, atol=1e-12)


@given(rows=st.integers(0, 5), seed=st.integers(0, 9))
def test_gradients_agree_with_differences(rows, seed):
    rng = np.random.default_rng(seed)
    layer = nn.PiecewiseLinear(2, 4, dtype=np.float64)  # Its edges are multiples of 1/2.
    x = rng.integers(-4, 4, size=(rows, 2)) / 2 + rng.uniform(0.1, 0.4, size=(rows, 2))
    check_gradients(layer, x)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_it_equals_pytorchs_clamp(dtype):
    torch = pytest.importorskip("torch")
    layer = nn.PiecewiseLinear(3, 5, dtype=dtype)
    x = np.random.default_rng(0).normal(size=(7, 3)).astype(dtype)
    x[0] = layer.edges.value[:, 2]  # At a kink the derivative is that of PyTorch.
    leaf, edges = (
        torch.tensor(x, requires_grad=True),
        torch.tensor(layer.edges.value, requires_grad=True),
    )
    z = (leaf[..., None] - edges[:, :-1]) / (edges[:, 1:] - edges[:, :-1])
    ends = z[..., :1].clamp(max=1), z[..., 1:-1].clamp(0, 1), z[..., -1:].clamp(min=0)
    expected = torch.cat(ends, dim=-1)
    dout = np.random.default_rng(1).normal(size=tuple(expected.shape)).astype(dtype)
    expected.backward(torch.tensor(dout))
    tolerance = 1e-5 if dtype == "float32" else 1e-12
    np.testing.assert_allclose(layer.forward(x), expected.detach(), tolerance, tolerance)
    np.testing.assert_allclose(layer.backward(dout), leaf.grad, tolerance, tolerance)
    np.testing.assert_allclose(layer.edges.grad, edges.grad, tolerance, tolerance)


def test_edges_are_moved_only_if_they_are_unfrozen():
    layer = nn.PiecewiseLinear(1, 4)
    model = nn.Sequential(layer, nn.Flatten(), nn.Affine(4, 1, rng=0))
    trainer = nn.Trainer(
        model, nn.MeanSquaredError(), nn.optim.SGD(model.parameters(), lr=0.1), engine="numpy"
    )
    before = layer.edges.value.copy()
    trainer.step(np.array([[0.3], [-0.7]]), np.ones((2, 1)))
    np.testing.assert_array_equal(layer.edges.value, before)
    layer.unfreeze()
    trainer.step(np.array([[0.3], [-0.7]]), np.ones((2, 1)))
    assert (layer.edges.value != before).any()


def test_each_bin_holds_as_many_rows():
    x = np.random.default_rng(0).exponential(size=(800, 1))
    edges = layer_of(x, 8).edges.value[0]
    counts, _ = np.histogram(x, edges)
    assert set(counts) == {100}


def test_a_feature_of_few_values_has_an_edge_at_each():
    layer = layer_of(np.array([[0.0], [1.0], [1.0], [5.0]]), 4)
    np.testing.assert_array_equal(layer.edges.value, [[0, 1, 5, 5, 5]])


def test_edges_that_almost_coincide_give_finite_codes():
    layer = nn.PiecewiseLinear(1, 2, dtype=np.float64)
    layer.edges.value[...] = [[0.0, 5e-324, 1.0]]
    assert np.isfinite(layer.forward([[0.5], [-1e-300], [0.0]])).all()


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_infinite_and_huge_numbers_give_finite_codes(dtype):
    layer = nn.PiecewiseLinear(3, 3, dtype=dtype)
    huge = np.finfo(dtype).max
    layer.edges.value[...] = [[0, 1, 2, 2], [-huge, 0, huge, huge], [5, 5, 5, 5]]
    x = np.repeat(np.array([[np.inf], [huge], [-np.inf], [-huge], [huge / 2]], dtype), 3, axis=1)
    top = [[1, huge, 0], [1, 1, 0], [0, 0, 0]]
    bottom = [[-huge, 0, 0], [0, 0, 0], [0, 0, 0]]
    middle = [[1, huge / 2, 0], [1, 0.5, 0], [0, 0, 0]]
    expected = np.array([top, top, bottom, bottom, middle])
    with np.errstate(all="raise", under="ignore"):
        codes = layer.predict(x), layer.forward(x)
        dx = layer.backward(np.ones_like(codes[1]))
    for y in codes:
        np.testing.assert_allclose(y, expected, rtol=4 * np.finfo(dtype).eps)
    assert np.isfinite(dx).all()
    assert np.isnan(layer.predict(np.full((1, 3), np.nan, dtype))).all()


@pytest.mark.parametrize(
    ("x", "message"),
    [
        (np.zeros((0, 2)), r"at least one row, got \(0, 2\)"),
        (np.zeros((3, 1)), r"\(rows, 2\) .*got \(3, 1\)"),
        (np.zeros(2), r"\(rows, 2\) .*got \(2,\)"),
        (np.array([[0.0, np.nan]]), "x must be finite"),
        (np.array([[0.0, np.inf]]), "x must be finite"),
    ],
)
def test_rows_that_give_no_edges_are_refused(x, message):
    layer = nn.PiecewiseLinear(2, 4)
    before = layer.edges.value.copy()
    with pytest.raises(ValueError, match=message):
        layer.fit(x)
    np.testing.assert_array_equal(layer.edges.value, before)


def test_an_affine_layer_behind_it_learns_a_step():
    x = np.linspace(-1, 1, 200)[:, np.newaxis]
    y = (np.abs(x) > 0.5).astype(float)
    code = layer_of(x, 40).forward(x)[:, 0]
    weights, *_ = np.linalg.lstsq(np.c_[code, np.ones(len(x))], y, rcond=None)
    error = np.abs(np.c_[code, np.ones(len(x))] @ weights - y)
    assert np.sort(error.ravel())[:-20].max() < 0.1
