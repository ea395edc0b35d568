"""``python -m nnlayers`` is the command line."""

from nnlayers.cli import run

run()
