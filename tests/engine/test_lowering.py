"""Kernels of layers and losses compute what the NumPy path computes."""

import copy

import numpy as np
import pytest
from lowered import assert_same_step, kernel_step

import nnlayers as nn
from nnlayers.engine.lowering.builder import ProgramBuilder, UnsupportedError, lower_layer
from nnlayers.engine.program import Buffer, KernelProgram

ELEMENTWISE = [
    nn.ELU(0.7), nn.ELU(-1), nn.Exp(), nn.GELU(), nn.GELU("tanh"), nn.HardTanh(), nn.Identity(),
    nn.LeakyReLU(0.1), nn.LeakyReLU(0), nn.LeakyReLU(1.5), nn.Log(), nn.Mish(), nn.Negative(),
    nn.ReLU(), nn.Reciprocal(), nn.SELU(), nn.SiLU(), nn.Sigmoid(), nn.Softplus(),
    nn.Softplus(2.5), nn.Softsign(), nn.Sqrt(), nn.Square(), nn.Tanh(),
]  # fmt: skip
each_dtype = pytest.mark.parametrize("dtype", ["float32", "float64"])


@pytest.fixture(params=[False, True], ids=["uncompiled", "compiled"])
def compiled(request):
    if request.param:
        pytest.importorskip("numba")
    return request.param


def network(*layers, dtype="float32"):
    """Return a network with 4 inputs, 3 inputs of the given layers, and 2 outputs."""
    return nn.Sequential(nn.Affine(4, 3, rng=0), *layers, nn.Affine(3, 2, rng=1)).astype(dtype)


def draw_batch(rows, dtype, *shapes):
    rng = np.random.default_rng(rows)
    return [rng.normal(scale=2, size=(rows, *shape)).astype(dtype) for shape in shapes]


def forward_and_backward(layer, x, d, compiled):
    """Return y and the gradient of x for a layer without parameters, by kernels."""
    build = ProgramBuilder(x.dtype, len(x))
    inputs = Buffer(x, x.shape[1:], grad=build.rows(x.shape[1:]))
    inputs.grad.memory[...] = d
    y = lower_layer(build, layer, inputs)
    instructions = build.forward_instructions + build.backward_instructions
    KernelProgram(instructions, x.dtype, compiled=compiled).run(np.array([len(x)]))
    return y.memory, y.grad.memory


@pytest.mark.parametrize("layer", ELEMENTWISE, ids=repr)
@each_dtype
def test_elementwise_layers_agree_up_to_the_ends_of_the_range(layer, dtype, compiled):
    info = np.finfo(dtype)
    numbers = [np.inf, np.nan, info.max, 1e30, 1e3, 100, 41, 39, 20, 9, 3, 1, 0.5, 1e-3, 1e-9]
    numbers += [info.tiny, info.smallest_subnormal, 0]
    x = np.array([numbers, [-number for number in numbers]], dtype)
    d = np.full_like(x, 0.7)
    y, dx = forward_and_backward(layer, x, d, compiled)
    with np.errstate(all="ignore"):
        expected = layer.forward(x), layer.backward(d)
    # The smallest numbers differ, because some layers compute in float64.
    tolerance = {"rtol": max(20 * info.eps, 1e-13), "atol": info.tiny / info.eps}
    np.testing.assert_allclose(y, expected[0], **tolerance)
    np.testing.assert_allclose(dx, expected[1], **tolerance)


@each_dtype
def test_the_slope_of_a_saturated_tanh_is_exactly_zero(dtype, compiled):
    x = np.array([[1e3, -1e30, np.inf]], dtype)
    _, dx = forward_and_backward(nn.Tanh(), x, np.ones_like(x), compiled)
    assert not dx.any()


@pytest.mark.parametrize(
    "layer",
    [
        nn.GELU(), nn.ReLU(), nn.PReLU(), nn.PReLU(3), nn.Softmax(), nn.Softmax(1), nn.LogSoftmax(),
        nn.BatchNorm(3), nn.LayerNorm(3), nn.RMSNorm(3), nn.RMSNorm(3, eps=0.1), nn.BatchNorm(3, 1),
        nn.BatchNorm(3).eval(), nn.BatchNorm(3).freeze(), nn.LayerNorm(3).freeze(),
        nn.PReLU(3).freeze(), nn.Dropout(0.3, rng=0), nn.Dropout(0), nn.Dropout(0.5).eval(),
        nn.GaussianNoise(0.3, rng=0), nn.GaussianNoise(0.3).eval(), nn.GaussianNoise(0),
        nn.Flatten(), nn.Reshape(3), nn.Reshape((-1,)), nn.Sequential(), nn.Residual(),
        nn.Residual(nn.Tanh(), nn.Affine(3, 3, rng=0)), nn.Residual(nn.Dropout(0.5, rng=0)),
        nn.Residual(nn.Affine(3, 3, rng=0), nn.Sequential(nn.ReLU(), nn.Identity())),
        nn.Residual(nn.Residual(nn.SiLU()), nn.Affine(3, 3, rng=0).freeze()),
        nn.Sequential(nn.Reshape((3, 1)), nn.PReLU(), nn.Residual(nn.Affine(1, 1)), nn.Flatten()),
        nn.Sequential(nn.Reshape((1, 3)), nn.LayerNorm(3), nn.BatchNorm(3), nn.Flatten()),
    ],
    ids=lambda layer: " ".join(repr(layer).split()),
)  # fmt: skip
@each_dtype
@pytest.mark.parametrize("rows", [1, 7])
def test_layers_within_a_network(layer, dtype, rows, compiled):
    x, y = draw_batch(rows, dtype, (4,), (2,))
    model = network(copy.deepcopy(layer), dtype=dtype)
    assert_same_step(model, nn.MeanSquaredError(), x, y, compiled=compiled)


DROPOUT = nn.Dropout(0.4, rng=0)


@pytest.mark.parametrize(
    ("layers", "is_joined"),
    [
        ([nn.ReLU(), DROPOUT], True),
        ([nn.Tanh(), nn.ReLU(), DROPOUT], True),
        ([nn.Sequential(nn.ReLU()), DROPOUT, nn.BatchNorm(3), nn.ReLU()], True),
        ([nn.ReLU(), DROPOUT, nn.Dropout(0.2, rng=1)], True),
        ([nn.ReLU(), nn.Residual(DROPOUT)], False),
        ([nn.Residual(nn.ReLU()), DROPOUT], False),
        ([DROPOUT, nn.ReLU()], False),
        ([nn.ReLU(), nn.Tanh(), DROPOUT], False),
    ],
    ids=repr,
)  # fmt: skip
@each_dtype
def test_dropout_joins_the_relu_before_it(layers, is_joined, dtype, compiled):
    x, y = draw_batch(9, dtype, (4,), (2,))
    model = network(*copy.deepcopy(layers), dtype=dtype)
    assert_same_step(model, nn.MeanSquaredError(), x, y, compiled=compiled)
    build = ProgramBuilder(np.dtype(dtype), 9)
    lower_layer(build, model, build.rows((4,), needs_grad=True))
    names = [call.kernel.__name__ for call in build.backward_instructions]
    assert ("rectified_dropout_backward" in names) == is_joined


@pytest.mark.parametrize(
    "first",
    [
        nn.Dropout(0.5, rng=0), nn.BatchNorm(4), nn.LayerNorm(4), nn.PReLU(4), nn.PReLU().freeze(),
        nn.Softmax(), nn.Tanh(), nn.Flatten(), nn.Residual(nn.Affine(4, 4, rng=0)),
        nn.Residual(nn.ReLU()), nn.Sequential(nn.Reshape((2, 2)), nn.Flatten()), nn.Identity(),
        nn.Sequential(nn.ReLU(), nn.Dropout(0.5, rng=0)),
    ],
    ids=lambda layer: " ".join(repr(layer).split()),
)  # fmt: skip
def test_layers_that_begin_a_network(first, compiled):
    x, y = draw_batch(5, "float64", (4,), (2,))
    model = nn.Sequential(copy.deepcopy(first), *network()).astype("float64")
    assert_same_step(model, nn.MeanSquaredError(), x, y, compiled=compiled)


@pytest.mark.parametrize("rows", [1, 15, 32, 70])
def test_products_of_more_rows_than_a_part(rows, compiled):
    x, y = draw_batch(rows, "float64", (64,), (3, 2))
    model = nn.Sequential(
        nn.Affine(64, 128, rng=0), nn.ReLU(), nn.Affine(128, 129, rng=1), nn.Affine(129, 64, rng=2),
        nn.Reshape((2, 32)), nn.Affine(32, 3, rng=3), nn.Reshape((3, 2)),
    ).astype("float64")  # fmt: skip
    assert_same_step(model, nn.MeanSquaredError(), x, y, compiled=compiled)


@pytest.mark.parametrize("loss", [nn.MeanSquaredError(), nn.SoftmaxCrossEntropy()])
def test_a_frozen_network_has_a_loss(loss, compiled):
    x, y = draw_batch(7, "float64", (4,), (2,))
    targets = y if loss.targets == "values" else np.arange(7) % 2
    model = network(nn.Tanh(), dtype="float64").freeze()
    assert_same_step(model, loss, x, targets, compiled=compiled)


@each_dtype
def test_embeddings(dtype, compiled):
    model = nn.Sequential(nn.Embedding(5, 3, rng=0), nn.Flatten(), nn.Affine(6, 2, rng=0))
    ids = np.array([[0, 4], [4, 4], [2, 0]])
    (y,) = draw_batch(3, dtype, (2,))
    assert_same_step(model.astype(dtype), nn.MeanSquaredError(), ids, y, compiled=compiled)
    model[0].freeze()
    assert_same_step(model, nn.MeanSquaredError(), ids, y, compiled=compiled)
    for bad in (-1, 5):
        ids[1, 1] = bad
        assert not kernel_step(model, nn.MeanSquaredError(), ids, y, compiled=compiled).is_done


@each_dtype
def test_embeddings_of_columns(dtype, compiled):
    layers = nn.EntityEmbedding([3, 1], [5, 3], rng=0), nn.Affine(7, 2, rng=0)
    x, y = draw_batch(6, dtype, (4,), (2,))
    x[:, 3], x[:, 1] = [0, 4, 4, 2, 0, 4], [2, 0, 1, 1, 2, 2]
    identity = nn.Affine(4, 4)
    identity.W.value = np.eye(4, dtype=np.float32)
    for first in ((), (identity,)):  # This one has gradients for each column of x.
        model = nn.Sequential(*copy.deepcopy((*first, *layers))).astype(dtype)
        assert_same_step(model, nn.MeanSquaredError(), x, y, compiled=compiled)
        model[-2].W[1].trainable = False
        assert_same_step(model, nn.MeanSquaredError(), x, y, compiled=compiled)
    for bad in (-1, 5, 1.5, np.nan, np.inf):
        x[4, 3] = bad
        assert not kernel_step(model, nn.MeanSquaredError(), x, y, compiled=compiled).is_done


def test_statistics_that_overflow_stop_the_step(compiled):
    x, y = draw_batch(5, "float32", (4,), (2,))
    model = nn.Sequential(nn.BatchNorm(4), *network())
    step = kernel_step(model, nn.MeanSquaredError(), 1e30 * x, y, compiled=compiled)
    assert not step.is_done
    np.testing.assert_array_equal(step.state["0.running_var"], 1)


def test_an_empty_batch_leaves_running_statistics_as_they_are(compiled):
    x, y = draw_batch(0, "float32", (4,), (2,))
    model = nn.Sequential(nn.BatchNorm(4), *network(nn.LayerNorm(3)))
    assert_same_step(model, nn.MeanSquaredError(), x, y, compiled=compiled)


@pytest.mark.parametrize(
    "layer",
    [
        nn.Affine(5, 3), nn.BatchNorm(5), nn.PReLU(5), nn.Reshape((3, 2)), nn.Softmax(axis=0),
        nn.Residual(nn.Affine(4, 3)), nn.Embedding(3, 4), nn.EntityEmbedding([4], [3]),
    ],
    ids=repr,
)  # fmt: skip
def test_inputs_that_do_not_fit_are_left_to_numpy(layer):
    build = ProgramBuilder(np.dtype("float32"), 2)
    with pytest.raises(UnsupportedError, match=type(layer).__name__):
        lower_layer(build, layer, build.rows((4,)))
