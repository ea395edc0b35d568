"""Machine code is loaded once in a process, by whichever thread is first."""

import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress

import numpy as np

from nnlayers.engine import loading
from nnlayers.engine.kernels.copying import gather


def test_threads_that_load_their_first_kernels_at_once_share_one_loader(monkeypatch):
    both = threading.Barrier(2)

    class Loader:
        def __init__(self):
            with suppress(threading.BrokenBarrierError):
                both.wait(1)  # Both threads make a loader before either is shared.

        def load(self, kernel, count, dtype):
            return id(self)

    monkeypatch.setattr(loading, "_Loader", Loader)
    monkeypatch.setattr(loading, "_LOADERS", {})
    with ThreadPoolExecutor(2) as threads:
        addresses = threads.map(lambda _: loading.load_kernel(gather, 3, np.float32), range(2))
        assert len(set(addresses)) == 1
