"""Affine layers of ensembles: shared weights with rank-one factors, and weights by group."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import nnlayers as nn
from nnlayers.testing import check_gradients

NORMAL = nn.initializers.Normal(std=1.0)


def ensemble(members=3, width=4, outputs=2, dtype=np.float64):
    return nn.EnsembleAffine(
        members,
        width,
        outputs,
        r_init=NORMAL,
        s_init=NORMAL,
        bias_init=NORMAL,
        dtype=dtype,
        rng=0,
    )


def grouped(groups=3, width=4, outputs=2, dtype=np.float64):
    return nn.GroupedAffine(groups, width, outputs, bias_init=NORMAL, dtype=dtype, rng=0)


def draw(*shape, dtype=np.float64, seed=1):
    return np.random.default_rng(seed).normal(size=shape).astype(dtype)


@given(
    lead=st.lists(st.integers(0, 3), max_size=2),
    members=st.integers(1, 3),
    is_shared=st.booleans(),
    width=st.integers(1, 3),
    outputs=st.integers(1, 3),
)
def test_gradients_of_an_ensemble_agree_with_differences(lead, members, is_shared, width, outputs):
    x = draw(*lead, 1 if is_shared else members, width)
    check_gradients(ensemble(members, width, outputs), x)


@given(
    lead=st.lists(st.integers(0, 3), max_size=2),
    groups=st.integers(1, 3),
    width=st.integers(1, 3),
    outputs=st.integers(1, 3),
)
def test_gradients_by_group_agree_with_differences(lead, groups, width, outputs):
    check_gradients(grouped(groups, width, outputs), draw(*lead, groups, width))


def test_a_member_is_an_affine_layer_with_a_rank_one_factor():
    layer, x = ensemble(), draw(5, 3, 4)
    y = layer.forward(x)
    for m in range(3):
        factor = np.outer(layer.r.value[m], layer.s.value[m])
        expected = x[:, m] @ (layer.W.value * factor) + layer.b.value[m]
        np.testing.assert_allclose(y[:, m], expected, rtol=1e-12, atol=1e-12)


def test_a_group_is_an_affine_layer():
    layer, x, dout = grouped(), draw(5, 3, 4), draw(5, 3, 2, seed=2)
    y = layer.forward(x)
    dx = layer.backward(dout)
    for g in range(3):
        single = nn.Affine(4, 2, dtype=np.float64)
        single.load_state_dict({"W": layer.W.value[g], "b": layer.b.value[g]})
        np.testing.assert_allclose(y[:, g], single.forward(x[:, g]), rtol=1e-12)
        np.testing.assert_allclose(dx[:, g], single.backward(dout[:, g]), rtol=1e-12)
        np.testing.assert_allclose(layer.W.grad[g], single.W.grad, rtol=1e-12)
        np.testing.assert_allclose(layer.b.grad[g], single.b.grad, rtol=1e-12)


def test_members_that_share_an_input_add_up_its_gradients():
    layer, x, dout = ensemble(), draw(5, 1, 4), draw(5, 3, 2, seed=2)
    layer.forward(x)
    dx = layer.backward(dout)
    layer.forward(np.repeat(x, 3, axis=1))
    np.testing.assert_allclose(dx, layer.backward(dout).sum(axis=1, keepdims=True), rtol=1e-12)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("make", [ensemble, grouped])
def test_it_equals_pytorch(make, dtype):
    torch = pytest.importorskip("torch")
    layer, x, dout = make(dtype=dtype), draw(5, 3, 4, dtype=dtype), draw(5, 3, 2, dtype=dtype)
    leaf = torch.tensor(x, requires_grad=True)
    weights = {p.name: torch.tensor(p.value, requires_grad=True) for p in layer.parameters()}
    if make is ensemble:
        expected = ((leaf * weights["r"]) @ weights["W"]) * weights["s"] + weights["b"]
    else:
        expected = torch.einsum("bgi,gio->bgo", leaf, weights["W"]) + weights["b"]
    expected.backward(torch.tensor(dout))
    tolerance = 1e-5 if dtype == "float32" else 1e-12
    np.testing.assert_allclose(layer.forward(x), expected.detach(), tolerance, tolerance)
    np.testing.assert_allclose(layer.backward(dout), leaf.grad, tolerance, tolerance)
    for parameter in layer.parameters():
        grad = weights[parameter.name].grad
        np.testing.assert_allclose(parameter.grad, grad, tolerance, tolerance)


@pytest.mark.parametrize("make", [ensemble, grouped])
@pytest.mark.parametrize("shape", [(4,), (5, 2, 4), (5, 3, 3), (3,)])
def test_an_input_of_another_shape_is_refused(make, shape):
    with pytest.raises(ValueError, match=r"expected x of shape \(\.\.\., 3, 4\).*, got "):
        make().forward(np.zeros(shape))


def test_each_group_is_drawn_as_an_affine_layer_of_its_size():
    layer = nn.GroupedAffine(4, 3, 3, weight_init="orthogonal", dtype=np.float64, rng=0)
    products = layer.W.value @ layer.W.value.transpose(0, 2, 1)
    np.testing.assert_allclose(products, np.broadcast_to(np.eye(3), (4, 3, 3)), atol=1e-12)
    assert len({weights.tobytes() for weights in layer.W.value}) == 4
