"""The structure of a graph: its nodes in order, their names, and both in a table."""

from __future__ import annotations

import copy
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any

from nnlayers.graphs.node import Input, Node, check_name

__all__ = [
    "check_inputs",
    "check_unique",
    "checked_outputs",
    "copied_nodes",
    "library_names",
    "node_tables",
    "nodes_of_tables",
    "sorted_nodes",
]


def checked_outputs(outputs: Any) -> tuple[Node, ...]:
    """Return the outputs of a graph as a tuple; raise an error for anything but nodes."""
    if isinstance(outputs, Node):
        return (outputs,)
    if not isinstance(outputs, list | tuple):
        raise TypeError(f"outputs must be a node or a list of nodes, got {outputs!r}")
    if not outputs:
        raise ValueError("outputs must hold at least one node, got none")
    for output in outputs:
        if not isinstance(output, Node):
            raise TypeError(f"outputs must be nodes, got {output!r}")
    return tuple(outputs)


def check_inputs(inputs: Sequence[Any], fed: Sequence[Input]) -> None:
    """Raise an error unless the inputs named are those that are fed, each once."""
    if not isinstance(inputs, list | tuple):
        raise TypeError(f"inputs must be a list of Input nodes, got {inputs!r}")
    for node in inputs:
        if not isinstance(node, Input) or node.given is not None:
            raise TypeError(f"inputs must be Input nodes without a value, got {node!r}")
    counts, used = Counter(inputs), set(fed)  # as there may be thousands
    for node in inputs:
        if node not in used:
            raise ValueError(f"nothing in the graph uses the input {node.name!r}")
    for node in fed:
        times = counts[node]
        if times != 1:
            raise ValueError(f"inputs must hold {node.name!r} once, has it {times} times")


def sorted_nodes(outputs: Sequence[Node]) -> list[Node]:
    """Return all that the outputs are made of, each node after its parents, in order of first use.

    Raises
    ------
    ValueError
        If a node is made of itself.
    """
    order: list[Node] = []
    entered: set[int] = set()
    done: set[int] = set()
    waiting = list(reversed(outputs))  # a stack: chains may be longer than Python's own
    while waiting:
        node = waiting[-1]
        if id(node) in done:
            waiting.pop()
        elif id(node) not in entered:
            entered.add(id(node))
            for parent in reversed(node.parents):
                if id(parent) in entered and id(parent) not in done:
                    raise ValueError(f"the graph has a loop: {parent!r} is made of itself")
                waiting.append(parent)
        else:
            waiting.pop()
            done.add(id(node))
            order.append(node)
    return order


def library_names(nodes: Sequence[Node]) -> list[str]:
    """Return a name for each node: its own, else one after its layer, as exp, exp_2 and so on.

    Raises
    ------
    ValueError
        If two have one name of their own.
    """
    own = set(check_unique([node.own_name for node in nodes if node.own_name]))
    uses: Counter[str] = Counter()
    names = []
    for node in nodes:
        name = node.own_name
        kind = "constant" if node.layer is None else type(node.layer).__name__.lower()
        while name is None:
            uses[kind] += 1
            name = kind if uses[kind] == 1 else f"{kind}_{uses[kind]}"
            name = None if name in own else name
        names.append(name)
    return names


def check_unique(names: list[str]) -> list[str]:
    """Return the names of a graph's nodes; raise an error if two are the same."""
    if len(set(names)) < len(names):
        name, count = Counter(names).most_common(1)[0]
        raise ValueError(f"the graph has {count} nodes named {name!r}")
    return names


def copied_nodes(nodes: Sequence[Node]) -> dict[Node, Node]:
    """Return nodes, each after its parents, with copies of the same layers and weights."""
    copies: dict[Node, Node] = {}
    for node in nodes:
        copies[node] = copied = copy.copy(node)
        copied.parents = tuple([copies[parent] for parent in node.parents])
    return copies


def node_tables(nodes: Sequence[Node]) -> list[dict[str, Any]]:
    """Return a table for each node, in which its parents stand by their indices."""
    index = {node: i for i, node in enumerate(nodes)}
    return [
        {
            "name": node.own_name,
            "layer": node.layer,
            "parents": [index[parent] for parent in node.parents],
            "value": node.constant if isinstance(node, Input) else None,
        }
        for node in nodes
    ]


def nodes_of_tables(tables: Iterable[Any]) -> list[Any]:
    """Return new nodes of the tables that :func:`node_tables` gave."""
    nodes: list[Node] = []
    for table in tables:
        if table["layer"] is None:
            node: Node = Input(table["name"] or "constant", table["value"])
        else:
            node = Node(table["layer"], [nodes[i] for i in table["parents"]])
        node.own_name = None if table["name"] is None else check_name(table["name"])
        nodes.append(node)
    return nodes
