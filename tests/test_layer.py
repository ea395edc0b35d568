import copy
import pickle
from concurrent.futures import ThreadPoolExecutor
from typing import Any, NamedTuple

import numpy as np
import pytest

import nnlayers as nn
from nnlayers._core.tree import copy_branches
from nnlayers.layer import Layer


class Scale(nn.Layer):
    """The shortest layer that a user can write: y = s x."""

    def __init__(self, features=2):
        self.s = nn.Parameter(np.arange(1.0, features + 1), name="s")

    def forward(self, x):
        self.x = np.asarray(x)
        return self.x * self.s.value

    def backward(self, dout):
        self.s.grad += (dout * self.x).sum(axis=0)
        return dout * self.s.value


class Holder(nn.Layer):
    """Run layers one after another, whichever attribute or container holds them."""

    def __init__(self, **members):
        vars(self).update(members)

    def inner(self):
        return list(self.named_layers().values())[1:]

    def forward(self, x):
        for layer in self.inner():
            x = layer.forward(x)
        return x

    def backward(self, dout):
        for layer in reversed(self.inner()):
            dout = layer.backward(dout)
        return dout


class Counter(nn.Layer):
    """Count batches as state, and add the count to x."""

    state_names = ("count",)

    def __init__(self):
        self.count = np.zeros(1, np.float32)

    def forward(self, x):
        if self.training:
            self.count = self.count + 1
        return np.asarray(x) + self.count

    def backward(self, dout):
        return dout


class Pair(NamedTuple):
    left: Any
    right: Any


def test_a_layer_needs_forward_and_backward():
    class Half(nn.Layer):
        def forward(self, x):
            return x

    with pytest.raises(TypeError, match="backward"):
        Half()


def test_a_call_is_forward():
    layer = Scale()
    np.testing.assert_array_equal(layer([[1.0, 1.0]]), [[1, 2]])
    np.testing.assert_array_equal(layer.backward([[1.0, 1.0]]), [[1, 2]])


@pytest.mark.parametrize(
    ("members", "names"),
    [
        ({"a": Scale(), "b": Scale()}, ["a.s", "b.s"]),
        ({"items": [Scale(), nn.ReLU(), Scale()]}, ["items.0.s", "items.2.s"]),
        ({"items": (Scale(), Scale())}, ["items.0.s", "items.1.s"]),
        ({"items": {"x": Scale(), 3: Scale()}}, ["items.x.s", "items.3.s"]),
        ({"items": [[Scale()], {"y": (Scale(),)}]}, ["items.0.0.s", "items.1.y.0.s"]),
        ({"pair": Pair(Scale(), [Scale()])}, ["pair.0.s", "pair.1.0.s"]),
        ({"model": nn.Sequential(Scale(), nn.Sequential(Scale()))}, ["model.0.s", "model.1.0.s"]),
        ({"W": nn.Parameter([1.0]), "rest": [nn.Parameter([2.0])]}, ["W", "rest.0"]),
        ({"none": None, "numbers": [1, 2], "text": "abc"}, []),
    ],
)
def test_parameters_are_found_in_order_wherever_they_are_held(members, names):
    layer = Holder(**members)
    assert list(layer.named_parameters()) == names
    assert layer.parameters() == list(layer.named_parameters().values())


def test_layers_are_found_in_any_attribute_or_container():
    layers = [Scale(), nn.Dropout(0.5, rng=0), Scale()]
    layer = Holder(first=layers[0], more={"rest": [[layers[1]], Pair(layers[2], None)]})
    assert [inner.training for inner in layer.eval().inner()] == [False] * 3
    assert layer.train() is layer
    assert [inner.training for inner in layer.inner()] == [True] * 3
    np.testing.assert_array_equal(layer.predict(np.ones((1, 2))), [[1, 4]])
    assert layer.training
    layer.astype(np.float32)
    assert {parameter.dtype for parameter in layer.parameters()} == {np.dtype(np.float32)}


def test_a_shared_parameter_or_layer_is_listed_once_under_its_first_name():
    shared = Scale()
    layer = Holder(a=shared, b=[shared], c=shared.s)
    assert layer.named_parameters() == {"a.s": shared.s}
    assert layer.named_layers() == {"": layer, "a": shared}


def test_layers_that_hold_each_other_are_walked_once():
    inner = Holder()
    outer = Holder(within=inner, s=nn.Parameter([1.0]))
    inner.outer = outer
    assert list(outer.named_parameters()) == ["s"]
    assert outer.eval().inner() == [inner]
    assert not inner.training


def test_new_layers_train_and_switch_modes_independently():
    assert Scale().training
    Scale().eval()
    assert Scale().training


def test_predict_of_a_user_s_layer_keeps_nothing_and_draws_nothing():
    layer = Holder(items=[Scale(), nn.Dropout(0.5, rng=0), Counter(), Scale()])
    x = np.ones((3, 2))
    expected = copy.deepcopy(layer).eval().forward(x)
    before = pickle.dumps(layer)
    np.testing.assert_array_equal(layer.predict(x), expected)
    assert pickle.dumps(layer) == before
    assert not hasattr(layer.items[0], "x")


class Owner(nn.Layer):
    """Pass x through all layers that it holds, and look at its other attributes."""

    def __init__(self, held, layers):
        self.held, self.layers = held, layers

    def forward(self, x):
        for layer in self.layers(self.held):
            x = layer.forward(x)
        self.seen = self.held
        return x

    def backward(self, dout):
        return dout


class CountedList(list):
    """List that counts accesses to its entries."""

    looked_at = 0

    def __iter__(self):
        for entry in super().__iter__():
            self.looked_at += 1
            yield entry

    def __copy__(self):
        return CountedList(iter(self))


@pytest.mark.parametrize("wrap", [lambda words: words, lambda words: {"words": words}])
def test_predict_neither_copies_nor_walks_lists_without_layers(wrap):
    words = CountedList([["a word"]] * 100_000)
    layer = Owner(wrap(words), lambda held: ())
    layer.predict(np.ones(2))
    assert words.looked_at <= 300
    assert copy_branches(layer, Layer).held is layer.held


@pytest.mark.parametrize(
    ("hold", "layers"),
    [
        (lambda layer: [layer], list),
        (lambda layer: (layer, 3), lambda held: held[:1]),
        (lambda layer: {"a": layer}, dict.values),
        (lambda layer: [("a", layer)], lambda held: [held[0][1]]),
        (lambda layer: [None] * 200 + [layer], lambda held: held[200:]),
        (lambda layer: {"words": ["a"] * 9999, "layers": [layer]}, lambda held: held["layers"]),
        (lambda layer: {"words": {"a": 1}, "deep": [[[layer]]]}, lambda held: held["deep"][0][0]),
    ],
)
def test_predict_goes_through_twins_of_the_layers_in_containers(hold, layers):
    inner = Scale(1)
    layer = Owner(hold(inner), layers)
    np.testing.assert_array_equal(layer.predict([3.0]), [3.0])
    assert "x" not in vars(inner)
    assert next(iter(layers(copy_branches(layer, Layer).held))) is not inner


def test_a_list_that_holds_itself_is_accepted():
    held = ["a"]
    held.append(held)
    assert Owner(held, lambda held: ()).predict([1.0]) == [1.0]


def test_predict_between_forward_and_backward_does_no_harm():
    layer = Scale()
    layer.forward(np.ones((2, 2)))
    layer.predict(np.full((5, 2), 9.0))
    np.testing.assert_array_equal(layer.backward(np.ones((2, 2))), [[1, 2], [1, 2]])
    np.testing.assert_array_equal(layer.s.grad, [2, 2])


def test_predict_of_a_user_s_layer_serves_threads_while_it_trains():
    layer = Holder(items=[Scale(), nn.Dropout(0.5, rng=0), Scale()])
    x = [np.full((64, 2), float(number)) for number in range(64)]
    with ThreadPoolExecutor(8) as pool:
        found = pool.map(layer.predict, x)
        layer.forward(np.ones((3, 2)))
        layer.backward(np.ones((3, 2)))
    for number, y in enumerate(found):
        np.testing.assert_array_equal(y, np.broadcast_to([number, 4.0 * number], (64, 2)))


def test_a_new_forward_does_not_keep_the_old_predict():
    class Doubled(nn.ReLU):
        def forward(self, x):
            return 2 * super().forward(x)

    np.testing.assert_array_equal(Doubled().predict([-1.0, 3.0]), [0, 6])


def test_a_new_backward_does_not_keep_the_old_shortcut():
    class Clipped(nn.Affine):
        def backward(self, dout):
            return super().backward(np.clip(dout, -1, 1))

    model = nn.Sequential(Clipped(2, 1, rng=0))
    model.forward(np.ones((1, 2)))
    model.backward([[100.0]], input_grad=False)
    np.testing.assert_array_equal(model[0].W.grad, [[1], [1]])


def test_a_user_s_layer_works_in_sequential():
    model = nn.Sequential(nn.Affine(3, 2, dtype=np.float64, rng=0), Scale(), nn.ReLU())
    nn.testing.check_gradients(model, np.random.default_rng(0).normal(size=(4, 3)))
    assert list(model.named_parameters()) == ["0.W", "0.b", "1.s"]


def test_state_holds_parameters_and_state_as_copies():
    layer = Holder(items=[Scale(), Counter()])
    layer.forward(np.ones((1, 2)))
    state = layer.state_dict()
    assert list(state) == ["items.0.s", "items.1.count"]
    np.testing.assert_array_equal(state["items.1.count"], [1])
    for array in state.values():
        array[...] = -1
    np.testing.assert_array_equal(layer.items[0].s.value, [1, 2])
    np.testing.assert_array_equal(layer.items[1].count, [1])


def test_loading_sets_parameters_and_state_and_copies():
    source, target = (Holder(items=[Scale(), Counter()]) for _ in range(2))
    source.forward(np.ones((1, 2)))
    source.items[0].s.value += 5
    state = source.state_dict()
    memory = target.items[0].s.value
    target.load_state_dict(state)
    for array in state.values():
        array[...] = -1
    assert target.items[0].s.value is memory
    np.testing.assert_array_equal(memory, [6, 7])
    np.testing.assert_array_equal(target.items[1].count, [1])
    target.load_state_dict({"items.0.s": [1, 2], "items.1.count": [3]})
    assert target.items[1].count.dtype == np.float32
    np.testing.assert_array_equal(target.items[1].count, [3])


@pytest.mark.parametrize(
    ("change", "error", "words"),
    [
        (lambda s: s.pop("items.0.s"), ValueError, "missing 'items.0.s'"),
        (lambda s: s.update(other=1), ValueError, "unknown 'other'"),
        (
            lambda s: s.update({"b": s.pop("items.0.s"), "a": 1}),
            ValueError,
            "state does not fit Holder: missing 'items.0.s', unknown 'a', unknown 'b'",
        ),
        (
            lambda s: s.update({"items.1.count": np.ones((1, 2))}),
            ValueError,
            r"state entry 'items.1.count' must have shape \(1,\), got \(1, 2\)",
        ),
        (lambda s: s.update({"items.1.count": ["x"]}), TypeError, "items.1.count must hold real"),
    ],
)
def test_state_that_does_not_fit_is_named_and_changes_nothing(change, error, words):
    layer = Holder(items=[Scale(), Counter()])
    before = layer.state_dict()
    state = {name: array + 1 for name, array in before.items()}
    change(state)
    with pytest.raises(error, match=words):
        layer.load_state_dict(state)
    for name, array in layer.state_dict().items():
        np.testing.assert_array_equal(array, before[name])


def test_initialize_takes_a_seed_or_a_generator_and_returns_the_layer():
    model, other = nn.mlp([4, 3, 2], rng=0), nn.mlp([4, 3, 2], rng=1)
    assert model.initialize(5) is model
    other.initialize(np.random.default_rng(5))
    for a, b in zip(model.parameters(), other.parameters(), strict=True):
        np.testing.assert_array_equal(a.value, b.value)
    np.testing.assert_array_equal(
        model[0].W.value, nn.mlp([4, 3, 2], dropout=0.5, rng=5)[0].W.value
    )


def test_initialize_restores_initial_values_and_discards_gradients():
    layer = Scale()
    layer.s.value += 4
    layer.s.grad += 4
    layer.initialize(0)
    np.testing.assert_array_equal([layer.s.value, layer.s.grad], [[1, 2], [0, 0]])


def test_astype_converts_parameters_gradients_and_state_and_drops_the_cache():
    layer = Holder(items=[nn.Affine(2, 2, rng=0), Counter()])
    layer.forward(np.ones((1, 2)))
    layer.backward(np.ones((1, 2)))
    assert layer.astype("float64") is layer
    assert {p.grad.dtype for p in layer.parameters()} == {np.dtype(np.float64)}
    assert layer.items[1].count.dtype == np.float64
    np.testing.assert_array_equal(layer.items[0].b.grad, [1, 1])
    with pytest.raises(RuntimeError, match=r"Holder\.backward was called before forward"):
        layer.backward(np.ones((1, 2)))


@pytest.mark.parametrize("dtype", ["float16", int, None, "nonsense", complex])
def test_other_dtypes_are_refused(dtype):
    with pytest.raises(ValueError, match="dtype must be float32 or float64, got "):
        Scale().astype(dtype)


def test_copies_share_nothing_and_drop_the_cache():
    model = nn.mlp([2, 3, 1], rng=0)
    model.forward(np.ones((1, 2)))
    for copied in (copy.deepcopy(model), pickle.loads(pickle.dumps(model))):
        with pytest.raises(RuntimeError, match="before forward"):
            copied.backward([[1.0]])
        for a, b in zip(model.parameters(), copied.parameters(), strict=True):
            np.testing.assert_array_equal(a.value, b.value)
            assert not np.shares_memory(a.value, b.value)


@pytest.mark.parametrize(
    "words",
    [
        "Affine(4, 3)",
        "Affine(4, 3, bias=False, weight_init='glorot_uniform')",
        "Affine(4, 3, weight_init=initializers.Normal(std=0.5, mean=0.0))",
        "ReLU()",
        "Softplus(beta=2.0)",
        "Softmax(axis=0)",
        "Sum(axis=(0, 1), keepdims=True)",
        "Dropout(rate=0.2)",
    ],
)
def test_repr_shows_the_arguments(words):
    assert repr(eval(words, vars(nn))) == words.replace("initializers.", "")


def test_repr_of_a_user_s_layer_shows_the_arguments_that_it_stores():
    class Kept(Scale):
        def __init__(self, features, slope=0.5, table=None):
            super().__init__(features)
            self.slope, self.table = slope, table

    assert repr(Kept(3)) == "Kept()"
    assert repr(Kept(3, slope=0.25)) == "Kept(slope=0.25)"
    assert repr(Kept(3, table=np.zeros(2))) == "Kept(table=array([0., 0.]))"


def test_the_layer_of_the_package_is_the_layer_of_the_module():
    assert nn.Layer is Layer


def test_freeze_and_unfreeze_set_all_parameters_within():
    model = nn.Sequential(nn.Affine(2, 2, rng=0), Holder(items=[Scale(), nn.Affine(2, 1, rng=1)]))
    assert model.freeze() is model
    assert not any(parameter.trainable for parameter in model.parameters())
    for parameter in model.parameters():
        parameter.grad += 1
    assert model[1].unfreeze() is model[1]
    trainable = {name: p.trainable for name, p in model.named_parameters().items()}
    assert [name for name in trainable if not trainable[name]] == ["0.W", "0.b"]
    for name, parameter in model.named_parameters().items():
        assert (parameter.grad == (0 if trainable[name] else 1)).all()


def test_scale_lr_sets_the_rate_of_all_parameters_within():
    model = nn.Sequential(nn.Affine(2, 3), nn.Residual(nn.Affine(3, 3)))
    assert model.scale_lr(0.5) is model
    assert model[1].scale_lr(0) is model[1]
    rates = {name: p.lr_scale for name, p in model.named_parameters().items()}
    assert rates == {"0.W": 0.5, "0.b": 0.5, "1.0.W": 0, "1.0.b": 0}
    with pytest.raises(ValueError, match=r"factor must be a finite number of at least 0, got -1"):
        model.scale_lr(-1)
    model.load_state_dict(model.state_dict())
    model.astype("float64")
    assert {name: p.lr_scale for name, p in model.named_parameters().items()} == rates


@pytest.mark.parametrize("name", ["trainable", "requires_grad"])
@pytest.mark.parametrize("layer", [nn.Affine(2, 1), nn.ReLU(), nn.Sequential(), Scale()])
def test_assigning_to_a_name_that_looks_like_freezing_names_freeze(layer, name):
    with pytest.raises(AttributeError, match=rf"'{name}': call freeze\(\) or unfreeze\(\)"):
        setattr(layer, name, False)
    assert not hasattr(layer, name)


def test_a_backward_with_input_grad_of_a_user_s_layer_is_told_to_leave_it_out():
    asked = []

    class Doubled(Scale):
        def backward(self, dout, input_grad=True):
            asked.append(input_grad)
            return super().backward(dout)

    class Plain:
        def backward(self, dout):
            asked.append(None)
            return Scale.backward(self, dout)

    class Mixed(Plain, Doubled):
        pass

    for kind in (Doubled, Mixed):
        model = nn.Sequential(kind())
        model.forward(np.ones((1, 2)))
        assert model.backward(np.ones((1, 2)), input_grad=False) is None
    assert asked == [False, None]
