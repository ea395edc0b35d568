"""Export without the optional libraries."""

import sys

import pytest

import nnlayers as nn

CALLS = {
    "onnx": [
        lambda path: nn.export.onnx(nn.mlp([2, 1]), path),
        lambda path: nn.export.from_onnx(path),
    ],
    "torch": [
        lambda path: nn.export.to_torch(nn.mlp([2, 1])),
        lambda path: nn.export.from_torch(None),
        lambda path: nn.export.to_torch_state(nn.mlp([2, 1])),
        lambda path: nn.export.from_torch_state(nn.mlp([2, 1]), {}),
    ],
}


@pytest.mark.parametrize("library", CALLS)
def test_the_error_says_which_extra_to_install(library, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, library, None)
    path = tmp_path / "model.onnx"
    path.write_bytes(b"earlier")
    for call in CALLS[library]:
        with pytest.raises(ModuleNotFoundError, match=rf'pip install "nnlayers\[{library}\]"'):
            call(path)
    assert path.read_bytes() == b"earlier"


def test_models_in_safetensors_need_no_library(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "safetensors", None)
    model = nn.mlp([2, 1], rng=0)
    loaded = nn.load(nn.save(model, tmp_path / "model.safetensors"))
    assert loaded.predict([[1, 2]]) == model.predict([[1, 2]])
