"""Cost of a graph's node beside the same NumPy calls in a row and beside micrograd.

micrograd (pip install micrograd) builds its expression anew at each step; a graph is built once.
"""

from functools import partial
from statistics import median
from time import perf_counter

import numpy as np

import nnlayers as nn


def run(options):
    """Print the median of each, and nnlayers' time as a fraction of it."""
    rounds = 9 if options.quick else 31
    print("| graph | microseconds | beside | microseconds | share | overhead a node |")
    print("| --- | --- | --- | --- | --- | --- |")
    for length in (200, 2_000, 20_000):
        graph = chain(length)
        ours, theirs = race(partial(step, graph, 1.0), partial(chain_by_hand, length), rounds)
        overhead = f"{(ours - theirs) / length * 1e6:.2f}"
        show(f"chain of {length:,} operations", ours, "the NumPy calls", theirs, overhead)
    try:
        from micrograd.engine import Value
    except ImportError:
        print("micrograd is not installed")
        return
    for name, expression, inputs in (
        ("expression of micrograd's README", readme_expression, (-4.0, 2.0)),
        ("neuron of 50 inputs", neuron, tuple(np.linspace(-1, 1, 100).tolist())),
    ):
        nodes = [nn.Input(f"x{index}") for index in range(len(inputs))]
        graph = nn.Graph(expression(nn.relu, *nodes))
        theirs = partial(step_of_micrograd, Value, expression, inputs)
        ours, theirs = race(partial(step, graph, *inputs), theirs, rounds)
        show(name, ours, "micrograd", theirs, "")


def step(graph, *inputs):
    graph.forward(*inputs)
    graph.backward(1.0)


def step_of_micrograd(Value, expression, inputs):
    expression(Value.relu, *[Value(x) for x in inputs]).backward()


def chain(length):
    """Return the graph of x * 1.0001 + 0.0001 repeated, with a number of operations."""
    node = nn.Input("x")
    for _ in range(length // 2):
        node = node * 1.0001 + 0.0001
    return nn.Graph(node)


def chain_by_hand(length):
    """Compute what the chain's layers compute, with NumPy's scalars alone."""
    value, values = np.float64(1.0), []
    for _ in range(length // 2):
        values.append(value)
        value = value * 1.0001 + 0.0001
    gradient = np.float64(1.0)
    for value in reversed(values):
        _, gradient = gradient * value, gradient * 1.0001
    return gradient


def readme_expression(relu, a, b):
    """The expression at the start of micrograd's README."""
    c, d = a + b, a * b + b**3
    c = c + (c + 1)
    c = c + (1 + c + (-a))
    d = d + (d * 2 + relu(b + a))
    d = d + (3 * d + relu(b - a))
    f = (c - d) ** 2
    return f / 2.0 + 10.0 / f


def neuron(relu, *inputs):
    half = len(inputs) // 2
    total = inputs[0] * inputs[half]
    for w, x in zip(inputs[1:half], inputs[half + 1 :], strict=True):
        total = total + w * x
    return relu(total)


def race(ours, theirs, rounds):
    """Return the median seconds of two functions whose rounds alternate."""
    times = {ours: [], theirs: []}
    for function in times:
        start = perf_counter()
        function()
        calls = max(1, int(0.02 / (perf_counter() - start)))
        times[function].append(calls)
    for _ in range(rounds):
        for function, (calls, *_) in times.items():
            start = perf_counter()
            for _ in range(calls):
                function()
            times[function].append((perf_counter() - start) / calls)
    return [median(measured[1:]) for measured in times.values()]


def show(name, ours, other, theirs, overhead):
    share = f"{ours / theirs:.2f}"
    print(f"| {name} | {ours * 1e6:,.0f} | {other} | {theirs * 1e6:,.0f} | {share} | {overhead} |")
