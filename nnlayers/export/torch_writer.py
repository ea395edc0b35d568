"""Convert models to PyTorch modules, and weights to and from PyTorch's state dictionaries."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
import torch

from nnlayers._core.arrays import FLOAT64, Array
from nnlayers._core.showing import shown
from nnlayers._core.state import check_finite
from nnlayers._core.tree import join
from nnlayers.export import torch_modules as modules
from nnlayers.export.torch_rules import RULES, WEIGHT_NAMES
from nnlayers.export.tracing import check_expansions, expand, library_class
from nnlayers.graphs import Graph, Input, Node
from nnlayers.layer import Layer, Parameter
from nnlayers.layers import Affine, Embedding, EntityEmbedding, Residual, Sequential

__all__ = ["load_state", "to_module"]


def to_module(model: Layer) -> torch.nn.Module:
    """Return the module of a model in evaluation mode, see :func:`nnlayers.export.to_torch`."""
    module = _Converter(model).module.eval()
    check_expansions(model)
    return module


def load_state(model: Layer, state: Mapping[str, Any], allow_nonfinite: bool) -> None:
    """Set a model's weights to those of a state dictionary of its module."""
    converter = _Converter(model)
    expected = converter.module.state_dict()
    # This count has no counterpart here.
    names = [name for name in expected if not name.endswith("num_batches_tracked")]
    missing = [name for name in names if name not in state]
    unknown = [name for name in state if name not in expected]
    if missing or unknown:
        problem = f"lacks {missing[0]!r}" if missing else f"has an unknown entry {unknown[0]!r}"
        raise ValueError(f"state must be that of this model's PyTorch module: it {problem}")
    for name in names:
        shape, given = tuple(expected[name].shape), tuple(np.shape(state[name]))
        if given != shape:
            raise ValueError(f"entry {name!r} of state must have shape {shape}, got {given}")
    weights = converter.weights_from(state)
    if not allow_nonfinite:
        check_finite(weights)
    model.load_state_dict(weights)


class _Weight(NamedTuple):
    """A weight or array of state of a layer, and its place in a module."""

    layer: Layer
    name: str
    item: Any
    module: torch.nn.Module
    their_name: str
    is_transposed: bool


class _Converter:
    """Convert the layers of a model, each once."""

    def __init__(self, model: Layer) -> None:
        if not isinstance(model, Layer):
            raise TypeError(f"model must be a Layer, got {shown(model)}")
        dtypes = {parameter.dtype for parameter in model.parameters()}
        if len(dtypes) > 1:
            raise ValueError(
                "model must have weights of one dtype to be a PyTorch module, got float32 and "
                "float64: convert it by astype"
            )
        self._model = model
        self._modules: dict[Layer, torch.nn.Module] = {}
        self._parameters: dict[tuple[Parameter, bool], torch.nn.Parameter] = {}
        self._weights: list[_Weight] = []
        self.module = self._convert(model, "")
        # Layers convert their inputs to the dtype of their weights; PyTorch's modules do not.
        if FLOAT64 not in dtypes and any(map(_has_float64, self._modules)):
            for layer, module in self._modules.items():
                if library_class(layer) in WEIGHT_NAMES.keys() - {Embedding} | {EntityEmbedding}:
                    module.register_forward_pre_hook(modules.cast_inputs)

    def weights_from(self, state: Mapping[str, Any]) -> dict[str, Array]:
        """Return the model's own state dictionary from that of the module."""
        arrays = self._model.state_dict()
        parameters = {item: name for name, item in self._model.named_parameters().items()}
        layers = {layer: name for name, layer in self._model.named_layers().items()}
        prefixes = {module: name for name, module in self.module.named_modules()}
        for weight in self._weights:
            tensor = state[join(prefixes[weight.module], weight.their_name)]
            array = torch.as_tensor(tensor).detach().cpu().double().numpy()
            if isinstance(weight.item, Parameter):
                name = parameters[weight.item]
            else:
                name = join(layers[weight.layer], weight.name)
            arrays[name] = array.T if weight.is_transposed else array
        return arrays

    def _convert(self, layer: Layer, path: str) -> torch.nn.Module:
        if layer not in self._modules:
            self._modules[layer] = self._new(layer, path)
        return self._modules[layer]

    def _new(self, layer: Layer, path: str) -> torch.nn.Module:
        kind = library_class(layer)
        if isinstance(layer, Graph) and kind is Graph:
            return self._graph(layer, path)
        if isinstance(layer, Sequential) and kind in (Sequential, Residual):
            inner = [self._convert(item, join(path, str(i))) for i, item in enumerate(layer.layers)]
            return (
                torch.nn.Sequential(*inner)
                if kind is Sequential
                else modules.ResidualModule(*inner)
            )
        if kind is None:
            return self._convert(expand(layer, path), path)
        module = RULES[kind](layer)
        for name, their_name in WEIGHT_NAMES.get(kind, {}).items():
            item = getattr(layer, name)
            if item is not None:
                self._set(module, their_name, layer, name, item)
        if isinstance(layer, EntityEmbedding):
            for index, item in enumerate(layer.W):
                self._set(module.get_submodule("W"), str(index), layer, f"W.{index}", item)
        return module

    def _set(
        self, module: torch.nn.Module, their_name: str, layer: Layer, name: str, item: Any
    ) -> None:
        """Give a module a weight or an array of state of a layer."""
        is_matrix = isinstance(layer, Affine) and name == "W"
        self._weights.append(_Weight(layer, name, item, module, their_name, is_matrix))
        is_weight = isinstance(item, Parameter)
        new = self._parameter(item, is_matrix) if is_weight else torch.tensor(item)
        setattr(module, their_name, new)

    def _parameter(self, parameter: Parameter, is_transposed: bool = False) -> torch.nn.Parameter:
        """Return a parameter; one that several layers share stays one."""
        key = parameter, is_transposed
        if key not in self._parameters:
            array = parameter.value.T if is_transposed else parameter.value
            tensor = torch.tensor(np.ascontiguousarray(array).reshape(array.shape))
            self._parameters[key] = torch.nn.Parameter(tensor, requires_grad=parameter.trainable)
        return self._parameters[key]

    def _graph(self, graph: Graph, path: str) -> torch.nn.Module:
        index = {node: i for i, node in enumerate(graph.nodes)}
        names = graph.names
        layers = {layer: i for i, layer in enumerate(graph.layers)}
        uses = reversed(list(zip(graph.nodes, names, strict=True)))
        first = {node.layer: name for node, name in uses if node.layer is not None}
        leaves = {i: node for i, node in enumerate(graph.nodes) if isinstance(node, Input)}
        weights = {i: n.content for i, n in leaves.items() if isinstance(n.content, Parameter)}
        constants = {
            i: _constant(node.content, graph, node)
            for i, node in leaves.items()
            if node.content is not None and i not in weights
        }
        floats = {i for i, constant in constants.items() if constant.is_floating_point()}
        module = modules.GraphModule(
            modules=[self._convert(layer, join(path, first[layer])) for layer in graph.layers],
            steps=[
                (layers[node.layer], tuple([index[parent] for parent in node.parents]), i)
                for i, node in enumerate(graph.nodes)
                if node.layer is not None
            ],
            inputs=[index[node] for node in graph.inputs],
            outputs=[index[node] for node in graph.outputs],
            weights={i: self._parameter(weight) for i, weight in weights.items()},
            constants=constants,
            untyped={i for i in floats if not leaves[i].has_float_dtype},
            single=graph.single,
        )
        for position, (i, weight) in enumerate(weights.items()):
            self._set(module.weights, str(position), graph, names[i], weight)
        return module


def _has_float64(layer: Layer) -> bool:
    """Return whether a graph has a constant that makes float64 of what is computed with it."""
    nodes = layer.nodes if isinstance(layer, Graph) else []
    leaves = [node for node in nodes if isinstance(node, Input) and node.has_float_dtype]
    return any(np.asarray(node.content).dtype == FLOAT64 for node in leaves)


def _constant(content: Any, graph: Graph, node: Node) -> torch.Tensor:
    """Return a constant; integers are ids where an embedding takes them, otherwise numbers."""
    takers = [other.layer for other in graph.nodes if node in other.parents]
    array = np.asarray(content)
    if array.dtype.kind != "f" and not any(isinstance(layer, Embedding) for layer in takers):
        array = array.astype(np.float64)
    return torch.tensor(array)
