"""The structure of a graph: its nodes in order, its inputs, and both as tables for a file."""

from __future__ import annotations

import copy
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from nnlayers._core.checks import unknown_name
from nnlayers._core.naming import check_unique
from nnlayers._core.rebuilding import check_constant
from nnlayers._core.showing import shown
from nnlayers.graphs.node import Input, Node, check_name

__all__ = [
    "check_inputs",
    "checked_outputs",
    "copied_state",
    "inputs_in_order",
    "node_tables",
    "nodes_from_tables",
    "parts_from_config",
    "sorted_nodes",
]


def checked_outputs(outputs: Any) -> tuple[Node, ...]:
    """Return the outputs of a graph as a tuple; raise an error unless they are nodes."""
    if isinstance(outputs, Node):
        return (outputs,)
    if not isinstance(outputs, list | tuple):
        raise TypeError(f"outputs must be a node or a list of nodes, got {shown(outputs)}")
    if not outputs:
        raise ValueError("outputs must hold at least one node, got none")
    for output in outputs:
        if not isinstance(output, Node):
            raise TypeError(f"outputs must be nodes, got {shown(output)}")
    return tuple(outputs)


def check_inputs(inputs: Sequence[Any], used: Sequence[Input]) -> None:
    """Raise an error unless a user's `inputs` are the graph's inputs, each once."""
    if not isinstance(inputs, list | tuple):
        raise TypeError(f"inputs must be a list of Input nodes, got {shown(inputs)}")
    for node in inputs:
        if not isinstance(node, Input) or node.content is not None:
            raise TypeError(f"inputs must be Input nodes without a value, got {shown(node)}")
    # A set and a counter, as there may be thousands of inputs.
    counts, used_nodes = Counter(inputs), set(used)
    for node in inputs:
        if node not in used_nodes:
            raise ValueError(f"nothing in the graph uses the input {node.name!r}")
    for node in used:
        times = counts[node]
        if times != 1:
            raise ValueError(f"inputs must hold {node.name!r} once, got it {times} times")


def sorted_nodes(outputs: Sequence[Node]) -> list[Node]:
    """Return the outputs and their ancestors, each after its parents, in order of first use.

    Raises
    ------
    ValueError
        If a node is an ancestor of itself.
    """
    order: list[Node] = []
    entered: set[int] = set()
    finished: set[int] = set()
    # An explicit stack, as chains of nodes may be longer than Python's recursion limit.
    stack = list(reversed(outputs))
    while stack:
        node = stack[-1]
        if id(node) in finished:
            stack.pop()
        elif id(node) not in entered:
            entered.add(id(node))
            for parent in reversed(node.parents):
                if id(parent) in entered and id(parent) not in finished:
                    raise ValueError(f"the graph has a loop: {parent!r} depends on itself")
                stack.append(parent)
        else:
            stack.pop()
            finished.add(id(node))
            order.append(node)
    return order


def _copied_nodes(nodes: Sequence[Node]) -> dict[Node, Node]:
    """Return a copy of each node, given each after its parents, with the same layer or weight."""
    copies: dict[Node, Node] = {}
    for node in nodes:
        copies[node] = new = copy.copy(node)
        new.parents = tuple([copies[parent] for parent in node.parents])
    return copies


def copied_state(state: Mapping[str, Any]) -> dict[str, Any]:
    """Return the attributes of a graph, with copies of its nodes and the same layers."""
    copies = _copied_nodes(state["nodes"])
    copied = {
        name: copies.get(item, item) if isinstance(item, Node) else item
        for name, item in state.items()
    }
    for name in ("nodes", "inputs", "outputs"):
        copied[name] = type(state[name])([copies[node] for node in state[name]])
    copied["_index"] = {copies[node]: index for node, index in state["_index"].items()}
    return copied


def node_tables(nodes: Sequence[Node]) -> list[dict[str, Any]]:
    """Return a table for each node, which refers to its parents by their indices."""
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


def nodes_from_tables(tables: Iterable[Any]) -> list[Any]:
    """Return new nodes from the tables of :func:`node_tables`."""
    nodes: list[Node] = []
    for table in tables:
        if table["layer"] is None:
            node: Node = Input(table["name"] or "constant", table["value"])
            if node.kind == "constant":
                check_constant(str(node.own_name), node.value)
        else:
            node = Node(table["layer"], [nodes[i] for i in table["parents"]])
        node.own_name = None if table["name"] is None else check_name(table["name"])
        nodes.append(node)
    return nodes


def parts_from_config(config: Mapping[str, Any]) -> tuple[Any, list[Any], list[str]]:
    """Return the outputs, the inputs and the names of the nodes from a graph's config."""
    nodes = nodes_from_tables(config["nodes"])
    outputs = config["outputs"]
    chosen = nodes[outputs] if isinstance(outputs, int) else [nodes[i] for i in outputs]
    names = check_unique([check_name(name) for name in config["names"]])
    return chosen, [nodes[i] for i in config["inputs"]], names


def inputs_in_order(
    graph: object, nodes: Sequence[Input], inputs: Sequence[Any], named_inputs: Mapping[str, Any]
) -> list[Any]:
    """Return the arguments of a call in the order of a graph's inputs.

    Parameters
    ----------
    graph : object
        The graph, for error messages.
    nodes : sequence of Input
        The graph's inputs.
    inputs : sequence
        The positional arguments.
    named_inputs : mapping of str to object
        The arguments by name.

    Raises
    ------
    TypeError
        If there are too many, or an input has two.
    ValueError
        If a name is missing or unknown.
    """
    names = check_unique([str(node.own_name) for node in nodes])
    if len(inputs) > len(names):
        raise TypeError(f"{graph!r} expected {len(names)} inputs, got {len(inputs)}")
    by_name = dict(zip(names, inputs, strict=False))
    for name, x in named_inputs.items():
        if name not in names:
            raise ValueError(f"{graph!r}: {unknown_name('input', name, names)}")
        if name in by_name:
            raise TypeError(f"{graph!r}: got two values for the input {name!r}")
        by_name[name] = x
    missing = ", ".join(repr(name) for name in names if name not in by_name)
    if missing:
        raise ValueError(f"{graph!r}: missing input {missing}")
    return [by_name[name] for name in names]
