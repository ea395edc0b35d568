"""Train a classifier of handwritten digits with your own loop."""

import numpy as np
from sklearn.datasets import load_digits

import nnlayers as nn

rng = np.random.default_rng(0)
x, y = load_digits(return_X_y=True)
order = rng.permutation(len(x))
x, y = (x[order] / 16).astype(np.float32), y[order]
x_train, y_train, x_test, y_test = x[:1400], y[:1400], x[1400:], y[1400:]

model = nn.Sequential(
    nn.Affine(64, 128, rng=rng),
    nn.ReLU(),
    nn.Dropout(0.2, rng=rng),
    nn.Affine(128, 10, rng=rng),
)
loss = nn.SoftmaxCrossEntropy()
optimizer = nn.optim.Adam(model.parameters(), lr=2e-3)

for epoch in range(1, 41):
    total = 0.0
    order = rng.permutation(len(x_train))
    for start in range(0, len(order), 32):
        rows = order[start : start + 32]
        total += loss.forward(model.forward(x_train[rows]), y_train[rows]) * len(rows)
        model.backward(loss.backward(), input_grad=False)
        optimizer.step()
    if epoch % 10 == 0:
        print(f"epoch {epoch}: training loss {total / len(order):.4f}")

accuracy = np.mean(model.predict(x_test).argmax(axis=1) == y_test)
print(f"test accuracy {accuracy:.1%}")
