"""Programs, the flat lists of instructions from which every format is written."""

import numpy as np
import pytest
from entries import ENTRIES
from rows import shapes_of

import nnlayers as nn
from nnlayers.export import HasLayers, program_of, trace
from nnlayers.export.expansions import EXPANSIONS
from nnlayers.export.tracing import library_class


class Scale(nn.Layer):
    def __init__(self, features=2, factor=1.0):
        self.s = nn.Parameter(np.arange(1.0, features + 1), name="s")
        self.factor = factor

    def forward(self, x):
        self.x = x
        return x * self.s.value

    def backward(self, dout):
        self.s.grad += (dout * self.x).sum(axis=0)
        return dout * self.s.value


class OpenScale(Scale):
    def to_layers(self):
        return nn.Graph(nn.Input("x") * nn.Input("s", self.s) * self.factor)


def run(program, *inputs):
    """Return what the instructions of a program compute, each by its own layer."""
    values = dict(zip(program.inputs, inputs, strict=True))
    values |= {value: value.array for value in program.constants}
    for instruction in program.instructions:
        arrays = [values[value] for value in instruction.inputs]
        values[instruction.output] = y = instruction.layer.predict(*arrays)
        assert y.dtype == instruction.output.dtype
        assert [array.dtype for array in arrays] == [value.dtype for value in instruction.inputs]
        lengths = zip(y.shape, instruction.output.shape, strict=True)
        assert all(expected in (None, length) for length, expected in lengths)
    return [values[value] for value in program.outputs]


@pytest.mark.parametrize("name", ENTRIES)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_the_instructions_of_a_program_compute_what_the_model_predicts(name, dtype):
    model, inputs = ENTRIES[name].make().astype(dtype), ENTRIES[name].draw(dtype)
    program = trace(model, shapes_of(ENTRIES[name]))
    inputs = [x.astype(value.dtype) for x, value in zip(inputs, program.inputs, strict=True)]
    (y,) = run(program, *inputs)
    expected = model.predict(*inputs)
    assert y.dtype == expected.dtype
    if type(model) in EXPANSIONS:  # Products of single rows round otherwise than those of many.
        eps = np.finfo(dtype).eps
        np.testing.assert_allclose(y, expected, rtol=8 * eps, atol=8 * eps)
    else:
        np.testing.assert_array_equal(y, expected)


def test_a_bin_between_equal_edges_is_that_of_the_layer_for_infinity_and_nan():
    layer = nn.PiecewiseLinear(1, 4).fit([[0.0], [1.0], [1.0 + 2**-23]])
    x = np.array([[-np.inf], [-1.0], [0.5], [1.0], [2.0], [np.inf], [np.nan]], np.float32)
    (y,) = run(trace(layer), x)
    np.testing.assert_array_equal(y, layer.predict(x))


def test_a_trace_without_rows_gives_the_same_shapes():
    for name, entry in ENTRIES.items():
        if name == "Sum of all":  # It has an entry without any rows.
            continue
        programs = [trace(entry.make(), shapes_of(entry), empty=empty) for empty in (False, True)]
        shapes = [[i.output.shape for i in program.instructions] for program in programs]
        assert shapes[0] == shapes[1], name


def test_containers_are_opened_at_every_depth():
    inner = nn.Graph(nn.tanh(nn.Input("a") * 2 + nn.Input("c", [1.0, 2.0])))
    residual = nn.Residual(nn.Sequential(nn.BatchNorm(2), inner))
    program = trace(nn.Sequential(nn.ReLU(), residual, nn.Affine(2, 1, dtype=np.float64)))
    assert [(op.kind.__name__, op.path) for op in program.instructions] == [
        ("ReLU", "0"),
        ("BatchNorm", "1.0.0"),
        ("Multiply", "1.0.1.multiply"),
        ("Add", "1.0.1.add"),
        ("Tanh", "1.0.1.tanh"),
        ("Add", "1"),
        ("Cast", "2"),
        ("Affine", "2"),
    ]
    assert {value.dtype for value in program.constants} == {np.dtype(np.float32)}
    names = [op.output.name for op in program.instructions]
    assert len(set(names)) == len(names)


def test_axes_that_depend_on_the_number_of_rows_are_none():
    x = nn.Input("x")
    mean = nn.mean(x, axis=0)
    program = trace(nn.Graph([x - mean, mean]), (4,))
    assert [value.shape for value in program.outputs] == [(None, 4), (4,)]
    assert program.output_names == ("subtract", "mean")


def test_the_width_of_a_row_follows_from_the_first_layer_that_states_it():
    a, b = nn.Input("a"), nn.Input("b")
    hidden = nn.PReLU()(nn.Sequential(nn.Tanh(), nn.Affine(3, 2))(a))
    program = trace(nn.Graph(nn.concatenate(hidden, nn.BatchNorm(4)(nn.relu(b)))))
    assert [value.shape for value in program.inputs] == [(None, 3), (None, 4)]
    embedding = trace(nn.Sequential(nn.Embedding(5, 2), nn.Flatten()))
    assert embedding.inputs[0].dtype == np.int64
    with pytest.raises(ValueError, match=r"input 'x' does not follow .* input_shape=\(features,\)"):
        trace(nn.Sequential(nn.ReLU(), nn.Sum(axis=1), nn.Affine(3, 1)))
    with pytest.raises(ValueError, match=r"unknown input 'c'.* Known: a, b"):
        trace(nn.Graph(a + b), {"a": (1,), "c": (1,)})


def test_a_class_that_only_builds_its_layers_differently_is_its_base():
    class Encoder(nn.Sequential):
        def __init__(self):
            super().__init__(nn.Affine(4, 2, rng=0), nn.ReLU())

    class Doubled(nn.ReLU):
        def compute_forward(self, x):
            y, saved = super().compute_forward(x)
            return 2 * y, saved

    assert library_class(Encoder()) is nn.Sequential
    assert library_class(nn.SELU()) is nn.SELU
    assert library_class(Doubled()) is None
    assert [op.kind for op in trace(Encoder()).instructions] == [nn.Affine, nn.ReLU]


def test_a_layer_outside_the_library_says_what_it_is_made_of():
    assert isinstance(OpenScale(), HasLayers)
    program = trace(nn.Sequential(nn.Affine(3, 2), OpenScale()).astype(np.float32))
    assert [op.kind for op in program.instructions] == [nn.Affine, nn.Multiply, nn.Multiply]
    message = r"layer 1, .*Scale\(.*\), cannot be exported, .* give Scale a method to_layers\(\)"
    with pytest.raises(ValueError, match=message):
        trace(nn.Sequential(nn.Affine(3, 2), Scale()))
    with pytest.raises(ValueError, match=r"predicts something else than its to_layers\(\)"):
        trace(nn.Sequential(nn.Affine(3, 2), OpenScale(2, factor=1.01)))


def test_what_a_layer_is_made_of_must_be_a_layer():
    class Numbered(Scale):
        def to_layers(self):
            return 3

    with pytest.raises(
        TypeError, match=r"layer 1, .* must return a Layer from to_layers\(\), got 3"
    ):
        trace(nn.Sequential(nn.Affine(3, 2), Numbered()))


def test_a_model_with_nan_is_refused_by_the_name_of_the_weight():
    model = nn.Sequential(nn.ReLU(), nn.Affine(2, 1))
    model[1].b.value[...] = np.nan
    with pytest.raises(
        ValueError, match=r"layer 1, Affine\(2, 1\), cannot be .*, because b is NaN"
    ):
        trace(model)


@pytest.mark.parametrize("other", ["runs/digits-001", None, nn.Affine])
def test_what_is_neither_a_model_nor_a_run_is_refused(other):
    with pytest.raises(TypeError, match="model must be a Layer or a run, got"):
        program_of(other)
