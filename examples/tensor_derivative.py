"""Measure the cost of the tensor ∂c/∂W of c = W x, which a layer never forms."""

import sys
import time

import numpy as np

import nnlayers as nn


def product_graph():
    W, x = nn.Input("W"), nn.Input("x")
    return nn.Graph((W @ x).named("c"), inputs=[W, x])


def tensor_derivative(W, x):
    """Return ∂c/∂W, shape (h, h, m): row i of slice i is xᵀ, the rest is zero."""
    return nn.jacobian(product_graph(), (W, x), wrt="W")


def contract(tensor, dc):
    """Return ∂ℓ/∂W: the sum of the slices ∂c_i/∂W, each times (∂ℓ/∂c)_i."""
    return np.tensordot(dc, tensor, axes=1)


def best_time(function, *arguments, runs=3):
    """Return the seconds of the fastest of some runs."""
    times = []
    for _ in range(runs):
        start = time.perf_counter()
        function(*arguments)
        times.append(time.perf_counter() - start)
    return min(times)


def measure_costs(sizes):
    """Return a row for each h = m: size, and the bytes and seconds of the tensor and product."""
    rows = []
    for size in sizes:
        W, x, dc = np.zeros((size, size)), np.ones(size), np.ones(size)
        tensor_bytes, outer_bytes = size**3 * x.itemsize, size**2 * x.itemsize
        tensor_time = best_time(lambda W, x, dc: contract(tensor_derivative(W, x), dc), W, x, dc)
        rows.append((size, tensor_bytes, tensor_time, outer_bytes, best_time(np.outer, dc, x)))
    return rows


def main(picture=None):
    W, x, dc = np.arange(6.0).reshape(2, 3), np.array([1.0, 2.0, 3.0]), np.array([10.0, -1.0])
    tensor = tensor_derivative(W, x)
    print(f"∂c/∂W {tensor.shape} =\n{tensor}")
    print(f"contracted with ∂ℓ/∂c = {dc}:\n{contract(tensor, dc)}")
    print(f"outer product ∂ℓ/∂c xᵀ:\n{np.outer(dc, x)}")
    graph = product_graph()
    graph.forward(W=W, x=x)
    graph.backward(dc)
    print(f"backward:\n{graph['W'].grad}")
    print(graph.explain(), "\n")
    print("  h = m    tensor: bytes        µs    outer product: bytes       µs")
    for size, tensor_bytes, tensor_time, outer_bytes, outer_time in measure_costs((16, 64, 160)):
        print(f"{size:7}{tensor_bytes:17,}{tensor_time * 1e6:10,.0f}", end="")
        print(f"{outer_bytes:24,}{outer_time * 1e6:9.1f}")
    if picture:
        graph.draw(picture)


if __name__ == "__main__":
    main(*sys.argv[1:])
