"""The search over settings, in separate processes as a user starts it."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

EXAMPLE = Path(__file__).parents[2] / "examples" / "search.py"


def test_a_dask_cluster_of_two_workers_finds_good_settings():
    pytest.importorskip("distributed")
    run = subprocess.run(
        [sys.executable, EXAMPLE, "6"], capture_output=True, text=True, check=True, timeout=300
    )
    assert run.stdout.startswith("6 settings on 2 workers\n")
    accuracy = re.search(r"accuracy on test rows: ([\d.]+)%", run.stdout)
    assert float(accuracy[1]) > 90
