import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import nnlayers as nn
from nnlayers.layers import sequential
from nnlayers.testing import check_gradients


def model():
    return nn.Sequential(nn.Affine(4, 3, rng=0), nn.Tanh(), nn.Affine(3, 2, rng=1))


@settings(max_examples=30)
@given(st.lists(st.integers(1, 4), min_size=2, max_size=4), st.integers(0, 3))
def test_backward_agrees_with_differences_at_any_depth(sizes, batch):
    x = np.random.default_rng(0).normal(size=(batch, sizes[0]))
    check_gradients(nn.mlp(sizes, activation="tanh", dropout=0.2, rng=0), x)


def test_values_and_gradients_are_those_of_pytorch():
    torch = pytest.importorskip("torch")
    ours = model().astype(np.float64)
    linears = [torch.nn.Linear(4, 3).double(), torch.nn.Linear(3, 2).double()]
    with torch.no_grad():
        for layer, linear in zip(ours[::2], linears, strict=True):
            linear.weight.copy_(torch.tensor(layer.W.value.T))
            linear.bias.copy_(torch.tensor(layer.b.value))
    x = np.random.default_rng(0).normal(size=(6, 4))
    tensor = torch.tensor(x, requires_grad=True)
    y = linears[1](torch.tanh(linears[0](tensor)))
    y.square().sum().backward()
    found = ours.forward(x)
    np.testing.assert_allclose(found, y.detach().numpy(), rtol=1e-10)
    np.testing.assert_allclose(ours.backward(2 * found), tensor.grad.numpy(), rtol=1e-10)
    for layer, linear in zip(ours[::2], linears, strict=True):
        np.testing.assert_allclose(layer.W.grad.T, linear.weight.grad.numpy(), rtol=1e-10)
        np.testing.assert_allclose(layer.b.grad, linear.bias.grad.numpy(), rtol=1e-10)


def test_it_is_indexed_and_walked_as_a_list():
    network = model()
    layers = list(network)
    assert len(network) == len(layers) == 3
    assert network[0] is layers[0]
    assert network[-1] is layers[2]
    assert network[np.int64(1)] is layers[1]
    with pytest.raises(IndexError):
        network[3]


@pytest.mark.parametrize("span", [slice(1, None), slice(None, None, 2), slice(5, 9), slice(-1)])
def test_a_slice_is_a_sequential_of_the_same_layers(span):
    network = model()
    part = network[span]
    assert type(part) is nn.Sequential
    assert [*part] == list(network)[span]


def test_names_count_the_layers_at_every_depth():
    network = nn.Sequential(nn.ReLU(), model(), nn.Affine(2, 1, bias=False))
    assert list(network.named_parameters()) == ["1.0.W", "1.0.b", "1.2.W", "1.2.b", "2.W"]
    assert list(network.state_dict()) == list(network.named_parameters())


def test_parameters_of_a_subclass_are_found_behind_the_layers():
    class Scaled(nn.Sequential):
        def __init__(self, *layers):
            super().__init__(*layers)
            self.scale = nn.Parameter([2.0], name="scale")

        def forward(self, x):
            self.last = super().forward(x)
            return self.last * self.scale.value

        def backward(self, dout, input_grad=True):
            self.scale.grad += (dout * self.last).sum()
            return super().backward(dout * self.scale.value, input_grad)

    network = Scaled(nn.Affine(2, 2, dtype=np.float64, rng=0))
    assert list(network.named_parameters()) == ["0.W", "0.b", "scale"]
    check_gradients(network, np.ones((3, 2)))
    network.forward(np.ones((1, 2)))
    assert network.backward(np.ones((1, 2)), input_grad=False) is None
    once = network.scale.grad.copy()
    network.backward(np.ones((1, 2)))
    np.testing.assert_allclose(network.scale.grad, 2 * once)


def test_leaving_out_the_input_gradient_leaves_the_others_as_they_are():
    x, dout = np.random.default_rng(0).normal(size=(5, 4)), np.ones((5, 2))
    for make in (model, lambda: nn.Sequential(nn.ReLU(), nn.Sequential(nn.Tanh(), *model()))):
        full, short = make(), make()
        full.forward(x)
        full.backward(dout)
        short.forward(x)
        assert short.backward(dout, input_grad=False) is None
        for a, b in zip(full.parameters(), short.parameters(), strict=True):
            assert a.grad.any()
            np.testing.assert_array_equal(a.grad, b.grad)


def test_layers_before_the_first_parameter_are_left_out_too():
    class Untouched(nn.Identity):
        def backward(self, dout):
            raise AssertionError("nothing needs this gradient")

    network = nn.Sequential(Untouched(), *model())
    network.forward(np.ones((1, 4)))
    network.backward(np.ones((1, 2)), input_grad=False)
    assert network[1].W.grad.any()
    nothing = nn.Sequential(Untouched())
    nothing.forward(np.ones((1, 4)))
    assert nothing.backward(np.ones((1, 4)), input_grad=False) is None


@pytest.mark.parametrize("input_grad", [True, False])
def test_backward_before_forward_is_refused(input_grad):
    for network in (model(), nn.Sequential(), nn.Sequential(nn.ReLU())):
        with pytest.raises(RuntimeError, match=r"Sequential\.backward was called before forward"):
            network.backward(np.ones((1, 2)), input_grad=input_grad)


def test_an_empty_one_passes_copies_on():
    network, x = nn.Sequential(), np.ones((2, 3))
    for y in (network.forward(x), network.predict(x), network.backward(x)):
        np.testing.assert_array_equal(y, x)
        assert not np.shares_memory(y, x)
    with pytest.raises(ValueError, match=r"expected dout of shape \(2, 3\), got \(3, 2\)"):
        network.backward(np.ones((3, 2)))


@pytest.mark.parametrize("thing", [nn.ReLU, [nn.ReLU()], None, "ReLU", np.tanh])
def test_arguments_that_are_not_layers_are_refused_with_their_index(thing):
    with pytest.raises(TypeError, match="layer 1 must be a Layer object, got "):
        nn.Sequential(nn.ReLU(), thing)


def test_one_layer_at_two_indices_is_refused():
    relu = nn.ReLU()
    with pytest.raises(ValueError, match=r"layers 0 and 1 are one object, ReLU\(\)"):
        nn.Sequential(relu, relu)
    with pytest.raises(ValueError, match=r"layers 0 and 2\.1 are one object, ReLU\(\)"):
        nn.Sequential(relu, nn.Tanh(), nn.Sequential(nn.Tanh(), relu))


def test_layers_of_a_container_can_be_used_elsewhere():
    inner = nn.Sequential(nn.Tanh(), nn.ReLU())
    relu = inner[1]
    inner.layers = inner.layers[:1]
    model = nn.Sequential(inner, relu)
    np.testing.assert_array_equal(model.predict([-1.0, 1.0]), [0.0, np.tanh(1.0)])
    with pytest.raises(ValueError, match=r"layers 0\.1 and 1 are one object, ReLU\(\)"):
        nn.Sequential(model, relu)


def test_layers_may_share_a_parameter():
    first, second = nn.Affine(2, 2, rng=0), nn.Affine(2, 2, rng=1)
    second.W = first.W
    network = nn.Sequential(first, nn.Tanh(), second)
    assert list(network.named_parameters()) == ["0.W", "0.b", "2.b"]
    check_gradients(network, np.random.default_rng(0).normal(size=(3, 2)))


def test_repr_shows_the_layers_one_a_line_and_inner_ones_indented():
    assert repr(nn.Sequential(nn.ReLU(), nn.Sequential(nn.Tanh()), nn.Sequential())) == (
        "Sequential(\n  0: ReLU()\n  1: Sequential(\n    0: Tanh()\n  )\n  2: Sequential()\n)"
    )


def test_summary_counts_parameters_once_and_shows_shapes():
    network = nn.Sequential(nn.Flatten(), nn.Affine(6, 1000, rng=0), nn.Sum(axis=1))
    assert network.summary(input_shape=(2, 3)) == (
        "   layer            output   parameters\n"
        "0  Flatten()        (6,)              0\n"
        "1  Affine(6, 1000)  (1000,)       7,000\n"
        "2  Sum(axis=1)      ()                0\n"
        "   total                          7,000"
    )
    assert network.summary() == (
        "   layer            parameters\n"
        "0  Flatten()                 0\n"
        "1  Affine(6, 1000)       7,000\n"
        "2  Sum(axis=1)               0\n"
        "   total                 7,000"
    )


def test_a_summary_is_a_text_that_a_notebook_shows_as_a_table():
    summary = nn.Sequential(nn.Affine(6, 1000, rng=0), nn.ReLU()).summary()
    assert isinstance(summary, str)
    assert repr(summary) == str(summary)
    html = summary._repr_html_()
    assert html.count("<tr>") == 4
    assert ">7,000</td>" in html


def test_summary_leaves_the_model_unchanged():
    network = model()
    network.summary(input_shape=(4,))
    with pytest.raises(RuntimeError, match="before forward"):
        network.backward(np.ones((1, 2)))


class Lazy(nn.Layer):
    """y = s x, with a parameter that is created at the first forward."""

    def forward(self, x):
        if not hasattr(self, "s"):
            self.s = nn.Parameter(np.full(x.shape[1], 2.0), name="s")
        self.x = x
        return x * self.s.value

    def backward(self, dout):
        self.s.grad += (dout * self.x).sum(axis=0)
        return dout * self.s.value


@pytest.mark.parametrize("front", [[], [nn.Tanh()], [nn.Sequential(nn.Tanh())]])
def test_a_layer_that_gets_parameters_after_a_backward_gets_their_gradients(front):
    first = nn.Identity()
    network = nn.Sequential(*front, first, nn.Affine(2, 1, dtype=np.float64, rng=0))
    x, dout = np.ones((3, 2)), np.ones((3, 1))
    network.forward(x)
    network.backward(dout, input_grad=False)
    network.layers = (*front, lazy := Lazy(), *network.layers[len(front) + 1 :])
    network.forward(x)
    network.backward(dout, input_grad=False)
    found = lazy.s.grad.copy()
    assert found.any()
    network.zero_grad()
    network.backward(dout)
    np.testing.assert_array_equal(lazy.s.grad, found)


def test_parameters_created_at_a_later_forward_get_their_gradients():
    class Later(Lazy):
        def forward(self, x):
            if not hasattr(self, "seen"):
                self.seen = True
                return x.copy()
            return super().forward(x)

        def backward(self, dout):
            return super().backward(dout) if hasattr(self, "s") else dout

    network = nn.Sequential(nn.Tanh(), Later(), nn.Affine(2, 1, dtype=np.float64, rng=0))
    for _ in range(2):
        network.forward(np.ones((3, 2)))
        network.backward(np.ones((3, 1)), input_grad=False)
    assert network[1].s.grad.any()


@pytest.mark.parametrize("entry", [(0, 0), (0, 1)])
@pytest.mark.parametrize("layer", [0, 2])
def test_a_prediction_from_nan_weights_is_refused(layer, entry):
    model = nn.Sequential(nn.Affine(2, 3, rng=0), nn.Tanh(), nn.Affine(3, 2, rng=1))
    model[layer].W.value[entry] = np.nan
    x = np.array([[0.0, 0.0], [1.0, 2.0]])
    for predict in (
        model.predict,
        nn.Sequential(model).predict,
        nn.Graph(model(nn.Input("x"))).predict,
    ):
        with pytest.raises(FloatingPointError, match=rf"parameter '.*{layer}.W' of the model"):
            predict(x)


def test_a_prediction_from_nan_is_nan_where_weights_are_finite():
    model = nn.Sequential(nn.Affine(2, 3, rng=0), nn.Tanh(), nn.Affine(3, 2, rng=1))
    x = np.array([[0.0, np.nan], [1.0, 2.0]])
    np.testing.assert_array_equal(np.isnan(model.predict(x)), [[True, True], [False, False]])


class Doubled(nn.Layer):
    def forward(self, x):
        return 2 * x

    def backward(self, dout):
        return 2 * dout


@pytest.mark.parametrize("make", [lambda: nn.Affine(2, 2, rng=0), nn.ReLU, Doubled])
def test_a_forward_of_another_model_with_the_same_layer_is_noticed(make):
    shared = make()
    first, second = nn.Sequential(nn.Tanh(), shared), nn.Sequential(shared, nn.Tanh())
    x, dout = np.ones((3, 2)), np.ones((3, 2))
    first.forward(x)
    second.forward(2 * x)
    with pytest.raises(RuntimeError, match=r"layer 1, .* has run forward again since"):
        first.backward(dout)
    second.backward(dout)
    first.forward(x)
    first.backward(dout)


@pytest.mark.parametrize("rows", [384, 385, 1000])
@pytest.mark.parametrize("dtype", [np.float32, np.float64, int])
def test_many_rows_are_predicted_as_few_are(rows, dtype):
    model = nn.mlp((3, 5, 2), activation="tanh", dtype=np.float64, rng=0)
    x = np.random.default_rng(0).normal(size=(rows, 3), scale=3).astype(dtype)
    y = model.predict(x)
    assert y.dtype == np.float64
    np.testing.assert_allclose(y, [model.predict(row[np.newaxis])[0] for row in x], rtol=1e-12)


def test_many_rows_of_an_ensemble_are_predicted_as_few_are():
    draws = {"r_init": "he_normal", "bias_init": "he_normal", "dtype": np.float64, "rng": 0}
    model = nn.Sequential(
        nn.PiecewiseLinear(3, 4, dtype=np.float64),
        nn.Flatten(),
        nn.Reshape((1, 12)),
        nn.EnsembleAffine(5, 12, 4, **draws),
        nn.ReLU(),
        nn.Dropout(0.5, rng=0),
        nn.GaussianNoise(0.5, rng=0),
        nn.GroupedAffine(5, 4, 2, dtype=np.float64, rng=0),
    )
    x = np.random.default_rng(0).normal(size=(900, 3))
    few = [model.predict(x[start : start + 100]) for start in range(0, 900, 100)]
    np.testing.assert_allclose(model.predict(x), np.concatenate(few), rtol=1e-12)
    members = nn.Sequential(nn.EnsembleAffine(500, 3, 2, **draws))
    np.testing.assert_array_equal(
        members.predict(np.ones((500, 3))), members.predict(np.ones((1, 500, 3)))[0]
    )


@pytest.mark.parametrize("last", [(), (nn.ReLU(), nn.Affine(2, 3, rng=0))])
def test_a_layer_that_looks_at_all_rows_sees_them_all(last):
    first = nn.Sequential(nn.Identity(), nn.Softmax(axis=0))
    x = np.random.default_rng(0).normal(size=(1000, 2))
    y = first.predict(x)
    np.testing.assert_allclose(y.sum(axis=0), 1)
    expected = nn.Sequential(*last).predict(y)
    np.testing.assert_allclose(nn.Sequential(*first, *last).predict(x), expected, rtol=1e-6)


def test_many_rows_of_another_width_are_refused_with_the_shape_of_all():
    with pytest.raises(ValueError, match=r"got \(1000, 2\)"):
        nn.Sequential(nn.Affine(3, 1)).predict(np.zeros((1000, 2)))


@pytest.mark.parametrize("layer", [nn.EnsembleAffine, nn.GroupedAffine])
def test_rows_of_the_wrong_shape_are_refused_where_a_block_has_as_many_as_there_are_members(layer):
    model = nn.Sequential(layer(sequential.BLOCK_ROWS, 3, 1, rng=0))
    rows = 2 * sequential.BLOCK_ROWS
    with pytest.raises(ValueError, match=rf"got \({rows}, 3\)"):
        model.predict(np.zeros((rows, 3)))
