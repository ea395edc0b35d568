"""Run the command line.

The commands are ``nnlayers init``, ``train``, ``resume``, ``evaluate``, ``predict``, ``compare``,
``replay``, ``export``, ``summary``, ``graph`` and ``completion``.

The exit status is 0 for success, 1 for a failed run, 2 for a usage or config error, and 130 or 143
after SIGINT or SIGTERM.
"""

from nnlayers.cli.main import main, run

__all__ = ["main", "run"]
