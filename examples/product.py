"""Differentiate a product, y = x·z: the derivative by each factor is the other factor."""

import sys

import numpy as np

import nnlayers as nn


def dot_product():
    x, z = nn.Input("x"), nn.Input("z")
    return nn.Graph((x @ z).named("y"))


def product_of_numbers():
    x, z = nn.Input("x"), nn.Input("z")
    return nn.Graph((x * z).named("y"))


def show(graph, x, z):
    graph.forward(x=x, z=z)
    graph.backward(1.0)
    print(f"y     = x·z = {graph['y'].value}")
    print(f"dy/dx = {graph['x'].grad}, z = {z}")
    print(f"dy/dz = {graph['z'].grad}, x = {x}")
    print(graph.explain(), "\n")


def main(picture=None):
    graph = dot_product()
    show(product_of_numbers(), 3.0, -2.0)
    show(graph, np.array([1.0, 2.0, 3.0]), np.array([4.0, 0.0, -1.0]))
    if picture:
        graph.draw(picture)


if __name__ == "__main__":
    main(*sys.argv[1:])
