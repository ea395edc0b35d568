import os

import pytest
from hypothesis import settings

# At the sizes of these tests the threads of BLAS mostly wait for each other, which doubles the time
# of L-BFGS. NumPy reads the variable when it is imported.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

# Timing depends on the machine, so no example has a deadline. Few examples keep the suite fast;
# .ci/run tries more of them with --hypothesis-profile=thorough.
settings.register_profile("quick", deadline=None, max_examples=25)
settings.register_profile("thorough", deadline=None, max_examples=100)
settings.load_profile("quick")


class BlankFigure:
    def savefig(self, file, **options):
        assert options == {"format": "png"}


@pytest.fixture(autouse=True)
def blank_curves(request, monkeypatch):
    """Leave the picture of a run's history blank, because drawing it takes longer than a short run.

    tests/cli/test_process.py holds that a command draws it.
    """
    if request.path.parent.name in ("cli", "config"):
        monkeypatch.setattr("nnlayers.training.History.plot", lambda history: BlankFigure())
