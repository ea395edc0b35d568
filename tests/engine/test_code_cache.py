"""Machine code is stored on disk, and read only if it is whole and nobody else can write it."""

import os
import shutil
import subprocess
import sys

import pytest

from nnlayers.engine.cache import CodeCache, default_directory

pytest.importorskip("numba")

POSIX = pytest.mark.skipif(sys.platform == "win32", reason="permissions are POSIX's")
NOT_ROOT = pytest.mark.skipif(
    not hasattr(os, "getuid") or os.getuid() == 0, reason="root may write everywhere"
)


def cache(directory, key=b"key"):
    return CodeCache(directory / "code", key)


def test_code_is_read_as_it_was_written(tmp_path):
    cache(tmp_path).write("relu", b"\x00code")
    assert cache(tmp_path).read("relu") == b"\x00code"
    assert cache(tmp_path).read("tanh") is None


def test_code_of_another_compiler_or_processor_is_not_read(tmp_path):
    cache(tmp_path).write("relu", b"code")
    assert cache(tmp_path, b"other").read("relu") is None


@pytest.mark.parametrize("damage", [lambda c: c[:-1], lambda c: c[:-1] + b"x", lambda c: b""])
def test_damaged_code_is_not_read(tmp_path, damage):
    stored = cache(tmp_path)
    stored.write("relu", b"machine code")
    (path,) = stored.directory.iterdir()
    path.write_bytes(damage(path.read_bytes()))
    assert stored.read("relu") is None
    stored.write("relu", b"machine code")
    assert stored.read("relu") == b"machine code"


def test_a_directory_that_vanishes_is_made_again(tmp_path):
    stored = cache(tmp_path)
    stored.write("relu", b"code")
    shutil.rmtree(stored.directory)
    assert stored.read("relu") is None
    stored.write("relu", b"code")
    assert stored.read("relu") == b"code"


@POSIX
def test_a_directory_that_others_can_write_to_is_not_used(tmp_path):
    stored = cache(tmp_path)
    stored.write("relu", b"code")
    stored.directory.chmod(0o777)
    assert stored.read("relu") is None
    with pytest.warns(RuntimeWarning, match="can be written to by others"):
        stored.write("tanh", b"code")
    stored.directory.chmod(0o755)
    assert stored.read("relu") == b"code"
    assert stored.read("tanh") is None


def test_a_directory_that_cannot_be_made_is_one_warning(tmp_path):
    (tmp_path / "code").write_text("a file")
    stored = cache(tmp_path)
    with pytest.warns(RuntimeWarning, match="compiled kernels are not stored"):
        stored.write("relu", b"code")
    stored.write("tanh", b"code")  # A second warning would be an error.
    assert stored.read("relu") is None


@POSIX
@NOT_ROOT
def test_a_directory_that_is_read_only_is_read(tmp_path):
    stored = cache(tmp_path)
    stored.write("relu", b"code")
    stored.directory.chmod(0o555)
    assert stored.read("relu") == b"code"
    with pytest.warns(RuntimeWarning, match="not stored"):
        stored.write("tanh", b"code")
    stored.directory.chmod(0o755)


def test_the_directory_can_be_named(monkeypatch, tmp_path):
    monkeypatch.setenv("NNLAYERS_CACHE_DIR", str(tmp_path))
    assert default_directory() == tmp_path
    monkeypatch.delenv("NNLAYERS_CACHE_DIR")
    assert default_directory().name == "nnlayers"


FIT = """
import sys
import numpy as np
import nnlayers as nn

model = nn.Affine(2, 1, rng=0)
trainer = nn.Trainer(
    model, nn.MeanSquaredError(), nn.optim.SGD(model.parameters(), lr=0.1), engine="compiled"
)
X = np.random.default_rng(0).normal(size=(64, 2)).astype(np.float32)
history = trainer.fit(X, X[:, :1], epochs=2, rng=0)
print(history["loss"][-1], trainer.engine, "numba" in sys.modules)
"""


def test_a_second_process_trains_without_importing_numba(tmp_path):
    environment = os.environ | {"NNLAYERS_CACHE_DIR": str(tmp_path / "code")}

    def fit():
        return subprocess.run(
            [sys.executable, "-c", FIT],
            env=environment,
            capture_output=True,
            text=True,
            check=True,
        )

    first, second = fit(), fit()
    assert first.stderr == "nnlayers compiles kernels for this processor, once ...\n"
    assert second.stderr == ""
    loss, engine, has_imported = first.stdout.split()
    assert (engine, has_imported) == ("compiled", "True")
    assert second.stdout.split() == [loss, engine, "False"]
    # A file that is damaged is compiled again, and used from then on.
    path = min((tmp_path / "code").iterdir())
    path.write_bytes(path.read_bytes()[:-1])
    third, fourth = fit(), fit()
    assert third.stdout.split() == [loss, engine, "True"]
    assert fourth.stdout.split() == [loss, engine, "False"]
