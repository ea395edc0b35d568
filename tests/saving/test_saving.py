import importlib
import pickle
import runpy
import sys

import numpy as np
import pytest

import nnlayers as nn


class Scale(nn.Layer):
    """The shortest layer of a user that can be saved."""

    def __init__(self, features=2):
        self.features = features
        self.s = nn.Parameter(np.arange(1.0, features + 1), name="s")

    def forward(self, x):
        self.x = np.asarray(x)
        return self.x * self.s.value

    def backward(self, dout):
        self.s.grad += (dout * self.x).sum(axis=0)
        return dout * self.s.value


class Stores(nn.Layer):
    """A layer with arguments of any kind."""

    def __init__(self, value, *rest, **options):
        self.value, self.rest, self.options = value, rest, options

    def forward(self, x):
        return np.array(x)

    def backward(self, dout):
        return np.array(dout)


class Block(Stores):
    """A composite: one layer is an argument, others are made, in a list and a dictionary."""

    def __init__(self, width, head):
        self.width, self.head = width, head
        self.rows = [nn.Affine(width, width, rng=0), nn.Softplus(beta=2.0)]
        self.more = {"norm": nn.BatchNorm(width), 3: [Scale(width)], "draws": nn.Dropout(0.5)}

    def forward(self, x):
        for layer in (*self.rows, self.more["norm"], self.more[3][0], self.head):
            x = layer.forward(x)
        return x


class Forgetful(Scale):
    def __init__(self, features, slope=0.5):
        super().__init__(features)


class Renamed(Scale):
    """Stores its argument under another name, which `config` returns."""

    def __init__(self, columns):
        super().__init__(columns)

    def config(self):
        return {"columns": self.features}


class Doubled(Stores):
    def __init__(self, value):
        self.value = 2 * value


class Outer:
    class Inner(Scale):
        pass


X = np.random.default_rng(0).normal(size=(5, 2)).astype(np.float32)


@pytest.fixture
def path(tmp_path):
    return tmp_path / "model.nn"


def save_and_load(model, path, **options):
    return nn.load(nn.save(model, path), modules=[__name__], **options)


def local_class(value=0):
    class Local(Stores):
        def forward(self, x):
            return np.asarray(x) + value

    return Local


def test_nested_layers_of_every_origin_come_back(path):
    model = nn.Sequential(
        nn.mlp([2, 3, 2], dropout=0.2, rng=0),
        Block(2, head=nn.Sequential(Scale(2), Outer.Inner(2))),
        Renamed(2),
    )
    model.forward(X)
    twin = save_and_load(model, path)
    assert twin.predict(X).tobytes() == model.predict(X).tobytes()
    assert list(twin.named_layers()) == list(model.named_layers())
    assert type(twin[1].head[1]) is Outer.Inner


def test_save_returns_the_path_and_takes_text(path):
    assert nn.save(nn.ReLU(), str(path)) == path
    assert repr(nn.load(str(path))) == "ReLU()"


def test_modes_names_and_settings_of_parameters_come_back(path):
    model = nn.mlp([2, 3, 2], dropout=0.2, rng=0)
    model[1].eval()
    model[0].W.trainable = False
    model[3].W.name = "last"
    model[3].W.lr_scale, model[3].b.decay = 0.1, False
    twin = save_and_load(model, path)
    modes = {name: layer.training for name, layer in model.named_layers().items()}
    assert {name: layer.training for name, layer in twin.named_layers().items()} == modes
    assert repr(twin.parameters()) == repr(model.parameters())


def test_each_layer_keeps_its_dtype(path):
    model = nn.Sequential(
        nn.BatchNorm(2), nn.BatchNorm(2, dtype=np.float64), nn.Affine(2, 1, dtype=np.float64)
    )
    twin = save_and_load(model, path)
    dtypes = {name: array.dtype for name, array in model.state_dict().items()}
    assert {name: array.dtype for name, array in twin.state_dict().items()} == dtypes


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_numbers_come_back_to_the_bit(dtype, path):
    special = [np.nan, np.inf, -np.inf, -0.0, np.finfo(dtype).smallest_subnormal, np.pi]
    layer = Scale(6).astype(dtype)
    layer.s.value = np.array(special, dtype)
    assert (
        save_and_load(layer, path, allow_nonfinite=True).s.value.tobytes()
        == layer.s.value.tobytes()
    )


@pytest.mark.parametrize(
    "value",
    [
        None,
        True,
        -(10**30),
        0.1,
        np.nan,
        -np.inf,
        'ü"\n\0',
        [1, (2.5, [None]), ()],
        {"a": 1, 2: (3,), (4, 5): {"layer": 0}},
        np.float32(0.1),
        np.bool_(True),
        np.str_("ab"),
        np.arange(6).reshape(2, 3),
        np.array(1.5, np.float16),
        np.array([], bool),
        np.dtype("float32"),
        nn.initializers.Constant(2),
        nn.initializers.VarianceScaling(1.0, "in", "normal"),
    ],
    ids=repr,
)
def test_an_argument_comes_back_as_it_was(value, path):
    twin = save_and_load(Stores(value, value, 7, option=value), path)
    for found in (twin.value, twin.rest[0], twin.options["option"]):
        assert type(found) is type(value)
        np.testing.assert_equal(found, value)
        assert getattr(found, "dtype", None) == getattr(value, "dtype", None)


def test_an_object_given_twice_is_one_after_loading(path):
    layer, W = Scale(), nn.Parameter([1.0, 2.0], name="shared")
    W.value = [3.0, 4.0]
    twin = save_and_load(Stores(layer, [layer], layer=nn.Sequential(Stores(W), Stores(W))), path)
    assert twin.value is twin.rest[0][0]
    first, second = twin.options["layer"]
    assert first.value is second.value
    np.testing.assert_array_equal(first.value.value, [3, 4])


def test_a_loaded_model_trains_and_draws_as_a_new_one(path):
    twin = save_and_load(nn.mlp([2, 3, 1], dropout=0.5, rng=0), path)
    optimizer = nn.optim.SGD(twin.parameters(), lr=0.01)
    nn.Trainer(twin, nn.MeanSquaredError(), optimizer).fit(X, X[:, :1], epochs=2, rng=0)
    fresh = nn.mlp([2, 3, 1], dropout=0.5, rng=0)
    assert twin.initialize(5)[0].W.value.tobytes() == fresh.initialize(5)[0].W.value.tobytes()


def tied():
    model = nn.Sequential(nn.Affine(2, 2), nn.Affine(2, 2))
    model[1].W = model[0].W
    return model


def changed_block(change):
    block = Block(2, nn.ReLU())
    change(block)
    return block


def among_its_own():
    layer = Stores(None)
    layer.value = [layer]
    return layer


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (
            lambda: Forgetful(2),
            "Forgetful does not store its constructor's argument 'slope': store it as self.slope, "
            r"or define config\(\)",
        ),
        (lambda: Stores(len), "Stores cannot be saved: value: a file cannot hold <built-in"),
        (lambda: Stores([1, {2}]), r"value: a file cannot hold \{2\}"),
        (lambda: Stores(np.array([{}])), "value: a file cannot hold an array of dtype object"),
        (lambda: Stores(1, option=b""), "options: a file cannot hold b''"),
        (
            lambda: nn.Sequential(nn.Affine(2, 2, bias_init=lambda s, **_: np.ones(s))),
            "Sequential cannot be saved: layers: bias_init: a file cannot hold <function",
        ),
        (tied, "weights do not fit the rebuilt model: .* missing '1.W'"),
        (among_its_own, "Stores is among its own arguments"),
        (lambda: Doubled(2), r"its layer '' is Doubled\(8\), not Doubled\(4\)"),
        (
            lambda: changed_block(lambda b: b.more.update(norm=nn.LayerNorm(2))),
            "do not fit the rebuilt model: .* 'more.norm.running_mean'",
        ),
        (
            lambda: changed_block(lambda b: b.rows.__setitem__(1, nn.Softplus(beta=3.0))),
            r"its layer 'rows.1' is Softplus\(beta=2.0\), not Softplus\(beta=3.0\): a part that",
        ),
        (
            lambda: changed_block(lambda b: b.rows.append(nn.Tanh())),
            r"its layer 'rows.2' is None, not Tanh\(\)",
        ),
        (
            lambda: nn.Sequential(local_class()(1), local_class()(1)),
            "two classes have one name, 'test_saving:local_class.<locals>.Local'",
        ),
    ],
)
def test_a_model_that_could_not_be_loaded_is_refused_and_the_old_file_stays(make, words, path):
    path.write_text("old")
    with pytest.raises(ValueError, match=words) as caught:
        nn.save(make(), path)
    assert "\n" not in str(caught.value)
    assert path.read_text() == "old"
    assert list(path.parent.iterdir()) == [path]


def test_only_layers_are_saved(path):
    with pytest.raises(TypeError, match="model must be a Layer, got 3"):
        nn.save(3, path)


def test_a_file_that_cannot_be_read_or_written_is_named(path):
    with pytest.raises(FileNotFoundError, match=r"model\.nn"):
        nn.load(path)
    with pytest.raises(IsADirectoryError, match=path.parent.name):
        nn.load(path.parent)
    with pytest.raises(FileNotFoundError, match=r"missing/model\.nn"):
        nn.save(nn.ReLU(), path.parent / "missing" / "model.nn")


def test_a_class_is_found_by_its_import_path(path, monkeypatch):
    source = "import nnlayers as nn\nclass Mine(nn.ReLU):\n    pass\n"
    (path.parent / "users_module.py").write_text(source)
    monkeypatch.syspath_prepend(path.parent)
    nn.save(importlib.import_module("users_module").Mine(), path)
    monkeypatch.delitem(sys.modules, "users_module")
    with pytest.raises(ValueError, match="runs only if you allow it"):
        nn.load(path)
    assert "users_module" not in sys.modules
    assert type(nn.load(path, modules=["users_module"])).__module__ == "users_module"


def test_a_class_that_cannot_be_imported_is_named_with_the_remedy(path):
    Local = local_class(5)
    nn.save(nn.Sequential(Local(1), Local(2)), path)
    name = "test_saving:local_class.<locals>.Local"
    with pytest.raises(ValueError, match="not an import path") as caught:
        nn.load(path, modules=[__name__])
    assert str(caught.value).endswith(f"; or give the class itself: classes={{{name!r}: Local}}")
    assert str(path) in str(caught.value)
    twin = nn.load(path, classes={name: Local})
    np.testing.assert_array_equal(twin.predict([1.0]), [11])


SCRIPT = """
import nnlayers as nn
class Mine(nn.ReLU):
    pass
saved = nn.save(Mine(), path)
assert type(nn.load(saved, classes={"__main__:Mine": Mine})) is Mine
"""


def test_a_script_finds_its_own_classes_and_another_is_told_which_to_give(path):
    script = path.with_name("script.py")
    script.write_text(SCRIPT)
    runpy.run_path(str(script), {"path": path}, run_name="__main__")
    with pytest.raises(ValueError, match=r"classes=\{'__main__:Mine': Mine\}"):
        nn.load(path)
    assert type(nn.load(path, classes={"__main__:Mine": nn.Tanh})) is nn.Tanh


@pytest.mark.parametrize("cls", [nn.Parameter, nn.ReLU(), print])
def test_given_classes_must_be_layers(cls, path):
    with pytest.raises(TypeError, match="classes must hold subclasses of Layer, got 'a:B'"):
        nn.load(path, classes={"a:B": cls})


def test_nothing_is_pickled(path, monkeypatch):
    def refuse(*args, **options):
        raise AssertionError

    for name in ("dump", "dumps", "load", "loads"):
        monkeypatch.setattr(pickle, name, refuse)
    save_and_load(Block(2, Stores(np.arange(3))), path)


def test_one_model_gives_one_file_and_numpy_reads_its_weights(path):
    model = nn.mlp([2, 3, 1], rng=0)
    content = nn.save(model, path).read_bytes()
    assert nn.save(nn.load(path), path).read_bytes() == content
    with np.load(path, allow_pickle=False) as arrays:
        np.testing.assert_array_equal(arrays["state/0.W"], model[0].W.value)


def test_neither_saving_nor_loading_draws_weights(path, monkeypatch):
    model = nn.Sequential(nn.mlp([2, 3, 2], norm="batch", rng=0), nn.Affine(2, 2, rng=1))

    def refuse(*args, **options):
        raise AssertionError

    for kind in (nn.initializers.VarianceScaling, nn.initializers.Constant):
        monkeypatch.setattr(kind, "__call__", refuse)
    assert nn.load(nn.save(model, path)).predict(X).tobytes() == model.predict(X).tobytes()


def test_saving_does_not_pass_the_models_arrays_to_constructors(path):
    class Writes(Stores):
        def __init__(self, value):
            value += 1
            self.value = value

    given = np.arange(3.0)
    with pytest.raises(ValueError, match="rebuilt, its layer ''"):
        nn.save(Writes(given), path)
    np.testing.assert_array_equal(given, np.arange(3.0) + 1)
