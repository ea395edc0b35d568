"""Random expressions as graphs, and as PyTorch computes them."""

from typing import NamedTuple

import numpy as np
from hypothesis import strategies as st

import nnlayers as nn

SHAPES = [(), (3,), (1, 3), (3, 1), (3, 3), (2, 3, 3)]

# Each operation with nodes, and with PyTorch's tensors. Operations that are undefined somewhere, or
# have a kink, get inputs that avoid it.
UNARY = {
    "negative": (lambda a: -a, lambda torch, a: -a),
    "exp": (lambda a: nn.exp(nn.tanh(a)), lambda torch, a: torch.exp(torch.tanh(a))),
    "log": (lambda a: nn.log(1 + nn.square(a)), lambda torch, a: torch.log(1 + a**2)),
    "sqrt": (lambda a: nn.sqrt(0.5 + a**2), lambda torch, a: torch.sqrt(0.5 + a**2)),
    "reciprocal": (lambda a: nn.reciprocal(2 + a * a), lambda torch, a: 1 / (2 + a * a)),
    "sigmoid": (nn.sigmoid, lambda torch, a: torch.sigmoid(a)),
    "tanh": (nn.tanh, lambda torch, a: torch.tanh(a)),
    "softplus": (nn.softplus, lambda torch, a: torch.log1p(torch.exp(-a.abs())) + a.clamp(min=0)),
    "relu": (nn.relu, lambda torch, a: torch.relu(a)),
    "abs": (nn.abs, lambda torch, a: torch.abs(a)),
    "sin": (nn.sin, lambda torch, a: torch.sin(a)),
    "cos": (nn.cos, lambda torch, a: torch.cos(a)),
    "clip": (lambda a: nn.clip(a, -0.7, 1.3), lambda torch, a: torch.clamp(a, -0.7, 1.3)),
    "transpose": (lambda a: a.T, lambda torch, a: a.permute(tuple(range(a.ndim))[::-1])),
    "row": (lambda a: a[-1], lambda torch, a: a[-1]),
    "entries": (lambda a: a[..., [0, 2, 0]], lambda torch, a: a[..., [0, 2, 0]]),
    "new axis": (lambda a: a[None], lambda torch, a: a[None]),
    "cube": (lambda a: a**3, lambda torch, a: a**3),
    "sum": (nn.sum, lambda torch, a: a.sum()),
    "mean": (nn.mean, lambda torch, a: a.mean()),
    "constant": (lambda a: 3 - a / 2, lambda torch, a: 3 - a / 2),
}
BINARY = {
    "add": (lambda a, b: a + b, lambda torch, a, b: a + b),
    "subtract": (lambda a, b: a - b, lambda torch, a, b: a - b),
    "multiply": (lambda a, b: a * b, lambda torch, a, b: a * b),
    "divide": (lambda a, b: a / (1 + b * b), lambda torch, a, b: a / (1 + b * b)),
    "maximum": (nn.maximum, lambda torch, a, b: torch.maximum(a, b)),
    "minimum": (nn.minimum, lambda torch, a, b: torch.minimum(a, b)),
    "chosen": (
        lambda a, b: nn.where(a > b, a, b * b),
        lambda torch, a, b: torch.where(a > b, a, b * b),
    ),
    "where": (
        lambda a, b: nn.where([True, False, True], a, b),
        lambda torch, a, b: torch.where(torch.tensor([True, False, True]), a, b),
    ),
    "matmul": (lambda a, b: a @ b, lambda torch, a, b: a @ b),
}


OPERATIONS = UNARY | BINARY


class Expression(NamedTuple):
    """The values of the inputs, and the operations with the indices of earlier results."""

    inputs: list[np.ndarray]
    steps: list[tuple[str, list[int]]]

    def graph(self):
        """Return the last result as a graph of the inputs that it uses, and these inputs."""
        nodes = [nn.Input(f"x{i}") for i in range(len(self.inputs))]
        for name, indices in self.steps:
            nodes.append(OPERATIONS[name][0](*[nodes[i] for i in indices]))
        graph = nn.Graph(nodes[-1])
        return graph, [self.inputs[int(node.name[1:])] for node in graph.inputs]

    def with_torch(self, torch, tensors):
        """Return the last result for PyTorch's tensors as inputs."""
        results = list(tensors)
        for name, indices in self.steps:
            results.append(OPERATIONS[name][1](torch, *[results[i] for i in indices]))
        return results[-1]


@st.composite
def expressions(draw):
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    shapes = draw(st.lists(st.sampled_from(SHAPES), min_size=1, max_size=4))
    inputs = [rng.normal(size=shape) for shape in shapes]
    values, steps = list(inputs), []
    for _ in range(draw(st.integers(1, 40))):
        name = draw(st.sampled_from(sorted(OPERATIONS)))
        # The last result is always used, so that the expression is connected.
        indices = [len(values) - 1, draw(st.integers(0, len(values) - 1))][: 1 + (name in BINARY)]
        try:
            value = OPERATIONS[name][0](*[values[i] for i in indices])
        except (IndexError, TypeError, ValueError):  # The shapes do not fit.
            value = np.full((), np.inf)
        if np.abs(value).max() > 20:
            name, indices = "tanh", indices[:1]
            value = np.tanh(values[indices[0]])
        steps.append((name, indices))
        values.append(value)
    return Expression(inputs, steps)
