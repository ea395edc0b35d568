"""Leave out what needs machine code where ``NUMBA_DISABLE_JIT=1`` asks for plain Python."""

import re

import pytest

from nnlayers.engine.program import is_uncompiled

NEED_A_COMPILER = ("test_code_cache.py", "test_memory_layout.py")


def pytest_collection_modifyitems(items):
    if not is_uncompiled():
        return
    skip = pytest.mark.skip(reason="NUMBA_DISABLE_JIT is set")
    for item in items:
        if item.path.name in NEED_A_COMPILER or "compiled" in re.split(r"[\[\]-]", item.name):
            item.add_marker(skip)
