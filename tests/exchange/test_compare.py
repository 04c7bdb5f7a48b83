"""Two models side by side: what is counted is right, and what is measured is what others say."""

import re
from dataclasses import fields, replace
from pathlib import Path
from typing import Any, get_args

import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode

from glassformer.checkpoint import Config, save
from glassformer.data import Vocabularies, Vocabulary
from glassformer.errors import UserError
from glassformer.exchange.compare import compare, find_sides
from glassformer.exchange.compare.choices import FORMULAS, MEANINGS, differing
from glassformer.exchange.compare.counting import flops_by_part
from glassformer.exchange.compare.measured import Difference, entropy_at_start, random_batch
from glassformer.exchange.compare.references import OriginCode, TorchCode
from glassformer.exchange.compare.sides import Ours
from glassformer.model.config import TransformerConfig, base
from glassformer.model.transformer import Transformer
from tests.exchange.origin_model import OriginTransformer
from tests.small import PAD, VARIANTS, small_model, variant_name


def side(name: str = "ours", **choices: Any) -> Ours:
    return Ours(name, small_model(**choices).config)


def test_every_field_of_a_config_has_a_meaning_and_every_choice_a_formula() -> None:
    assert set(MEANINGS) == {field.name for field in fields(TransformerConfig)}
    for field in ("positions", "norm", "activation", "tie_embeddings"):
        kinds = next(each.type for each in fields(TransformerConfig) if each.name == field)
        assert set(FORMULAS[field]) == set(get_args(kinds))


def test_two_configs_differ_in_what_they_do_not_in_how_it_is_said() -> None:
    plain = small_model().config
    said = replace(plain, decoder_layers=plain.num_layers, decoder_heads=plain.heads, final_norms=False)
    assert differing(plain, said) == []
    (norm, final) = differing(plain, replace(plain, norm="pre"))
    assert (norm.field, norm.a_formula, norm.b_formula) == (
        "norm", "LayerNorm(x + Sublayer(x))", "x + Sublayer(LayerNorm(x))",
    )  # fmt: skip
    assert (final.field, final.a, final.b) == ("final_norms", False, True)


@pytest.mark.parametrize("choices", VARIANTS, ids=variant_name)
def test_parameters_by_part_are_the_models_and_shared_ones_count_once(choices: dict[str, Any]) -> None:
    model = small_model(**choices)
    counts = Ours("ours", model.config).parameters()
    total = counts.pop("total")
    assert total == sum(parameter.numel() for parameter in model.parameters()) == sum(counts.values())
    layers = [sum(p.numel() for p in stack.layers.parameters()) for stack in (model.encoder, model.decoder)]
    norms = [sum(p.numel() for p in stack.norm.parameters()) for stack in (model.encoder, model.decoder)]
    assert [counts["encoder"], counts["decoder"]] == [a + b for a, b in zip(layers, norms, strict=True)]


def test_the_papers_base_model_has_63_million_parameters() -> None:
    a, _ = find_sides("base", "torch")
    assert a.parameters()["total"] == 63_082_496 + 37_000
    assert a.parameters()["output"] == 37_000, "the table is counted with the embeddings, the bias is left"


@pytest.mark.parametrize("choices", VARIANTS, ids=variant_name)
def test_flops_are_those_that_torch_counts(choices: dict[str, Any]) -> None:
    model, length = small_model(**choices), 9
    src, trg = (torch.ones(1, length, dtype=torch.long) for _ in range(2))
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        model(src, trg)
    assert length * sum(flops_by_part(model.config, length).values()) == counter.get_total_flops()


def test_flops_of_the_origins_shared_projections_are_those_that_torch_counts() -> None:
    length, model = 9, OriginTransformer(embed_size=12, heads=3, layers=2, expansion=4)
    config = small_model(heads=3, forward_expansion=4).config
    src, trg = (torch.ones(1, length, dtype=torch.long) for _ in range(2))
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        model(src, trg)
    assert length * sum(flops_by_part(config, length, shared=True).values()) == counter.get_total_flops()


def test_the_origins_code_has_the_parameters_of_its_module() -> None:
    ours = side(heads=3, forward_expansion=4)
    module = OriginTransformer(embed_size=12, heads=3, layers=2, expansion=4)
    assert OriginCode("origin-code", ours).parameters()["total"] == sum(p.numel() for p in module.parameters())


@pytest.mark.parametrize("choices", [dict(norm="pre"), dict(norm="post", final_norms=True)], ids=variant_name)
@pytest.mark.parametrize(
    "more", [dict(heads=3), dict(positions="sinusoidal", tie_embeddings="two-way")], ids=variant_name
)
def test_torchs_transformer_with_our_weights_has_our_logits_and_gradients(
    choices: dict[str, Any], more: dict[str, Any]
) -> None:
    model = small_model(**choices, **more)
    ours = Ours("ours", model.config, model)
    found = compare(ours, TorchCode("torch", ours)).same_weights
    assert isinstance(found, Difference)
    assert found.logits < 1e-12 < found.largest_logit
    assert found.gradients < 1e-12 < found.largest_gradient


def test_the_final_norms_that_torch_adds_show_in_the_gradients_before_they_learn() -> None:
    ours = side()
    found = compare(ours, TorchCode("torch", ours))
    assert [choice.field for choice in found.choices] == ["final_norms"]
    assert isinstance(found.same_weights, Difference)
    assert found.same_weights.gradients > 1e-3


def test_the_importer_gives_the_origins_logits_and_the_gradients_of_its_own_tensors() -> None:
    ours = side()
    found = compare(ours, OriginCode("origin-code", ours))
    assert isinstance(found.same_weights, Difference)
    assert found.same_weights.logits < 1e-12 < found.same_weights.largest_logit
    assert found.same_weights.gradients < 1e-12 < found.same_weights.largest_gradient
    assert found.formulas["scores"] == ("queries · keys / sqrt(head_dim)", "queries · keys / sqrt(embed_size)")


def test_a_choice_without_weights_of_its_own_is_measured_with_the_same_weights() -> None:
    plain, other = side("relu"), side("gelu", activation="gelu")
    found = compare(plain, other).same_weights
    assert isinstance(found, Difference)
    assert found.logits > 1e-3
    again = compare(plain, side("again")).same_weights
    assert isinstance(again, Difference)
    assert (again.logits, again.gradients) == (0, 0)


@pytest.mark.parametrize(
    ("choices", "reason"),
    [
        (dict(positions="none"), "has encoder.positions.table.weight, for which other has no place"),
        (dict(embed_size=8), r"encoder.word_embedding.weight is \[13, 12\] in ours and \[13, 8\] in other"),
        (dict(num_layers=3), "other has encoder.layers.2"),
    ],
    ids=lambda value: variant_name(value) if isinstance(value, dict) else "",
)
def test_why_two_models_cannot_carry_the_same_weights_is_said(choices: dict[str, Any], reason: str) -> None:
    found = compare(side(), side("other", **choices)).same_weights
    assert isinstance(found, str)
    assert re.search(reason, found)


def test_a_tied_model_gives_its_weights_to_one_that_is_not_and_never_the_other_way() -> None:
    apart, tied = side("apart"), side("tied", tie_embeddings="two-way")
    for a, b in ((apart, tied), (tied, apart)):
        found = compare(a, b).same_weights
        assert isinstance(found, Difference)
        assert found.carrier == "tied"
        assert found.logits < 1e-12
    trained = Ours("tied", tied.config), Ours("origin-code", apart.config)
    code = compare(trained[0], OriginCode("origin-code", trained[0])).same_weights
    assert isinstance(code, str)
    assert "one table" in code


def test_learned_final_norms_are_not_left_out_silently() -> None:
    model = small_model(norm="post", final_norms=True)
    found = compare(Ours("a", model.config, model), side("b", norm="post", final_norms=False)).same_weights
    assert isinstance(found, str)
    assert "encoder.norm.weight" in found


def test_two_trained_models_are_compared_with_their_own_weights_too() -> None:
    one, two = small_model(), small_model()
    src, trg, pad_idx = random_batch(one.config, two.config)
    words = (trg != pad_idx)[:, :-1, None]
    with torch.no_grad():
        by_hand = ((one(src, trg[:, :-1]) - two(src, trg[:, :-1])) * words).abs().max()
    found = compare(Ours("a", one.config, one), Ours("b", two.config, two)).own_weights
    assert found is not None
    assert found["logits"] == pytest.approx(float(by_hand), rel=1e-12)
    assert compare(side(), side()).own_weights is None


def test_the_random_sentences_have_words_first_and_padding_of_unequal_lengths_behind() -> None:
    src, trg, pad_idx = random_batch(small_model().config, small_model(max_length=12).config)
    assert src.size(1) == 12
    assert trg.size(1) == 13
    for tokens in (src, trg):
        words = tokens != (PAD if tokens is src else pad_idx)
        assert words[:, 0].all()
        assert len(set(words.sum(1).tolist())) == len(tokens)
        assert (words.long().diff(dim=1) <= 0).all()


def test_entropy_of_even_attention_is_the_logarithm_of_its_keys() -> None:
    class Even(Ours):
        def start(self, seed: int) -> dict[str, torch.Tensor]:
            weights = super().start(seed)
            return {name: 0 * w if "to_queries" in name else w for name, w in weights.items()}

    config = small_model(max_length=20).config
    for value, most in entropy_at_start(Even("even", config)).values():
        assert value == pytest.approx(most, rel=1e-12)
    encoder, decoder, cross = (most for _, most in entropy_at_start(Ours("ours", config)).values())
    assert encoder == cross == pytest.approx(torch.tensor(20.0, dtype=torch.float64).log().item())
    assert decoder == pytest.approx(torch.arange(1, 21, dtype=torch.float64).log().mean().item())


def test_scores_divided_by_the_root_of_all_channels_make_attention_too_even() -> None:
    ours = side(embed_size=32, heads=8, max_length=20)
    found = compare(ours, OriginCode("origin-code", ours)).entropy
    for one, two, most in found.values():
        assert one < two < most


def test_torchs_attention_is_seen_as_ours_is(monkeypatch: pytest.MonkeyPatch) -> None:
    model = small_model(norm="pre", max_length=20)
    ours = Ours("ours", model.config, model)
    torch_code = TorchCode("torch", ours)
    for code in (ours, torch_code):
        monkeypatch.setattr(code, "start", lambda seed, code=code: code.weights())
    for one, two in zip(entropy_at_start(ours).values(), entropy_at_start(torch_code).values(), strict=True):
        assert one == pytest.approx(two, rel=1e-10)


def test_comparing_moves_no_dice_and_leaves_the_models_as_they_were() -> None:
    model = small_model().train()
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    torch.manual_seed(5)
    state = torch.get_rng_state()
    ours = Ours("ours", model.config, model)
    for code in (OriginCode("origin-code", ours), TorchCode("torch", ours)):
        compare(ours, code)
    assert torch.equal(torch.get_rng_state(), state)
    assert model.training
    assert all(torch.equal(tensor, before[name]) for name, tensor in model.state_dict().items())
    assert all(parameter.grad is None for parameter in model.parameters())


def saved(folder: Path) -> Path:
    letters = Vocabulary.from_tokens(["<pad>", "<s>", "</s>", *"abc"], kind="characters")
    model = Transformer(6, 6, 0, 0, 12, 1, heads=2)
    save(folder, model, Vocabularies(letters, letters), Config(model=model.config, data={}, decoding={}, run={}))
    return folder


def test_a_preset_beside_a_trained_model_takes_its_vocabularies(tmp_path: Path) -> None:
    a, b = find_sides("tiny", str(saved(tmp_path / "model")))
    assert (a.config.src_vocab_size, a.config.trg_vocab_size) == (6, 6)
    assert b.trained is not None
    a, b = find_sides("torch", str(tmp_path / "model"))
    assert a.config == replace(b.config, final_norms=True)


def test_a_folder_that_lies_here_comes_before_a_preset_of_its_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    saved(tmp_path / "base")
    monkeypatch.chdir(tmp_path)
    a, b = find_sides("base", "torch")
    assert a.trained is not None
    assert b.kind == "torch.nn.Transformer"


@pytest.mark.parametrize(
    ("a", "b", "sizes", "message"),
    [
        ("torch", "origin-code", {}, "takes the sizes of the other side"),
        ("bse", "torch", {}, "unknown model, preset or code 'bse'. Did you mean base"),
        ("base", "torch", dict(src_vocab_size=5, trg_vocab_size=6), "base: tie_embeddings='three-way'"),
    ],
)
def test_what_cannot_be_compared_is_said(a: str, b: str, sizes: dict[str, int], message: str) -> None:
    with pytest.raises(UserError, match=message):
        find_sides(a, b, **sizes)


def test_torch_has_one_width_for_both_stacks() -> None:
    with pytest.raises(UserError, match=r"nn\.Transformer has one for both"):
        TorchCode("torch", side(decoder_heads=3))


def test_a_preset_of_many_words_is_measured_with_a_thousand() -> None:
    config = Transformer(1500, 1200, 1400, None, **(base() | dict(tie_embeddings="none", embed_size=16)), device="meta")
    measured = Ours("large", config.config).measured
    assert (measured.src_vocab_size, measured.trg_vocab_size, measured.src_pad_idx) == (1000, 1000, 999)
