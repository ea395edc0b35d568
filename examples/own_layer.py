"""Write your own layer, check it, and train it."""

import numpy as np

import nnlayers as nn
from nnlayers.testing import check_layer


class Gaussians(nn.Layer):
    """Bumps around learnt centres: y_j = exp(-s |x - c_j|^2), a radial basis function layer."""

    def __init__(self, in_features, out_features, rng=None):
        rng = np.random.default_rng(rng)
        self.c = nn.Parameter(rng.uniform(-1, 1, (out_features, in_features)), name="c")
        self.s = nn.Parameter(np.array(4.0), name="s")

    def forward(self, x):
        self.difference = x[:, None, :] - self.c.value
        self.distance = (self.difference**2).sum(axis=2)
        self.y = np.exp(-self.s.value * self.distance)
        return self.y

    def backward(self, dout):
        dz = dout * self.y
        self.s.grad -= (dz * self.distance).sum()
        dx = -2 * self.s.value * dz[:, :, None] * self.difference
        self.c.grad -= dx.sum(axis=0)
        return dx.sum(axis=1)


rng = np.random.default_rng(0)
check_layer(lambda: Gaussians(2, 5), rng.normal(size=(7, 2)))
print("the gradients agree with finite differences, and the layer keeps every other promise")

# Two rings, which no straight line can separate.
radius = np.repeat([0.3, 0.8], 200)
angle = rng.uniform(0, 2 * np.pi, 400)
x = np.column_stack([radius * np.cos(angle), radius * np.sin(angle)])
x += rng.normal(scale=0.05, size=x.shape)
y = (radius > 0.5)[:, None]

model = nn.Sequential(Gaussians(2, 8, rng=rng), nn.Affine(8, 1, dtype=np.float64, rng=rng))
loss = nn.SigmoidCrossEntropy()
optimizer = nn.optim.Adam(model.parameters(), lr=0.05)
for step in range(1, 201):
    value = loss.forward(model.forward(x), y)
    model.backward(loss.backward(), input_grad=False)
    optimizer.step()
    if step % 50 == 0:
        print(f"step {step}: loss {value:.4f}")
print(f"training accuracy {np.mean((model.predict(x) > 0) == y):.1%}")
