"""Parse the text of a drawing."""

import html
import re
import shutil
import subprocess
from typing import NamedTuple

import pytest

VALUE, GRADIENT = "#00893b", "#d93b3b"
NODE = re.compile(r"(\w+) \[(.*?), label=<(.*)>\]")
WIRE = re.compile(r"(\w+)(?::\w)? -> (\w+)(?::\w)?(?: \[.*\])?")
CLUSTER = re.compile(r"subgraph cluster_(\w+) \{.* label=<(.*)>")

needs_dot = pytest.mark.skipif(shutil.which("dot") is None, reason="needs Graphviz")


class Wire(NamedTuple):
    start: str
    end: str
    value: str | None
    gradient: str | None


class Picture:
    """The nodes with their lines of text and their styles, the wires, the clusters."""

    def __init__(self, text):
        self.texts, self.looks, self.clusters, labels, arrows = {}, {}, {}, {}, []
        for line in text.splitlines():
            if match := CLUSTER.fullmatch(line):
                self.clusters[match[1]] = texts(match[2])
            elif (match := NODE.fullmatch(line)) and match[1].startswith("wire"):
                labels[match[1]] = [part.strip() or None for part in texts(match[3])]
                assert re.findall("#......", match[3]) == ["#787878", VALUE, GRADIENT]
            elif match:
                self.texts[match[1]], self.looks[match[1]] = texts(match[3]), match[2]
            elif match := WIRE.fullmatch(line):
                arrows.append(match.groups())
        comes_from = {end: start for start, end in arrows if end in labels}
        self.wires = [
            Wire(comes_from.get(start, start), end, *labels.get(start, (None, None)))
            for start, end in arrows
            if end not in labels
        ]

    def named(self, *words):
        """Return the id of the node in which these lines stand."""
        (found,) = [node for node, lines in self.texts.items() if lines == list(words)]
        return found


def texts(label):
    """Return the lines of a label."""
    parts = re.split(r"<br/>|<hr/>", label)
    return [html.unescape(re.sub("<[^>]*>", "", part)) for part in parts]


def graphviz(text, kind):
    """Return what Graphviz makes of a text."""
    done = subprocess.run(
        ["dot", f"-T{kind}"], input=text.encode(), capture_output=True, check=True
    )
    assert done.stderr == b""
    return done.stdout.decode()


def graphviz_layout(text):
    """Return Graphviz's layout of a text: nodes, and edges with the height at which they end."""
    lines = [line.split() for line in graphviz(text, "plain").splitlines()]
    nodes = {line[1] for line in lines if line[0] == "node"}
    edges = [line for line in lines if line[0] == "edge"]
    return nodes, {(edge[1], edge[2]): float(edge[3 + 2 * int(edge[3])]) for edge in edges}
