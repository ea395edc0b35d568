"""Rows on which exported models are compared with `predict`, and how far they may be apart."""

import numpy as np

import nnlayers as nn

RTOL = {np.dtype(np.float32): 1e-5, np.dtype(np.float64): 1e-12}
# What sums of terms of the size of the input may be off beside that, relative to the input.
CANCELLATION = {np.dtype(np.float32): 1e-6, np.dtype(np.float64): 1e-14}

# The layers whose entries are functions of single entries must agree in each to its last digits;
# in the others terms may cancel.
ADDS_UP = (
    "Affine",
    "Sum",
    "Mean",
    "MatMul",
    "Sequential",
    "mlp",
    "Norm",
    "Residual",
    "Graph",
    "Ensemble",
)


def edge_rows(shape, dtype, positive=False, count=10_000, seed=1):
    """Return random rows of very different sizes, rows of zeros, infinities and NaN."""
    rng = np.random.default_rng(seed)
    sizes = np.repeat([1.0, 10.0, 100.0, 1e-3, 1e-20, 1e10, 1e30], count // 7)
    x = rng.normal(size=(len(sizes), *shape)) * sizes.reshape(-1, *[1] * len(shape))
    special = np.array([0.0, -0.0, 1.0, -1.0, 88.8, -88.8, 103.0, -104.0, 710.0, -746.0])
    special = np.r_[special, [1e38, -1e38, np.inf, -np.inf, np.nan]]
    x = np.concatenate([x, np.broadcast_to(special.reshape(-1, *[1] * len(shape)), (15, *shape))])
    with np.errstate(over="ignore"):
        return (np.abs(x) if positive else x).astype(dtype)


def shapes_of(entry):
    """Return the shapes of a row of a catalogue's entry by input name."""
    model = entry.make()
    names = [node.name for node in model.inputs] if isinstance(model, nn.Graph) else "xyz"
    return {name: shape[1:] for name, shape in zip(names, entry.shapes, strict=False)}


def shake(model):
    """Return a model with weights and statistics that are not the initial ones.

    A bias of 0 or a scale of 1 that an exporter leaves out would not be missed.
    """
    rng = np.random.default_rng(0)
    state = model.state_dict()
    model.load_state_dict({name: a + rng.uniform(0.1, 0.6, a.shape) for name, a in state.items()})
    return model


def in_dtype(entry, dtype):
    """Return an entry's layer in a graph of a dtype, which a layer without weights has not.

    Its weights are not the initial ones. Before each input is a PReLU of slope 1, which changes
    nothing.
    """
    nodes = []
    for name in shapes_of(entry):
        unchanged = nn.PReLU(dtype=dtype)
        unchanged.a.value[...] = 1
        nodes.append(unchanged(nn.Input(name)))
    return nn.Graph(shake(entry.make().astype(dtype))(*nodes))


def assert_agree(name, y, expected, *inputs):
    """Fail unless the results of an entry's exported layer are those of `predict`."""
    assert y.dtype == expected.dtype
    assert y.shape == expected.shape
    atol = np.finfo(y.dtype).tiny
    if name in ("Sin", "Cos"):  # At a zero the rounding of pi shows.
        atol = 4 * np.finfo(y.dtype).eps
    if any(part in name for part in ADDS_UP):
        with np.errstate(invalid="ignore"):
            largest = [np.abs(x.reshape(len(x), -1)).max(axis=1) for x in inputs]
        row = np.maximum(np.max(largest, axis=0), 1)
        row = row.reshape(-1, *[1] * (y.ndim - 1)) if y.ndim else row.max()
        atol = atol + CANCELLATION[y.dtype] * row
    with np.errstate(invalid="ignore"):
        near = np.abs(y - expected) <= atol + RTOL[y.dtype] * np.abs(expected)
    same = near | (y == expected) | (np.isnan(y) & np.isnan(expected))
    assert same.all(), f"{name}: {(~same).sum()} differ, {y[~same][:3]} from {expected[~same][:3]}"
