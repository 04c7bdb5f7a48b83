from collections.abc import Callable
from copy import deepcopy
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn.modules.module import register_module_forward_hook

from glassformer.decode import DecodingConfig, beam_search, greedy, sample
from glassformer.decode.beam import largest
from glassformer.decode.quantize import Int8Linear
from glassformer.decode.stepper import PackedStepper, PlainStepper, packs
from glassformer.decode.steps import likeliest
from glassformer.learn.zoo import FAULTS, plant
from glassformer.look.watch import watch
from glassformer.model.fused import fused_attention, use_attention, use_fused
from glassformer.model.transformer import Transformer
from tests.decode.peaked import END, START, padded, peaked_model, sources
from tests.small import PAD, TRG_VOCAB, VARIANTS, variant_name
from tests.test_faults import model_for

CONFIG = DecodingConfig(max_ratio=1.0, max_extra=4)
TIED = dict(src_vocab_size=TRG_VOCAB, tie_embeddings="three-way", scale_embeddings=True)


@pytest.mark.parametrize("choices", [*VARIANTS, TIED], ids=variant_name)
@torch.inference_mode()
def test_the_packed_decoder_gives_the_plain_ones_logits_whatever_leaves_repeats_or_follows(
    choices: dict[str, Any],
) -> None:
    model, src = peaked_model(**choices, max_length=40), padded([[3, 4, 5], [6], [7, 8, 9, 10, 3, 4]], extra=1)
    assert packs(model, START)
    memory, src_mask = model.encode(src), model.make_src_mask(src)
    plain, packed = PlainStepper(model, memory, src_mask), PackedStepper(model, memory, src_mask, rows=4)

    def step(last: list[int]) -> None:
        expected, found = (stepper.step(torch.tensor(last)) for stepper in (plain, packed))
        assert torch.allclose(found, expected, rtol=0, atol=1e-12)

    def both(act: Callable[[PlainStepper | PackedStepper], None]) -> None:
        act(plain)
        act(packed)

    step([START] * 3)
    both(lambda stepper: stepper.select(torch.tensor([2, 2, 0, 0]), 2))  # a beam of two, one sentence gone
    step([3, 4, 5, PAD])  # a caller may write padding: it is hidden from then on
    both(lambda stepper: stepper.follow(torch.tensor([1, 0, 2, 2])))
    step([6, 7, 8, 9])
    both(lambda stepper: stepper.follow(torch.tensor([0, 1, 2, 3])))
    for token in range(3, 10):
        step([token, 3, 10, 10 - token // 2])
    both(lambda stepper: stepper.select(torch.tensor([2, 3, 3]), 3))
    for token in range(3, 11):
        step([token, token, 3])
    both(lambda stepper: stepper.select(torch.tensor([1]), 1))
    for token in [4] * 22:  # more than the room for 16 and for 32
        step([token])
    for stepper in (plain, packed):
        with pytest.raises(ValueError, match="41 tokens in 41 columns"):
            stepper.step(torch.tensor([3]))


@pytest.mark.parametrize("choices", VARIANTS[:4], ids=variant_name)
def test_answers_are_the_plain_paths(choices: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    model, src = peaked_model(**choices), padded(sources(12))
    searching = DecodingConfig(beam=3, n_best=3, max_ratio=1.0, max_extra=4)
    drawing = DecodingConfig(sample=True, seed=3, n_best=2, max_ratio=1.0, max_extra=4)

    def answers() -> list[Any]:
        return [
            [[only] for only in greedy(model, src, START, END, CONFIG)],
            beam_search(model, src, START, END, searching),
            sample(model, src, START, END, drawing),
        ]

    packed = answers()
    monkeypatch.setattr("glassformer.decode.stepper.packs", lambda model, start_id: False)
    for ours, theirs in zip(packed, answers(), strict=True):
        for mine, others in zip(ours, theirs, strict=True):
            assert [each.ids for each in mine] == [each.ids for each in others]
            for one, other in zip(mine, others, strict=True):
                assert one.token_log_probs == pytest.approx(other.token_log_probs, abs=1e-12)


@pytest.mark.parametrize(("dtype", "within"), [(torch.float32, 1e-4), (torch.bfloat16, 0.1)], ids=str)
def test_in_fewer_bits_answers_differ_from_the_plain_paths_only_where_scores_are_nearly_equal(
    dtype: torch.dtype, within: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    model, src = peaked_model().to(dtype), padded(sources(1000))
    assert packs(model, START)
    packed = greedy(model, src, START, END, CONFIG)
    monkeypatch.setattr("glassformer.decode.stepper.packs", lambda model, start_id: False)
    plain = greedy(model, src, START, END, CONFIG)
    differing = [(a, b) for a, b in zip(packed, plain, strict=True) if a.ids != b.ids]
    print(f"{len(differing)} of 1000 answers differ from the plain path's")  # pytest -rP shows it
    for a, b in differing:
        step = next(i for i, (x, y) in enumerate(zip([*a.ids, END], [*b.ids, END], strict=False)) if x != y)
        assert abs(a.token_log_probs[step] - b.token_log_probs[step]) <= within


def test_a_change_of_the_weights_is_seen_by_the_next_answer() -> None:
    model, src = peaked_model(), padded(sources(4))
    before = greedy(model, src, START, END, CONFIG)
    model.decoder.layers[0].self_attention.to_values.weight.data.mul_(-1)  # unseen by torch's own version counter
    assert greedy(model, src, START, END, CONFIG) != before
    twin = Transformer.from_config(model.config, dtype=torch.float64)
    twin.load_state_dict(model.state_dict())
    assert greedy(model, src, START, END, CONFIG) == greedy(twin, src, START, END, CONFIG)


def instead(*args: Tensor) -> Tensor:
    return fused_attention(*args)


class OwnNorm(nn.LayerNorm):
    """Somebody's variation."""


CHANGES: dict[str, Callable[[Transformer], object]] = {
    "a subclass of the model": lambda model: setattr(model, "__class__", type("Own", (Transformer,), {})),
    "a subclass of a part": lambda model: setattr(model.decoder, "norm", OwnNorm(12)),
    "a method of the model's own": lambda model: setattr(model, "decode", model.decode),
    "a forward of a part's own": lambda model: setattr(model.fc_out, "forward", model.fc_out.forward),
    "an attention of somebody's own": lambda model: use_attention(model, instead),
    "a hook": lambda model: model.decoder.layers[1].feed_forward.fc_in.register_forward_hook(lambda *args: None),
    "a hook before": lambda model: model.decoder.word_embedding.register_forward_pre_hook(lambda *args: None),
    "an embedding that changes itself": lambda model: setattr(model.decoder.word_embedding, "max_norm", 1.0),
    "a layer without bias": lambda model: setattr(model, "fc_out", nn.Linear(12, TRG_VOCAB, bias=False).double()),
    "another number of heads": lambda model: setattr(model.decoder.layers[0].cross_attention, "heads", 3),
    "one layer of integers": lambda model: setattr(model, "fc_out", Int8Linear.of(model.fc_out)),
    "half precision": lambda model: model.half(),
    "another device": lambda model: model.to("meta"),
    "two dtypes": lambda model: model.decoder.layers[0].float(),
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_a_model_that_is_not_exactly_ours_takes_the_plain_path(change: Callable[[Transformer], object]) -> None:
    model = peaked_model()
    assert packs(model, START)
    assert packs(use_fused(deepcopy(model)), START)
    change(model)
    assert not packs(model, START)


@pytest.mark.parametrize("fault", FAULTS.values(), ids=FAULTS)
def test_a_planted_fault_of_the_decoder_takes_the_plain_path(fault: Any) -> None:
    model = plant(model_for(fault), fault.name)
    own = [*model.decoder.modules(), model]
    changed = any("glassformer.model" not in type(m).__module__ and "torch.nn" not in type(m).__module__ for m in own)
    assert packs(model, START) != changed


def test_what_watches_takes_the_plain_path() -> None:
    model, src = peaked_model(), padded([[3, 4]])
    with watch(model) as seen:
        greedy(model, src, START, END, CONFIG)
    assert any(name.endswith("cross_attention.queries") for name in seen)
    handle = register_module_forward_hook(lambda *args: None)
    try:
        assert not packs(model, START)
    finally:
        handle.remove()
    for context in (torch.autocast("cpu", torch.bfloat16), torch.overrides.BaseTorchFunctionMode()):
        with context:
            assert not packs(model, START)
    assert packs(model, START)
    assert not packs(model, PAD)  # a start that is padding hides itself


def test_finished_sentences_leave(monkeypatch: pytest.MonkeyPatch) -> None:
    model, src, rows = peaked_model(), padded(sources(12)), []
    step = PackedStepper.step

    def noted(stepper: PackedStepper, last: Tensor) -> Tensor:
        rows.append(len(last))
        return step(stepper, last)

    monkeypatch.setattr(PackedStepper, "step", noted)
    lengths = [len(found.token_log_probs) for found in greedy(model, src, START, END, CONFIG)]
    assert rows == [sum(length > done for length in lengths) for done in range(max(lengths))]


@pytest.mark.parametrize("size", [100, 1000, 2368])
def test_looking_at_blocks_first_finds_the_same_tokens(size: int) -> None:
    for values in (
        torch.randn(9, size),
        torch.randint(0, 5, (9, size)).float(),
        torch.randint(0, 400, (9, size)).float(),
    ):
        assert torch.equal(likeliest(values, values, 0), values.argmax(dim=1))
        ordered = values.sort(dim=1, descending=True, stable=True)
        for k in (1, 5):
            top, index = largest(values, k)
            assert torch.equal(top, ordered.values[:, :k])
            assert torch.equal(index, ordered.indices[:, :k])
