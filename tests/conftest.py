import os
import re
import sys
from importlib.util import find_spec

import pytest
from hypothesis import settings

# At the sizes of these tests the threads of BLAS mostly wait for each other, which doubles the time
# of L-BFGS. NumPy reads the variable when it is imported.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

# Timing depends on the machine, so no example has a deadline. Few examples keep the suite fast, and
# the same ones in each run, so that a change does not fail by another's fault. More are tried by
# --hypothesis-profile=thorough, and new ones by --hypothesis-profile=random.
settings.register_profile("quick", deadline=None, max_examples=25, derandomize=True)
settings.register_profile("thorough", deadline=None, max_examples=100, derandomize=True)
settings.register_profile("random", deadline=None, max_examples=100)
settings.load_profile("quick")


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_call(item):
    """Measure no coverage where a test runs the same lines many times, or while Numba compiles.

    Being traced takes such a test longer than the test itself, and other tests reach its lines. The
    marker of pytest-cov does nothing in the processes of pytest-xdist.
    """
    parameters = re.split(r"[\[\]-]", item.name)
    is_compiled = "compiled" in parameters
    # Some kernels run as plain Python in a test by hypothesis alone.
    is_drawn = item.get_closest_marker("hypothesis") and "uncompiled" not in parameters
    is_repeated = is_drawn or item.get_closest_marker("untraced")
    tracer = sys.gettrace()
    if tracer is not None and (is_compiled or is_repeated):
        sys.settrace(None)
        yield
        sys.settrace(tracer)
    else:
        yield


class BlankFigure:
    def savefig(self, file, **options):
        assert options == {"format": "png"}


@pytest.fixture(autouse=True)
def blank_pictures(request, monkeypatch):
    """Leave the pictures of a run blank, because drawing them takes longer than a short run.

    tests/cli/test_process.py holds that a command draws them.
    """
    if request.path.parent.name in ("cli", "config"):
        monkeypatch.setattr("nnlayers.training.History.plot", lambda history: BlankFigure())
        for name in ("draw_calibration", "draw_confusion", "draw_numbers"):
            monkeypatch.setattr(f"nnlayers.config.run.{name}", lambda *arguments: BlankFigure())


@pytest.fixture(params=["numpy", "auto"])
def each_engine(request, monkeypatch):
    """Let trainers run on NumPy, and then on the compiled engine where it knows all parts.

    A file of tests asks for it by ``pytestmark = pytest.mark.usefixtures("each_engine")``.
    """
    if request.param == "auto" and find_spec("numba") is None:
        pytest.skip("the compiled engine needs Numba")
    # NumPy must not be imported before the number of threads is set above.
    from nnlayers.training import Trainer

    monkeypatch.setitem(Trainer.__init__.__kwdefaults__, "engine", request.param)
    return request.param
