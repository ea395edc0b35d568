"""Every layer of the catalogue is loaded as it was saved."""

import numpy as np
import pytest
from catalogue import ENTRIES

import nnlayers as nn


def contents(arrays):
    return {name: (a.dtype, a.shape, a.tobytes()) for name, a in arrays.items()}


def predicted(layer, inputs):
    return contents({"y": layer.predict(*inputs)})


@pytest.mark.parametrize("entry", ENTRIES.values(), ids=ENTRIES)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_a_saved_layer_predicts_the_same_to_the_last_bit(entry, dtype, tmp_path):
    layer, inputs = entry.make().astype(dtype), entry.draw(dtype)
    rng = np.random.default_rng(3)
    for parameter in layer.parameters():
        parameter.value += rng.normal(size=parameter.shape)
    layer.forward(*inputs)  # moves running statistics
    twin = nn.load(nn.save(layer, tmp_path / "layer.nn"))
    assert type(twin) is type(layer)
    assert repr(twin) == repr(layer)
    assert contents(twin.state_dict()) == contents(layer.state_dict())
    assert predicted(twin, inputs) == predicted(layer, inputs)
    nested = nn.load(nn.save(nn.Sequential(nn.Sequential(layer)), tmp_path / "nested.nn"))
    assert predicted(nested[0][0], inputs) == predicted(layer, inputs)
