"""The command line: ``nnlayers train``, ``evaluate``, ``predict``, ``summary`` and ``graph``.

The exit status is 0, 1 for a run that failed, 2 for a usage or config error.
"""

from nnlayers.cli.main import main

__all__ = ["main"]
