"""Proof 4 (properties) and what the origin promised of its constructor."""

from typing import Any

import pytest
import torch
import torch.nn.functional as F

from glassformer.model.transformer import Transformer
from tests import properties
from tests.small import PAD, TRG_VOCAB, VARIANTS, small_batch, small_model, variant_name

each_variant = pytest.mark.parametrize("choices", VARIANTS, ids=variant_name)


def test_the_origins_demo_gives_the_origins_shape() -> None:
    src = torch.tensor([[1, 5, 6, 4, 3, 9, 5, 2, 0], [1, 8, 7, 3, 4, 5, 6, 7, 2]])
    trg = torch.tensor([[1, 7, 4, 3, 5, 9, 2, 0], [1, 5, 6, 2, 4, 7, 6, 2]])
    model = Transformer(10, 10, 0, 0, device="cpu").to("cpu")
    assert model(src, trg[:, :-1]).shape == torch.Size([2, 7, 10])


def test_mask_shapes_are_the_origins() -> None:
    model = small_model()
    src, trg = small_batch(3, 7, 6)
    assert model.make_src_mask(src).shape == (3, 1, 1, 7)
    assert model.make_trg_mask(trg).shape == (3, 1, 6, 6)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32, torch.float64])
@each_variant
def test_every_dtype_gives_finite_logits_of_that_dtype(choices: dict[str, Any], dtype: torch.dtype) -> None:
    src, trg = small_batch()
    logits = small_model(**choices).to(dtype)(src, trg[:, :-1])
    assert logits.dtype == dtype
    assert torch.isfinite(logits).all()


def test_device_follows_the_model() -> None:
    model = Transformer(5, 5, 0, 0, 8, 1, heads=2)
    assert model.device == torch.device("cpu")
    assert model.to("meta").device == torch.device("meta")


@each_variant
def test_future_tokens_do_not_change_past_scores(choices: dict[str, Any]) -> None:
    assert properties.future_leak(small_model(**choices)) == 0


@each_variant
def test_every_target_token_reaches_its_own_position(choices: dict[str, Any]) -> None:
    assert properties.blind_diagonal(small_model(**choices)) == 0


@each_variant
def test_more_padding_changes_nothing(choices: dict[str, Any]) -> None:
    assert properties.padding_effect(small_model(**choices)) < 1e-12


@each_variant
def test_a_batch_gives_what_each_sentence_gives_alone(choices: dict[str, Any]) -> None:
    assert properties.batch_effect(small_model(**choices)) < 1e-12


@each_variant
def test_every_source_word_reaches_every_target_position(choices: dict[str, Any]) -> None:
    assert properties.blind_source_words(small_model(**choices)) == 0


@each_variant
def test_every_parameter_gets_gradient(choices: dict[str, Any]) -> None:
    assert properties.unreached_parameters(small_model(**choices)) == 0


def test_micro_batches_add_up_to_the_batch() -> None:
    src, trg = small_batch(4)
    model = small_model()

    def gradients(parts: int) -> list[torch.Tensor]:
        model.zero_grad()
        for s, t in zip(src.chunk(parts), trg.chunk(parts), strict=True):
            logits = model(s, t[:, :-1])
            F.cross_entropy(logits.flatten(0, 1), t[:, 1:].flatten(), ignore_index=PAD, reduction="sum").backward()
        return [parameter.grad.clone() for parameter in model.parameters()]

    for whole, added in zip(gradients(1), gradients(2), strict=True):
        torch.testing.assert_close(added, whole, rtol=0, atol=1e-11)


def test_dropout_is_off_in_evaluation_and_on_in_training() -> None:
    model = small_model(dropout=0.5)
    src, trg = small_batch()
    assert torch.equal(model(src, trg), model(src, trg))
    model.train()
    assert not torch.equal(model(src, trg), model(src, trg))


def test_dropout_sits_where_the_paper_has_it() -> None:
    places = {name for name, module in small_model(dropout=0.5).named_modules() if isinstance(module, torch.nn.Dropout)}
    residuals = {
        f"{stack}.layers.{layer}.{sublayer}_residual.dropout"
        for stack, sublayers in (
            ("encoder", ("self_attention", "feed_forward")),
            ("decoder", ("self_attention", "cross_attention", "feed_forward")),
        )
        for layer in range(2)
        for sublayer in sublayers
    }
    assert places == residuals | {"encoder.dropout", "decoder.dropout"}


def test_tied_tables_are_one_tensor() -> None:
    two = small_model(tie_embeddings="two-way")
    assert two.decoder.word_embedding.weight is two.fc_out.weight
    assert two.encoder.word_embedding.weight is not two.fc_out.weight
    three = small_model(tie_embeddings="three-way", src_vocab_size=TRG_VOCAB)
    assert three.encoder.word_embedding.weight is three.fc_out.weight


def test_forward_is_the_last_linear_layer_of_decode() -> None:
    model = small_model()
    src, trg = small_batch()
    decoded = model.decode(trg, model.encode(src), model.make_src_mask(src))
    assert torch.equal(model(src, trg), model.fc_out(decoded))


def test_a_sentence_over_max_length_is_named_with_its_length_and_the_limit() -> None:
    model = small_model(max_length=6)
    src, trg = small_batch(2, src_len=8, trg_len=6)
    with pytest.raises(ValueError, match=r"src sentence 0 of the batch has 8 tokens .* max_length=6"):
        model(src, trg)
    with pytest.raises(ValueError, match=r"trg sentence 1 of the batch has 7 tokens .* max_length=6"):
        model(src[:, :6], torch.tensor([[1, 2, 3, 0, 0, 0, 0], [1, 2, 3, 4, 5, 6, 7]]))
