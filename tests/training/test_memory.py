"""Training holds one batch in memory, and nothing of past steps."""

import json
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest

needs_numba = pytest.mark.skipif(find_spec("numba") is None, reason="Numba is not installed")
pytestmark = pytest.mark.skipif(
    not Path("/proc/self/statm").exists(), reason="memory is read from /proc"
)

MEGABYTE = 2**20

# RLIMIT_DATA limits the pages of data and stack, which are the sixth number of statm.
FIT_FROM_A_FILE = """
import resource, sys
import numpy as np
import nnlayers as nn

path, rows, allowed, dtype = sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), sys.argv[4]
X = np.memmap(path, dtype, mode="r", shape=(rows, 256))
y = np.arange(rows) % 2
model = nn.mlp([256, 4, 2], rng=0)
optimizer = nn.optim.Adam(model.parameters())
trainer = nn.Trainer(model, nn.SoftmaxCrossEntropy(), optimizer, metrics=["accuracy"])
# Everything is allocated here that is set up once, OpenBLAS's memory for large products too.
np.ones((512, 512)) @ np.ones((512, 512))
trainer.fit(X[:640], y[:640], epochs=1, batch_size=512, validation=0.2, rng=0)

with open("/proc/self/statm") as statm:
    limit = int(statm.read().split()[5]) * resource.getpagesize() + allowed
resource.setrlimit(resource.RLIMIT_DATA, (limit, limit))
try:
    np.ones(X.size, np.float32)
except MemoryError:
    history = trainer.fit(X, y, epochs=1, batch_size=512, validation=0.2, rng=0)
    print(history["val_loss"][-1])
"""

TRAIN_A_CONFIG = """
import resource, sys
import numpy as np
from nnlayers.config import prepare
from nnlayers.data import mapped

features, target, allowed = sys.argv[1], sys.argv[2], int(sys.argv[3])
mapped.MOST_IN_MEMORY, mapped._PART = 1000, 1 << 17
config = {
    "data": {"type": "npy", "path": features, "target": target},
    "model": {"type": "Sequential", "layers": [{"type": "Affine"}]},
    "loss": {"type": "SoftmaxCrossEntropy"},
    "optimizer": {"type": "Adam"},
    "training": {"epochs": 1, "batch_size": 512},
}

warm_up = prepare(config | {"data": {"type": "spirals", "rows": 3000}}, "c.toml")
warm_up.fit()  # so that everything is imported and allocated that is set up once

with open("/proc/self/statm") as statm:
    limit = int(statm.read().split()[5]) * resource.getpagesize() + allowed
resource.setrlimit(resource.RLIMIT_DATA, (limit, limit))
try:
    np.ones(np.load(features, mmap_mode="r").size, np.float32)
except MemoryError:
    experiment = prepare(config, "c.toml")
    experiment.fit()
    print(experiment.score(experiment.parts["test"]).values["loss"])
"""

MANY_STEPS = """
import sys
import numpy as np
import nnlayers as nn

def private_memory():
    # Pages of files, such as libraries, come and go with the memory that other processes need.
    with open("/proc/self/status") as status:
        return next(int(line.split()[1]) * 1024 for line in status if line.startswith("RssAnon"))

rng = np.random.default_rng(0)
x, y = rng.normal(size=(8, 4)).astype(np.float32), rng.integers(2, size=8)
model = nn.mlp([4, 4, 2], rng=rng)
optimizer = nn.optim.Adam(model.parameters())
trainer = nn.Trainer(model, nn.SoftmaxCrossEntropy(), optimizer, engine=sys.argv[1])
for _ in range(500):
    trainer.step(x, y)
before = private_memory()
for _ in range(4_000):
    trainer.step(x, y)
print(private_memory() - before)
"""

# Blocks of memory are counted in a process without other threads: a training in one of them, of an
# earlier test for example, would make them more.
BLOCKS = """
import json, sys
import numpy as np
import nnlayers as nn

x = np.random.default_rng(0).normal(size=(200, 4)).astype(np.float32)
y = (x[:, 0] > 0).astype(int)
engine, ways, grown = sys.argv[1], sys.argv[2:], {}

def training(way, optimizer):
    model, loss = nn.mlp([4, 4, 2], rng=0), nn.SoftmaxCrossEntropy()
    schedule = nn.optim.schedules.CosineDecay(1e-3, 5_000)
    updates = getattr(nn.optim, optimizer)(model.parameters(), schedule)
    trainer = nn.Trainer(model, loss, updates, engine=engine)

    def by_hand():
        loss.forward(model.forward(x), y)
        model.backward(loss.backward())
        updates.step()

    step = by_hand if way == "by hand" else lambda: trainer.step(x, y)

    def train(steps):
        if way == "fit":
            trainer.fit(x, y, epochs=steps // 100, batch_size=2, rng=0)
            return
        for _ in range(steps):
            step()

    return train

for way in ways:
    for optimizer in ("Adam", "NAdam"):
        train = training(way, optimizer)
        train(500)
        before = sys.getallocatedblocks()
        train(1_500)
        grown[f"{way}, {optimizer}"] = sys.getallocatedblocks() - before
print(json.dumps(grown))
"""


def printed_by(code, *arguments):
    result = subprocess.run(
        [sys.executable, "-c", code, *map(str, arguments)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == 0, result.stderr
    return json.loads(result.stdout)


@pytest.mark.parametrize("dtype", ["float32", "float64", "float16", "uint8"])
def test_training_reads_a_memmap_larger_than_memory(tmp_path, dtype):
    rows, path = 32 * 1024, tmp_path / "X.dat"
    np.memmap(path, dtype, mode="w+", shape=(rows, 256)).flush()  # a sparse file of zeros
    # Inputs of zeros do not tell the two equally frequent classes apart.
    loss = printed_by(FIT_FROM_A_FILE, path, rows, 16 * MEGABYTE, dtype)
    assert loss == pytest.approx(np.log(2), abs=1e-3)


def test_a_config_trains_and_tests_on_arrays_larger_than_memory(tmp_path):
    pytest.importorskip("pydantic")
    rows = 48 * 1024
    matrix = np.lib.format.open_memmap(tmp_path / "X.npy", "w+", np.float32, (rows, 256))
    matrix[:, 0] = np.arange(rows) % 2
    matrix.flush()
    np.save(tmp_path / "y.npy", np.arange(rows) % 2)
    allowed = 24 * MEGABYTE
    loss = printed_by(TRAIN_A_CONFIG, tmp_path / "X.npy", tmp_path / "y.npy", allowed)
    assert loss < 0.9


@pytest.mark.parametrize("engine", ["numpy", pytest.param("compiled", marks=needs_numba)])
def test_memory_does_not_grow_with_the_number_of_steps(engine):
    assert printed_by(MANY_STEPS, engine) < MEGABYTE // 2


@pytest.mark.parametrize(
    ("engine", "ways"),
    [
        ("numpy", ["by hand", "step", "fit"]),
        pytest.param("compiled", ["step", "fit"], marks=needs_numba),
    ],
)
def test_thousands_of_steps_with_a_schedule_keep_nothing(engine, ways):
    grown = printed_by(BLOCKS, engine, *ways)
    assert len(grown) == 2 * len(ways)
    for way, blocks in grown.items():
        # An object a step would be 1,500 blocks. A fit adds 15 rows to its history.
        assert blocks < (15 * 25 if way.startswith("fit") else 50), way
