import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from nnlayers._core.arrays import as_floats, float_dtype, ones, product_by_parts


@pytest.mark.parametrize("dtype", [np.float32, "f4", "float32", np.dtype("f4")])
def test_float32_by_any_of_its_names(dtype):
    assert float_dtype(dtype) is np.dtype(np.float32)


@pytest.mark.parametrize("dtype", [float, "f8", np.float64, "double"])
def test_float64_by_any_of_its_names(dtype):
    assert float_dtype(dtype) is np.dtype(np.float64)


@pytest.mark.parametrize("dtype", [None, int, "float16", "no dtype", ">f4", complex, object, 3])
def test_any_other_dtype_is_refused_with_its_name(dtype):
    with pytest.raises(ValueError, match="dtype must be float32 or float64, got ") as caught:
        float_dtype(dtype)
    assert str(caught.value).endswith(repr(dtype))


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_a_float_array_is_returned_itself(dtype):
    x = np.ones((2, 3), dtype)[:, ::2]
    assert as_floats(x) is x
    assert as_floats(x, np.dtype(dtype)) is x


@given(
    hnp.arrays(
        st.one_of(
            hnp.floating_dtypes(),
            hnp.integer_dtypes(),
            hnp.unsigned_integer_dtypes(),
            hnp.boolean_dtypes(),
        ),
        hnp.array_shapes(min_dims=0, min_side=0),
    )
)
def test_every_real_array_keeps_its_shape_and_values(x):
    found = as_floats(x)
    narrow = x.dtype.kind == "f" and x.itemsize <= 4
    assert found.dtype == (np.float32 if narrow else np.float64)
    np.testing.assert_array_equal(found, x.astype(found.dtype))


@pytest.mark.parametrize("x", [3, 2.5, True, [1, 2], (1.0, 2), [[1], [2]], np.float64(3), range(3)])
def test_numbers_and_lists_become_float64(x):
    found = as_floats(x)
    assert type(found) is np.ndarray
    assert found.dtype == np.float64
    np.testing.assert_array_equal(found, np.array(x))


def test_arrays_are_converted_to_a_dtype():
    for x in ([1, 2], np.ones(2), np.ones(2, ">f8"), np.ones(2, np.float32)):
        for dtype in (np.float32, np.float64):
            assert as_floats(x, np.dtype(dtype)).dtype is np.dtype(dtype)


@pytest.mark.parametrize(
    "x", [1j, ["a"], [None], b"ab", {"a": 1}, np.array(["2020-01-01"], "M8[D]"), [2**70]]
)
def test_input_that_is_not_real_is_refused_by_name(x):
    with pytest.raises(TypeError, match="target must hold real numbers, got dtype "):
        as_floats(x, name="target")


def test_lists_of_different_lengths_are_refused_by_name():
    with pytest.raises(ValueError, match="x must be an array or lists of equal length"):
        as_floats([[1, 2], [3]])


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("length", [0, 1, 33])
def test_ones_are_one_read_only_vector(dtype, length):
    vector = ones(length, np.dtype(dtype))
    assert vector.dtype == dtype
    np.testing.assert_array_equal(vector, np.ones(length))
    assert ones(length, np.dtype(dtype)) is vector
    assert not vector.flags.writeable


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("columns", [(64, 128), (128, 128), (129, 128), (7, 1), (1, 1)])
@pytest.mark.parametrize("rows", [0, 1, 127, 128, 384, 1000])
def test_a_product_by_parts_is_the_product(rows, columns, dtype):
    rng = np.random.default_rng(rows)
    # The sums of these integers have no rounding.
    a = rng.integers(-9, 9, size=(rows, columns[0])).astype(dtype)
    b = rng.integers(-9, 9, size=columns).astype(dtype)
    y = product_by_parts(a, b)
    assert y.dtype == dtype
    np.testing.assert_array_equal(y, a.astype(int) @ b.astype(int))
    np.testing.assert_array_equal(product_by_parts(np.asfortranarray(a), b), y)


def test_a_product_by_parts_passes_nan_and_infinity_on_without_a_warning():
    a = np.random.default_rng(0).normal(size=(1000, 64)).astype(np.float32)
    a[[5, 999], 3] = np.inf, np.nan
    b = np.ones((64, 128), np.float32)
    b[3, 0] = 0.0
    y = product_by_parts(a, b)
    assert np.isnan(y[5, 0])
    assert np.isposinf(y[5, 1:]).all()
    assert np.isnan(y[999]).all()
    assert np.isfinite(np.delete(y, [5, 999], axis=0)).all()
