"""Refuse model files that are damaged, or that a stranger wrote to do harm."""

import hashlib
import io
import json
import pickle
import sys
import time
import tracemalloc
import zipfile
from contextlib import suppress

import numpy as np
import pytest
from effort import cases, spread

import nnlayers as nn
from nnlayers.saving.contents import VERSION


class Scale(nn.Layer):
    def __init__(self, features=2):
        self.features = features
        self.s = nn.Parameter(np.arange(1.0, features + 1), name="s")

    def forward(self, x):
        self.x = np.asarray(x)
        return self.x * self.s.value

    def backward(self, dout):
        self.s.grad += (dout * self.x).sum(axis=0)
        return dout * self.s.value


@pytest.fixture
def path(tmp_path):
    return tmp_path / "model.nn"


def load(path, **options):
    return nn.load(path, modules=[__name__], **options)


def test_every_flipped_byte_is_noticed(path):
    content = nn.save(Scale(1), path).read_bytes()
    for index in spread(len(content), 200):
        flipped = bytearray(content)
        flipped[index] ^= 1 << index % 8
        path.write_bytes(flipped)
        with pytest.raises(ValueError, match=r"model\.nn: (damaged: the checksum|not a model)"):
            load(path)


def test_a_file_cut_short_or_with_more_at_either_end_is_refused(path):
    content = nn.save(Scale(1), path).read_bytes()
    cuts = [content[:length] for length in spread(len(content), 200)]
    for other in [*cuts, content[1:], content + b"\0", b"\0" + content, content + content[:99]]:
        path.write_bytes(other)
        with pytest.raises(
            ValueError, match=r"model\.nn: (damaged|not a model that nn\.save wrote)"
        ):
            load(path)


@pytest.mark.parametrize("content", ["npz", b"text\n", b"", pickle.dumps(Scale(1)), b"\0" * 5000])
def test_a_foreign_file_is_refused(content, path):
    if content == "npz":
        with path.open("wb") as file:
            np.savez(file, W=np.zeros(3))
    else:
        path.write_bytes(content)
    with pytest.raises(
        ValueError, match=r"model\.nn: not a model that nn\.save wrote, or cut short$"
    ):
        load(path)


def entries_of(path):
    with zipfile.ZipFile(path) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def seal(path, entries, version=VERSION, method=zipfile.ZIP_STORED):
    """Write a model file of any entries, with the checksum that belongs to it."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", method) as archive:
        for name, content in entries:
            archive.writestr(name, content)
        archive.comment = b"nnlayers model %d sha256 " % version + b"0" * 64
    content = buffer.getvalue()[:-64]
    path.write_bytes(content + hashlib.sha256(content).hexdigest().encode())


def forge(path, change, version=VERSION):
    """Write the file of a Scale once more, changed and yet sealed."""
    nn.save(Scale(2), path)
    entries = entries_of(path)
    table = json.loads(entries["model.json"])
    entries["model.json"] = None
    change(table, entries)
    if "model.json" in entries:
        entries["model.json"] = json.dumps(table)
    seal(path, entries.items(), version)


def seal_layers(path, layers, parameters=(), arrays=(), **more):
    """Write a file of any layers, of which the last is the model."""
    table = {"model": {"layer": len(layers) - 1}, "layers": layers, "parameters": parameters}
    table |= {"evaluation": [], "names": {}} | more
    entries = [("model.json", json.dumps(table))]
    entries += [(f"arguments/{index}.npy", npy(array)) for index, array in enumerate(arrays)]
    seal(path, entries)


def layer(name, **config):
    return {"class": name if ":" in name else f"nnlayers:{name}", "config": config}


def npy(array, **options):
    buffer = io.BytesIO()
    np.save(buffer, array, **options)
    return buffer.getvalue()


def test_a_forged_file_that_changes_nothing_loads(path):
    forge(path, lambda table, entries: None)
    np.testing.assert_array_equal(load(path).s.value, [1, 2])


def test_a_newer_format_is_named(path):
    forge(path, lambda table, entries: None, version=3)
    with pytest.raises(ValueError, match=r"model\.nn: has format version 3, .* reads up to 2"):
        load(path)


def test_a_file_of_the_first_version_has_parameters_of_usual_rate_and_decay(path):
    forge(path, lambda table, entries: table["names"].update(s=["s", False]), version=1)
    s = load(path).s
    assert (s.trainable, s.lr_scale, s.decay) == (False, 1.0, True)


@pytest.mark.parametrize(
    "settings",
    [
        ["s"],
        ["s", True, 1.0],
        ["s", True, 1, True],
        ["s", True, -1.0, True],
        ["s", True, float("nan"), True],
        ["s", True, 1.0, 1],
        ["s", True, 1.0, True, 0],
        {},
        None,
    ],
)
def test_forged_settings_of_a_parameter_are_refused(settings, path):
    forge(path, lambda table, entries: table["names"].update(s=settings))
    with pytest.raises(ValueError, match=r"model\.nn: "):
        load(path)


class Bomb:
    def __reduce__(self):
        return exec, ("raise SystemExit",)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda t, e: t["layers"][0].update({"class": "os:system"}), "'os:system' is code outside"),
        (
            lambda t, e: t["layers"][0].update({"class": "nnlayers:Parameter"}),
            "is not a class derived from Layer",
        ),
        (lambda t, e: t["layers"][0].update({"class": "no.such:A"}), "'no.such:A' is code outside"),
        (lambda t, e: t["layers"][0].update({"class": ""}), "'' is not an import path"),
        (lambda t, e: t["layers"][0].update(config={"a": 1}), "cannot build .* argument 'a'"),
        (lambda t, e: t["layers"][0].update(config={"features": -1}), "its weights do not fit"),
        (lambda t, e: t["layers"][0].update(config={"features": {"eval": "1"}}), "malformed"),
        (
            lambda t, e: t["layers"][0].update(config={"features": {"layer": 0}}),
            "malformed: IndexErr",
        ),
        (lambda t, e: t.pop("names"), "malformed: KeyError: 'names'"),
        (lambda t, e: t.update(model=3), "malformed"),
        (lambda t, e: e.pop("model.json"), "entry 'model.json' cannot be read"),
        (lambda t, e: e.pop("state/s.npy"), "missing 's'"),
        (lambda t, e: e.update({"state/s.npy": npy(np.zeros(3))}), r"must have shape \(2,\)"),
        (lambda t, e: e.update({"state/s.npy": b"x"}), "array 'state/s' cannot be read"),
        (
            lambda t, e: e.update(
                {"state/s.npy": npy(np.array([Bomb()] * 2, object), allow_pickle=True)}
            ),
            "array 'state/s' cannot be read: it holds Python objects",
        ),
    ],
)
def test_a_forged_file_is_refused_and_nothing_in_it_is_run(change, words, path):
    forge(path, change)
    with pytest.raises(ValueError, match=words) as caught:
        load(path)
    assert str(caught.value).startswith(f"{path}: ")


NAMES = [
    "os:system",
    "os.system",
    "sys:exit",
    "subprocess:Popen",
    "builtins:eval",
    "venv.__main__:x",
    "nnlayers.__main__:x",
    "__main__:x",
    "antigravity:x",
    "this:s",
    "idlelib.idle:x",
    "nnlayers.saving:os.system",
    "nnlayers.saving:io",
    "nnlayers:save",
    "nnlayers:Parameter",
    "nnlayers:ReLU.forward",
    "nnlayers:ReLU.__init__",
    "nnlayers:ReLU.from_config",
    "nnlayers:Layer",
    "nnlayers:layers.ReLU",
    "nnlayers.optim:SGD",
    "nnlayers_evil:Layer",
    "../evil:Layer",
    "evil\x1b[2J:Layer",
    "x" * 100_000 + ":Layer",
    "",
    ":",
    None,
    3,
    ["nnlayers:ReLU"],
    {"a": 1},
]


@pytest.mark.parametrize("name", NAMES, ids=lambda name: repr(name)[:40])
def test_names_of_anything_but_layers_of_nnlayers_are_refused_without_an_import(name, path):
    seal_layers(path, [{"class": name, "config": {}}])
    before = set(sys.modules)
    with pytest.raises(ValueError, match=r"model\.nn: .") as caught:
        nn.load(path)
    assert {module.partition(".")[0] for module in set(sys.modules) - before} <= {"nnlayers"}
    assert str(caught.value).isprintable()
    assert len(str(caught.value)) < 1000


def nested_layers(kind, depth):
    inner = [layer("ReLU")]
    return inner + [layer(kind, layers=[{"layer": index}]) for index in range(depth)]


MANY = [layer("Identity") for _ in range(10_000)]
ALL = [{"layer": index} for index in range(10_000)]
PARAMETER = {"value": 0, "name": "W", "trainable": True}
FED = [["name", "a"], ["layer", None], ["parents", []], ["value", {"array": 0}]]
GRAPH = {"outputs": 0, "inputs": [], "names": ["a"]}
LARGE = {
    "Affine": [layer("Affine", in_features=10**6, out_features=10**6)],
    "Affine of zeros": [
        layer("Affine", in_features=10**6, out_features=10**6, weight_init="zeros")
    ],
    "Affine of wide bias": [layer("Affine", in_features=1, out_features=10**10)],
    "Affine of more than int64": [layer("Affine", in_features=10**30, out_features=10**30)],
    "Embedding": [layer("Embedding", num_embeddings=10**9, dim=10**3)],
    "EntityEmbedding": [layer("EntityEmbedding", columns=[0], levels=[10**9], dim=10**3)],
    "BatchNorm": [layer("BatchNorm", features=10**10)],
    "LayerNorm": [layer("LayerNorm", features=10**10)],
    "RMSNorm": [layer("RMSNorm", features=10**10)],
    "PReLU": [layer("PReLU", features=10**10)],
    "many Affines": [layer("Affine", in_features=300, out_features=300)] * 5_000,
    "Sequentials in Sequentials": nested_layers("Sequential", 5_000),
    "Residuals in Residuals": nested_layers("Residual", 32),
}


def measure(function):
    """Return the CPU time that a call takes, and the memory."""
    tracemalloc.start()
    began = time.process_time()
    try:
        function()
    finally:
        seconds = time.process_time() - began
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
    return seconds, peak


def assert_refused(path, words):
    def attempt():
        with pytest.raises(ValueError, match=words):
            nn.load(path, modules=[__name__])

    seconds, peak = measure(attempt)
    assert seconds < 1
    assert peak < 10_000_000 + 20 * path.stat().st_size


@pytest.mark.parametrize("layers", LARGE.values(), ids=LARGE)
def test_layers_larger_than_their_file_are_refused_before_memory_is_allocated(layers, path):
    seal_layers(path, layers)
    words = "larger than all that the model may have|nested more than 32 deep|integer of at most"
    assert_refused(path, words)


def test_an_array_is_used_once(path):
    array = np.ones(100_000)
    seal_layers(path, [layer("ReLU")], [PARAMETER] * 1_000, [array])
    assert_refused(path, "array 0 is used twice")
    nodes = [{"dict": FED}] * 1_000
    seal_layers(path, [layer("Graph", nodes=nodes, **GRAPH)], [], [array])
    assert_refused(path, "array 0 is used twice")


def test_a_long_name_is_not_repeated_in_the_names_of_many_layers(path):
    node = [["name", "n" * 100_000], ["layer", {"layer": 1_000}], ["parents", [0]]]
    nodes = [{"dict": [*FED[:3], ["value", None]]}, {"dict": [*node, ["value", None]]}]
    graph = layer("Graph", nodes=nodes, outputs=1, inputs=[0], names=["a", "b"])
    layers = [*MANY[:1_000], layer("Sequential", layers=ALL[:1_000])]
    seal_layers(path, [*layers, graph])
    assert_refused(path, "name must have at most 100 characters, got 100000")
    node[0][1] = None
    graph["config"]["names"] = ["a", "n" * 100_000]
    seal_layers(path, [*layers, graph])
    assert_refused(path, "name must have at most 100 characters, got 100000")


@pytest.mark.parametrize("kind", ["Sequential", "Residual"])
def test_wide_models_nested_to_the_limit_are_not_searched_at_each_level(kind, path, monkeypatch):
    layers = [*MANY, layer("Sequential", layers=ALL)]
    # Two layers at each level, because a level of one layer needs no search.
    for _ in range(30):
        inner = {"layer": len(layers) - 1}
        layers.append(layer("ReLU"))
        layers.append(layer(kind, layers=[{"layer": len(layers) - 1}, inner]))
    seal_layers(path, layers)
    search, found = nn.Layer.named_layers, []

    def counted(layer):
        found.append(search(layer))
        return found[-1]

    monkeypatch.setattr(nn.Layer, "named_layers", counted)
    model = nn.load(path)
    assert len(model.named_layers()) == 10_061
    assert sum(map(len, found)) < 10 * 10_061


def test_a_layer_in_two_entries_of_a_sequential_is_refused(path):
    for first, second in [(0, 0), (0, 1), (2, 1), (1, 2)]:
        held = [layer("ReLU"), layer("Sequential", layers=[{"layer": 0}])]
        held.append(layer("Residual", layers=[{"layer": 0}]))
        pair = layer("Sequential", layers=[{"layer": first}, {"layer": second}])
        seal_layers(path, [*held, pair, layer("Sequential", layers=[{"layer": 3}])])
        with pytest.raises(ValueError, match=r"layers 0.* and 1.* are one object, ReLU\(\)"):
            nn.load(path)


@pytest.mark.parametrize(
    ("config", "words"),
    [
        ({"axis": {"layer": -1}}, "an index must be an integer of at least 0, got -1"),
        ({"axis": {"layer": True}}, "an index must be an integer of at least 0, got True"),
        ({"axis": {"array": 0}}, "malformed: IndexError"),
        ({"axis": {"parameter": "0"}}, "an index must be an integer of at least 0, got '0'"),
        ({"axis": {"dtype": "O"}}, "dtype must be the name of a dtype of real numbers, got 'O'"),
        ({"axis": {"dtype": [["a", "O"]]}}, "dtype must be the name of a dtype of real numbers"),
        ({"axis": {"tuple": 3}}, "malformed: TypeError"),
        ({"axis": {"float": []}}, "malformed: TypeError"),
        ({"axis": {"dict": [[[], 1]]}}, "malformed: TypeError"),
        ({"axis": {}}, "malformed|expected 1"),
        ({"axis": {"initializer": ["eval", {}]}}, "malformed: KeyError"),
        ({"a\x1b[2J\n": 1}, "cannot build nnlayers:Softmax of"),
        ([], "malformed: AttributeError"),
    ],
)
def test_arguments_that_no_model_has_are_refused(config, words, path):
    seal_layers(path, [layer("ReLU"), {"class": "nnlayers:Softmax", "config": config}])
    with pytest.raises(ValueError, match=words) as caught:
        nn.load(path)
    assert str(caught.value).isprintable()


@pytest.mark.parametrize("depth", [100, 10_000, 400_000])
def test_lists_in_lists_are_refused(depth, path):
    for opened, closed in (("[", "]"), ('{"tuple": [', "]}")):
        text = f'{{"layers": [{{"class": "nnlayers:ReLU", "config": {{"a": {opened * depth}'
        text += f'{closed * depth}}}}}], "parameters": []}}'
        seal(path, [("model.json", text)])
        assert_refused(path, "nested more than 32 deep|RecursionError")


@pytest.mark.parametrize("setting", [["W"], ["W", 1], [3, True], [["W"], True], None, []])
def test_settings_of_a_parameter_must_have_their_type(setting, path):
    forge(path, lambda table, entries: table["names"].update(s=setting))
    with pytest.raises(ValueError, match=r"model\.nn: ."):
        load(path)


@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_compressed_and_repeated_entries_are_refused(path):
    nn.save(Scale(2), path)
    entries = entries_of(path)
    seal(path, entries.items(), method=zipfile.ZIP_DEFLATED)
    with pytest.raises(ValueError, match=r"entry 'model\.json' is compressed"):
        load(path)
    entries["bomb.npy"] = bytes(3 * 10**7)
    seal(path, entries.items(), method=zipfile.ZIP_DEFLATED)
    assert_refused(path, "is compressed")
    seal(path, [*entries.items(), ("state/s.npy", npy(np.ones(2)))])
    with pytest.raises(ValueError, match=r"entry 'state/s\.npy' occurs twice"):
        load(path)


def test_nonfinite_weights_load_only_on_request(path):
    for number in (np.nan, np.inf, -np.inf):
        model = nn.Sequential(nn.Affine(2, 2), nn.BatchNorm(2))
        model[1].running_var[1] = number
        nn.save(model, path)
        with pytest.raises(ValueError, match=r"entry '1\.running_var' .* allow_nonfinite=True"):
            nn.load(path)
        found = nn.load(path, allow_nonfinite=True)[1].running_var[1]
        np.testing.assert_equal(found, np.float32(number))
    model[1].running_var[1] = 1
    model[0].W.value = np.array([[1, -1], [1, 1]]) * np.finfo(np.float32).max
    assert np.all(nn.load(nn.save(model, path))[0].W.value == model[0].W.value)


@pytest.mark.parametrize("suffix", [".nn", ".safetensors"])
@pytest.mark.parametrize(
    "value", [np.nan, -np.inf, [1.0, np.inf], np.array([[np.nan]], np.float32), np.float32("inf")]
)
def test_nonfinite_constants_of_graphs_load_only_on_request(tmp_path, suffix, value):
    x, b = nn.Input("x"), nn.Input("b", value=value)
    for graph in (nn.Graph(x * b), nn.Graph(nn.relu(x) + value)):
        path = nn.save(nn.Sequential(graph), tmp_path / f"model{suffix}")
        with pytest.raises(ValueError, match=r"entry '(b|constant)' .* allow_nonfinite=True") as e:
            nn.load(path)
        assert "\n" not in str(e.value)
        twin = nn.load(path, allow_nonfinite=True)
        y = nn.Sequential(graph).predict([[1.0, 2.0]])
        np.testing.assert_array_equal(twin.predict([[1.0, 2.0]]), y)


def test_limits_and_finite_constants_of_graphs_load_as_they_are(path):
    x = nn.Input("x")
    largest = float(np.finfo(np.float64).max)
    graph = nn.Graph(nn.clip(x * 2, low=-largest) + np.array([largest, -largest]))
    y = nn.load(nn.save(graph, path)).predict([[1.0, 2.0]])
    np.testing.assert_array_equal(y, graph.predict([[1.0, 2.0]]))


VALUES = [None, True, -1, 0, 2**70, 1e308, "", "nnlayers:Affine", "evil:x", [], {}, [[]]]
VALUES += [{"layer": 0}, {"array": 0}, {"tuple": [1, 2]}, {"dict": []}, {"dtype": "f8"}, "W"]


def randomly_changed(item, rng, chance):
    """Return a JSON value with some parts replaced, dropped or repeated."""
    if rng.random() < chance:
        return VALUES[rng.integers(len(VALUES))]
    if isinstance(item, dict):
        return {
            key if rng.random() > chance / 4 else "x": randomly_changed(part, rng, chance)
            for key, part in item.items()
            if rng.random() > chance / 4
        }
    if isinstance(item, list):
        parts = [randomly_changed(part, rng, chance) for part in item if rng.random() > chance / 4]
        return parts * int(1 + (rng.random() < chance / 4))
    return item


@pytest.mark.filterwarnings("ignore")
def test_randomly_changed_files_load_or_are_refused(path):
    rng = np.random.default_rng(0)
    a, b = nn.Input("a"), nn.Input("b", nn.Parameter([1.0, 2.0]))
    graph = nn.Graph(nn.exp(a * b + np.ones(2)) * 2)
    model = nn.Sequential(
        nn.mlp([2, 3, 2], norm="batch", dropout=0.1), graph, nn.Reshape((1, 2)), nn.Flatten()
    )
    entries = entries_of(nn.save(model, path))
    table = json.loads(entries["model.json"])
    loaded = 0
    for number in range(attempts := cases(150)):
        changed = dict(entries)
        if number % 2:
            changed["model.json"] = json.dumps(randomly_changed(table, rng, 0.01))
        else:
            name = sorted(entries)[rng.integers(len(entries))]
            content = bytearray(entries[name])
            for _ in range(rng.integers(1, 4)):
                content[rng.integers(len(content))] ^= 1 << int(rng.integers(8))
            changed[name] = bytes(content)
        seal(path, changed.items())
        began = time.process_time()
        with suppress(ValueError):
            nn.load(path)
            loaded += 1
        assert time.process_time() - began < 1
    assert 0 < loaded < attempts


def deep(depth):
    model = nn.ReLU()
    for _ in range(depth):
        model = nn.Sequential(model)
    return model


@pytest.mark.parametrize("depth", [32, 100, 300])
def test_layers_nested_by_hand_are_saved_or_refused_when_they_are_saved(depth, path):
    assert repr(nn.load(nn.save(deep(31), path))) == repr(deep(31))
    with pytest.raises(ValueError, match=r"Sequential cannot be saved: .* nested"):
        nn.save(deep(depth), path)
