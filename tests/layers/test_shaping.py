import numpy as np
import pytest
from hypothesis import given
from hypothesis.extra import numpy as hnp

import nnlayers as nn
from nnlayers.testing import check_gradients


@given(hnp.array_shapes(min_dims=1, max_dims=5, min_side=0, max_side=3))
def test_flatten_keeps_the_rows_and_agrees_with_differences(shape):
    x = np.random.default_rng(0).normal(size=shape)
    layer = nn.Flatten()
    y = layer.forward(x)
    assert y.shape == (shape[0], int(np.prod(shape[1:])))
    np.testing.assert_array_equal(y.ravel(), x.ravel())
    np.testing.assert_array_equal(layer.backward(y), x)
    check_gradients(layer, x)


def test_flatten_goes_through_the_last_axis_first_whatever_the_memory():
    x = np.asfortranarray(np.arange(12).reshape(2, 3, 2))
    np.testing.assert_array_equal(nn.Flatten().forward(x), [range(6), range(6, 12)])


def test_flatten_needs_a_batch_axis():
    for call in (nn.Flatten().forward, nn.Flatten().predict):
        with pytest.raises(ValueError, match=r"Flatten\(\) expected x of shape \(batch, \.\.\.\)"):
            call(3.0)
