"""Models and indices that every format is tried with."""

import nnlayers as nn

KEYS = [
    (slice(None), 0),
    (slice(None), slice(3, None, -2)),
    (..., [2, 0, 2]),
    (slice(None), [True, False, True, False]),
    (slice(None), None, [[0, 1], [2, 3]]),
    0,
    -1,
    5,
    [0, 5, -1],
    ([2, 0, 2],),
    slice(-3, None),
    slice(None, None, -1),
    (slice(1, 9, 3), -2),
    (None, slice(2), ..., 1),
    None,
    ...,
    (),
]


def several_outputs():
    a, b = nn.Input("a"), nn.Input("b")
    hidden = nn.Residual(nn.BatchNorm(4), nn.mlp([4, 8, 4], norm="layer", rng=0))(a)
    scores = nn.Affine(6, 3, rng=1)(nn.concatenate(hidden, b)).named("scores")
    return nn.Graph([nn.softmax(scores).named("probabilities"), scores, a, b * [2.0, 3.0]])


class Own(nn.Layer):
    def forward(self, x):
        return x

    def backward(self, dout):
        return dout


class OwnInLayers(Own):
    def to_layers(self):
        return nn.Graph(nn.Identity()(nn.Input("x")))


class Swish(Own):
    """y = x sigmoid(b x), with a trained b."""

    def __init__(self, b=1.5):
        self.b = nn.Parameter([b], name="b")

    def forward(self, x):
        return x * nn.Sigmoid().predict(self.b.value * x)

    def to_layers(self):
        x = nn.Input("x")
        return nn.Graph(x * nn.sigmoid(nn.Input("b", self.b) * x))
