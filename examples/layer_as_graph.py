"""Write a layer as a graph: H = ReLU(W X + b), with the examples in the columns of X."""

import sys

import numpy as np

import nnlayers as nn


def layer_graph():
    W, X, b = nn.Input("W"), nn.Input("X"), nn.Input("b")
    c = (W @ X).named("c")
    a = (c + b).named("a")
    return nn.Graph(nn.relu(a).named("h"), inputs=[W, X, b])


def formulas(W, X, a, dh):
    """Return the gradients by a, W, X and b from their formulas."""
    da = (a > 0) * dh
    dc = da
    return {"a": da, "W": dc @ X.T, "X": W.T @ dc, "b": da.sum(axis=1, keepdims=True)}


def rows_of_layers(W, X, b, dh):
    """Return the same output and gradients from layers, which take examples as rows."""
    layers = nn.Sequential(nn.Affine(*W.T.shape, dtype=W.dtype), nn.ReLU())
    layers[0].W.value[...] = W.T
    layers[0].b.value[...] = b[:, 0]
    h = layers.forward(X.T).T
    dX = layers.backward(dh.T).T
    return h, {"W": layers[0].W.grad.T, "X": dX, "b": layers[0].b.grad[:, np.newaxis]}


def main(picture=None):
    W = np.array([[1.0, 2.0, -1.0], [0.0, 1.0, 1.0]])
    X = np.array([[1.0, 0.0], [2.0, -1.0], [1.0, 3.0]])
    b = np.array([[1.0], [-1.0]])
    dh = np.array([[1.0, 2.0], [3.0, -1.0]])
    graph = layer_graph()
    h = graph.forward(W=W, X=X, b=b)
    graph.backward(dh)
    expected = formulas(W, X, graph["a"].value, dh)
    layers_h, layers_gradients = rows_of_layers(W, X, b, dh)
    print(f"W {W.shape}, X {X.shape}, b {b.shape}, h {h.shape}")
    for name, formula in ("a", "1(a > 0) ⊙ ∂ℓ/∂h"), ("W", "∂ℓ/∂c Xᵀ"), ("X", "Wᵀ ∂ℓ/∂c"):
        print(f"∂ℓ/∂{name} =\n{graph[name].grad}")
        print(f"{formula} =\n{expected[name]}")
    print(f"∂ℓ/∂b = {graph['b'].grad[:, 0]}ᵀ, row sums {expected['b'][:, 0]}ᵀ")
    same = np.allclose(h, layers_h) and all(
        np.allclose(graph[name].grad, gradient) for name, gradient in layers_gradients.items()
    )
    print(f"Sequential(Affine(3, 2), ReLU()) on the transposed batch gives the same: {same}")
    print(graph.explain())
    if picture:
        graph.draw(picture)


if __name__ == "__main__":
    main(*sys.argv[1:])
