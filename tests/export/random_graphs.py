"""Random graphs of two inputs, whose values are used many times and in every order."""

import math

import numpy as np

import nnlayers as nn

WIDTH = 4


def draw_graph(rng):
    """Return a graph of random operations on two inputs of rows of four numbers."""
    a, b = nn.Input("a"), nn.Input("b")
    shape = (WIDTH,)
    nodes = [(a, shape), (b, shape), (nn.BatchNorm(WIDTH)(a), shape)]
    for _ in range(rng.integers(3, 18)):
        x, shape = nodes[rng.integers(len(nodes))]
        partners = [node for node, other in nodes if other == shape]
        choices = operations(x, partners[rng.integers(len(partners))], shape, rng)
        nodes.append(choices[rng.integers(len(choices))]())
    outputs = [node for node, _ in nodes[-rng.integers(1, 4) :]]
    return nn.Graph([*outputs, a - b], inputs=[a, b])  # Both inputs must be used.


def operations(x, y, shape, rng):
    """Return functions that apply an operation to two nodes of one shape of rows."""
    *outer, width = shape
    seed = int(rng.integers(100))
    choices = [
        lambda: (x + y, shape),
        lambda: (nn.tanh(x) * y, shape),
        lambda: (x - nn.tanh(y), shape),
        lambda: (nn.relu(x), shape),
        lambda: (nn.softmax(x), shape),
        lambda: (nn.maximum(x, y), shape),
        lambda: (nn.where(x > y, x, 0.5), shape),
        lambda: (nn.sin(x) + rng.normal(size=shape), shape),
        lambda: (nn.LayerNorm(width)(x), shape),
        lambda: (nn.mean(x, axis=-1, keepdims=True) * nn.tanh(y), shape),
        lambda: (nn.Residual(nn.Affine(width, width, rng=seed), nn.SiLU())(x), shape),
        lambda: (nn.Affine(width, 3, rng=seed)(x), (*outer, 3)),
        lambda: (x @ rng.normal(size=(width, 2)), (*outer, 2)),
        lambda: (x[..., ::-1], shape),
        lambda: (x[..., [0, width - 1, 0]], (*outer, 3)),
    ]
    if width <= 16:
        choices.append(lambda: (nn.concatenate(x, y), (*outer, 2 * width)))
    if width > 1:
        choices.append(lambda: (x[..., 1:], (*outer, width - 1)))
    if not outer and width % 2 == 0:
        choices.append(lambda: (nn.Reshape((2, -1))(x), (2, width // 2)))
    if outer:
        length = outer[0]
        choices += [
            lambda: (nn.Transpose((0, 2, 1))(x), (width, length)),
            lambda: (nn.Flatten()(x), (math.prod(shape),)),
            lambda: (nn.sum(x, axis=1), (width,)),
            lambda: (nn.tanh(x) @ nn.Transpose((0, 2, 1))(nn.tanh(y)), (length, length)),
        ]
    return choices


def draw_rows(count, seed=0):
    """Return random rows of both inputs."""
    rng = np.random.default_rng(seed)
    return rng.normal(size=(2, count, WIDTH)).astype(np.float32)
