"""Extreme floats, errors in units in the last place, and PyTorch's results."""

import mpmath
import numpy as np
import pytest
from effort import cases
from hypothesis.extra import numpy as hnp

# From single numbers to five axes, including empty ones.
shapes = hnp.array_shapes(min_dims=0, max_dims=5, min_side=0, max_side=3)


def extreme_floats():
    """Return floats of both signs from the smallest subnormal to the largest float32."""
    info = np.finfo(np.float32)
    rng = np.random.default_rng(0)
    positive = np.concatenate(
        [
            [0.0, info.smallest_subnormal, info.tiny, info.eps, 1.0, 1e4, info.max],
            np.geomspace(info.smallest_subnormal, 1e4, cases(50)),
            np.geomspace(1e4, info.max, 20)[:-1],
            rng.uniform(0, 120, cases(75)),
            rng.uniform(0, 15, cases(75)),
        ]
    ).astype(np.float32)
    return np.concatenate([positive, -positive])


def units_in_the_last_place(found, exact, largest_terms=None):
    """Return the largest error, in units of the last place of the float32 nearest to `exact`.

    If a formula cancels, the unit is that of its largest term.
    """
    scale = exact if largest_terms is None else largest_terms
    _, exponents = np.frexp([np.float32(float(value)) for value in scale])
    place = np.ldexp(1.0, np.maximum(exponents - 24, -149))
    errors = [
        abs(mpmath.mpf(float(value)) - true) / float(unit)
        for value, true, unit in zip(found.ravel(), exact, place, strict=True)
    ]
    return float(max(errors))


def torch_results(function, x, dout):
    """Return output and gradient in float64, because PyTorch's errors show in float32."""
    torch = pytest.importorskip("torch")
    tensor = torch.tensor(x, dtype=torch.float64, requires_grad=True)
    y = function(tensor)
    y.backward(torch.tensor(dout, dtype=torch.float64))
    return y.detach().numpy(), tensor.grad.numpy()
