"""Models and weights exchanged with PyTorch."""

import copy
import io

import numpy as np
import pytest
from entries import ENTRIES
from models import KEYS, Own, Swish, several_outputs
from random_graphs import draw_graph, draw_rows
from rows import in_dtype

import nnlayers as nn

torch = pytest.importorskip("torch")

TOLERANCE = {np.float32: 1e-6, np.float64: 1e-12}


def random_rows(shape, dtype, positive, seed):
    """Return 10,000 rows of three sizes."""
    rng = np.random.default_rng(seed)
    sizes = np.repeat([1.0, 0.01, 30.0], [8000, 1000, 1000]).reshape(-1, *[1] * (len(shape) - 1))
    x = rng.normal(size=(10_000, *shape[1:])) * sizes
    return (np.abs(x) + 0.1 if positive else x).astype(dtype)


def assert_near(y, expected, dtype):
    """Fail unless the entries of y are near, relative to the largest of a row."""
    y = y.detach().numpy()
    assert (y.dtype, y.shape) == (expected.dtype, expected.shape)
    axes = tuple(range(1, y.ndim))
    sizes = np.nan_to_num(np.abs(expected), nan=0, posinf=0)
    largest = np.maximum(sizes.max(axis=axes, keepdims=True), 1) if y.ndim else 1e4
    same = (y == expected) | (np.isnan(y) & np.isnan(expected))
    assert ((np.abs(y - expected) <= TOLERANCE[dtype] * largest) | same).all()


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("name", ENTRIES)
def test_every_layer_gives_what_it_predicts(name, dtype):
    entry = ENTRIES[name]
    inputs = [random_rows(s, dtype, entry.positive, seed) for seed, s in enumerate(entry.shapes)]
    for model in (entry.make().astype(dtype), in_dtype(entry, dtype)):
        module = nn.export.to_torch(model)
        with torch.no_grad():
            y = module(*map(torch.from_numpy, inputs))
            with np.errstate(invalid="ignore"):  # Infinity less infinity.
                assert_near(y, model.predict(*inputs), dtype)
            y = module(*[torch.from_numpy(x[:0]) for x in inputs])
        assert tuple(y.shape) == model.predict(*[x[:0] for x in inputs]).shape


@pytest.mark.parametrize("name", ENTRIES)
def test_weights_go_there_and_come_back(name):
    model, other = ENTRIES[name].make(), ENTRIES[name].make()
    for index, parameter in enumerate(other.parameters()):
        parameter.value = parameter.value + index + 1
    module = nn.export.to_torch(model)
    nn.export.from_torch_state(other, module.state_dict())
    for array, expected in zip(
        other.state_dict().values(), model.state_dict().values(), strict=True
    ):
        np.testing.assert_array_equal(array, expected)
    assert nn.export.to_torch_state(other).keys() == module.state_dict().keys()


@pytest.mark.parametrize("name", [name for name in ENTRIES if "Dropout of" not in name])
def test_gradients_there_are_those_here(name):
    entry = ENTRIES[name]
    model, inputs = entry.make().astype(np.float64).eval(), entry.draw()
    module = nn.export.to_torch(model)
    tensors = [torch.tensor(x, requires_grad=True) for x in inputs]
    y = module(*tensors)
    model.forward(*inputs)
    dout = np.random.default_rng(0).normal(size=y.shape)
    if y.requires_grad:  # In PyTorch, a comparison has no gradient; here it has zeros.
        y.backward(torch.tensor(dout))
    gradients = model.backward(dout)
    gradients = gradients if isinstance(gradients, tuple) else (gradients,)
    for tensor, expected in zip(tensors, gradients, strict=True):
        got = np.zeros(expected.shape) if tensor.grad is None else tensor.grad.numpy()
        np.testing.assert_allclose(got, expected, rtol=1e-9, atol=1e-12)
    shadow = copy.deepcopy(model)
    state = {n: p if p.grad is None else p.grad for n, p in module.named_parameters()}
    nn.export.from_torch_state(shadow, dict(module.state_dict()) | state)
    for p, ours in zip(shadow.parameters(), model.parameters(), strict=True):
        if ours.trainable:  # PyTorch computes no gradient for frozen weights.
            np.testing.assert_allclose(p.value, ours.grad, rtol=1e-9, atol=1e-12)


def test_modules_are_those_that_pytorch_has():
    layers = [
        nn.Affine(4, 3),
        nn.ReLU(),
        nn.Sequential(nn.LayerNorm(3), nn.GELU()),
        nn.Dropout(0.1),
    ]
    module = nn.export.to_torch(nn.Sequential(*layers))
    kinds = [type(item) for item in module.modules()]
    names = ("Sequential", "Linear", "ReLU", "Sequential", "LayerNorm", "GELU", "Dropout")
    assert kinds == [getattr(torch.nn, name) for name in names]
    assert [*module.state_dict()] == ["0.weight", "0.bias", "2.0.weight", "2.0.bias"]
    assert not any(item.training for item in module.modules())


def test_frozen_weights_are_frozen_there_and_shared_ones_shared():
    shared = nn.Parameter([1.0, 2.0], name="s")
    x = nn.Input("x")
    cell = nn.Affine(2, 2, rng=0).freeze().astype(np.float64)
    graph = nn.Graph(cell(nn.tanh(cell(x)) * nn.Input("s", shared)) + nn.Input("t", shared))
    module = nn.export.to_torch(graph)
    frozen = {name: not p.requires_grad for name, p in module.named_parameters()}
    assert frozen == {"layers.0.weight": True, "layers.0.bias": True, "weights.0": False}


def test_codes_of_infinite_and_huge_numbers_are_those_here():
    layer = nn.PiecewiseLinear(2, 3)
    largest = np.finfo(np.float32).max
    layer.edges.value[...] = [[0, 1, 2, 2], [-largest, 0, largest, largest]]
    x = np.repeat(np.array([[np.inf], [-np.inf], [largest], [-largest], [1.5]], np.float32), 2, 1)
    y = nn.export.to_torch(layer)(torch.from_numpy(x))
    np.testing.assert_allclose(y.detach(), layer.predict(x), rtol=1e-6)


def test_a_graph_of_several_outputs_gives_a_tuple():
    model = several_outputs()
    module = nn.export.to_torch(model)
    a, b = (random_rows((1, n), np.float32, False, n) for n in (4, 2))
    results = module(torch.tensor(a), torch.tensor(b))
    for y, expected in zip(results, model.predict(a, b), strict=True):
        assert_near(y, expected, np.float32)


@pytest.mark.parametrize("key", [*KEYS, [1, 0], ([0, 1], slice(None, None, -1))], ids=str)
def test_an_index_of_any_kind_chooses_the_same_entries(key):
    model, x = nn.Graph(nn.Input("x")[key]), np.arange(80.0).reshape(20, 4)
    np.testing.assert_array_equal(nn.export.to_torch(model)(torch.tensor(x)), model.predict(x))


def test_a_layer_outside_the_library_becomes_its_layers():
    model = nn.Sequential(nn.Affine(2, 2, rng=0), Swish()).astype(np.float32)
    module = nn.export.to_torch(model)
    rows = random_rows((1, 2), np.float32, False, 0)
    assert_near(module(torch.tensor(rows)), model.predict(rows), np.float32)
    other = nn.Sequential(nn.Affine(2, 2, rng=1), Swish(0.5)).astype(np.float32)
    nn.export.from_torch_state(other, module.state_dict())
    np.testing.assert_array_equal(other.predict(rows), model.predict(rows))


def test_a_layer_that_is_not_what_it_says_is_refused():
    class Wrong(Own):
        def to_layers(self):
            return nn.Softmax()

    with pytest.raises(ValueError, match=r"layer 1, .*Wrong\(\), predicts something else than its"):
        nn.export.to_torch(nn.Sequential(nn.Affine(2, 2, rng=0), Wrong()))


@pytest.mark.parametrize("convert", [nn.export.to_torch, nn.export.python, nn.export.onnx])
def test_a_layer_that_contains_itself_is_refused(convert, tmp_path):
    class Endless(Own):
        def to_layers(self):
            return nn.Sequential(self, nn.ReLU())

    if convert is nn.export.onnx:
        pytest.importorskip("onnx")
    arguments = [] if convert is nn.export.to_torch else [tmp_path / "model"]
    shape = {} if convert is nn.export.to_torch else {"input_shape": (2,)}
    with pytest.raises(
        ValueError, match=r"must return other layers from to_layers\(\), got itself"
    ):
        convert(nn.Sequential(Endless()), *arguments, **shape)
    assert not list(tmp_path.iterdir())


def test_limits_beyond_the_dtype_are_infinite():
    x = torch.tensor([-np.inf, -3e38, 0, 3e38, np.inf, np.nan])
    module = nn.export.to_torch(nn.Clip(-1e39, 1e39))
    torch.testing.assert_close(module(x), x, equal_nan=True, rtol=0, atol=0)
    x = torch.tensor([-2.0, -1.0, 0.5], requires_grad=True)
    nn.export.to_torch(nn.Clip(-1, 1e39))(x).sum().backward()
    assert x.grad.tolist() == [0, 1, 1]


@pytest.mark.parametrize("seed", range(30))
def test_random_graphs_give_what_they_predict_in_each_dtype(seed):
    model, rows = draw_graph(np.random.default_rng(seed)), draw_rows(500, seed)
    module = nn.export.to_torch(model)
    with torch.no_grad():
        results = module(*map(torch.from_numpy, rows))
    for y, expected in zip(results, model.predict(*rows), strict=True):
        assert y.numpy().dtype == expected.dtype
        # Rounding grows where a row is nearly constant and LayerNorm divides by its deviation.
        scale = np.maximum(np.abs(expected).max(), 1)
        np.testing.assert_allclose(y.numpy(), expected, rtol=1e-5, atol=1e-5 * scale)


def test_weights_of_float32_take_what_constants_made_float64():
    class Scaled(Own):
        def forward(self, x):
            return x * np.array([1.0, 2.0])

        def to_layers(self):
            return nn.Graph(nn.Input("x") * np.array([1.0, 2.0]))

    model = nn.Sequential(Scaled(), nn.Residual(nn.Affine(2, 2, rng=0)), nn.BatchNorm(2))
    rows = np.random.default_rng(0).normal(size=(50, 2)).astype(np.float32)
    y = nn.export.to_torch(model)(torch.from_numpy(rows))
    assert_near(y, model.predict(rows), np.float32)


def test_an_embedding_takes_ids():
    model = nn.Sequential(nn.Embedding(7, 3, rng=0), nn.Flatten(), nn.Affine(6, 2, rng=1))
    ids = np.random.default_rng(0).integers(0, 7, (50, 2))
    y = nn.export.to_torch(model)(torch.tensor(ids))
    assert_near(y, model.predict(ids), np.float32)
    lookup = nn.Graph(nn.Embedding(7, 3, rng=0)(nn.Input("ids", [1, 2])) + nn.Input("x"))
    x = np.ones((4, 2, 3), np.float32)
    assert_near(nn.export.to_torch(lookup)(torch.tensor(x)), lookup.predict(x), np.float32)


def test_an_entity_embedding_takes_ids_beside_numbers():
    model = nn.Sequential(nn.EntityEmbedding([1, 2], [5, 3], rng=0), nn.Affine(6, 2, rng=1))
    x = np.array([[0.5, 4, 2], [1.5, 0, 0], [2.5, 3, 1]], np.float32)
    module = nn.export.to_torch(model)
    assert_near(module(torch.tensor(x)), model.predict(x), np.float32)
    assert [*module.state_dict()][:2] == ["0.W.0", "0.W.1"]
    other = nn.Sequential(nn.EntityEmbedding([1, 2], [5, 3], rng=8), nn.Affine(6, 2, rng=9))
    nn.export.from_torch_state(other, module.state_dict())
    np.testing.assert_array_equal(other.predict(x), model.predict(x))


def test_a_module_trains_as_the_model_does():
    def make():
        layers = [nn.BatchNorm(3), nn.Affine(3, 5, rng=0), nn.LayerNorm(5), nn.PReLU()]
        return nn.Sequential(*layers, nn.Affine(5, 1, rng=1)).astype(np.float64)

    rng = np.random.default_rng(0)
    x, t = rng.normal(size=(20, 3)), rng.normal(size=(20, 1))
    model, other = make(), make()
    module = nn.export.to_torch(other).train()
    loss, optimizer = nn.MeanSquaredError(), nn.optim.Adam(model.parameters(), lr=0.01)
    theirs = torch.optim.Adam(module.parameters(), lr=0.01)
    for _ in range(10):
        loss.forward(model.forward(x), t)
        model.backward(loss.backward())
        optimizer.step()
        theirs.zero_grad()
        torch.nn.functional.mse_loss(module(torch.tensor(x)), torch.tensor(t)).backward()
        theirs.step()
    nn.export.from_torch_state(other, module.state_dict())
    for name, array in model.state_dict().items():
        np.testing.assert_allclose(other.state_dict()[name], array, rtol=1e-9, err_msg=name)


def test_modules_can_be_copied_saved_and_traced():
    model = several_outputs()
    module = nn.export.to_torch(model)
    buffer = io.BytesIO()
    torch.save(module, buffer)
    buffer.seek(0)
    inputs = [torch.randn(6, 4), torch.randn(6, 2)]
    expected = module(*inputs)
    saved = torch.load(buffer, weights_only=False)
    for other in (
        copy.deepcopy(module),
        saved,
        torch.export.export(module, tuple(inputs)).module(),
    ):
        for y, same in zip(other(*inputs), expected, strict=True):
            torch.testing.assert_close(y, same)


SEQUENTIAL = torch.nn.Sequential(
    torch.nn.Flatten(),
    torch.nn.Linear(12, 8),
    torch.nn.BatchNorm1d(8),
    torch.nn.Sequential(
        torch.nn.PReLU(8), torch.nn.Dropout(0.3), torch.nn.Linear(8, 8, bias=False)
    ),
    torch.nn.LayerNorm(8),
    torch.nn.RMSNorm(8, eps=1e-3),
    torch.nn.Hardtanh(-2, 3),
    torch.nn.ReLU6(),
    torch.nn.Softplus(2.0),
    torch.nn.Unflatten(1, (2, 4)),
    torch.nn.Linear(4, 3),
    torch.nn.LogSoftmax(dim=1),
)


def test_a_normalization_without_weights_has_the_dtype_of_the_module():
    layers = [torch.nn.Linear(4, 3), torch.nn.LayerNorm(3, elementwise_affine=False)]
    module = torch.nn.Sequential(*layers).double()
    x = torch.randn(50, 4, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    y = nn.export.from_torch(module).predict(x.numpy())
    assert y.dtype == np.float64
    np.testing.assert_allclose(y, module(x).detach().numpy(), rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_layers_of_a_module_give_what_it_gives(dtype):
    module = copy.deepcopy(SEQUENTIAL).to(dtype)
    x = torch.randn(100, 3, 4, dtype=dtype, generator=torch.Generator().manual_seed(0))
    module(x * 3 + 1)  # Running statistics.
    model = nn.export.from_torch(module)
    expected = module.eval()(x).detach().numpy()
    rtol = 1e-12 if dtype == torch.float64 else 1e-5
    np.testing.assert_allclose(model.predict(x.numpy()), expected, rtol=rtol, atol=rtol)
    assert model[3][1].training
    assert nn.export.to_torch(model).state_dict().keys() == module.state_dict().keys()
    for name, tensor in nn.export.to_torch_state(model).items():
        assert "num_batches" in name or torch.equal(tensor, module.state_dict()[name])


ACTIVATIONS = ["ELU", "GELU", "Identity", "LeakyReLU", "Mish", "ReLU", "SELU", "SiLU", "Sigmoid"]


@pytest.mark.parametrize("name", [*ACTIVATIONS, "Softsign", "Tanh", "Hardtanh"])
def test_a_single_module_becomes_a_sequential(name):
    model = nn.export.from_torch(getattr(torch.nn, name)())
    assert isinstance(model, nn.Sequential)
    x = torch.randn(50, 3, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    expected = getattr(torch.nn, name)()(x)
    np.testing.assert_allclose(model.predict(x.numpy()), expected, rtol=1e-12, atol=1e-14)


@pytest.mark.parametrize(
    "module",
    [
        torch.nn.ELU(0.7),
        torch.nn.GELU("tanh"),
        torch.nn.Hardtanh(-2, 3),
        torch.nn.LeakyReLU(0.3),
        torch.nn.LogSoftmax(dim=0),
        torch.nn.PReLU(init=0.4),
        torch.nn.ReLU6(),
        torch.nn.Softmax(dim=0),
        torch.nn.Softplus(3.0, threshold=60),
    ],
    ids=str,
)
def test_the_arguments_of_a_module_are_those_of_its_layer(module):
    x = 5 * torch.randn(50, 3, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    module = copy.deepcopy(module).double()
    expected = module(x).detach().numpy()
    y = nn.export.from_torch(module).predict(x.numpy())
    np.testing.assert_allclose(y, expected, rtol=1e-12, atol=1e-12)


def test_a_dropout_keeps_its_rate_and_modules_their_modes():
    model = nn.export.from_torch(torch.nn.Sequential(torch.nn.Dropout(0.3).eval(), torch.nn.Tanh()))
    assert (model[0].rate, [layer.training for layer in model]) == (0.3, [False, True])


def test_weights_without_a_gradient_are_frozen():
    affine = torch.nn.Linear(2, 2)
    affine.weight.requires_grad_(False)
    model = nn.export.from_torch(torch.nn.Sequential(affine, torch.nn.BatchNorm1d(2, affine=False)))
    trainable = [p.trainable for p in model.parameters()]
    assert trainable == [False, True, False, False]


def refused():
    linear = torch.nn.Linear(2, 2)
    hooked = torch.nn.Linear(2, 2)
    hooked.register_forward_hook(lambda *arguments: None)
    return {
        r"module '0.1', Conv2d\(.*\), cannot be converted: nnlayers has no counterpart": [
            torch.nn.Sequential(torch.nn.ReLU(), torch.nn.Conv2d(1, 2, 3))
        ],
        r"modules '0' and '1' are one object": [linear, linear],
        r"module '0', Linear.* hooks": [hooked],
        r"float32 or float64, got torch.float16": [torch.nn.Linear(2, 2).half()],
        r"module '0', BatchNorm1d.* no running statistics": [
            torch.nn.BatchNorm1d(2, track_running_stats=False)
        ],
        r"dim must be an integer, got None": [torch.nn.Softmax(dim=None)],
        r"the last axis alone, got the shape \(2, 3\)": [torch.nn.LayerNorm((2, 3))],
        r"flatten all axes but the first": [torch.nn.Flatten(0)],
        r"threshold must be at least 20, got 2": [torch.nn.Softplus(threshold=2)],
        r"max_norm must be None": [torch.nn.Embedding(3, 2, max_norm=1.0)],
    }


@pytest.mark.parametrize(("message", "modules"), refused().items())
def test_a_module_without_counterpart_is_named(message, modules):
    with pytest.raises(ValueError, match=message):
        nn.export.from_torch(torch.nn.Sequential(*modules))


def test_bad_arguments_are_named():
    with pytest.raises(TypeError, match=r"module must be a torch.nn.Module, got 3"):
        nn.export.from_torch(3)
    with pytest.raises(TypeError, match=r"model must be a Layer, got 3"):
        nn.export.to_torch(3)
    with pytest.raises(ValueError, match=r"layer 1, .*Own.* cannot be exported"):
        nn.export.to_torch(nn.Sequential(nn.Affine(2, 2), Own()))
    mixed = nn.Sequential(nn.Affine(2, 2), nn.Affine(2, 2, dtype=np.float64))
    with pytest.raises(ValueError, match=r"weights of one dtype"):
        nn.export.to_torch(mixed)


def test_a_state_dictionary_of_half_precision_is_taken():
    model, other = (nn.Sequential(nn.Affine(2, 3, rng=seed)) for seed in (0, 1))
    state = {name: t.bfloat16() for name, t in nn.export.to_torch_state(model).items()}
    nn.export.from_torch_state(other, state)
    np.testing.assert_allclose(other[0].W.value, model[0].W.value, rtol=0.01)
    assert other[0].W.value.dtype == np.float32


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"0.weight": None}, "lacks '0.weight'"),
        ({"9.weight": torch.zeros(1)}, "unknown entry '9.weight'"),
        ({"0.bias": torch.zeros(4)}, r"entry '0.bias' of state must have shape \(3,\), got \(4,\)"),
    ],
)
def test_a_state_dictionary_that_does_not_fit_changes_nothing(change, message):
    model = nn.Sequential(nn.Affine(2, 3, rng=0))
    before = model.state_dict()
    state = nn.export.to_torch_state(nn.Sequential(nn.Affine(2, 3, rng=1))) | change
    state = {name: tensor for name, tensor in state.items() if tensor is not None}
    with pytest.raises(ValueError, match=message):
        nn.export.from_torch_state(model, state)
    for name, array in model.state_dict().items():
        np.testing.assert_array_equal(array, before[name])


def test_converting_draws_no_random_numbers():
    torch.manual_seed(0)
    expected = torch.randn(3)
    torch.manual_seed(0)
    nn.export.to_torch(several_outputs())
    assert torch.equal(torch.randn(3), expected)


def test_nonfinite_weights_are_taken_only_on_request():
    module = torch.nn.Sequential(torch.nn.Linear(2, 3))
    with torch.no_grad():
        module[0].bias[1] = float("nan")
    with pytest.raises(ValueError, match=r"entry '0\.b' holds NaN .* allow_nonfinite=True"):
        nn.export.from_torch(module)
    model = nn.export.from_torch(module, allow_nonfinite=True)
    assert np.isnan(model[0].b.value).tolist() == [False, True, False]
    other = nn.mlp([2, 3], rng=0)
    with pytest.raises(ValueError, match=r"entry '0\.b' holds NaN .* allow_nonfinite=True"):
        nn.export.from_torch_state(other, module.state_dict())
    assert np.isfinite(other[0].b.value).all()
    nn.export.from_torch_state(other, module.state_dict(), allow_nonfinite=True)
    assert np.isnan(other[0].b.value[1])
