"""Networks for tables that kernels train have the weights of those that NumPy trains."""

import copy

import numpy as np
import pytest

import nnlayers as nn
from nnlayers.estimators.table_network import NetworkSize, bin_edges, build_network

pytest.importorskip("numba")

ROWS, BATCH, EPOCHS = 37, 8, 10  # 50 steps, each fifth with the 5 rows that are left.


def setting(numbers, flags, levels, outputs, members, dtype):
    """Return a network of the estimators, and rows."""
    rng = np.random.default_rng(0)
    parts = [rng.normal(size=(ROWS, numbers)), rng.integers(2, size=(ROWS, flags))]
    parts += [rng.integers(count, size=(ROWS, 1)) for count in levels]
    X = np.concatenate(parts, axis=1).astype(dtype)
    size = NetworkSize(
        members=members, width=16, depth=2, bins=5, dim=4, vector_lr_scale=0.5, dropout=0.1
    )
    edges = bin_edges(X[:, :numbers], size.bins, rng)
    network = build_network(edges, flags, levels, outputs, size, np.random.default_rng(1))
    return network.astype(dtype), X


def trainer_of(network, loss, engine):
    optimizer = nn.optim.AdamW(network.parameters(), 2e-3, eps=1e-4, weight_decay=0.01)
    return nn.Trainer(network, loss, optimizer, engine=engine)


def assert_same_weights(network, other, dtype):
    rtol = 1e-12 if dtype == "float64" else 1e-5
    for name, array in other.state_dict().items():
        scale = max(np.abs(array).max(initial=0), 1)
        np.testing.assert_allclose(network.state_dict()[name], array, rtol=rtol, atol=rtol * scale)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize(
    ("columns", "members", "classes"),
    [((4, 2, [3, 5]), 3, 0), ((4, 0, []), 3, 3), ((1, 0, []), 1, 0), ((0, 1, [4]), 2, 2)],
    ids=["all kinds of columns", "numbers", "one number", "no numbers"],
)
def test_fits_agree_with_numpy(columns, members, classes, weighted, dtype):
    network, X = setting(*columns, classes or 1, members, dtype)
    rng = np.random.default_rng(2)
    y = rng.integers(classes, size=ROWS) if classes else rng.normal(size=(ROWS, 1))
    inner = nn.SoftmaxCrossEntropy() if classes else nn.MeanSquaredError()
    weight = rng.uniform(0, 2, ROWS) if weighted else None
    results = {}
    for engine in ("numpy", "compiled"):
        twin = copy.deepcopy(network)
        trainer = trainer_of(twin, nn.EnsembleLoss(copy.deepcopy(inner)), engine)
        history = trainer.fit(X, y, epochs=EPOCHS, batch_size=BATCH, sample_weight=weight, rng=0)
        results[engine] = twin, history["loss"]
    rtol = 1e-12 if dtype == "float64" else 1e-5
    np.testing.assert_allclose(results["compiled"][1], results["numpy"][1], rtol=rtol)
    assert_same_weights(results["compiled"][0], results["numpy"][0], dtype)


def test_single_steps_agree_with_numpy_when_a_part_of_the_loss_changes():
    network, X = setting(3, 1, [3], 2, 2, "float64")
    twin = copy.deepcopy(network)
    trainers = [
        trainer_of(network, nn.EnsembleLoss(nn.SoftmaxCrossEntropy()), "compiled"),
        trainer_of(twin, nn.EnsembleLoss(nn.SoftmaxCrossEntropy()), "numpy"),
    ]
    y = np.arange(ROWS) % 2
    for smoothing in (0.0, 0.2):
        for trainer in trainers:
            trainer.loss.loss.label_smoothing = smoothing
        for rows in (slice(0, 8), slice(8, 16), slice(16, 17)):
            values = [trainer.step(X[rows], y[rows]) for trainer in trainers]
            assert values[0] == pytest.approx(values[1], rel=1e-12)
    assert_same_weights(network, twin, "float64")


def test_ids_out_of_range_raise_the_error_of_numpy():
    network, X = setting(3, 1, [3], 1, 2, "float32")
    trainer = trainer_of(network, nn.EnsembleLoss(nn.MeanSquaredError()), "compiled")
    before = {name: array.copy() for name, array in network.state_dict().items()}
    X[5, -1] = 3
    with pytest.raises(ValueError, match="expected ids from 0 to 2"):
        trainer.step(X[:8], np.zeros((8, 1)))
    for name, array in network.state_dict().items():
        np.testing.assert_array_equal(array, before[name])
