import pickle

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from nnlayers import initializers
from nnlayers.initializers import (
    NAMES,
    Constant,
    Normal,
    Orthogonal,
    Uniform,
    VarianceScaling,
    draw,
    get,
)

FAN_IN, FAN_OUT = 400, 100

# The distributions that their papers define.
DISTRIBUTIONS = {
    "he_normal": stats.norm(0, np.sqrt(2 / FAN_IN)),
    "he_uniform": stats.uniform(-np.sqrt(6 / FAN_IN), 2 * np.sqrt(6 / FAN_IN)),
    "glorot_normal": stats.norm(0, np.sqrt(2 / (FAN_IN + FAN_OUT))),
    "glorot_uniform": stats.uniform(
        -np.sqrt(6 / (FAN_IN + FAN_OUT)), 2 * np.sqrt(6 / (FAN_IN + FAN_OUT))
    ),
    "lecun_normal": stats.norm(0, np.sqrt(1 / FAN_IN)),
    "small_normal": stats.norm(0, np.sqrt(0.01 / FAN_IN)),
    "lecun_uniform": stats.uniform(-np.sqrt(3 / FAN_IN), 2 * np.sqrt(3 / FAN_IN)),
    "normal": stats.norm(0, 0.05),
    "uniform": stats.uniform(-0.05, 0.1),
}


def draw_by_name(name, shape=(FAN_IN, FAN_OUT), seed=0):
    return draw(name, shape, FAN_IN, FAN_OUT, np.random.default_rng(seed))


@pytest.mark.parametrize("name", DISTRIBUTIONS)
def test_draws_have_the_distribution_of_the_paper(name):
    values, expected = draw_by_name(name).ravel(), DISTRIBUTIONS[name]
    assert stats.kstest(values, expected.cdf).pvalue > 0.01
    assert np.std(values) == pytest.approx(expected.std(), rel=0.02)
    assert values.min() >= expected.support()[0]
    assert values.max() <= expected.support()[1]


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("shape", [(3, 2), (2, 3), (2, 3, 4), (1, 1)])
def test_every_name_gives_float64_of_the_shape_and_repeats(name, shape):
    first, second = (draw_by_name(name, shape, seed=3) for _ in range(2))
    assert first.shape == shape
    assert first.dtype == np.float64
    assert first.flags.c_contiguous
    np.testing.assert_array_equal(first, second)


@pytest.mark.parametrize("name", [*DISTRIBUTIONS, "orthogonal"])
def test_another_seed_gives_other_draws(name):
    assert not np.array_equal(draw_by_name(name, seed=0), draw_by_name(name, seed=1))


def test_constants_draw_nothing():
    rng = np.random.default_rng(0)
    before = rng.bit_generator.state
    for name, value in {"zeros": 0, "ones": 1, "constant": 0}.items():
        np.testing.assert_array_equal(draw(name, (2,), 1, 1, rng), [value, value])
    np.testing.assert_array_equal(Constant(2.5)((1,), fan_in=1, fan_out=1, rng=rng), [2.5])
    assert rng.bit_generator.state == before


@given(
    st.lists(st.integers(1, 8), min_size=2, max_size=4).map(tuple),
    st.floats(0.1, 4),
    st.integers(0, 99),
)
def test_orthogonal_matrices_are_orthonormal_times_gain(shape, gain, seed):
    rng = np.random.default_rng(seed)
    matrix = Orthogonal(gain)(shape, fan_in=1, fan_out=1, rng=rng).reshape(shape[0], -1)
    shorter = matrix if matrix.shape[0] <= matrix.shape[1] else matrix.T
    np.testing.assert_allclose(
        shorter @ shorter.T, gain**2 * np.eye(len(shorter)), rtol=0, atol=1e-12 * gain**2
    )


def test_orthogonal_matrices_are_uniform_so_their_entries_are_too_in_two_dimensions():
    rng = np.random.default_rng(0)
    corners = [Orthogonal()((2, 2), fan_in=2, fan_out=2, rng=rng) for _ in range(2000)]
    angles = np.array([np.arctan2(q[1, 0], q[0, 0]) for q in corners])
    assert stats.kstest(angles, stats.uniform(-np.pi, 2 * np.pi).cdf).pvalue > 0.01
    assert np.mean([np.linalg.det(q) > 0 for q in corners]) == pytest.approx(0.5, abs=0.05)


def test_orthogonal_needs_two_axes():
    with pytest.raises(ValueError, match=r"needs a shape of at least two axes, got \(3,\)"):
        draw_by_name("orthogonal", (3,))


@pytest.mark.parametrize(
    ("make", "error", "words"),
    [
        (lambda: Constant(np.nan), ValueError, "value must be a finite number, got nan"),
        (lambda: Constant("1"), TypeError, "value must be a finite number, got '1'"),
        (lambda: Normal(std=-1), ValueError, "std must be a finite number of at least 0, got -1"),
        (lambda: Uniform(1.0, 0.5), ValueError, "high must be a finite number of at least 1.0"),
        (lambda: VarianceScaling(0, "in", "normal"), ValueError, "scale must be .* above 0, got 0"),
        (lambda: VarianceScaling(1, "out", "normal"), ValueError, "fan must be 'in' or 'average'"),
        (
            lambda: VarianceScaling(1, "in", "cauchy"),
            ValueError,
            "distribution must be 'normal' or",
        ),
        (lambda: Orthogonal(np.inf), ValueError, "gain must be a finite number, got inf"),
    ],
)
def test_arguments_out_of_range_are_named(make, error, words):
    with pytest.raises(error, match=words):
        make()


def test_a_name_or_a_callable_is_got_and_anything_else_refused():
    own = Normal(0.3)
    assert get(own) is own
    assert get("zeros") == Constant(0.0)
    with pytest.raises(
        ValueError, match="unknown initializer 'he_norml', did you mean 'he_normal'"
    ):
        get("he_norml")
    with pytest.raises(TypeError, match="initializer must be a name or callable, got 3"):
        get(3)


def test_a_user_s_function_is_accepted():
    def by_fan(shape, *, fan_in, fan_out, rng):
        return [[fan_in, fan_out]] * shape[0]

    np.testing.assert_array_equal(draw(by_fan, (2, 2), 5, 7, None), [[5, 7], [5, 7]])
    with pytest.raises(ValueError, match=r"must return an array of shape \(3,\), got \(3, 2\)"):
        draw(by_fan, (3,), 5, 7, None)
    with pytest.raises(TypeError, match="returns must hold real numbers, got dtype complex"):
        draw(lambda *_, **__: 1j, (), 1, 1, None)


@pytest.mark.parametrize("name", NAMES)
def test_initializers_can_be_pickled_and_compared(name):
    assert pickle.loads(pickle.dumps(NAMES[name])) == NAMES[name]
    assert eval(repr(NAMES[name]), vars(initializers)) == NAMES[name]
