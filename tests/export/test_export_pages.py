"""Examples and tables of the pages on exchanging models."""

import re
import warnings

import documentation
import pytest
from catalogue import ENTRIES
from rows import shapes_of

import nnlayers as nn
from nnlayers.export import trace
from nnlayers.export.c_rules import RULES as C_RULES
from nnlayers.export.python_rules import RULES as PYTHON_RULES
from nnlayers.export.tracing import LIBRARY_CLASSES

INDEX = "howto/export/index.md"
NEEDS = {
    "index": [],
    "onnx": ["onnx", "onnxruntime", "pandas", "sklearn", "tomli_w"],
    "pytorch": ["torch"],
    "safetensors": ["safetensors"],
}


@pytest.mark.parametrize("page", NEEDS)
def test_examples_of_a_page_give_the_results_shown(page, tmp_path, monkeypatch):
    for library in NEEDS[page]:
        pytest.importorskip(library)
    monkeypatch.chdir(tmp_path)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", module="torch")
        _, report = documentation.run(f"howto/export/{page}.md")
    assert report == ""


@pytest.mark.parametrize("page", NEEDS)
def test_all_code_of_a_page_runs(page):
    page = f"howto/export/{page}.md"
    assert documentation.languages(page) <= {"pycon"}
    assert all(example.startswith(">>> ") for example in documentation.examples(page))


# Layers that the catalogue lacks, and the shape of a row.
OTHERS = {
    nn.Embedding: (nn.Embedding(5, 2), {"x": (3,)}),
    nn.EntityEmbedding: (nn.EntityEmbedding([1], [3]), {"x": (3,)}),
}


def examples():
    """Return a layer and its row's shape for each class of the library, by the class's name."""
    found = dict(OTHERS)
    for entry in ENTRIES.values():
        found.setdefault(type(entry.make()), (entry.make(), shapes_of(entry)))
    return {cls.__name__: found[cls] for cls in LIBRARY_CLASSES}


def onnx_operators(layer, shape):
    onnx = pytest.importorskip("onnx")
    from nnlayers.export.onnx_writer import onnx_content

    graph = onnx.ModelProto.FromString(onnx_content(trace(layer, shape))).graph
    return [*dict.fromkeys(node.op_type for node in graph.node)]


def module_name(layer):
    pytest.importorskip("torch")
    module = nn.export.to_torch(layer)
    kind = type(module)
    if kind.__name__ != "FunctionModule":
        return kind.__name__
    function = module.function
    library = "torch." if "torch_modules" not in function.__module__ else ""
    return f"FunctionModule({library}{function.__name__})"


def expected_table():
    """Return the lines of the table of layers."""
    lines = ["| layer | ONNX | PyTorch | C, Python |", "| --- | --- | --- | --- |"]
    for name, (layer, shape) in sorted(examples().items(), key=lambda item: item[0].lower()):
        operators = onnx_operators(layer, shape)
        shown = ", ".join(operators) if len(operators) <= 4 else f"{len(operators)} operators"
        is_source = type(layer) in C_RULES and type(layer) in PYTHON_RULES
        in_source = "yes" if is_source else "no"
        lines.append(f"| `{name}` | {shown} | `{module_name(layer)}` | {in_source} |")
    return lines


def test_the_table_says_what_each_layer_becomes():
    table = re.findall(r"^\| layer \|.*?\n\n", documentation.read(INDEX), re.M | re.S)[0]
    assert table.strip().splitlines() == expected_table()


def test_the_page_on_onnx_lists_the_operators_that_are_read():
    pytest.importorskip("onnx")
    from nnlayers.export.onnx_operators import OPERATORS

    section = documentation.read("howto/export/onnx.md").split("## Read a model")[1]
    named = set(re.findall(r"`([A-Z]\w+)`", section))
    layers = {"Affine", "Embedding"}
    assert named - layers == OPERATORS.keys()


def test_the_page_on_pytorch_lists_the_modules_that_are_converted():
    torch = pytest.importorskip("torch")
    from nnlayers.export.torch_reader import COUNTERPARTS

    section = documentation.read("howto/export/pytorch.md").split("It takes ")[1]
    named = set(re.findall(r"`([A-Z]\w+)`", section))
    own = {kind.__name__ for kind in COUNTERPARTS if kind.__module__.startswith("torch.")}
    assert named == own | {torch.nn.Sequential.__name__}
