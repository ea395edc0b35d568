import pytest

from nnlayers.cli import main

CONFIG = """
[data]
type = "spirals"
rows = 60

[model]
type = "Sequential"
layers = [{ type = "Affine", out_features = 8 }, { type = "ReLU" }, { type = "Affine" }]

[loss]
type = "SoftmaxCrossEntropy"

[optimizer]
type = "Adam"
lr = 0.01

[training]
epochs = 2
metrics = ["accuracy"]
"""


@pytest.fixture
def workplace(tmp_path, monkeypatch):
    """An empty working directory with the config small.toml."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    (tmp_path / "small.toml").write_text(CONFIG)
    return tmp_path


@pytest.fixture
def run(workplace, capsys):
    """Run the command line; return its status and the lines on standard output and error."""

    def run(*arguments):
        status = main([str(argument) for argument in arguments])
        out, err = capsys.readouterr()
        # Whether kernels are compiled depends on what has run on this machine before.
        err = err.replace("nnlayers compiles kernels for this processor, once ...\n", "")
        return status, out.splitlines(), err.splitlines()

    return run
