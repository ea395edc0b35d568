"""Run the command line.

The commands are ``nnlayers train``, ``resume``, ``evaluate``, ``predict``, ``compare``,
``summary`` and ``graph``.

The exit status is 0 for success, 1 for a failed run, and 2 for a usage or config error.
"""

from nnlayers.cli.main import main

__all__ = ["main"]
