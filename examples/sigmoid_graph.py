"""Differentiate the sigmoid of a dot product by its graph, y = 1 / (1 + exp(-wᵀx))."""

import sys

import numpy as np

import nnlayers as nn


def sigmoid_graph():
    w, x = nn.Input("w"), nn.Input("x")
    e = (w @ x).named("e")
    d = (-e).named("d")
    c = nn.exp(d).named("c")
    b = (1 + c).named("b")
    return nn.Graph((1 / b).named("y"), inputs=[w, x])


def main(picture=None):
    graph = sigmoid_graph()
    w, x = np.array([2.0, -3.0, 0.5]), np.array([-1.0, -2.0, -6.0])
    y = graph.forward(w=w, x=x)
    graph.backward(1.0)
    b, c, d, e = (graph[name] for name in "bcde")
    print(f"e = wᵀx    = {e.value:8.5f}    dy/de = -dy/dd       = {e.grad:8.5f}")
    print(f"d = -e     = {d.value:8.5f}    dy/dd = exp(d) dy/dc = {d.grad:8.5f}")
    print(f"c = exp(d) = {c.value:8.5f}    dy/dc = dy/db        = {c.grad:8.5f}")
    print(f"b = 1 + c  = {b.value:8.5f}    dy/db = -1/b²        = {b.grad:8.5f}")
    print(f"y = 1/b    = {y:8.5f}    dy/dy                = {graph['y'].grad:8.5f}")
    print(f"∇w y = {graph['w'].grad.round(5)}, y(1 - y) x = {(y * (1 - y) * x).round(5)}")
    print(f"∇x y = {graph['x'].grad.round(5)}, y(1 - y) w = {(y * (1 - y) * w).round(5)}")
    print(graph.explain())
    if picture:
        graph.draw(picture)


if __name__ == "__main__":
    main(*sys.argv[1:])
