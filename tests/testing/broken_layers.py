"""Register of layers that each break one promise."""

import pytest
from plain_layers import X

from nnlayers.testing import LayerError, check_layer


class Broken:
    """Decorator that registers a layer, the expected message, and inputs that show the fault."""

    def __init__(self):
        self.parameters = []

    def __call__(self, words, *inputs):
        def register(layer):
            self.parameters.append(pytest.param(layer, words, inputs or (X,), id=layer.__name__))
            return layer

        return register


def assert_named(layer, words, inputs):
    with pytest.raises(LayerError, match=words) as caught:
        check_layer(layer, *inputs)
    assert str(caught.value).startswith(f"{layer.__name__}: ")
    assert "\n" not in str(caught.value)
