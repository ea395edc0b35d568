import runpy

import numpy as np
import pytest

import nnlayers as nn
from nnlayers.data import spirals


@pytest.fixture
def trained(run, workplace):
    """The rows of a run in the directory a, and what it predicts for them."""
    run("train", "small.toml", "--out", "a")
    rows = spirals(30, seed=5).columns
    return rows, nn.load_run("a").predict(rows)


def test_export_writes_source_code(run, workplace, trained):
    rows, expected = trained
    status, out, err = run("export", "a", "-o", "model.py")
    assert (status, err) == (0, [])
    assert out == ["saved in model.py: raw rows in, predictions out"]
    module = runpy.run_path(str(workplace / "model.py"))
    np.testing.assert_array_equal(module["predict"](rows), expected)
    status, out, err = run("export", "a", "-o", "MODEL.C", "--name", "arms")
    assert (status, err) == (0, [])
    assert out == [
        "saved in MODEL.C: 204 bytes of weights, 78 of tables, 92 on the stack, 40 products a row"
    ]
    assert "void arms_predict(const float *x, float *y)" in (workplace / "MODEL.C").read_text()


def test_export_writes_weights(run, workplace, trained):
    pytest.importorskip("safetensors")
    status, out, _ = run("export", "a", "-o", "model.safetensors")
    assert status == 0
    assert out[0].endswith("the model alone, without the preprocessing of its columns")
    x = np.ones((3, 2), np.float32)
    expected = nn.load_run("a").model.predict(x)
    np.testing.assert_array_equal(nn.load(workplace / "model.safetensors").predict(x), expected)


def test_export_writes_onnx(run, workplace, trained):
    pytest.importorskip("onnx")
    runtime = pytest.importorskip("onnxruntime")
    rows, expected = trained
    assert run("export", "a", "-o", "model.onnx")[0] == 0
    session = runtime.InferenceSession("model.onnx", providers=["CPUExecutionProvider"])
    names = [entry.name for entry in session.get_inputs()]
    labels = session.run(None, {name: rows[name] for name in names})[0]
    np.testing.assert_array_equal(labels, expected)


def test_export_writes_a_state_dictionary(run, workplace, trained):
    torch = pytest.importorskip("torch")
    assert run("export", "a", "-o", "model.pt")[0] == 0
    model = nn.load_run("a").model
    module = nn.export.to_torch(model.astype(np.float32))
    module.load_state_dict(torch.load("model.pt"))
    x = np.ones((3, 2), np.float32)
    y = module(torch.from_numpy(x)).detach().numpy()
    np.testing.assert_allclose(y, model.predict(x), rtol=1e-5)


def test_what_cannot_be_exported_is_an_error_of_one_line(run, workplace, trained):
    for arguments, problem in [
        (["-o", "model.tflite"], "-o: a run is exported as a .c, .onnx, .pt, .py or .safetensors"),
        (["-o", "none/model.py"], "none/model.py: No such file or directory"),
        (["-o", "model.c", "--name", "2nd"], "name must be a word of C"),
    ]:
        status, out, err = run("export", "a", *arguments)
        assert (status, out, len(err)) == (2, [], 1)
        assert err[0].startswith(f"nnlayers: {problem}")
    assert not list(workplace.glob("model.*"))
    (workplace / "mine.py").write_text(
        "import nnlayers as nn\nclass Own(nn.Layer):\n"
        "    def forward(self, x): return x * 2\n    def backward(self, dout): return dout * 2\n"
    )
    own = ["--set", "model.layers.1.type=mine.Own", "--allow", "mine"]
    run("train", "small.toml", "--out", "b", *own)
    status, _, err = run("export", "b", "-o", "model.c", "--allow", "mine")
    assert (status, len(err)) == (2, 1)
    assert "layer 1, Own(), cannot be exported, because it is not a layer of nnlayers" in err[0]
    status, _, err = run("export", "b", "-o", "model.c")
    assert (status, len(err)) == (2, 1)
    assert "add --allow mine" in err[0]
