"""Model files in both formats, and ONNX files."""

from __future__ import annotations

import hashlib
import io
import json
import zipfile
from pathlib import Path

import numpy as np

import nnlayers as nn

from .measuring import BrokenPromiseError
from .mutations import altered, altered_json
from .targets import Case, Target, choose

HEADER_WORDS = [b"'descr': '<f8'", b"(3,)", b"(0, 4294967296)", b"True", b"|O", b"<U9", b"|b1"]
HEADER_WORDS += [b"<M8[s]", b"(99999999999,)", b"__import__('os')", b"}", b"{", b"'shape': "]
TABLE_VALUES = [{"layer": 0}, {"parameter": 0}, {"array": 0}, {"scalar": 1}, {"tuple": [1, 2]}]
TABLE_VALUES += [{"dict": [["a", 1]]}, {"dtype": "<f8"}, {"float": "nan"}, {"slice": [0, 1, 2]}]
TABLE_VALUES += [{"initializer": ["Normal", {}]}, {"ellipsis": None}, "nnlayers:Affine", "os:x"]


def models() -> list[nn.Layer]:
    """Return models that hold every kind of argument between them."""
    a, b = nn.Input("a"), nn.Input("b", nn.Parameter([1.0, 2.0]))
    graph = nn.Graph(nn.exp(a[:, 0:2] * b + np.ones(2)) * 2)
    frozen = nn.mlp([2, 3, 2], norm="batch", dropout=0.1, rng=0)
    frozen[0].freeze()
    frozen[1].eval()
    embedded = nn.Sequential(nn.EntityEmbedding([0], [4], dim=2), nn.Residual(nn.Affine(2, 2)))
    shaped = nn.Sequential(nn.Reshape((1, 2)), nn.Flatten(), nn.LayerNorm(2), nn.PReLU())
    return [nn.Sequential(frozen, graph), embedded, shaped]


class Model(Target):
    """Files of ``nn.save``: altered, or altered and given the checksum that belongs to them."""

    name = "model"
    suffix = ".nn"

    def __init__(self, directory: Path) -> None:
        super().__init__(directory)
        path = directory / f"seed{self.suffix}"
        self.models = models()
        self.seeds = [nn.save(model, path).read_bytes() for model in self.models]

    def draw(self, rng: np.random.Generator) -> Case:
        """Return a file, and the index of the model that it must be if it is read."""
        index = int(rng.integers(len(self.seeds)))
        if rng.random() < 0.3:
            return Case(altered(self.seeds[index], rng, self.seeds), index)
        return Case(self.forged(self.seeds[index], rng))

    def forged(self, seed: bytes, rng: np.random.Generator) -> bytes:
        """Return a file with other contents and the checksum that belongs to them."""
        return seal(altered_entries(seed, rng))

    def read(self, case: Case) -> None:
        """Load the model, and save it again."""
        model = nn.load(self.path(f"model{self.suffix}", case.content))
        if case.way is not None:
            check_same(model, self.models[case.way])
        repr(model)
        if not all(np.isfinite(array).all() for array in model.state_dict().values()):
            raise BrokenPromiseError("weights that are not finite")


def check_same(model: nn.Layer, expected: nn.Layer) -> None:
    """Raise an error unless two models have the same layers and state."""
    state, other = model.state_dict(), expected.state_dict()
    same = repr(model) == repr(expected) and state.keys() == other.keys()
    if not (same and all(state[name].tobytes() == other[name].tobytes() for name in state)):
        raise BrokenPromiseError("an altered file is read as another model")


class Safetensors(Model):
    """Files of ``nn.save`` in the format of safetensors."""

    name = "safetensors"
    suffix = ".safetensors"

    def forged(self, seed: bytes, rng: np.random.Generator) -> bytes:
        """Return a file with another header or other arrays, and the checksum."""
        length = int.from_bytes(seed[:8], "little")
        header, data = json.loads(seed[8 : 8 + length]), seed[8 + length :]
        metadata = header.pop("__metadata__")
        kind = rng.random()
        if kind < 0.4:
            text = altered_json(json.dumps(header), rng, ["F64", "BOOL", [0, 8], [2**62, 2**62]])
            header = json.loads(text)
        elif kind < 0.8:
            metadata["model"] = altered_json(metadata["model"], rng, TABLE_VALUES)
        else:
            data = altered(data, rng)
        metadata["sha256"] = "0" * 64
        table = header if isinstance(header, dict) else {"x": header}
        text = json.dumps({"__metadata__": metadata, **table}, separators=(",", ":"))
        return seal_safetensors(text.encode(), data)


def seal_safetensors(header: bytes, data: bytes) -> bytes:
    """Return a file of a header that begins with 64 zeros in place of the checksum."""
    content = len(header).to_bytes(8, "little") + header + data
    start = 8 + len(b'{"__metadata__":{"sha256":"')
    checksum = hashlib.sha256(content[:start] + content[start + 64 :]).hexdigest()
    return content[:start] + checksum.encode() + content[start + 64 :]


class Onnx(Target):
    """ONNX files, of nnlayers and of other programs."""

    name = "onnx"
    needs = ("onnx",)

    def __init__(self, directory: Path) -> None:
        super().__init__(directory)
        path = directory / "seed.onnx"
        self.seeds = []
        shapes = [2, 1, 2]
        for model, width in zip(models(), shapes, strict=True):
            nn.export.onnx(model, path, input_shape=(width,))
            self.seeds += [path.read_bytes(), self._without_description(path.read_bytes())]

    @staticmethod
    def _without_description(content: bytes) -> bytes:
        import onnx

        proto = onnx.ModelProto.FromString(content)
        del proto.metadata_props[:]
        return bytes(proto.SerializeToString())

    def draw(self, rng: np.random.Generator) -> Case:
        """Return a file with other bytes, or with other numbers, names and operators."""
        seed = choose(rng, self.seeds)
        if rng.random() < 0.5:
            return Case(altered(seed, rng, self.seeds, [b"Gemm", b"MatMul", b"Concat", b"Gather"]))
        return Case(self._changed(seed, rng))

    def _changed(self, seed: bytes, rng: np.random.Generator) -> bytes:
        import onnx

        from nnlayers.export.onnx_operators import OPERATORS

        proto = onnx.ModelProto.FromString(seed)
        graph = proto.graph
        names = [name for node in graph.node for name in (*node.input, *node.output)]
        for _ in range(int(rng.integers(1, 4))):
            kind = int(rng.integers(6))
            node = choose(rng, graph.node)
            if kind == 0:
                node.op_type = choose(rng, sorted(OPERATORS))
            elif kind == 1 and node.input:
                node.input[int(rng.integers(len(node.input)))] = choose(rng, names)
            elif kind == 2 and graph.initializer:
                tensor = choose(rng, graph.initializer)
                tensor.dims.append(int(choose(rng, [0, 1, 2, 2**40, -1])))
            elif kind == 3 and graph.initializer:
                tensor = choose(rng, graph.initializer)
                tensor.data_type = int(rng.integers(0, 30))
            elif kind == 4 and node.attribute:
                attribute = choose(rng, node.attribute)
                attribute.i, attribute.f = int(choose(rng, [-1, 0, 1, 2**62])), float("nan")
                attribute.type = int(rng.integers(0, 12))
            elif kind == 5:
                graph.node.append(node)
        return bytes(proto.SerializeToString())

    def read(self, case: Case) -> None:
        """Read the layers."""
        model = nn.export.from_onnx(self.path("model.onnx", case.content))
        repr(model)
        if not all(np.isfinite(array).all() for array in model.state_dict().values()):
            raise BrokenPromiseError("weights that are not finite")


def altered_entries(seed: bytes, rng: np.random.Generator) -> dict[str, bytes]:
    """Return the entries of an archive by name, of which some are other ones."""
    with zipfile.ZipFile(io.BytesIO(seed)) as archive:
        entries = {name: archive.read(name) for name in archive.namelist()}
    for _ in range(int(rng.integers(1, 3))):
        name = choose(rng, sorted(entries))
        other = choose(rng, sorted(entries))
        kind = rng.random()
        if name.endswith(".json") or kind < 0.3:
            for table in [key for key in entries if key.endswith(".json")]:
                entries[table] = altered_json(entries[table], rng, TABLE_VALUES).encode()
        elif kind < 0.8:
            head = 128 if rng.random() < 0.7 else len(entries[name])
            start = entries[name][:head]
            entries[name] = altered(start, rng, [], HEADER_WORDS) + entries[name][head:]
        elif kind < 0.9:
            entries[name] = entries[other]
        else:
            entries[choose(rng, [f"state/x{name[-5:]}", "state/0.W.npy", "x"])] = entries.pop(name)
    return entries


def seal(entries: dict[str, bytes], method: int = zipfile.ZIP_STORED) -> bytes:
    """Return a model file of any entries with the checksum that belongs to it."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", method) as archive:
        for name, content in entries.items():
            archive.writestr(zipfile.ZipInfo(name), content, method)
        archive.comment = b"nnlayers model 2 sha256 " + b"0" * 64
    content = buffer.getvalue()[:-64]
    return content + hashlib.sha256(content).hexdigest().encode()
