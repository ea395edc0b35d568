"""Promises of every layer, checked on every entry of the catalogue."""

import copy
import inspect
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from catalogue import ENTRIES

import nnlayers as nn
from nnlayers.config.families import LAYERS
from nnlayers.testing import check_layer

every_layer = pytest.mark.parametrize("entry", ENTRIES.values(), ids=ENTRIES)


def as_tuple(gradients):
    return gradients if isinstance(gradients, tuple) else (gradients,)


def test_every_layer_is_in_the_catalogue():
    public = {kind for kind in LAYERS.known.values() if inspect.isclass(kind)}
    missing = public - {type(entry.make()) for entry in ENTRIES.values()}
    # They take ids, which random numbers are not, and have tests of their own.
    assert missing == {nn.Embedding, nn.EntityEmbedding}


@every_layer
def test_a_layer_keeps_its_promises(entry):
    check_layer(entry.make, *entry.draw())


@every_layer
def test_writing_to_the_output_leaves_backward_right(entry):
    layer, inputs = entry.make(), entry.draw()
    twin = copy.deepcopy(layer)
    y, same = layer.forward(*inputs), twin.forward(*inputs)
    dout = np.ones_like(y)
    y[...] = np.nan
    assert not np.isnan(same).any()
    found, expected = as_tuple(layer.backward(dout)), as_tuple(twin.backward(dout))
    for gradient, right in zip(found, expected, strict=True):
        np.testing.assert_array_equal(gradient, right)


@every_layer
def test_writing_to_dout_after_backward_changes_no_gradient(entry):
    layer, inputs = entry.make(), entry.draw()
    dout = np.ones_like(layer.forward(*inputs))
    gradients = [*as_tuple(layer.backward(dout)), *(p.grad for p in layer.parameters())]
    nodes = getattr(layer, "nodes", [])
    gradients += [node.grad for node in nodes]
    before = [gradient.copy() for gradient in gradients]
    dout[...] = np.nan
    after = gradients[: len(gradients) - len(nodes)] + [node.grad for node in nodes]
    for gradient, right in zip(after, before, strict=True):
        np.testing.assert_array_equal(gradient, right)


@every_layer
@pytest.mark.parametrize("dtype", [np.int64, np.uint8, np.float16, np.float64])
def test_a_layer_with_parameters_converts_inputs_to_its_dtype(entry, dtype):
    layer = entry.make().eval()
    inputs = [1 + np.arange(np.prod(shape)).reshape(shape) % 3 for shape in entry.shapes]
    given = [x.astype(dtype) for x in inputs]
    own = np.float32 if layer.parameters() or dtype == np.float16 else np.float64
    expected = layer.forward(*[x.astype(own) for x in inputs])
    y = layer.forward(*given)
    gradients = as_tuple(layer.backward(np.ones(y.shape)))
    assert {array.dtype for array in (y, layer.predict(*given), *gradients)} == {np.dtype(own)}
    np.testing.assert_array_equal(y, expected)


@every_layer
def test_input_that_is_not_real_is_named(entry):
    layer, inputs = entry.make(), entry.draw()
    bad = [["a"]]
    for call in (layer.forward, layer.predict):
        with pytest.raises(TypeError, match=r"must hold real numbers, got dtype <U1"):
            call(*[bad] * len(inputs))
    layer.forward(*inputs)
    with pytest.raises(TypeError, match=r"dout must hold real numbers, got dtype <U1"):
        layer.backward(bad)


@every_layer
def test_backward_before_forward_says_so(entry):
    layer = entry.make()
    with pytest.raises(RuntimeError, match=f"{type(layer).__name__}.* before forward"):
        layer.backward(np.ones((5, 4)))


@every_layer
def test_a_dout_of_another_shape_is_shown_with_the_right_one(entry):
    layer, inputs = entry.make(), entry.draw()
    y = layer.forward(*inputs)
    wrong = np.ones((*y.shape, 2), y.dtype)
    with pytest.raises(ValueError, match=r"\w+\(.*\) expected dout of shape \(.*\), got \(.*2"):
        layer.backward(wrong)


@every_layer
def test_repr_builds_any_layer_but_a_container(entry):
    layer = entry.make()
    if not hasattr(layer, "layers"):
        assert repr(eval(repr(layer), vars(nn))) == repr(layer)


@every_layer
def test_eight_threads_predict_the_same_as_one(entry):
    layer, batches = entry.make(), [entry.draw(seed=seed) for seed in range(40)]
    expected = [layer.predict(*inputs) for inputs in batches]
    with ThreadPoolExecutor(8) as threads:
        found = list(threads.map(lambda inputs: layer.predict(*inputs), batches))
    for y, right in zip(found, expected, strict=True):
        np.testing.assert_array_equal(y, right)


@every_layer
@pytest.mark.parametrize("call", ["forward", "predict"])
def test_another_number_of_inputs_is_an_error_that_names_the_layer(entry, call):
    layer, inputs = entry.make(), entry.draw()
    given = [[], [*inputs, *inputs]]
    if isinstance(layer, nn.Concatenate):  # it takes any number of inputs except none
        given.pop()
    for bad in given:
        # A graph says which of its inputs is missing.
        error = ValueError if isinstance(layer, nn.Graph) and not bad else TypeError
        with pytest.raises(error, match=rf"^{type(layer).__name__}\W"):
            getattr(layer, call)(*bad)
