from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

import nnlayers as nn
from nnlayers._core.rebuilding import full, rebuilding, reserve


def test_weights_are_counted_together_and_only_within():
    with rebuilding(10):
        assert reserve((2, 3))
        assert reserve((4,))
        with pytest.raises(ValueError, match=r"shape \(1,\) is larger than all .*, 10 weights"):
            reserve((1,))
    assert not reserve((10**9, 10**9))


def test_what_starts_as_one_number_keeps_it_and_counts():
    with rebuilding(3):
        np.testing.assert_array_equal(full(2, 0.25, np.dtype(np.float64)), [0.25, 0.25])
        with pytest.raises(ValueError, match=r"than all that the model may have, 3 weights"):
            full(2, 0.25, np.dtype(np.float64))


def test_a_layer_rebuilt_without_draws_draws_afterwards_as_any_other():
    layers = [nn.Affine(2, 3), nn.Embedding(4, 2), nn.BatchNorm(3), nn.PReLU(2)]
    for layer in layers:
        with rebuilding(100):
            rebuilt = type(layer).from_config(layer.config())
        drawn, again = layer.initialize(5).state_dict(), rebuilt.initialize(5).state_dict()
        assert drawn.keys() == again.keys()
        for name, array in drawn.items():
            assert (array.dtype, array.tobytes()) == (again[name].dtype, again[name].tobytes())


def test_another_thread_draws_meanwhile():
    with rebuilding(100), ThreadPoolExecutor(1) as pool:
        drawn = pool.submit(lambda: nn.Affine(2, 2, rng=0).W.value).result()
    np.testing.assert_array_equal(drawn, nn.Affine(2, 2, rng=0).W.value)


def test_an_unknown_initializer_is_refused_also_where_nothing_is_drawn():
    with rebuilding(100), pytest.raises(ValueError, match="unknown initializer 'he_norml'"):
        nn.Affine(2, 2, weight_init="he_norml")


def test_arrays_of_weights_are_counted_too():
    with rebuilding(10**6, arrays=2):
        nn.Affine(1, 1)
        with pytest.raises(ValueError, match="it has more arrays of weights than are stored"):
            nn.PReLU()
