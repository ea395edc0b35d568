"""Kernels of layers for tables and of graphs compute what the NumPy path computes."""

import copy

import numpy as np
import pytest
from lowered import assert_same_step, kernel_step

import nnlayers as nn
from nnlayers.engine.lowering.builder import ProgramBuilder, UnsupportedError, lower_layer

each_dtype = pytest.mark.parametrize("dtype", ["float32", "float64"])
SCALES = {
    "r_init": nn.initializers.Normal(std=1.0),
    "s_init": "he_normal",
    "bias_init": "he_normal",
}


@pytest.fixture(params=[False, True], ids=["uncompiled", "compiled"])
def compiled(request):
    if request.param:
        pytest.importorskip("numba")
    return request.param


def with_frozen(layer, *names):
    for name in names:
        getattr(layer, name).trainable = False
    return layer


def encoding(features, edges, trained=True):
    """Return a piecewise-linear encoding with the same edges for all features but the last."""
    layer = nn.PiecewiseLinear(features, len(edges) - 1)
    layer.edges.value[:-1] = edges
    layer.edges.trainable = trained
    return layer


def draw_batch(rows, dtype, inputs, outputs):
    rng = np.random.default_rng(rows)
    return [rng.normal(size=(rows, *shape)).astype(dtype) for shape in (inputs, outputs)]


def ids(layer):
    return " ".join(repr(layer).split())


@pytest.mark.parametrize(
    ("shape", "layer"),
    [
        ((1, 3), nn.EnsembleAffine(4, 3, 5, rng=0, **SCALES)),
        ((4, 3), nn.EnsembleAffine(4, 3, 5, rng=0, **SCALES)),
        ((1, 3), nn.EnsembleAffine(1, 3, 1, rng=0, **SCALES)),
        ((1, 1), nn.EnsembleAffine(2, 1, 2, rng=0, **SCALES)),
        ((2, 4, 3), nn.EnsembleAffine(4, 3, 2, rng=0, **SCALES)),
        ((1, 3), with_frozen(nn.EnsembleAffine(4, 3, 5, rng=0, **SCALES), "r", "b")),
        ((4, 3), with_frozen(nn.EnsembleAffine(4, 3, 5, rng=0, **SCALES), "W", "s")),
        ((1, 3), nn.EnsembleAffine(4, 3, 5, rng=0, **SCALES).freeze()),
        ((3, 4), nn.GroupedAffine(3, 4, 1, bias_init="he_normal", rng=0)),
        ((3, 4), nn.GroupedAffine(3, 4, 3, bias_init="he_normal", rng=0)),
        ((3, 4), nn.GroupedAffine(3, 4, 9, bias_init="he_normal", rng=0)),
        ((2, 1), nn.GroupedAffine(2, 1, 8, rng=0)),
        ((1, 1), nn.GroupedAffine(1, 1, 1, rng=0)),
        ((2, 3, 4), nn.GroupedAffine(3, 4, 8, rng=0)),
        ((3, 4), with_frozen(nn.GroupedAffine(3, 4, 9, rng=0), "W")),
        ((3, 4), with_frozen(nn.GroupedAffine(3, 4, 2, rng=0), "b")),
        ((3, 4), nn.GroupedAffine(3, 4, 2, rng=0).freeze()),
        ((3,), encoding(3, [-2.0, -1.0, 0.5, 0.5, 3.0, 3.0])),
        ((3,), encoding(3, [-2.0, -1.0, 0.5, 0.5, 3.0, 3.0], trained=False)),
        ((2, 3), encoding(3, [-1.0, 0.0, 0.0, 1.0])),
        ((2,), encoding(2, [1.0, 1.0])),
        ((1,), encoding(1, [-1.0, 1.0])),
    ],
    ids=ids,
)  # fmt: skip
@pytest.mark.parametrize(("dtype", "rows"), [("float32", 1), ("float64", 7)])
def test_layers_for_tables(shape, layer, dtype, rows, compiled):
    width = int(np.prod(shape))
    x, y = draw_batch(rows, dtype, (4,), (2,))
    for first in (nn.Affine(4, width, rng=0), nn.Affine(4, width, rng=0).freeze()):
        layers = first, nn.Reshape(shape), layer, nn.Flatten()
        outputs = nn.Sequential(*copy.deepcopy(layers)).astype(dtype).predict(x).shape[1]
        model = nn.Sequential(*layers, nn.Affine(outputs, 2, rng=1))
        model = copy.deepcopy(model).astype(dtype)
        assert_same_step(model, nn.MeanSquaredError(), x, y, compiled=compiled)


@each_dtype
def test_codes_of_numbers_at_and_beyond_the_edges(dtype, compiled):
    info = np.finfo(dtype)
    numbers = [0, 0.5, 1, 1.5, 2, 3, 1e9, info.max, info.tiny]
    x = np.array([numbers, [-number for number in numbers]], dtype).reshape(-1, 1)
    # The third feature has a bin so narrow that its scale is not finite, the last one a bin that is
    # wider than the largest number.
    edges = [[0, 1, 2, 2], [5, 5, 5, 5], [0, info.smallest_subnormal, 1, 2]]
    edges.append([-info.max, 0.5 * info.max, info.max, info.max])
    layer = nn.PiecewiseLinear(4, 3, dtype=dtype)
    layer.edges.value[...] = edges
    layer.edges.trainable = True
    x = np.repeat(x, 4, axis=1)
    y = np.zeros((len(x), 4, 3), dtype)
    expected = layer.forward(x)
    step = kernel_step(layer, nn.MeanAbsoluteError(), x, y, compiled=compiled)
    np.testing.assert_allclose(step.output, expected, rtol=4 * info.eps)
    for odd in (np.inf, -np.inf, np.nan):
        x[3, 1] = odd
        step = kernel_step(layer, nn.MeanAbsoluteError(), x, y, compiled=compiled)
        expected = layer.forward(x)
        np.testing.assert_allclose(step.output, expected, rtol=4 * info.eps)


def member_losses():
    rng = np.random.default_rng(0)
    c = [0.5, 1.0, 2.0]
    shares = rng.dirichlet(np.ones(3), 6)
    classes = rng.integers(3, size=6)
    for reduction in ("mean", "sum"):
        yield nn.MeanSquaredError(reduction=reduction), rng.normal(size=(6, 3))
        yield nn.Huber(0.5, reduction=reduction), rng.normal(size=(6, 3))
        yield nn.Quantile(0.2, reduction=reduction), rng.normal(size=(6, 3))
        yield nn.Hinge(reduction=reduction), classes
        yield nn.SigmoidCrossEntropy(c, reduction=reduction), rng.integers(2, size=(6, 3))
        yield nn.SoftmaxCrossEntropy(reduction=reduction), classes
        yield nn.SoftmaxCrossEntropy(c, 0.1, reduction=reduction), classes
        yield nn.SoftmaxCrossEntropy(reduction=reduction), shares


@pytest.mark.parametrize("loss_and_target", list(member_losses()), ids=lambda pair: repr(pair[0]))
@pytest.mark.parametrize(("members", "weighted"), [(1, False), (4, False), (4, True)])
def test_losses_of_members(loss_and_target, members, weighted, compiled):
    loss, target = loss_and_target
    x = np.random.default_rng(1).normal(size=(6, 4))
    weight = np.array([0.0, 1.0, 2.5, 1.0, 0.5, 3.0]) if weighted else None
    model = nn.Sequential(nn.Affine(4, members * 3, rng=0), nn.Reshape((members, 3)))
    for network in (model.astype("float64"), copy.deepcopy(model).astype("float64").freeze()):
        ensemble = nn.EnsembleLoss(copy.deepcopy(loss))
        assert_same_step(network, ensemble, x, target, weight, compiled=compiled)


def test_gaussian_members(compiled):
    x, y = draw_batch(5, "float64", (4,), (2,))
    model = nn.Sequential(nn.Affine(4, 12, rng=0), nn.Reshape((3, 4))).astype("float64")
    assert_same_step(model, nn.EnsembleLoss(nn.GaussianNLL()), x, y, compiled=compiled)


def graph_of(function):
    x = nn.Input("x")
    return nn.Graph(function(x))


def twice(x):
    """Use a value three times: by layers that work in place, and within the result."""
    h = nn.Affine(4, 4, rng=3)(x)
    return nn.concatenate(nn.ReLU()(h), nn.Tanh()(h), h, h[:, 1:3])


def columns(x):
    reversed_part = nn.Affine(2, 2, rng=4)(x[:, ::-2])
    return nn.concatenate(x[:, :1], reversed_part, x[:, -2:], x)


GRAPHS = {
    "a value used thrice": twice,
    "columns": columns,
    "the input alone": lambda x: x,
    "the same part twice": lambda x: nn.concatenate(x, x),
    "one layer": lambda x: nn.Affine(4, 3, rng=5)(x),
    "an inner graph": lambda x: nn.concatenate(graph_of(twice)(x), x[:, 3:]),
    "dropout": lambda x: nn.concatenate(nn.Dropout(0.5, rng=0)(x), nn.Dropout(0.3, rng=1)(x)),
    "more axes": lambda x: nn.concatenate(
        nn.Reshape((2, 2))(x), nn.Affine(2, 3, rng=6)(nn.Reshape((2, 2))(x)), axis=2
    ),
}


@pytest.mark.parametrize("function", GRAPHS.values(), ids=GRAPHS)
@each_dtype
def test_graphs_within_a_network(function, dtype, compiled):
    x, y = draw_batch(5, dtype, (4,), (2,))
    for first in ((), (nn.Affine(4, 4, rng=0),), (nn.Affine(4, 4, rng=0).freeze(),)):
        layers = *first, graph_of(function), nn.Flatten(), nn.ReLU()
        width = copy.deepcopy(nn.Sequential(*layers)).predict(x).shape[1]
        model = nn.Sequential(*layers, nn.Affine(width, 2, rng=1)).astype(dtype)
        assert_same_step(model, nn.MeanSquaredError(), x, y, compiled=compiled)


def shared_layer(x):
    layer = nn.Affine(4, 4)
    return layer(layer(x))


@pytest.mark.parametrize(
    "function",
    [
        lambda x: x + 1.0,
        lambda x: x[:, [0, 2]],
        lambda x: x[:2],
        lambda x: x[:, 0],
        lambda x: nn.concatenate(x, x, axis=0),
        lambda x: nn.concatenate(x, nn.Parameter(np.ones((2, 1), np.float32))),
        lambda x: [x, nn.Tanh()(x)],
        lambda x: nn.concatenate(x, nn.Input("y")),
        lambda x: nn.Tanh()(x, x),
        shared_layer,
    ],
    ids=[
        "sum", "columns in any order", "rows", "one column", "rows together", "weight",
        "two outputs", "two inputs", "two arguments", "shared layer",
    ],
)  # fmt: skip
def test_other_graphs_are_left_to_numpy(function):
    build = ProgramBuilder(np.dtype("float32"), 2)
    with pytest.raises(UnsupportedError):
        lower_layer(build, graph_of(function), build.rows((4,)))


@pytest.mark.parametrize(
    "layer",
    [nn.EnsembleAffine(2, 5, 3), nn.GroupedAffine(2, 4, 3), nn.PiecewiseLinear(5, 3)],
    ids=ids,
)
def test_inputs_that_do_not_fit_are_left_to_numpy(layer):
    build = ProgramBuilder(np.dtype("float32"), 2)
    with pytest.raises(UnsupportedError, match=type(layer).__name__):
        lower_layer(build, layer, build.rows((3, 4)))
