"""``python -m nnlayers`` is the command line."""

import sys

from nnlayers.cli import main

sys.exit(main())
