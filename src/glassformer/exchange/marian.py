"""Hugging Face's `MarianMTModel`, the layout of the opus-mt models, in and out: equal logits, equal answers.

It is the paper's model with waves of its own for positions (all sines, then all cosines, from 0), one token that is
start and padding, and a bias of the logits. Here the waves are a learned table, and the target has no padding mask,
which would hide a start that is padding.

The way out is in `marian_export`.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter, ValidationError
from torch import Tensor

from glassformer.data import Vocabularies, Vocabulary
from glassformer.errors import UserError
from glassformer.exchange.facts import numbers
from glassformer.exchange.imported import Imported, Source, build, tying
from glassformer.exchange.marian_export import export
from glassformer.exchange.marian_layout import ACTIVATIONS, layer_tensors, our_part, waves
from glassformer.exchange.reading import folder_and_file, read_tensors
from glassformer.exchange.spm import read_spm, unigram_tokenizer
from glassformer.exchange.texts import read_json

__all__ = ["export", "read"]

OTHERS = {  # model_type -> what it has, and our model does not
    "bart": "a norm after the embeddings",
    "mbart": "a norm after the embeddings",
    "t5": "a bias for relative positions, RMSNorms and energies that are not scaled",
    "mt5": "a bias for relative positions, RMSNorms and energies that are not scaled",
    "m2m_100": "a start of its own for each language",
}
LACKING = {  # settings at which it would be another model
    "normalize_embedding": True,
    "normalize_before": True,
    "add_final_layer_norm": True,
    "static_position_embeddings": False,
}
LONGEST = 2**16  # positions that are made without asking
SEARCH = ("forced_eos_token_id", "bad_words_ids", "max_length", "num_beams", "length_penalty")
OTHER_SEARCH = ("no_repeat_ngram_size", "repetition_penalty", "min_length", "min_new_tokens")


@dataclass(frozen=True)
class Sizes:
    """What config.json and generation_config.json say, by the names they have there."""

    d_model: int
    vocab_size: int
    max_position_embeddings: int
    encoder_layers: int
    encoder_attention_heads: int
    encoder_ffn_dim: int
    decoder_layers: int
    decoder_attention_heads: int
    decoder_ffn_dim: int
    activation_function: str
    pad_token_id: int
    eos_token_id: int
    decoder_start_token_id: int
    decoder_vocab_size: int | None = None
    scale_embedding: bool = False
    dropout: float = 0.0
    share_encoder_decoder_embeddings: bool = True
    tie_word_embeddings: bool = True
    forced_eos_token_id: int | None = None
    bad_words_ids: list[list[int]] | None = None
    max_length: int | None = None
    num_beams: int | None = None
    length_penalty: float | None = None

    @property
    def trg_vocab_size(self) -> int:
        own = None if self.share_encoder_decoder_embeddings else self.decoder_vocab_size
        return own or self.vocab_size


def read(path: Path, leave: Collection[str] = ()) -> Imported:
    """The model in a folder, from its model.safetensors; a pytorch_model.bin is opened only where it is the path given.

    The tensors `leave` are left out. Raises UserError for another kind of model, for what our model lacks, and for
    files that are not whole.
    """
    folder, file = folder_and_file(path, "model.safetensors")
    config = read_json(folder / "config.json", dict)
    if (folder / "generation_config.json").is_file():  # the search is then as it says, and not as config.json says
        search = read_json(folder / "generation_config.json", dict)
        config = {name: value for name, value in config.items() if name not in SEARCH + OTHER_SEARCH} | search
    sizes = _sizes(config, folder)
    if not file.is_file() and (folder / "pytorch_model.bin").is_file():
        raise UserError(
            f"{folder} has no model.safetensors. Its pytorch_model.bin is a pickle, of which the tensors alone are "
            f"read, and only if you name it: {folder / 'pytorch_model.bin'}."
        )
    source = Source(read_tensors(file), str(file), leave)
    weights = _weights(source, sizes)
    vocabularies, notes = _vocabularies(folder, sizes)
    choices: dict[str, Any] = dict(
        src_vocab_size=sizes.vocab_size, trg_vocab_size=sizes.trg_vocab_size, src_pad_idx=sizes.pad_token_id,
        trg_pad_idx=None, embed_size=sizes.d_model, num_layers=sizes.encoder_layers,
        decoder_layers=sizes.decoder_layers, heads=sizes.encoder_attention_heads,
        decoder_heads=sizes.decoder_attention_heads, forward_expansion=sizes.encoder_ffn_dim / sizes.d_model,
        decoder_forward_expansion=sizes.decoder_ffn_dim / sizes.d_model, dropout=sizes.dropout,
        max_length=sizes.max_position_embeddings, positions="learned", norm="post",
        activation=ACTIVATIONS[sizes.activation_function], scale_embeddings=sizes.scale_embedding,
        tie_embeddings=tying(weights), final_norms=False,
    )  # fmt: skip
    model = build(choices, weights, str(file))
    decoding, more_notes = _decoding(sizes, config)
    return Imported(model, vocabularies, source.finish(), notes + more_notes, decoding)


def _sizes(config: dict[str, Any], folder: Path) -> Sizes:
    kind = config.get("model_type")
    if kind != "marian":
        has = f"{kind} has {OTHERS[kind]}, which our model has not" if kind in OTHERS else "Marian alone is read"
        raise UserError(f"{folder} has model_type={kind!r}: {has}. Such a model cannot be read.")
    for name, value in LACKING.items():
        if config.get(name) is value:
            raise UserError(
                f"{folder} has {name}={value}, which Hugging Face's MarianMTModel does not compute, and our model "
                "does not have. Such a model cannot be read."
            )
    try:
        sizes = TypeAdapter(Sizes).validate_python(config)
    except ValidationError as error:
        first = error.errors()[0]
        name = str(first["loc"][0])
        raise UserError(f"{folder}: {name}={config.get(name)!r} does not fit: {first['msg']}.") from error
    if sizes.activation_function not in ACTIVATIONS:
        raise UserError(
            f"{folder}: activation_function={sizes.activation_function!r}, and our model has {', '.join(ACTIVATIONS)}. "
            "Such a model cannot be read."
        )
    for name, least, most in (("d_model", 1, 2**20), ("max_position_embeddings", 1, LONGEST)):
        if not least <= getattr(sizes, name) <= most:
            raise UserError(f"{folder}: {name}={getattr(sizes, name)} must be from {least} to {most}.")
    for name, rows in (
        ("pad_token_id", min(sizes.vocab_size, sizes.trg_vocab_size)),
        ("eos_token_id", min(sizes.vocab_size, sizes.trg_vocab_size)),
        ("decoder_start_token_id", sizes.trg_vocab_size),
    ):
        if not 0 <= getattr(sizes, name) < rows:
            raise UserError(f"{folder}: {name}={getattr(sizes, name)} is no id of a vocabulary of {rows}.")
    return sizes


def _weights(source: Source, sizes: Sizes) -> dict[str, Tensor]:
    """All tensors of our model, by our names."""
    size, tables = sizes.d_model, _tables(source, sizes)
    weights = {
        "encoder.word_embedding.weight": source.take(
            tables["encoder"], "encoder.word_embedding", sizes.vocab_size, size
        ),
        "decoder.word_embedding.weight": source.take(
            tables["decoder"], "decoder.word_embedding", sizes.trg_vocab_size, size
        ),
        "fc_out.weight": source.take(tables["fc_out"], "fc_out.weight", sizes.trg_vocab_size, size),
    }
    bias = "final_logits_bias"
    out = weights["fc_out.weight"]
    weights["fc_out.bias"] = (
        source.take(bias, "fc_out.bias", 1, len(out))[0] if bias in source else out.new_zeros(len(out))
    )
    for stack, layers, width in (
        ("encoder", sizes.encoder_layers, sizes.encoder_ffn_dim),
        ("decoder", sizes.decoder_layers, sizes.decoder_ffn_dim),
    ):
        for number in range(layers):
            for theirs, shape in layer_tensors(stack, size, width):
                part, _, kind = theirs.rpartition(".")
                ours = f"{stack}.layers.{number}.{our_part(part)}.{kind}"
                weights[ours] = source.take(f"model.{stack}.layers.{number}.{theirs}", ours, *shape)
        theirs, ours = f"model.{stack}.embed_positions.weight", f"{stack}.positions.table.weight"
        rows = sizes.max_position_embeddings
        weights[ours] = source.take(theirs, ours, rows, size) if theirs in source else waves(rows, size).to(out.dtype)
    return weights


def _tables(source: Source, sizes: Sizes) -> dict[str, str]:
    """Which tensor is the table of each part: what is tied may stand in the file several times, or once."""
    shared, encoder, decoder = (
        "model.shared.weight",
        "model.encoder.embed_tokens.weight",
        "model.decoder.embed_tokens.weight",
    )
    tied = sizes.tie_word_embeddings
    if sizes.share_encoder_decoder_embeddings and tied:
        found = dict.fromkeys(("encoder", "decoder", "fc_out"), shared if shared in source else encoder)
    else:
        found = {"encoder": encoder, "decoder": decoder, "fc_out": decoder if tied else "lm_head.weight"}
    for name in (shared, encoder, decoder, "lm_head.weight"):
        if name in source and name not in found.values():
            source.leave(name, "tied to another table, or not used")
    return found


def _vocabularies(folder: Path, sizes: Sizes) -> tuple[Vocabularies, list[str]]:
    """The tokenizer's, ours where we wrote it, or numbers where there is none."""
    ids = {"pad": sizes.pad_token_id, "start": sizes.decoder_start_token_id, "end": sizes.eos_token_id}
    notes = []
    if any((folder / name).is_file() for name in ("tokenizer.json", "tokenizer.src.json")):
        found = Vocabularies.load(folder)
    elif (folder / "vocab.json").is_file():
        found = _marian_vocabularies(folder, ids)
        notes.append("Where two cuts of a text have the same score (--- as -- - or - --), it may take the other one.")
    else:
        source_ids = ids | {"start": ids["pad"]}
        found = Vocabularies(numbers(sizes.vocab_size, source_ids), numbers(sizes.trg_vocab_size, ids))
        notes.append("There is no tokenizer: the words are the ids, as numbers.")
    found.check(sizes.vocab_size, sizes.trg_vocab_size)
    trg = found.trg
    if (trg.start_id, trg.end_id) != (ids["start"], ids["end"]):
        raise UserError(
            f"{folder}: the tokenizer starts with id {trg.start_id} and ends with {trg.end_id}, and config.json says "
            f"{ids['start']} and {ids['end']}. They must belong together."
        )
    return found, notes


def _marian_vocabularies(folder: Path, ids: Mapping[str, int]) -> Vocabularies:
    """From source.spm, target.spm and vocab.json, and target_vocab.json where the sides have their own."""
    files = {"source": "vocab.json", "target": "target_vocab.json"}
    if not (folder / files["target"]).is_file():
        files["target"] = files["source"]
    return Vocabularies(*(_marian_vocabulary(folder, side, folder / file, ids) for side, file in files.items()))


def _marian_vocabulary(folder: Path, side: str, file: Path, ids: Mapping[str, int]) -> Vocabulary:
    listed = read_json(file, dict)
    numbered = list(listed.values())
    if any(type(number) is not int for number in numbered) or sorted(numbered) != list(range(len(listed))):
        raise UserError(f"{file}: ids must be 0, 1, 2, ... without gaps or repetitions. Copy it again.")
    tokens = sorted(listed, key=listed.__getitem__)
    if "<unk>" not in listed or max(ids.values()) >= len(tokens):
        raise UserError(
            f"{file} has {len(tokens)} tokens; '<unk>' and the ids {ids} must be among them. Copy it again."
        )
    roles = {role: tokens[number] for role, number in ids.items()}
    if side == "source":
        roles["start"] = roles["pad"]
    tokenizer = unigram_tokenizer(read_spm(folder / f"{side}.spm"), listed, "<unk>", sorted({*roles.values(), "<unk>"}))
    return Vocabulary(tokenizer, unknown="<unk>", **roles)


def _decoding(sizes: Sizes, config: Mapping[str, Any]) -> tuple[dict[str, Any], list[str]]:
    """Fields of a DecodingConfig, and what is said there that has none."""
    forced, bad = sizes.forced_eos_token_id is not None, sizes.bad_words_ids or []
    decoding: dict[str, Any] = dict(
        forced_end=False,  # a forced end has probability 1 there: the same as being cut off one token before it
        forbidden_ids=sorted({ids[0] for ids in bad if len(ids) == 1} - {sizes.eos_token_id}),
    )
    if sizes.num_beams:
        decoding["beam"] = sizes.num_beams
    if sizes.length_penalty == 0:
        decoding["length_penalty"] = 0.0
    if sizes.max_length is not None:
        decoding |= dict(max_ratio=0.0, max_extra=max(1, sizes.max_length - 1 - forced))
    notes = [
        "What is never written shares out its probability here, and there only with renormalize_logits=True: that can "
        "change the answers of a beam."
    ]
    if sizes.num_beams and sizes.num_beams > 1 and sizes.length_penalty != 0:
        notes.append("Its length penalty divides by n^penalty, ours by ((5 + n) / 6)^penalty: they agree at 0 alone.")
    if others := [f"{name}={config[name]}" for name in OTHER_SEARCH if config.get(name) not in (None, 0, 1, 1.0)]:
        notes.append(f"Our search has no such setting: {', '.join(others)}.")
    return decoding, notes
