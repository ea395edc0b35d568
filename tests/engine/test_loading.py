"""Machine code is loaded once in a process, by whichever thread is first."""

import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from functools import cache

import numpy as np

from nnlayers.engine import loading
from nnlayers.engine.kernels.copying import gather


def test_threads_that_load_their_first_kernels_at_once_share_one_loader(monkeypatch):
    both, loaders = threading.Barrier(2), []

    class Loader:
        def __init__(self):
            with suppress(threading.BrokenBarrierError):
                both.wait(0.2)  # If another thread makes one as well, both are here.
            loaders.append(self)

        def load(self, kernel, count, dtype):
            return id(self)

    monkeypatch.setattr(loading, "_loader", cache(Loader))
    with ThreadPoolExecutor(2) as threads:
        addresses = threads.map(lambda _: loading.load_kernel(gather, 3, np.float32), range(2))
        assert set(addresses) == {id(loaders[0])}
    assert len(loaders) == 1
