"""Marian models of `transformers` give the same numbers and answers here, and ours give theirs there."""

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file
from tokenizers import Tokenizer
from torch import Tensor

from glassformer.decode import DecodingConfig, Translator
from glassformer.decode.beam import beam_search
from glassformer.errors import UserError
from glassformer.exchange.imported import Imported
from glassformer.exchange.marian import export, read
from glassformer.learn.zoo import FAULTS, plant
from tests.exchange.damage import outcomes
from tests.exchange.small import VOCABULARIES, float_model, sentences
from tests.small import PAD, SRC_VOCAB, small_batch

transformers = pytest.importorskip("transformers")

END, UNKNOWN, START = 0, 1, 36  # as in the opus-mt models: padding, which is the start, comes last
ROWS = 37
SIZES: dict[str, Any] = dict(
    vocab_size=ROWS, d_model=16, encoder_layers=2, decoder_layers=1, encoder_attention_heads=4,
    decoder_attention_heads=2, encoder_ffn_dim=24, decoder_ffn_dim=40, max_position_embeddings=24,
    activation_function="swish", scale_embedding=True, pad_token_id=START, decoder_start_token_id=START,
    eos_token_id=END, forced_eos_token_id=END, init_std=0.4,
)  # fmt: skip
UNTIED = dict(share_encoder_decoder_embeddings=False, tie_word_embeddings=False, decoder_vocab_size=29)
ODD = dict(pad_token_id=5, decoder_start_token_id=3, eos_token_id=2, forced_eos_token_id=2)
CONFIGURATIONS: list[dict[str, Any]] = [
    {},
    dict(activation_function="relu", scale_embedding=False),
    dict(activation_function="gelu", encoder_layers=1, decoder_layers=4),
    dict(encoder_layers=3, decoder_layers=2, encoder_ffn_dim=7, decoder_ffn_dim=64),
    dict(share_encoder_decoder_embeddings=False),
    dict(share_encoder_decoder_embeddings=False, decoder_vocab_size=41),
    UNTIED | ODD,
    dict(tie_word_embeddings=False, encoder_attention_heads=1, decoder_attention_heads=16),
    dict(d_model=20, encoder_attention_heads=5, decoder_attention_heads=1, max_position_embeddings=60),
    ODD | dict(activation_function="relu"),
]


def marian(folder: Path, choices: dict[str, Any], dtype: torch.dtype = torch.float32) -> Any:
    """A model of theirs with random weights and biases, saved to `folder`."""
    torch.manual_seed(3)
    config = transformers.MarianConfig(**(SIZES | choices))
    model = transformers.MarianMTModel(config).eval()
    with torch.no_grad():
        for name, tensor in model.state_dict().items():
            if name.endswith(("bias", "norm.weight")):  # they start at 0 and 1, where mistakes do not show
                tensor.add_(torch.randn_like(tensor), alpha=0.3)
    model.generation_config.bad_words_ids = [[config.pad_token_id], [config.decoder_start_token_id]]
    model.generation_config.renormalize_logits = True
    model.to(dtype).save_pretrained(folder)
    return model


def batch(model: Any) -> tuple[Tensor, Tensor, Tensor]:
    """Sources of unequal lengths, where there is a word, and targets that begin with the start."""
    config, lengths = model.config, torch.tensor([7, 3, 9, 1])
    usual = [number for number in range(29) if number not in (config.pad_token_id, config.eos_token_id, 3)]
    src = torch.tensor(usual)[torch.randint(len(usual), (4, 9))]
    mask = torch.arange(9) < lengths.unsqueeze(1)
    src = src.masked_fill(torch.arange(9) == lengths.unsqueeze(1) - 1, config.eos_token_id)
    trg = torch.tensor(usual)[torch.randint(len(usual), (4, 11))]
    trg[:, 0] = config.decoder_start_token_id
    return src.masked_fill(~mask, config.pad_token_id), mask, trg


@pytest.mark.parametrize("choices", CONFIGURATIONS, ids=str)
def test_the_logits_are_the_same(choices: dict[str, Any], tmp_path: Path) -> None:
    for dtype, digits in ((torch.float32, 1e-5), (torch.float64, 1e-10)):
        theirs = marian(tmp_path, choices, dtype)
        src, mask, trg = batch(theirs)
        with torch.no_grad():
            expected = theirs(src, attention_mask=mask, decoder_input_ids=trg).logits
            logits = read(tmp_path).model.to(dtype)(src, trg)
        assert (logits - expected).abs().max() < digits * expected.abs().max().clamp(min=1)


@pytest.mark.parametrize("choices", CONFIGURATIONS, ids=str)
def test_answers_are_the_same_ids(choices: dict[str, Any], tmp_path: Path) -> None:
    theirs = marian(tmp_path, choices)
    src, mask, _ = batch(theirs)
    config = theirs.generation_config
    special = {config.pad_token_id, config.eos_token_id, config.decoder_start_token_id}
    for beam, longest, forced in ((1, 3, True), (1, 13, True), (4, 13, True), (4, 9, False)):
        config.num_beams, config.max_length = beam, longest
        config.length_penalty, config.early_stopping = (0.0, "never") if beam > 1 else (None, None)
        config.forced_eos_token_id = config.eos_token_id if forced else None
        config.save_pretrained(tmp_path)
        generated = theirs.generate(src, attention_mask=mask)[:, 1:].tolist()
        expected = [[number for number in row if number not in special] for row in generated]
        assert answers(read(tmp_path), src) == expected


def answers(imported: Imported, src: Tensor) -> list[list[int]]:
    """By the search that the folder states."""
    trg, config = imported.vocabularies.trg, DecodingConfig.from_dict(imported.decoding)
    return [several[0].ids for several in beam_search(imported.model, src, trg.start_id, trg.end_id, config)]


TEXTS = sentences(6)
OURS: list[dict[str, Any]] = [
    dict(positions="sinusoidal"),
    dict(positions="sinusoidal", tie_embeddings="two-way", scale_embeddings=True, activation="gelu", dropout=0.1),
    dict(positions="sinusoidal", tie_embeddings="three-way", trg_vocab_size=SRC_VOCAB, activation="silu"),
    dict(positions="sinusoidal", heads=4, decoder_heads=1, decoder_layers=3, decoder_forward_expansion=1.25),
    dict(positions="sinusoidal", trg_pad_idx=None, embed_size=6, heads=3),
]


@pytest.mark.parametrize("choices", OURS, ids=str)
def test_our_models_have_the_same_logits_and_translate_the_same_there(choices: dict[str, Any], tmp_path: Path) -> None:
    ours = float_model(**choices)
    export(ours, VOCABULARIES, tmp_path / "out", decoding=DecodingConfig(forbidden_ids=(5,)))
    theirs = transformers.MarianMTModel.from_pretrained(tmp_path / "out").eval()
    src, trg = small_batch()
    with torch.no_grad():
        expected = ours(src, trg)
        logits = theirs(src, attention_mask=src != PAD, decoder_input_ids=trg).logits
    words = torch.arange(6) < torch.tensor([6, 5, 4]).unsqueeze(1)
    assert (logits - expected)[words].abs().max() < 1e-5 * expected.abs().max().clamp(min=1)

    texts = sentences(12)
    tokenizers = [Tokenizer.from_file(str(tmp_path / "out" / f"tokenizer.{side}.json")) for side in ("src", "trg")]
    translator = Translator(ours, VOCABULARIES, DecodingConfig(max_ratio=0, max_extra=9, forbidden_ids=(5,)))
    for text, answer in zip(texts, translator.translate(texts), strict=True):
        ids = tokenizers[0].encode(text, add_special_tokens=False).ids
        generated = theirs.generate(torch.tensor([[*ids, VOCABULARIES.src.end_id]]), max_length=10)[0].tolist()
        assert tokenizers[1].decode(generated, skip_special_tokens=True) == answer


def test_a_round_trip_through_their_folder_keeps_every_number(tmp_path: Path) -> None:
    ours = float_model(positions="sinusoidal", tie_embeddings="two-way")
    decoding = DecodingConfig(beam=4, length_penalty=0.0, forbidden_ids=(5,))
    export(ours, VOCABULARIES, tmp_path / "out", decoding=decoding)
    back = read(tmp_path / "out")
    assert back.vocabularies.trg.to_json() == VOCABULARIES.trg.to_json()
    assert back.decoding["forbidden_ids"] == [PAD, VOCABULARIES.trg.start_id, 5]
    assert (back.decoding["beam"], back.decoding["length_penalty"]) == (4, 0.0)
    src, trg = small_batch(sentences=1)
    assert torch.allclose(back.model(src, trg), ours(src, trg), rtol=0, atol=1e-5)
    export(back.model, back.vocabularies, tmp_path / "again")  # the waves are known again
    weights = [load_file(tmp_path / name / "model.safetensors") for name in ("out", "again")]
    assert all(torch.equal(tensor, weights[1][name]) for name, tensor in weights[0].items())


def test_a_beam_goes_along_and_finds_the_same_there(tmp_path: Path) -> None:
    ours, decoding = float_model(positions="sinusoidal"), DecodingConfig(beam=3, length_penalty=0.0, max_ratio=5.0)
    export(ours, VOCABULARIES, tmp_path / "out", decoding=decoding)
    theirs = transformers.MarianMTModel.from_pretrained(tmp_path / "out").eval()
    src, trg = VOCABULARIES
    for text, answer in zip(TEXTS, Translator(ours, VOCABULARIES, decoding).hypotheses(TEXTS), strict=True):
        ids = theirs.generate(torch.tensor([[*src.encode(text), src.end_id]]))[0].tolist()
        assert [number for number in ids if number not in (trg.pad_id, trg.start_id, trg.end_id)] == answer[0].tokens
    export(ours, VOCABULARIES, tmp_path / "default", decoding=DecodingConfig(beam=3))
    search = json.loads((tmp_path / "default" / "generation_config.json").read_text())
    assert search["length_penalty"] == pytest.approx(0.4 * DecodingConfig().length_penalty)


def test_what_marian_cannot_hold_is_refused_before_anything_is_written(tmp_path: Path) -> None:
    for choices, match in (
        (dict(norm="pre"), "norm='pre'"),
        (dict(positions="sinusoidal", final_norms=True), "final_norms=True"),
        (dict(positions="learned"), "positions='learned'"),
        (dict(positions="none"), "positions='none'"),
        (dict(positions="sinusoidal", trg_pad_idx=VOCABULARIES.trg.start_id), "trg_pad_idx=1"),
        (dict(positions="sinusoidal", src_pad_idx=4), "src_pad_idx=4"),
    ):
        with pytest.raises(UserError, match=f"{match} cannot be held by MarianMTModel"):
            export(float_model(**choices), VOCABULARIES, tmp_path / "out")
    planted = plant(float_model(positions="sinusoidal", dropout=0.1), next(iter(FAULTS)))
    with pytest.raises(UserError, match="which MarianMTModel does not compute"):
        export(planted, VOCABULARIES, tmp_path / "out")
    assert list(tmp_path.iterdir()) == []


def refused(path: Path, match: str) -> None:
    with pytest.raises(UserError, match=match):
        read(path)


def edit(folder: Path, **settings: Any) -> None:
    path = folder / "config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | settings))
    (folder / "generation_config.json").unlink()  # what it says goes before


@pytest.mark.parametrize(
    ("setting", "match"),
    [
        (dict(model_type="bart"), "model_type='bart': bart has a norm after the embeddings"),
        (dict(model_type="t5"), "model_type='t5': t5 has a bias for relative positions"),
        (dict(model_type="gpt2"), "model_type='gpt2': Marian alone is read"),
        (dict(normalize_embedding=True), "normalize_embedding=True"),
        (dict(normalize_before=True), "normalize_before=True"),
        (dict(static_position_embeddings=False), "static_position_embeddings=False"),
        (dict(activation_function="gelu_new"), "activation_function='gelu_new', and our model has relu, gelu"),
        (dict(encoder_layers="two"), "encoder_layers='two' does not fit"),
        (dict(encoder_layers=3), r"no tensor 'model.encoder.layers.2.self_attn.q_proj.weight'"),
        (dict(encoder_layers=1), r"has the tensor 'model.encoder.layers.1.\S+' and 15 more, for which"),
        (dict(encoder_ffn_dim=25), r"has the shape \[24, 16\], and the model needs \[25, 16\]"),
        (dict(decoder_attention_heads=3), "decoder_heads=3 does not divide embed_size=16"),
        (dict(pad_token_id=37), "pad_token_id=37 is no id of a vocabulary of 37"),
        (dict(max_position_embeddings=10**9), "max_position_embeddings=1000000000 must be from 1 to 65536"),
    ],
    ids=str,
)
def test_what_our_model_lacks_is_refused_by_name(setting: dict[str, Any], match: str, tmp_path: Path) -> None:
    marian(tmp_path, {})
    edit(tmp_path, **setting)
    refused(tmp_path, match)


def test_a_pickle_is_opened_only_where_it_is_named(tmp_path: Path) -> None:
    theirs = marian(tmp_path, {})
    (tmp_path / "model.safetensors").unlink()
    refused(tmp_path, "is no file")
    torch.save(theirs.state_dict(), tmp_path / "pytorch_model.bin")  # as older ones: tied tables and positions again
    refused(tmp_path, "only if you name it")
    src, mask, trg = batch(theirs)
    with torch.no_grad():
        expected = theirs(src, attention_mask=mask, decoder_input_ids=trg).logits
        assert torch.allclose(read(tmp_path / "pytorch_model.bin").model(src, trg), expected, rtol=0, atol=1e-5)


def test_positions_in_the_file_are_taken_as_they_are(tmp_path: Path) -> None:
    marian(tmp_path, {})
    weights = load_file(tmp_path / "model.safetensors")
    weights["model.decoder.embed_positions.weight"] = torch.randn(24, 16)
    save_file(weights, tmp_path / "model.safetensors", metadata={"format": "pt"})
    theirs = transformers.MarianMTModel.from_pretrained(tmp_path).eval()
    src, mask, trg = batch(theirs)
    with torch.no_grad():
        expected = theirs(src, attention_mask=mask, decoder_input_ids=trg).logits
        assert torch.allclose(read(tmp_path).model(src, trg), expected, rtol=0, atol=1e-5)


def test_damaged_files_are_refused_or_read_whole(tmp_path: Path) -> None:
    marian(tmp_path, dict(encoder_layers=1))
    files = ["model.safetensors", "model.safetensors", "config.json", "generation_config.json"]
    assert outcomes(lambda: read(tmp_path), tmp_path, files) == {
        "refused",
        "read",
    }  # a flipped bit in a weight cannot be seen
