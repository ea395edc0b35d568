"""Differentiate softplus by its graph, y = log(1 + exp(x)), and compare it with the layer."""

import sys

import numpy as np

import nnlayers as nn


def softplus_graph():
    b = nn.exp(nn.Input("x")).named("b")
    a = (1 + b).named("a")
    return nn.Graph(nn.log(a).named("y"))


def value_and_derivative(layer, x):
    return float(layer.forward(x)), float(layer.backward(1.0))


def main(picture=None):
    graph, x = softplus_graph(), 0.7
    y, dx = value_and_derivative(graph, x)
    a, b = graph["a"], graph["b"]
    print(f"b = exp(x) = {b.value:.6f}, a = 1 + b = {a.value:.6f}, y = log(a) = {y:.6f}")
    print(f"dy/da = {a.grad:.6f}, 1/a               = {1 / a.value:.6f}")
    print(f"dy/db = {b.grad:.6f}, dy/da             = {a.grad:.6f}")
    for formula, number in (
        ("exp(x) dy/db     ", np.exp(x) * b.grad),
        ("exp(x)/(1+exp(x))", np.exp(x) / (1 + np.exp(x))),
        ("Softplus.backward", value_and_derivative(nn.Softplus(), x)[1]),
    ):
        print(f"dy/dx = {dx:.6f}, {formula} = {number:.6f}")
    print(graph.explain(), "\n")

    print("The graph overflows if exp(x) is too large for a float, and loses the digits of exp(x)")
    print("if it is small beside 1. The layer computes the same function without either:")
    for x in (-40.0, 700.0, 1000.0):
        for name, layer in ("graph", graph), ("layer", nn.Softplus()):
            y, dx = value_and_derivative(layer, x)
            print(f"x = {x:5.0f}, {name}: y = {y:.6g}, dy/dx = {dx:.6g}")
    if picture:
        graph.forward(0.7)
        graph.backward(1.0)
        graph.draw(picture)


if __name__ == "__main__":
    main(*sys.argv[1:])
