"""A model as a folder of CTranslate2, the fast decoder for production.

The folder translates with the library alone: it holds the weights, the vocabularies as the library reads them, and
our `tokenizer.json`, which Hugging Face `tokenizers` reads:

    pieces = Tokenizer.from_file("folder/tokenizer.json").encode(text, add_special_tokens=False).tokens
    ctranslate2.Translator("folder").translate_batch([pieces], beam_size=1, max_input_length=0, min_decoding_length=0)

The ids that our decoding never writes (start, padding, and those you name) cannot be written by the library either:
their output bias is lowered by 65504, so that all the probability is shared by the others, as in our own scores.
"""

from collections.abc import Collection
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from tokenizers import Tokenizer
from torch import Tensor, nn

from glassformer.data import Vocabularies, Vocabulary
from glassformer.errors import UserError, unknown_name
from glassformer.exchange.folder import new_folder
from glassformer.exchange.plain import never_written, refuse_others
from glassformer.model.attention import lowest
from glassformer.model.blocks import DecoderBlock
from glassformer.model.config import StackSizes, TransformerConfig
from glassformer.model.transformer import Transformer

Table = NDArray[np.float32]

QUANTIZATIONS = ("float32", "int8", "int16", "float16", "bfloat16")
ACTIVATIONS = {"relu": "RELU", "gelu": "GELU", "silu": "SWISH"}


def export(
    model: Transformer,
    vocabularies: Vocabularies,
    folder: Path,
    *,
    quantization: str = "float32",
    forbidden_ids: Collection[int] = (),
) -> None:
    """Write the folder, all of it or nothing. Every choice of `TransformerConfig` can be held.

    `quantization` is how the weights are stored: int8 is a quarter of the size and changes answers, on some CPUs
    many (`CTranslate2Translator` says how many).

    Raises UserError, before anything is written, for a model that computes something else than its config says, for
    weights that are not numbers, for what the library cannot express, and where the library is not installed.
    """
    if quantization not in QUANTIZATIONS:
        raise unknown_name("quantization", quantization, QUANTIZATIONS)
    vocabularies.check(model.config.src_vocab_size, model.config.trg_vocab_size)
    refuse_others(model, "CTranslate2", holds_epsilon=True)
    if len(epsilons := _epsilons(model)) > 1:
        raise UserError(f"the model has LayerNorms with eps {epsilons}, and CTranslate2 knows one for all.")
    _refuse_roles(model.config, vocabularies)
    unwritten = never_written(model.config, vocabularies.trg, forbidden_ids)
    spec = _spec(model)
    spec.decoder.projection.bias[unwritten] += lowest(torch.float16)  # fits every dtype of the library
    (spec.config.layer_norm_epsilon,) = epsilons
    _name_tokens(spec, model.config, vocabularies)
    spec.validate()
    spec.optimize(quantization=quantization)
    with new_folder(folder) as working:
        vocabularies.save(working)
        spec.save(str(working))


def library() -> Any:
    """The package ctranslate2. Raises UserError where it is not installed."""
    try:
        import ctranslate2
    except ImportError as error:
        raise UserError("CTranslate2 is not installed: pip install 'glassformer[exchange]'.") from error
    return ctranslate2


def token_names(vocabulary: Vocabulary, rows: int) -> list[str]:
    """The library's name of each id: the tokenizer's own, and one nobody types for a row beyond its last."""
    ids: dict[str, int] = Tokenizer.from_str(vocabulary.to_json()).get_vocab(with_added_tokens=True)
    names = sorted(ids, key=ids.__getitem__)
    return [*names, *(f"<row {row} without a token>" for row in range(len(names), rows))]


def _epsilons(model: Transformer) -> list[float]:
    return sorted({module.eps for module in model.modules() if isinstance(module, nn.LayerNorm)})


def _refuse_roles(config: TransformerConfig, vocabularies: Vocabularies) -> None:
    """The library knows one name of </s> for both sides, and no padding among the target's words."""
    src, trg = vocabularies
    src_end, trg_end = token_names(src, 0)[src.end_id], token_names(trg, 0)[trg.end_id]
    if src_end != trg_end:
        raise UserError(
            f"the source ends with {src_end!r} and the target with {trg_end!r}: CTranslate2 knows one name for both. "
            "Give the token the same name in both tokenizers, or translate with the built-in engine."
        )
    if config.trg_pad_idx == trg.start_id:
        raise UserError(
            f"trg_pad_idx={config.trg_pad_idx} is the target's start as well: the model never attends to it, and "
            "CTranslate2 always does. Only trg_pad_idx=None can be exported, or translate with the built-in engine."
        )


def _spec(model: Transformer) -> Any:
    """The library's description of the model, filled with copies of its weights in float32."""
    specs, config = library().specs, model.config
    nothing = torch.zeros(1, config.max_length, config.embed_size, device=model.device)
    encoder = specs.TransformerEncoderSpec(**_choices(config, config.encoder))
    decoder = specs.TransformerDecoderSpec(**_choices(config, config.decoder))
    for stack, spec in ((model.encoder, encoder), (model.decoder, decoder)):
        spec.pre_norm = config.norm == "pre"
        spec.scale_embeddings = np.float32(stack.scale)
        spec.position_encodings.encodings = _table(stack.positions(nothing, 0)[0])
        if config.has_final_norms:
            _norm(spec.layer_norm, stack.norm)
        for layer, layer_spec in zip(stack.layers, spec.layer, strict=True):
            _fill_layer(layer_spec, layer)
    encoder.embeddings[0].weight = _table(model.encoder.word_embedding.weight)
    decoder.embeddings.weight = _table(model.decoder.word_embedding.weight)
    _linear(decoder.projection, model.fc_out)
    return specs.TransformerSpec(encoder, decoder)


def _choices(config: TransformerConfig, sizes: StackSizes) -> dict[str, Any]:
    """Arguments of a stack's spec. It is made as pre-norm: the library then has a place for the final norm."""
    activation = library().specs.Activation[ACTIVATIONS[config.activation]]
    return dict(
        num_layers=sizes.layers, num_heads=sizes.heads, pre_norm=True, activation=activation,
        no_final_norm=not config.has_final_norms,
    )  # fmt: skip


def _name_tokens(spec: Any, config: TransformerConfig, vocabularies: Vocabularies) -> None:
    """The vocabularies, and which of their tokens plays which part."""
    src = token_names(vocabularies.src, config.src_vocab_size)
    trg = token_names(vocabularies.trg, config.trg_vocab_size)
    spec.register_source_vocabulary(src)
    spec.register_target_vocabulary(trg)
    spec.config.unk_token = src[vocabularies.src.unknown_id]
    spec.config.bos_token = spec.config.decoder_start_token = trg[vocabularies.trg.start_id]
    spec.config.eos_token = trg[vocabularies.trg.end_id]
    spec.config.add_source_eos = True


def _fill_layer(spec: Any, layer: Any) -> None:
    """A layer of the library from one of ours; there a sublayer holds its norm, wherever that is applied."""
    own = layer.self_attention
    _norm(spec.self_attention.layer_norm, layer.self_attention_residual.norm)
    _linear(spec.self_attention.linear[0], own.to_queries, own.to_keys, own.to_values)
    _linear(spec.self_attention.linear[1], own.fc_out)
    if isinstance(layer, DecoderBlock):
        cross = layer.cross_attention
        _norm(spec.attention.layer_norm, layer.cross_attention_residual.norm)
        _linear(spec.attention.linear[0], cross.to_queries)
        _linear(spec.attention.linear[1], cross.to_keys, cross.to_values)
        _linear(spec.attention.linear[2], cross.fc_out)
    _norm(spec.ffn.layer_norm, layer.feed_forward_residual.norm)
    _linear(spec.ffn.linear_0, layer.feed_forward.fc_in)
    _linear(spec.ffn.linear_1, layer.feed_forward.fc_out)


def _norm(spec: Any, norm: Any) -> None:
    spec.gamma, spec.beta = _table(norm.weight), _table(norm.bias)


def _linear(spec: Any, *layers: nn.Linear) -> None:
    """One layer of the library from one of ours, or from several side by side."""
    spec.weight = _table(*(layer.weight for layer in layers))
    spec.bias = _table(*(layer.bias for layer in layers))


def _table(*tensors: Tensor) -> Table:
    """A copy: the library quantizes in place. Tied tables are equal, which is how it finds that they are one."""
    joined = torch.cat([tensor.detach() for tensor in tensors]).to(device="cpu", dtype=torch.float32, copy=True)
    table: Table = joined.numpy()
    return table
