"""Check the order of a product by its dimensions: only one order of the factors fits."""

import sys

import numpy as np

import nnlayers as nn
from nnlayers.testing import GradientError, check_gradients


class Linear(nn.Layer):
    """c = W x for columns x: ∂ℓ/∂x = Wᵀ ∂ℓ/∂c, (m, h) times (h, 1), as only that gives (m, 1)."""

    def __init__(self, W):
        self.W = nn.Parameter(W, name="W")

    def forward(self, x):
        self.x = x
        return self.W.value @ x

    def backward(self, dc):
        self.W.grad += dc @ self.x.T
        return self.W.value.T @ dc


class WrongOrder(Linear):
    """The two factors of ∂ℓ/∂x in the wrong order."""

    def backward(self, dc):
        return dc @ self.W.value.T


class Transposed(Linear):
    """Factors that fit, but give a row, which cannot be the gradient of a column."""

    def backward(self, dc):
        return dc.T @ self.W.value


def product_graph(order):
    W, x = nn.Input("W"), nn.Input("x")
    return nn.Graph((W @ x if order == "W x" else x @ W).named("c"), inputs=[W, x])


def message(function, *arguments):
    """Return the message of the error that a call raises."""
    try:
        function(*arguments)
    except (ValueError, GradientError) as error:
        return str(error)
    return "no error"


def main(picture=None):
    W, x, dc = np.arange(6.0).reshape(2, 3), np.ones((3, 1)), np.ones((2, 1))
    print(f"W {W.shape}, x {x.shape}, ∂ℓ/∂c {dc.shape}")
    layer = Linear(W)
    layer.forward(x)
    print(f"Wᵀ ∂ℓ/∂c: (3, 2) times (2, 1) is {layer.backward(dc).shape}, the shape of x")
    print(f"∂ℓ/∂c xᵀ: (2, 1) times (1, 3) is {layer.W.grad.shape}, the shape of W")

    wrong = WrongOrder(W)
    wrong.forward(x)
    print(f"∂ℓ/∂c Wᵀ: {message(wrong.backward, dc)}")
    print(f"(∂ℓ/∂c)ᵀ W: {message(check_gradients, Transposed(W), x)}")
    print(f"x W in a graph: {message(product_graph('x W').forward, W, x)}")
    graph = product_graph("W x")
    graph.forward(W, x)
    print(f"a row for ∂ℓ/∂c: {message(graph.backward, dc.T)}")
    graph.backward(dc)
    print(graph.explain())
    if picture:
        graph.draw(picture)


if __name__ == "__main__":
    main(*sys.argv[1:])
