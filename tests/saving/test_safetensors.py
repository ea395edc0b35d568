"""Model files in the format of safetensors."""

import hashlib
import json
import math

import numpy as np
import pytest
from catalogue import ENTRIES
from effort import spread
from test_hostile_models import ALL, LARGE, MANY, NAMES, assert_refused, layer

import nnlayers as nn

START = 8 + len('{"__metadata__":{"sha256":"')


class Custom(nn.Layer):
    """A layer with arrays of several dtypes among its arguments and in its state."""

    state_names = ("count",)

    def __init__(self, keys, flags):
        self.keys, self.flags = keys, flags
        self.count = np.array(0.0)

    def forward(self, x):
        return x

    def backward(self, dout):
        return dout


@pytest.fixture
def path(tmp_path):
    return tmp_path / "model.safetensors"


def load(path, **options):
    return nn.load(path, modules=[__name__], **options)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("name", ENTRIES)
def test_every_layer_predicts_the_same_after_saving(name, dtype, path):
    model, inputs = ENTRIES[name].make().astype(dtype), ENTRIES[name].draw(dtype)
    loaded = nn.load(nn.save(model, path))
    np.testing.assert_array_equal(loaded.predict(*inputs), model.predict(*inputs))
    assert loaded.state_dict().keys() == model.state_dict().keys()


def test_weights_open_in_safetensors_and_in_pytorch_by_their_names(path):
    library = pytest.importorskip("safetensors.numpy")
    x = nn.Input("x")
    name = '"quoted" \\ ü 🙂\n\0'
    hidden = nn.BatchNorm(3)(nn.Affine(4, 3, rng=0)(x)) * nn.Input(name, nn.Parameter([1, 2, 3.0]))
    model = nn.Graph(hidden + np.ones(3))
    nn.save(model, path)
    state = model.state_dict()
    found = library.load_file(path)
    assert found.keys() >= state.keys()
    for key, array in state.items():
        assert found[key].dtype == array.dtype
        np.testing.assert_array_equal(found[key], array)
    torch_library = pytest.importorskip("safetensors.torch")
    for key, tensor in torch_library.load_file(path).items():
        np.testing.assert_array_equal(tensor.numpy(), found[key])


def test_arrays_of_other_dtypes_and_byte_orders_are_kept(path):
    keys = np.arange(6, dtype=">i4").reshape(2, 3).T
    loaded = load(nn.save(Custom(keys, np.array([True, False])), path))
    np.testing.assert_array_equal(loaded.keys, keys)
    assert loaded.keys.dtype == keys.dtype.newbyteorder("=")
    assert loaded.keys.flags.writeable
    assert loaded.flags.tolist() == [True, False]
    assert loaded.count.shape == ()


def test_what_the_format_cannot_hold_is_refused_before_anything_is_written(path):
    with pytest.raises(ValueError, match=r"saved: .* 'arguments/0', an array of dtype <U1"):
        nn.save(Custom(np.array(["a"]), True), path)
    graph = nn.Graph(nn.Input("x") * nn.Input("__metadata__", nn.Parameter(1.0)))
    with pytest.raises(ValueError, match="no weight can be named __metadata__"):
        nn.save(graph, path)
    assert not path.exists()


def test_the_suffix_chooses_the_format_and_loading_needs_none(path):
    model = nn.mlp([2, 3, 1], rng=0)
    nn.save(model, path)
    other = path.with_suffix(".nn")
    other.write_bytes(path.read_bytes())
    np.testing.assert_array_equal(nn.load(other).predict([[1, 2]]), model.predict([[1, 2]]))


def test_modes_frozen_weights_and_rates_are_kept(path):
    model = nn.Sequential(nn.Affine(2, 2).freeze(), nn.Dropout().eval())
    model[0].b.lr_scale = 0.5
    loaded = nn.load(nn.save(model, path))
    assert [p.trainable for p in loaded.parameters()] == [False, False]
    assert (loaded[0].b.lr_scale, loaded[1].training, loaded[0].training) == (0.5, False, True)


def test_every_flipped_byte_is_noticed(path):
    content = nn.save(nn.Affine(2, 1, rng=0), path).read_bytes()
    for index in spread(len(content), 300):
        flipped = bytearray(content)
        flipped[index] ^= 1 << index % 8
        path.write_bytes(flipped)
        words = r"model\.safetensors: (damaged|not a model|has no architecture)"
        with pytest.raises(ValueError, match=words):
            nn.load(path)


def test_a_file_cut_short_or_with_more_at_either_end_is_refused(path):
    content = nn.save(nn.Affine(2, 1, rng=0), path).read_bytes()
    cuts = [content[:length] for length in spread(len(content), 200)]
    for other in [*cuts, content[1:], content + b"\0", b"\0" + content, content + content]:
        path.write_bytes(other)
        with pytest.raises(ValueError, match=r"model\.safetensors: ."):
            nn.load(path)


def test_weights_of_other_programs_have_no_architecture(path):
    library = pytest.importorskip("safetensors.numpy")
    library.save_file({"0.weight": np.zeros(3)}, path, metadata={"format": "pt"})
    with pytest.raises(ValueError, match=r"has no architecture: not a model that nn\.save wrote$"):
        nn.load(path)


def seal(path, header, data, table=None):
    """Write a file of any header and data, with the checksum that belongs to it."""
    metadata = {"sha256": "0" * 64, "nnlayers": "2"}
    metadata |= {} if table is None else {"model": json.dumps(table)}
    header = header if isinstance(header, str) else {"__metadata__": metadata} | header
    text = header if isinstance(header, str) else json.dumps(header, separators=(",", ":"))
    content = bytearray(len(text.encode()).to_bytes(8, "little") + text.encode() + data)
    covered = content[:START] + content[START + 64 :]
    content[START : START + 64] = hashlib.sha256(covered).hexdigest().encode()
    path.write_bytes(content)


def forge(path, change):
    """Write the file of an Affine(2, 1) once more, changed and yet sealed."""
    content = nn.save(nn.Affine(2, 1, rng=0), path).read_bytes()
    length = int.from_bytes(content[:8], "little")
    header = json.loads(content[8 : 8 + length])
    data = bytearray(content[8 + length :])
    header["__metadata__"]["sha256"] = "0" * 64
    change(header, data)
    seal(path, header, bytes(data))


def test_a_forged_file_that_changes_nothing_loads(path):
    forge(path, lambda header, data: None)
    np.testing.assert_array_equal(nn.load(path).W.value, nn.Affine(2, 1, rng=0).W.value)


FORGED = {
    "version": (lambda h, d: h["__metadata__"].update(nnlayers="3"), "has format version 3"),
    "no version": (lambda h, d: h["__metadata__"].pop("nnlayers"), "malformed: KeyError"),
    "no table": (lambda h, d: h["__metadata__"].pop("model"), "malformed: KeyError"),
    "table": (lambda h, d: h["__metadata__"].update(model="[]"), "malformed"),
    "dtype": (lambda h, d: h["W"].update(dtype="F8"), "malformed: KeyError"),
    "objects": (lambda h, d: h["W"].update(dtype="O"), "malformed: KeyError"),
    "shape": (
        lambda h, d: h["W"].update(shape=[3, 1]),
        r"'W' of shape \[3, 1\] is not at",
    ),
    "negative": (lambda h, d: h["W"].update(shape=[-2, -1]), "must have a shape of integers"),
    "huge": (lambda h, d: h["W"].update(shape=[10**30]), "must have a shape of integers"),
    "huge and empty": (lambda h, d: h["W"].update(shape=[0, 10**30]), "must have a shape of int"),
    "overflow": (lambda h, d: h["W"].update(shape=[2**62, 4]), "is not at"),
    "boolean": (lambda h, d: h["W"].update(shape=[True, 2]), "must have a shape of integers"),
    "text": (lambda h, d: h["W"].update(shape="21"), "must have a shape of integers"),
    "many axes": (lambda h, d: h["W"].update(shape=[2] + [1] * 999), "malformed|maximum"),
    "overlap": (
        lambda h, d: h["b"].update(data_offsets=[4, 8]),
        "is not at",
    ),
    "gap": (lambda h, d: h["b"].update(data_offsets=[12, 16]), "is not at"),
    "offsets": (lambda h, d: h["b"].update(data_offsets=[8.0, "a"]), "malformed|is not at"),
    "outside": (lambda h, d: d.clear(), "is not at"),
    "more": (lambda h, d: d.extend(b"12345678"), "the arrays end at 12, the file at 20"),
    "lacking": (lambda h, d: (h.pop("b"), d.__delitem__(slice(8, 12))), "missing 'b'"),
    "entry": (lambda h, d: h.update(W=3), "malformed"),
    "arguments": (lambda h, d: h.update({"arguments/9": h.pop("b")}), "malformed: KeyError"),
}


@pytest.mark.parametrize(("change", "words"), FORGED.values(), ids=FORGED)
def test_a_forged_file_is_refused_in_one_line(change, words, path):
    forge(path, change)
    with pytest.raises(ValueError, match=words) as caught:
        nn.load(path)
    assert str(caught.value).startswith(f"{path}: ")
    assert str(caught.value).isprintable()
    assert len(str(caught.value)) < 1000


def test_infinite_weights_need_permission(path):
    model = nn.Affine(2, 1)
    model.W.value[0] = np.inf
    nn.save(model, path)
    with pytest.raises(ValueError, match="'W' holds NaN or infinite values"):
        nn.load(path)
    assert math.isinf(nn.load(path, allow_nonfinite=True).W.value[0, 0])


def table_of(layers):
    table = {"model": {"layer": len(layers) - 1}, "layers": layers, "parameters": []}
    return table | {"evaluation": [], "names": {}}


@pytest.mark.parametrize("layers", LARGE.values(), ids=LARGE)
def test_layers_larger_than_their_file_are_refused_before_memory_is_allocated(layers, path):
    seal(path, {}, b"", table_of(layers))
    assert_refused(
        path, "larger than all that the model may have|nested more than 32 deep|integer of at most"
    )


@pytest.mark.parametrize("name", NAMES, ids=lambda name: repr(name)[:40])
def test_names_of_anything_but_layers_of_nnlayers_are_refused(name, path):
    seal(path, {}, b"", table_of([{"class": name, "config": {}}]))
    with pytest.raises(ValueError, match=r"model\.safetensors: .") as caught:
        nn.load(path)
    assert str(caught.value).isprintable()


@pytest.mark.parametrize("depth", [100, 100_000])
def test_lists_in_lists_are_refused(depth, path):
    lists = "[" * depth + "]" * depth
    text = f'{{"__metadata__":{{"sha256":"{"0" * 64}","nnlayers":"2"}},"W":{lists}}}'
    seal(path, text, b"")
    assert_refused(path, "malformed")


def test_a_name_that_occurs_twice_is_refused(path):
    text = f'{{"__metadata__":{{"sha256":"{"0" * 64}","nnlayers":"2"}},"W":1,"W":2}}'
    seal(path, text, b"")
    assert_refused(path, "a name occurs twice in the header")


def test_a_file_that_claims_a_long_header_takes_no_memory(path):
    path.write_bytes((2**63).to_bytes(8, "little") + b'{"a":1}')
    assert_refused(path, "not a model that nn.save wrote, or cut short")


def test_wide_models_load_in_proportion_to_their_file(path):
    seal(path, {}, b"", table_of([*MANY, layer("Sequential", layers=ALL)]))
    assert len(nn.load(path).layers) == 10_000
