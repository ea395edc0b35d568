"""What every layer promises, on every entry of the catalogue."""

import copy
import pickle
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from catalogue import ENTRIES

from nnlayers.testing import check_gradients

every_layer = pytest.mark.parametrize("entry", ENTRIES.values(), ids=ENTRIES)


def draw_inputs(entry, dtype=np.float32, batch=None):
    rng = np.random.default_rng(7)
    shapes = [shape if batch is None else (batch, *shape[1:]) for shape in entry.shapes]
    return [rng.normal(size=shape).astype(dtype) for shape in shapes]


def as_tuple(gradients):
    return gradients if isinstance(gradients, tuple) else (gradients,)


def forward_and_backward(layer, inputs):
    """Return copies of the output, the inputs' gradients and the parameters' gradients."""
    layer.zero_grad()
    y = layer.forward(*inputs)
    gradients = as_tuple(layer.backward(np.ones_like(y)))
    return [np.copy(a) for a in (y, *gradients, *(p.grad for p in layer.parameters()))]


@every_layer
@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize("batch", [0, 1, None])
def test_backward_agrees_with_differences(entry, training, batch):
    layer = entry.make().train() if training else entry.make().eval()
    check_gradients(layer, *draw_inputs(entry, batch=batch))


@every_layer
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_dtype_stays(entry, dtype):
    layer, inputs = entry.make().astype(dtype), draw_inputs(entry, dtype)
    results = [layer.predict(*inputs), *forward_and_backward(layer, inputs)]
    assert {array.dtype for array in results} == {np.dtype(dtype)}
    assert all(type(array) is np.ndarray for array in results)


@every_layer
def test_gradients_have_the_shapes_of_inputs(entry):
    layer, inputs = entry.make(), draw_inputs(entry)
    y = layer.forward(*inputs)
    assert layer.predict(*inputs).shape == y.shape
    gradients = as_tuple(layer.backward(np.ones_like(y)))
    assert [gradient.shape for gradient in gradients] == [x.shape for x in inputs]


@every_layer
@pytest.mark.parametrize("training", [True, False])
def test_inputs_are_never_written_and_need_no_layout(entry, training):
    layer, inputs = entry.make(), draw_inputs(entry)
    layer = layer.train() if training else layer.eval()
    expected = forward_and_backward(copy.deepcopy(layer), inputs)
    strided = [np.repeat(x, 2, axis=-1)[..., ::2] for x in inputs]
    for x in strided:
        x.flags.writeable = False
    y = layer.forward(*strided)
    dout = np.broadcast_to(np.ones((), y.dtype), y.shape)  # read-only
    gradients = as_tuple(layer.backward(dout))
    found = [y, *gradients, *(p.grad for p in layer.parameters())]
    for array, same in zip(found, expected, strict=True):
        np.testing.assert_allclose(array, same, rtol=1e-5, atol=1e-6)


@every_layer
def test_outputs_are_new_and_never_change_later(entry):
    layer, inputs = entry.make(), draw_inputs(entry)
    others = [x + 1 for x in inputs]
    predicted = layer.predict(*inputs)
    y = layer.forward(*inputs)
    dout = np.ones_like(y)
    gradients = as_tuple(layer.backward(dout))
    given = [predicted, y, *gradients]
    kept = [np.copy(array) for array in given]
    forward_and_backward(layer, others)
    layer.predict(*others)
    for array, same in zip(given, kept, strict=True):
        np.testing.assert_array_equal(array, same)
        assert not any(np.shares_memory(array, other) for other in [*inputs, dout])


@every_layer
def test_writing_to_the_output_leaves_backward_right(entry):
    layer, inputs = entry.make(), draw_inputs(entry)
    expected = forward_and_backward(copy.deepcopy(layer), inputs)
    y = layer.forward(*inputs)
    dout = np.ones_like(y)
    y[...] = np.nan
    for gradient, same in zip(as_tuple(layer.backward(dout)), expected[1:], strict=False):
        np.testing.assert_array_equal(gradient, same)


@every_layer
def test_backwards_accumulate_until_zero_grad(entry):
    layer, inputs = entry.make().eval(), draw_inputs(entry)
    y = layer.forward(*inputs)
    layer.backward(np.ones_like(y))
    once = [parameter.grad.copy() for parameter in layer.parameters()]
    layer.backward(np.ones_like(y))
    for parameter, grad in zip(layer.parameters(), once, strict=True):
        np.testing.assert_allclose(parameter.grad, 2 * grad, rtol=1e-6)
    layer.zero_grad()
    assert not any(parameter.grad.any() for parameter in layer.parameters())


@every_layer
def test_an_empty_batch_gives_zero_gradients(entry):
    layer, inputs = entry.make(), draw_inputs(entry, batch=0)
    y = layer.forward(*inputs)
    gradients = as_tuple(layer.backward(np.ones_like(y)))
    assert [gradient.shape for gradient in gradients] == [x.shape for x in inputs]
    assert not any(parameter.grad.any() for parameter in layer.parameters())


@every_layer
def test_backward_before_forward_names_the_layer(entry):
    layer = entry.make()
    with pytest.raises(RuntimeError, match=f"{type(layer).__name__}.* before forward"):
        layer.backward(np.ones((5, 4)))
    layer.predict(*draw_inputs(entry))
    with pytest.raises(RuntimeError, match=f"{type(layer).__name__}.* before forward"):
        layer.backward(np.ones((5, 4)))


@every_layer
def test_a_dout_of_another_shape_is_refused(entry):
    layer, inputs = entry.make(), draw_inputs(entry)
    y = layer.forward(*inputs)
    wrong = np.ones((*y.shape, 2), y.dtype)
    with pytest.raises(ValueError, match=r"\w+\(.*\) expected dout of shape \(.*\), got \(.*2"):
        layer.backward(wrong)


@every_layer
@pytest.mark.parametrize("bad", [np.array([[1j]]), np.array([[None]]), [["a"]]])
def test_what_is_no_real_number_is_refused(entry, bad):
    layer, inputs = entry.make(), draw_inputs(entry)
    for call in (layer.forward, layer.predict):
        with pytest.raises(TypeError, match=r"must hold real numbers, got dtype"):
            call(*[bad] * len(inputs))
    layer.forward(*inputs)
    with pytest.raises(TypeError, match=r"must hold real numbers, got dtype"):
        layer.backward(bad)


@every_layer
def test_lists_and_integers_are_taken(entry):
    layer = entry.make().eval()
    inputs = [np.arange(np.prod(shape)).reshape(shape) % 3 for shape in entry.shapes]
    floats = layer.parameters()[0].dtype if layer.parameters() else np.float64
    expected = layer.forward(*[x.astype(floats) for x in inputs])
    for given in (inputs, [x.tolist() for x in inputs], [x.astype(np.uint8) for x in inputs]):
        y = layer.forward(*given)
        assert y.dtype == floats
        np.testing.assert_array_equal(y, expected)
        np.testing.assert_array_equal(layer.predict(*given), expected)


@every_layer
def test_predict_is_forward_in_evaluation_and_changes_nothing(entry):
    layer, inputs = entry.make(), draw_inputs(entry)
    before = pickle.dumps(layer)
    predicted = layer.predict(*inputs)
    assert pickle.dumps(layer) == before
    assert layer.training
    np.testing.assert_array_equal(predicted, layer.eval().forward(*inputs))


@every_layer
def test_predict_serves_many_threads_at_once(entry):
    layer, inputs = entry.make(), draw_inputs(entry)
    batches = [[x + shift for x in inputs] for shift in range(40)]
    expected = [layer.predict(*batch) for batch in batches]
    with ThreadPoolExecutor(8) as pool:
        found = pool.map(lambda batch: layer.predict(*batch), batches)
    for array, same in zip(found, expected, strict=True):
        np.testing.assert_array_equal(array, same)


@every_layer
@pytest.mark.parametrize("copied", [copy.deepcopy, lambda layer: pickle.loads(pickle.dumps(layer))])
def test_a_copy_gives_the_same_and_lives_its_own_life(entry, copied):
    layer, inputs = entry.make(), draw_inputs(entry)
    twin = copied(layer)
    assert repr(twin) == repr(layer)
    expected = forward_and_backward(layer, inputs)
    for array, same in zip(forward_and_backward(twin, inputs), expected, strict=True):
        np.testing.assert_array_equal(array, same)
    for parameter in twin.parameters():
        parameter.value += 1
    for one, other in zip(layer.parameters(), twin.parameters(), strict=True):
        assert not np.array_equal(one.value, other.value)


@every_layer
def test_state_goes_from_one_layer_to_another(entry):
    layer, other, inputs = entry.make(), entry.make().initialize(9), draw_inputs(entry)
    other.load_state_dict(layer.state_dict())
    np.testing.assert_array_equal(other.predict(*inputs), layer.predict(*inputs))


@every_layer
def test_initialize_repeats_with_the_seed(entry):
    first, second = entry.make().initialize(3).state_dict(), entry.make().initialize(3).state_dict()
    for name, array in first.items():
        np.testing.assert_array_equal(array, second[name])


@every_layer
def test_repr_builds_the_layer_where_it_is_no_container(entry):
    layer = entry.make()
    if not hasattr(layer, "layers"):
        import nnlayers

        again = eval(repr(layer), vars(nnlayers))
        assert repr(again) == repr(layer)
