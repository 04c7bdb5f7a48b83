"""A model exported to CTranslate2 has the same numbers there; what the format cannot hold is refused."""

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from tokenizers import Tokenizer

from glassformer.data import Vocabularies, Vocabulary
from glassformer.decode import DecodingConfig, Translator
from glassformer.errors import UserError
from glassformer.exchange.ctranslate2 import export
from glassformer.learn.zoo import FAULTS, plant
from glassformer.model.attention import MultiHeadAttention, attention
from glassformer.model.fused import use_attention, use_fused
from glassformer.model.transformer import Transformer
from tests.exchange.small import VOCABULARIES, float_model, sentences
from tests.small import PAD, SRC_VOCAB, TRG_VOCAB, VARIANTS, variant_name

ctranslate2 = pytest.importorskip("ctranslate2")

START, END = VOCABULARIES.trg.start_id, VOCABULARIES.trg.end_id
MORE_VARIANTS = [
    dict(norm="post", final_norms=True, trg_pad_idx=None),
    dict(norm="pre", tie_embeddings="three-way", trg_vocab_size=SRC_VOCAB, scale_embeddings=True),
    dict(num_layers=1, decoder_layers=3, heads=4, decoder_heads=1, forward_expansion=1.25, activation="gelu"),
]


def exported(model: Transformer, folder: Path, vocabularies: Vocabularies = VOCABULARIES, **choices: Any) -> Any:
    export(model, vocabularies, folder / "exported", **choices)
    return ctranslate2.Translator(str(folder / "exported"), intra_threads=1)


def our_log_probs(
    model: Transformer, src: list[int], trg: list[int], forbidden: tuple[int, ...] = (PAD, START)
) -> torch.Tensor:
    """Of each token of `trg` and of </s>, from one whole pass; forbidden ids have no probability."""
    with torch.no_grad():
        logits = model(torch.tensor([src]), torch.tensor([[START, *trg]]))[0]
    log_probs = logits.index_fill(1, torch.tensor(forbidden), float("-inf")).log_softmax(dim=1)
    return log_probs.gather(1, torch.tensor([*trg, END]).unsqueeze(1)).squeeze(1)


@pytest.mark.parametrize("choices", [*VARIANTS, *MORE_VARIANTS], ids=variant_name)
def test_every_token_has_the_same_log_probability(choices: dict[str, Any], tmp_path: Path) -> None:
    model = float_model(**choices)
    letters = range(4, TRG_VOCAB)
    sources = [VOCABULARIES.src.encode(text) for text in sentences(12, longest=15)]
    targets = [[letters[(row + place) % len(letters)] for place in range(row)] for row in range(12)]
    theirs = exported(model, tmp_path).score_batch(
        [[VOCABULARIES.src.piece(number) for number in source] for source in sources],
        [[VOCABULARIES.trg.piece(number) for number in target] for target in targets],
    )
    for source, target, scored in zip(sources, targets, theirs, strict=True):
        forbidden = (START,) if model.config.trg_pad_idx is None else (PAD, START)
        ours = our_log_probs(model, [*source, VOCABULARIES.src.end_id], target, forbidden)
        assert torch.allclose(torch.tensor(scored.log_probs), ours, rtol=0, atol=1e-4)


def test_forbidden_ids_are_never_written_and_the_others_share_their_probability(tmp_path: Path) -> None:
    model, target = float_model(), [4, 6, 8]
    (scored,) = exported(model, tmp_path, forbidden_ids=[5, 7]).score_batch([["a", "b"]], [["A", "C", "E"]])
    ours = our_log_probs(model, [4, 5, VOCABULARIES.src.end_id], target, (PAD, START, 5, 7))
    assert torch.allclose(torch.tensor(scored.log_probs), ours, rtol=0, atol=1e-4)


def test_the_folder_translates_with_the_library_and_tokenizers_alone(tmp_path: Path) -> None:
    model, texts = float_model(), sentences(20)
    translator = exported(model, tmp_path)
    tokenizers = [Tokenizer.from_file(str(tmp_path / "exported" / f"tokenizer.{side}.json")) for side in ("src", "trg")]
    pieces = [tokenizers[0].encode(text, add_special_tokens=False).tokens for text in texts]
    found = translator.translate_batch(
        pieces, beam_size=1, max_input_length=0, min_decoding_length=0, max_decoding_length=9
    )
    ids = [[tokenizers[1].token_to_id(token) for token in result.hypotheses[0]] for result in found]
    config = DecodingConfig(max_ratio=0, max_extra=9, forced_end=False)
    assert ids == [several[0].tokens for several in Translator(model, VOCABULARIES, config).hypotheses(texts)]


@pytest.mark.parametrize("kinds", [("characters", "bpe"), ("bpe", "symbols")])
def test_vocabularies_of_any_kind_and_tables_with_rows_to_spare(kinds: tuple[Any, Any], tmp_path: Path) -> None:
    texts = ['"Ja", naïve \\ <0x41> ▁ ␛ 雪', "a\tb <s>"]
    both = Vocabularies(*(Vocabulary.train(texts, kind=kind, size=300) for kind in kinds))
    rows = [len(vocabulary) + 3 for vocabulary in both]
    model = float_model(src_vocab_size=rows[0], trg_vocab_size=rows[1], max_length=60)
    translator = exported(model, tmp_path, both)
    names = [
        json.loads((tmp_path / "exported" / f"{side}_vocabulary.json").read_text()) for side in ("source", "target")
    ]
    assert [len(side) for side in names] == [len(set(side)) for side in names] == rows
    source, target = both.src.encode(texts[0]), both.trg.encode(texts[0])
    (scored,) = translator.score_batch([[names[0][n] for n in source]], [[names[1][n] for n in target]])
    ours = our_log_probs(model, [*source, both.src.end_id], target)
    assert torch.allclose(torch.tensor(scored.log_probs), ours, rtol=0, atol=1e-4)


def test_int8_is_small_close_and_leaves_the_model_as_it_was(tmp_path: Path) -> None:
    sizes = dict(embed_size=64, src_vocab_size=SRC_VOCAB, trg_vocab_size=SRC_VOCAB, tie_embeddings="three-way")
    model = float_model(**sizes)
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    for quantization in ("float32", "int8"):
        export(model, VOCABULARIES, tmp_path / quantization, quantization=quantization)
    assert all(torch.equal(tensor, before[name]) for name, tensor in model.state_dict().items())
    sizes_of = [(tmp_path / name / "model.bin").stat().st_size for name in ("float32", "int8")]
    parameters = sum(parameter.numel() for parameter in model.parameters())
    assert sizes_of[0] == pytest.approx(4 * parameters, rel=0.05)  # a tied table is there once
    assert sizes_of[1] < sizes_of[0] / 2.5
    assert ctranslate2.Translator(str(tmp_path / "int8")).compute_type.startswith("int8")


def test_fused_attention_and_half_precision_are_exported_as_what_they_are(tmp_path: Path) -> None:
    model = use_fused(float_model()).to(torch.bfloat16)
    (scored,) = exported(model, tmp_path).score_batch([["a", "b"]], [["A"]])
    ours = our_log_probs(model.to(torch.float32), [4, 5, VOCABULARIES.src.end_id], [4])
    assert torch.allclose(torch.tensor(scored.log_probs), ours, rtol=0, atol=1e-4)


class Turned(MultiHeadAttention):
    """What an experiment may be: a subclass."""


def refused(model: Transformer, folder: Path, match: str, **choices: Any) -> None:
    with pytest.raises(UserError, match=match):
        export(model, choices.pop("vocabularies", VOCABULARIES), folder / "exported", **choices)
    assert list(folder.iterdir()) == []


@pytest.mark.parametrize("fault", FAULTS)
def test_planted_faults_are_refused(fault: str, tmp_path: Path) -> None:
    model = float_model(positions="sinusoidal", scale_embeddings=True, dropout=0.1, final_norms=True)
    refused(plant(model, fault), tmp_path, "which CTranslate2 does not compute")


def test_experiments_are_refused_by_name(tmp_path: Path) -> None:
    model = float_model()
    model.decoder.layers[1].self_attention = Turned(12, 2)
    refused(model, tmp_path, r"decoder\.layers\.1\.self_attention is a Turned")
    lopsided = use_attention(float_model(), lambda q, k, v, mask: attention(q, k, v, mask) * 2)
    refused(lopsided, tmp_path, r"encoder\.layers\.0\.self_attention\.attend is <lambda>")


def test_broken_weights_are_refused(tmp_path: Path) -> None:
    model = float_model()
    with torch.no_grad():
        model.fc_out.bias[3] = float("nan")
    refused(model, tmp_path, r"fc_out\.bias holds what is not a number")


def test_norms_with_different_epsilons_are_refused(tmp_path: Path) -> None:
    model = float_model()
    model.encoder.layers[0].feed_forward_residual.norm.eps = 1e-3
    refused(model, tmp_path, r"LayerNorms with eps \[1e-05, 0\.001\]")


def test_settings_that_do_not_fit_are_refused(tmp_path: Path) -> None:
    model = float_model()
    refused(model, tmp_path, "unknown quantization 'int7'. Did you mean int8", quantization="int7")
    refused(model, tmp_path, "no end", forbidden_ids=[END])
    refused(model, tmp_path, "go from 0 to 10", forbidden_ids=[TRG_VOCAB])
    refused(float_model(trg_pad_idx=START), tmp_path, "trg_pad_idx=1 is the target's start as well")
    content = VOCABULARIES.src.to_json().replace('"</s>"', '"[SEP]"')
    others = VOCABULARIES._replace(src=Vocabulary.from_json(content, end="[SEP]"))
    refused(model, tmp_path, r"the source ends with '\[SEP\]' and the target with '</s>'", vocabularies=others)
