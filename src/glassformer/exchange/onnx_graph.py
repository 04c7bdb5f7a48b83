"""The equations of `model/` as nodes of ONNX.

A value has the name under which `glassformer.look.watch` shows it (`decoder.layers.0.cross_attention.energy`), a
weight its name in the state dict; the table of a linear layer is turned, so that it stands in the file as it is
multiplied (`...weight.transposed`): programs that quantize weights look for it there.
"""

import math
from collections.abc import Callable
from itertools import product
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor, nn

from glassformer.errors import UserError
from glassformer.model.attention import MultiHeadAttention, lowest
from glassformer.model.blocks import ACTIVATIONS, PreNorm
from glassformer.model.config import TransformerConfig
from glassformer.model.positions import NoPositions
from glassformer.model.transformer import Transformer

PARTS = ("keys", "values")
OPSET, IR = 20, 9  # of 2023: the first with Gelu, read by ONNX Runtime 1.17 and later


def library() -> Any:
    """The package onnx. Raises UserError where it is not installed."""
    try:
        import onnx
    except ImportError as error:
        raise UserError("ONNX is not installed: pip install 'glassformer[exchange]'.") from error
    return onnx


class Port(NamedTuple):
    """What goes into a graph, or comes out of it."""

    name: str
    dtype: str
    axes: tuple[str | int, ...]


class Graph:
    """Nodes in the order of the computation, and the weights of the model that they use."""

    def __init__(self, model: Transformer) -> None:
        self.onnx = library()
        self.names: dict[Tensor, str] = {parameter: name for name, parameter in model.named_parameters()}
        self.nodes: list[Any] = []
        self.weights: dict[str, Any] = {}
        self.constants: dict[str, Any] = {}
        self.inputs: list[Port] = []
        self.outputs: list[Port] = []

    def read(self, name: str, dtype: str, *axes: str | int) -> str:
        """An input."""
        self.inputs.append(Port(name, dtype, axes))
        return name

    def write(self, name: str, dtype: str, *axes: str | int) -> None:
        """Make a value an output."""
        self.outputs.append(Port(name, dtype, axes))

    def value(self, name: str, operator: str, *inputs: str, **attributes: Any) -> str:
        """A new value: what an operator makes of others."""
        self.nodes.append(self.onnx.helper.make_node(operator, inputs, [name], name=name, **attributes))
        return name

    def weight(self, tensor: Tensor, name: str = "") -> str:
        """A weight in float32, by its name in the model; a tied one is there once."""
        name = self.names.get(tensor, name)
        if name not in self.weights:
            table = tensor.detach().to(device="cpu", dtype=torch.float32).contiguous().numpy()
            self.weights[name] = self.onnx.numpy_helper.from_array(table, name)
        return name

    def constant(self, number: int | float | list[int]) -> str:
        """A number, or a list of them; floats are float32."""
        dtype = torch.float32 if isinstance(number, float) else None
        name, table = str(number), torch.tensor(number, dtype=dtype).numpy()
        self.constants[name] = self.onnx.numpy_helper.from_array(table, name)
        return name

    @property
    def size(self) -> int:
        """Bytes of the weights."""
        return sum(len(weight.raw_data) for weight in self.weights.values())

    def model(self, name: str) -> Any:
        """The graph in the library's own form."""
        helper = self.onnx.helper
        inputs, outputs = ([self._info(port) for port in ports] for ports in (self.inputs, self.outputs))
        tables = [*self.weights.values(), *self.constants.values()]
        graph = helper.make_graph(self.nodes, name, inputs, outputs, tables)
        opset = helper.make_opsetid("", OPSET)
        return helper.make_model(graph, opset_imports=[opset], ir_version=IR, producer_name="glassformer")

    def _info(self, port: Port) -> Any:
        dtype = self.onnx.helper.np_dtype_to_tensor_dtype(np.dtype(port.dtype))
        return self.onnx.helper.make_tensor_value_info(port.name, dtype, port.axes)


def encoder_graph(model: Transformer) -> Graph:
    """src -> memory, src_mask, and the keys and values of each decoder layer's cross-attention."""
    graph, config, encoder = Graph(model), model.config, model.encoder
    src = graph.read("src", "int64", "n", "s")
    src_mask = _padding_mask(graph, "src_mask", src, config.src_pad_idx)
    length = graph.value("s", "Shape", src, start=1, end=2)
    stream = _embedded(graph, "encoder", encoder, src, None, length, config)
    for number, layer in enumerate(encoder.layers):
        stream = _encoder_block(graph, f"encoder.layers.{number}", layer, stream, src_mask)
    memory = _norm(graph, "memory", encoder.norm, stream)
    graph.write(memory, "float32", "n", "s", config.embed_size)
    graph.write(src_mask, "bool", "n", 1, 1, "s")
    for number, layer in enumerate(model.decoder.layers):
        attention: Any = layer.cross_attention
        for part in _keys_values(graph, f"decoder.layers.{number}.cross_attention", attention, memory):
            graph.write(part, "float32", "n", "s", *_head_sizes(config))
    return graph


def decoder_step_graph(model: Transformer) -> Graph:
    """trg, what was read of the source, earlier keys and values -> logits, and all keys and values."""
    graph, config, decoder = Graph(model), model.config, model.decoder
    layers, sizes = [f"decoder.layers.{number}" for number in range(len(decoder.layers))], _head_sizes(config)
    trg = graph.read("trg", "int64", "n", "t")
    src_mask = graph.read("src_mask", "bool", "n", 1, 1, "s")
    of_source = [
        [graph.read(f"{layer}.cross_attention.{part}", "float32", "n", "s", *sizes) for part in PARTS]
        for layer in layers
    ]
    earlier = [
        [graph.read(f"{layer}.self_attention.earlier_{part}", "float32", "n", "k", *sizes) for part in PARTS]
        for layer in layers
    ]
    known = graph.value("k", "Shape", earlier[0][0], start=1, end=2)
    length = graph.value("t", "Shape", trg, start=1, end=2)
    new = graph.value("new", "Slice", trg, known, length, graph.constant([1]))
    trg_mask = _target_mask(graph, trg, known, length, config.trg_pad_idx)
    stream = _embedded(graph, "decoder", decoder, new, known, length, config)
    for name, layer, *kept in zip(layers, decoder.layers, earlier, of_source, strict=True):
        stream = _decoder_block(graph, name, layer, stream, trg_mask, src_mask, *kept)
    decoded = _norm(graph, "decoded", decoder.norm, stream)
    logits = _linear(graph, "logits", model.fc_out, decoded)
    graph.write(logits, "float32", "n", "q", config.trg_vocab_size)
    for name, part in product(layers, PARTS):
        graph.write(f"{name}.self_attention.{part}", "float32", "n", "t", *sizes)
    return graph


def _head_sizes(config: TransformerConfig) -> tuple[int, int]:
    return config.decoder.heads, config.embed_size // config.decoder.heads


def _padding_mask(graph: Graph, name: str, tokens: str, pad_idx: int) -> str:
    padding = graph.value(f"{name}.padding", "Equal", tokens, graph.constant(pad_idx))
    words = graph.value(f"{name}.words", "Not", padding)
    return graph.value(name, "Unsqueeze", words, graph.constant([1, 2]))


def _target_mask(graph: Graph, trg: str, known: str, length: str, pad_idx: int | None) -> str:
    """(n, 1, q, t), or (1, 1, q, t) where padding is not hidden."""
    keys = _positions(graph, "key_positions", graph.constant([0]), length)
    queries = _positions(graph, "query_positions", known, length)
    askers = graph.value("query_positions.column", "Unsqueeze", queries, graph.constant([1]))
    pairs = graph.value("pairs", "GreaterOrEqual", askers, keys)
    look_ahead = graph.value("look_ahead", "Unsqueeze", pairs, graph.constant([0, 1]))
    if pad_idx is None:
        return look_ahead
    words = _padding_mask(graph, "words", trg, pad_idx)
    return graph.value("trg_mask", "And", look_ahead, words)


def _positions(graph: Graph, name: str, start: str, end: str) -> str:
    """start, start + 1, ... end - 1."""
    first, last = (graph.value(f"{name}.{part}", "Squeeze", each) for part, each in (("start", start), ("end", end)))
    return graph.value(name, "Range", first, last, graph.constant(1))


def _embedded(
    graph: Graph, name: str, stack: Any, tokens: str, start: str | None, end: str, config: TransformerConfig
) -> str:
    """Word embedding + position, for the tokens from `start` (None: the first) on."""
    table = graph.weight(stack.word_embedding.weight)
    scaled = stack.scale != 1
    embedded = graph.value(f"{name}.{'words' if scaled else 'embedded'}", "Gather", table, tokens)
    if scaled:
        embedded = graph.value(f"{name}.embedded", "Mul", embedded, graph.constant(stack.scale))
    if isinstance(stack.positions, NoPositions):
        return embedded
    every = torch.zeros(1, config.max_length, config.embed_size, device=stack.word_embedding.weight.device)
    positions = graph.weight(stack.positions(every, 0)[0], f"{name}.positions.table.weight")
    places = _positions(graph, f"{name}.places", start or graph.constant([0]), end)
    # A row of them: from a plain range ONNX Runtime makes a slice, which is shorter past max_length and no error.
    row = graph.value(f"{name}.places.row", "Unsqueeze", places, graph.constant([0]))
    rows = graph.value(f"{name}.rows", "Gather", positions, row)
    return graph.value(f"{name}.positioned", "Add", embedded, rows)


def _encoder_block(graph: Graph, name: str, block: Any, x: str, src_mask: str) -> str:
    def self_attention(y: str) -> str:
        path, module = f"{name}.self_attention", block.self_attention
        return _attention(graph, path, module, y, _keys_values(graph, path, module, y), src_mask)

    attended = _residual(graph, f"{name}.self_attention_residual", block.self_attention_residual, x, self_attention)
    return _feed_forward(graph, name, block, attended)


def _decoder_block(
    graph: Graph, name: str, block: Any, x: str, trg_mask: str, src_mask: str, earlier: list[str], of_source: list[str]
) -> str:
    def self_attention(y: str) -> str:
        path, module = f"{name}.self_attention", block.self_attention
        new = _keys_values(graph, f"{path}.new", module, y)
        all_keys_values = [
            graph.value(f"{path}.{part}", "Concat", *both, axis=1)
            for part, *both in zip(PARTS, earlier, new, strict=True)
        ]
        return _attention(graph, path, module, y, all_keys_values, trg_mask)

    def cross_attention(y: str) -> str:
        return _attention(graph, f"{name}.cross_attention", block.cross_attention, y, of_source, src_mask)

    attended = _residual(graph, f"{name}.self_attention_residual", block.self_attention_residual, x, self_attention)
    informed = _residual(
        graph, f"{name}.cross_attention_residual", block.cross_attention_residual, attended, cross_attention
    )
    return _feed_forward(graph, name, block, informed)


def _feed_forward(graph: Graph, name: str, block: Any, x: str) -> str:
    """The sublayer that both blocks end with."""
    path, module = f"{name}.feed_forward", block.feed_forward

    def feed_forward(y: str) -> str:
        widened = _linear(graph, f"{path}.widened", module.fc_in, y)
        hidden = _activation(graph, f"{path}.hidden", module.activation, widened)
        return _linear(graph, f"{path}.out", module.fc_out, hidden)

    return _residual(graph, f"{name}.feed_forward_residual", block.feed_forward_residual, x, feed_forward)


def _activation(graph: Graph, name: str, function: Callable[[Tensor], Tensor], x: str) -> str:
    if function is ACTIVATIONS["silu"]:
        return graph.value(name, "Mul", x, graph.value(f"{name}.gate", "Sigmoid", x))
    return graph.value(name, "Gelu" if function is ACTIVATIONS["gelu"] else "Relu", x)


def _residual(graph: Graph, name: str, module: Any, x: str, sublayer: Callable[[str], str]) -> str:
    if isinstance(module, PreNorm):
        branch = sublayer(_norm(graph, f"{name}.normed", module.norm, x))
        return graph.value(f"{name}.residual_sum", "Add", x, branch)
    residual_sum = graph.value(f"{name}.residual_sum", "Add", x, sublayer(x))
    return _norm(graph, f"{name}.out", module.norm, residual_sum)


def _keys_values(graph: Graph, name: str, module: MultiHeadAttention, x: str) -> list[str]:
    return [
        _heads(graph, f"{name}.{part}", layer, x, module.heads)
        for part, layer in zip(PARTS, (module.to_keys, module.to_values), strict=True)
    ]


def _attention(graph: Graph, name: str, module: MultiHeadAttention, x: str, keys_values: list[str], mask: str) -> str:
    """Equation 1 as `model.attention` writes it, between the layers around it."""
    keys, values = keys_values
    queries = _heads(graph, f"{name}.queries", module.to_queries, x, module.heads)
    products = graph.value(f"{name}.products", "Einsum", queries, keys, equation="nqhd,nkhd->nhqk")
    root = graph.constant(math.sqrt(module.to_queries.out_features / module.heads))
    energy = graph.value(f"{name}.energy", "Div", products, root)
    masked_energy = graph.value(f"{name}.masked_energy", "Where", mask, energy, graph.constant(lowest(torch.float32)))
    shares = graph.value(f"{name}.shares", "Softmax", masked_energy, axis=-1)
    attention = graph.value(f"{name}.attention", "Where", mask, shares, graph.constant(0.0))
    heads_out = graph.value(f"{name}.heads_out", "Einsum", attention, values, equation="nhqk,nkhd->nqhd")
    joined = graph.value(f"{name}.joined", "Reshape", heads_out, graph.constant([0, 0, -1]))
    return _linear(graph, f"{name}.out", module.fc_out, joined)


def _heads(graph: Graph, name: str, layer: nn.Linear, x: str, heads: int) -> str:
    """(n, t, e) -> (n, t, h, d)."""
    projected = _linear(graph, f"{name}.joined", layer, x)
    return graph.value(name, "Reshape", projected, graph.constant([0, 0, heads, layer.out_features // heads]))


def _linear(graph: Graph, name: str, layer: nn.Linear, x: str) -> str:
    weight = graph.names[layer.weight]
    if weight in graph.weights:  # tied: it stands there as a word embedding
        transposed = graph.value(f"{weight}.transposed", "Transpose", weight)
    else:
        transposed = graph.weight(layer.weight.T, f"{weight}.transposed")
    weighted = graph.value(f"{name}.weighted", "MatMul", x, transposed)
    return graph.value(name, "Add", weighted, graph.weight(layer.bias))


def _norm(graph: Graph, name: str, norm: nn.Module, x: str) -> str:
    """A LayerNorm, or what stands where there is none."""
    if not isinstance(norm, nn.LayerNorm):
        return graph.value(name, "Identity", x)
    weight, bias = graph.weight(norm.weight), graph.weight(norm.bias)
    return graph.value(name, "LayerNormalization", x, weight, bias, axis=-1, epsilon=norm.eps)
