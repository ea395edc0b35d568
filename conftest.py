"""Modules that the search for doctests must not import, because they need an optional library."""

from importlib.util import find_spec

MODULES = {
    "torch": ["nnlayers/export/torch_*.py"],
    "matplotlib": ["nnlayers/training/notebook_figure.py"],
    "llvmlite": ["nnlayers/engine/compiling.py", "nnlayers/engine/intrinsics.py"],
}
collect_ignore_glob = [
    pattern
    for library, patterns in MODULES.items()
    if find_spec(library) is None
    for pattern in patterns
]
