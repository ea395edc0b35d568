"""Compare the chain rule by Jacobians, by backward and by differences."""

import sys

import numpy as np

import nnlayers as nn

A = np.array([[1.0, -0.5, 0.25], [0.5, 2.0, -1.0]])


def scalar_functions():
    """Return y = g(x) = x² and z = f(y) = exp(-y)."""
    x, y = nn.Input("x"), nn.Input("y")
    return nn.Graph(nn.square(x)), nn.Graph(nn.exp(-y))


def vector_functions():
    """Return g: R³ to R², y = tanh(A x), and f: R² to R, z = log(exp(y_1) + exp(y_2))."""
    x, y = nn.Input("x"), nn.Input("y")
    return nn.Graph(nn.tanh(A @ x)), nn.Graph(nn.log(nn.sum(nn.exp(y))))


def compose(f, g):
    """Return the graph of f(g(x)), in which f and g are nodes."""
    return nn.Graph(f(g(nn.Input("x")).named("y")).named("z"))


def by_jacobians(f, g, x):
    """Return J(g)(x)ᵀ ∇y z."""
    return nn.jacobian(g, x).T @ nn.jacobian(f, g.predict(x))


def by_backward(f, g, x):
    """Return ∇x z from one backward pass, which forms no Jacobian."""
    graph = compose(f, g)
    graph.forward(x)
    return graph.backward(1.0)


def by_differences(f, g, x, step=1e-5):
    """Return the central differences of f(g(x)) by each entry of x."""
    gradient = np.empty_like(x)
    for i in range(len(x)):
        shift = np.where(np.arange(len(x)) == i, step, 0.0)
        gradient[i] = f.predict(g.predict(x + shift)) - f.predict(g.predict(x - shift))
    return gradient / (2 * step)


def main(picture=None):
    g, f = scalar_functions()
    x = 0.8
    dz_dy, dy_dx = nn.jacobian(f, x**2), nn.jacobian(g, x)
    print(f"numbers: dz/dy dy/dx = {dz_dy:.6f} · {dy_dx:.6f} = {dz_dy * dy_dx:.6f}")
    print(f"         backward    = {by_backward(f, g, x):.6f}")
    print(f"         -2x exp(-x²) = {-2 * x * np.exp(-(x**2)):.6f}")

    g, f = vector_functions()
    x = np.array([0.3, -0.2, 0.5])
    print(f"vectors: J(g)(x) =\n{nn.jacobian(g, x).round(6)}")
    print(f"         J(g)(x)ᵀ ∇y z = {by_jacobians(f, g, x).round(6)}")
    print(f"         backward      = {by_backward(f, g, x).round(6)}")
    print(f"         differences   = {by_differences(f, g, x).round(6)}")
    graph = compose(f, g)
    graph.forward(x)
    graph.backward(1.0)
    print(graph.explain())
    if picture:
        graph.draw(picture)


if __name__ == "__main__":
    main(*sys.argv[1:])
