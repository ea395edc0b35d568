"""Modules that the search for doctests must not import, because they need an optional library."""

from importlib.util import find_spec

collect_ignore_glob = [] if find_spec("torch") else ["nnlayers/export/torch_*.py"]
