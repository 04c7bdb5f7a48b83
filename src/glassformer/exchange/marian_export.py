"""A model as a folder of Hugging Face's `MarianMTModel`, with our tokenizers beside it.

    model = MarianMTModel.from_pretrained("folder")
    source = Tokenizer.from_file("folder/tokenizer.json").encode(text, add_special_tokens=False).ids + [end_id]
    model.generate(torch.tensor([source]))

The sides have a tokenizer each where they do not share one: tokenizer.src.json and tokenizer.trg.json.
"""

from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from glassformer.checkpoint.border import as_json
from glassformer.checkpoint.tensors import write_tensors
from glassformer.data import Vocabularies, Vocabulary
from glassformer.decode import DecodingConfig
from glassformer.errors import UserError
from glassformer.exchange.folder import new_folder
from glassformer.exchange.marian_layout import ACTIVATIONS, layer_tensors, our_part, waves
from glassformer.exchange.plain import PENALTY, never_written, refuse_others
from glassformer.model.config import TransformerConfig
from glassformer.model.positions import LearnedPositions
from glassformer.model.transformer import Transformer


def export(
    model: Transformer, vocabularies: Vocabularies, folder: Path, *, decoding: DecodingConfig | None = None
) -> None:
    """Write a folder that `transformers` loads, all of it or nothing.

    The paper's positions are Marian's in another order of channels, so each weight gets its channels in that order. Of
    `decoding` it holds the beam, its length penalty by the formula over there, and the ids never written.
    Raises UserError, before anything is written, naming the setting that Marian does not have.
    """
    config, trg = model.config, vocabularies.trg
    refuse_others(model, "MarianMTModel")
    vocabularies.check(config.src_vocab_size, config.trg_vocab_size)
    _refuse(model, trg)
    files = {
        "config.json": _their_config(model, trg),
        "generation_config.json": _their_search(config, trg, decoding or DecodingConfig()),
    }
    weights = _their_weights(model)
    with new_folder(folder) as working:
        for name, content in files.items():
            (working / name).write_text(as_json(content), encoding="utf-8", newline="\n")
        write_tensors(working / "model.safetensors", weights)
        vocabularies.save(working)


def _refuse(model: Transformer, trg: Vocabulary) -> None:
    config = model.config
    lacking = {
        "norm='pre'": (config.norm == "pre", "its norms come after the sum"),
        "final_norms=True": (config.has_final_norms, "it has no norm after a stack"),
        f"positions={config.positions!r}": (_order(model) is None, "its positions are always the same waves"),
        f"trg_pad_idx={config.trg_pad_idx}": (config.trg_pad_idx == trg.start_id, "it attends to its start"),
        f"src_pad_idx={config.src_pad_idx}": (
            config.src_pad_idx != trg.pad_id, f"it has one padding for both sides, and the target's is {trg.pad_id}"
        ),
    }  # fmt: skip
    for setting, (is_lacking, why) in lacking.items():
        if is_lacking:
            raise UserError(f"{setting} cannot be held by MarianMTModel: {why}. Nothing was written.")


def _order(model: Transformer) -> Tensor | None:
    """Which of our channels each of theirs is, so that the positions are Marian's; None where they cannot be."""
    size, length = model.config.embed_size, model.config.max_length
    channels = torch.arange(size)
    if model.config.positions == "sinusoidal":
        return torch.cat([channels[0::2], channels[1::2]])
    tables = [stack.positions for stack in (model.encoder, model.decoder)]
    same = all(
        isinstance(table, LearnedPositions)
        and torch.allclose(
            table.table.weight.cpu(), waves(length, size).to(table.table.weight.dtype), rtol=0, atol=1e-6
        )
        for table in tables
    )
    return channels if same else None


def _their_config(model: Transformer, trg: Vocabulary) -> dict[str, Any]:
    config = model.config
    activation = next(theirs for theirs, ours in ACTIVATIONS.items() if ours == config.activation)
    return dict(
        architectures=["MarianMTModel"], model_type="marian", is_encoder_decoder=True,
        dtype=str(model.fc_out.weight.dtype).removeprefix("torch."), d_model=config.embed_size,
        max_position_embeddings=config.max_length,
        vocab_size=config.src_vocab_size, decoder_vocab_size=config.trg_vocab_size,
        encoder_layers=config.encoder.layers, encoder_attention_heads=config.encoder.heads,
        encoder_ffn_dim=config.encoder.forward_size, decoder_layers=config.decoder.layers,
        decoder_attention_heads=config.decoder.heads, decoder_ffn_dim=config.decoder.forward_size,
        activation_function=activation, dropout=config.dropout, attention_dropout=0.0, activation_dropout=0.0,
        scale_embedding=config.scale_embeddings, static_position_embeddings=True,
        share_encoder_decoder_embeddings=config.tie_embeddings == "three-way",
        tie_word_embeddings=config.tie_embeddings != "none", **_their_ids(trg),
    )  # fmt: skip


def _their_ids(trg: Vocabulary) -> dict[str, Any]:
    return dict(
        bos_token_id=None, pad_token_id=trg.pad_id, eos_token_id=trg.end_id, forced_eos_token_id=trg.end_id,
        decoder_start_token_id=trg.start_id,
    )  # fmt: skip


def _their_search(config: TransformerConfig, trg: Vocabulary, decoding: DecodingConfig) -> dict[str, Any]:
    """Settings with which `generate` answers as our search does, up to the formula of a beam's length penalty."""
    unwritten = never_written(config, trg, decoding.forbidden_ids)
    search = _their_ids(trg) | dict(
        bad_words_ids=[[number] for number in unwritten], renormalize_logits=True, max_length=config.max_length + 1,
        num_beams=decoding.beam,
    )  # fmt: skip
    if decoding.beam > 1:  # without a beam, transformers warns of these
        search |= dict(length_penalty=PENALTY * decoding.length_penalty, early_stopping="never")
    return search


def _their_weights(model: Transformer) -> dict[str, Tensor]:
    """Their tensors by name, a tied table once."""
    ours, order = model.state_dict(), _order(model)
    assert order is not None, "_refuse comes first"
    config = model.config
    weights = {"final_logits_bias": ours["fc_out.bias"].unsqueeze(0)}
    tables = {
        "model.encoder.embed_tokens": "encoder.word_embedding",
        "model.decoder.embed_tokens": "decoder.word_embedding",
    }
    if config.tie_embeddings == "three-way":
        tables = {"model.shared": "fc_out"}
    elif config.tie_embeddings == "none":
        tables |= {"lm_head": "fc_out"}
    for theirs, name in tables.items():
        weights[f"{theirs}.weight"] = ours[f"{name}.weight"][:, order]
    for stack, sizes in (("encoder", config.encoder), ("decoder", config.decoder)):
        for number in range(sizes.layers):
            place = f"{stack}.layers.{number}"
            for theirs, _ in layer_tensors(stack, config.embed_size, sizes.forward_size):
                part, _, kind = theirs.rpartition(".")
                tensor = ours[f"{place}.{our_part(part)}.{kind}"]
                weights[f"model.{place}.{theirs}"] = _reordered(tensor, part, kind, order)
    return {name: tensor.contiguous() for name, tensor in weights.items()}


def _reordered(tensor: Tensor, part: str, kind: str, order: Tensor) -> Tensor:
    """The channels of the residual stream in this order: read by columns, written by rows, biases and norms."""
    reads = part.endswith(("q_proj", "k_proj", "v_proj", "fc1"))
    if reads:
        return tensor[:, order] if kind == "weight" else tensor
    return tensor[order]
