from dataclasses import replace
from itertools import chain

import pytest
import torch
from torch import nn

from glassformer.decode import DecodingConfig, beam_search, greedy, sample
from glassformer.decode.steps import Hypothesis, write
from glassformer.errors import UserError
from glassformer.model.attention import MultiHeadAttention, attention
from glassformer.model.fused import fused_attention
from glassformer.model.transformer import Transformer
from tests.decode.peaked import END, START, limit, log_probs_after, padded, peaked_model, sources
from tests.small import PAD, VARIANTS, small_model, variant_name

CONFIG = DecodingConfig(max_ratio=1.0, max_extra=4)


def greedy_by_hand(model: Transformer, src: list[int], config: DecodingConfig) -> Hypothesis:
    """One sentence by itself, the whole prefix again for every token."""
    tokens: list[int] = []
    values: list[float] = []
    longest = limit(src, config, model)
    while len(tokens) < longest and END not in tokens:
        log_probs = log_probs_after(model, src, tokens, config)
        forced = config.forced_end and len(tokens) + 1 == longest
        token = END if forced else int(log_probs.argmax())
        values.append(float(log_probs[token]))
        tokens.append(token)
    ids = tokens[:-1] if tokens[-1] == END else tokens
    return Hypothesis(ids, sum(values), sum(values) / ((5 + len(tokens)) / 6) ** config.length_penalty, values)


def same(ours: Hypothesis, theirs: Hypothesis) -> bool:
    assert ours.ids == theirs.ids
    assert ours.token_log_probs == pytest.approx(theirs.token_log_probs, abs=1e-10)
    assert (ours.log_prob, ours.score) == pytest.approx((theirs.log_prob, theirs.score), abs=1e-10)
    return True


@pytest.mark.parametrize("choices", VARIANTS, ids=variant_name)
@pytest.mark.parametrize("forced_end", [True, False])
def test_greedy_is_the_likeliest_token_of_a_whole_pass_each_time(choices: dict[str, object], forced_end: bool) -> None:
    model, texts = peaked_model(**choices), sources(9)
    config = replace(CONFIG, forced_end=forced_end)
    found = greedy(model, padded(texts), START, END, config)
    assert all(same(ours, greedy_by_hand(model, src, config)) for ours, src in zip(found, texts, strict=True))
    assert len({len(hypothesis.ids) for hypothesis in found}) > 1


@pytest.mark.parametrize("kind", ["greedy", "beam", "sample"])
def test_neither_batch_size_nor_order_nor_padding_changes_an_answer(kind: str) -> None:
    config = replace(CONFIG, beam=3, n_best=2, sample=kind == "sample", seed=5)
    model, texts = peaked_model(), sources(16)

    def answers(batches: list[list[int]], extra: int) -> list[list[Hypothesis]]:
        found: dict[int, list[Hypothesis]] = {}
        for rows in batches:
            src = padded([texts[row] for row in rows], extra)
            if kind == "greedy":
                several = [[only] for only in greedy(model, src, START, END, config)]
            elif kind == "beam":
                several = beam_search(model, src, START, END, config)
            else:
                several = sample(model, src, START, END, config, rows)
            found |= dict(zip(rows, several, strict=True))
        return [found[row] for row in range(len(texts))]

    alone = answers([[row] for row in range(16)], 0)
    shuffled = torch.randperm(16).tolist()
    for batches in ([shuffled[start : start + 7] for start in range(0, 16, 7)], [shuffled]):
        for extra in (0, 3):
            together = answers(batches, extra)
            assert all(map(same, chain(*together), chain(*alone)))


def test_in_float32_answers_differ_with_the_batch_only_where_scores_are_within_a_ten_thousandth() -> None:
    model, texts = peaked_model().float(), sources(1000)
    apart = chain(*(greedy(model, padded(texts[i : i + 9]), START, END, CONFIG) for i in range(0, 1000, 9)))
    together = greedy(model, padded(texts), START, END, CONFIG)
    differing = [
        abs(a.token_log_probs[step] - b.token_log_probs[step])
        for a, b in zip(apart, together, strict=True)
        if a.ids != b.ids
        for step in [next(i for i, (x, y) in enumerate(zip([*a.ids, END], [*b.ids, END], strict=False)) if x != y)]
    ]
    print(f"{len(differing)} of 1000 answers differ with the batch")  # pytest -rP shows it
    assert all(gap <= 1e-4 for gap in differing), f"{len(differing)} of 1000 differ, by up to {max(differing)}"


def test_an_answer_never_passes_its_own_limit_nor_the_models() -> None:
    model, texts = small_model(max_length=9), sources(14)
    with torch.no_grad():
        model.fc_out.bias[END] = -1e3  # never ends by itself
    for config in (DecodingConfig(max_ratio=0.5, max_extra=2, forced_end=False), DecodingConfig(forced_end=False)):
        found = greedy(model, padded(texts), START, END, config)
        assert [len(hypothesis.ids) for hypothesis in found] == [limit(src, config, model) for src in texts]
        forced = greedy(model, padded(texts), START, END, replace(config, forced_end=True))
        for open_end, ended in zip(found, forced, strict=True):
            assert ended.ids == open_end.ids[:-1]
            assert len(ended.token_log_probs) == len(open_end.token_log_probs)
            assert ended.token_log_probs[-1] < -100  # </s> is forced, its probability stays the model's


def test_of_equal_scores_the_lowest_id_is_taken() -> None:
    model = small_model()
    with torch.no_grad():
        model.fc_out.weight.zero_()
        model.fc_out.bias.zero_()
    assert greedy(model, padded(sources(3)), START, END, CONFIG)[0].ids == []  # </s> = 2 is the lowest allowed
    forbidden = replace(CONFIG, forbidden_ids=(4, 3))
    assert greedy(model, padded(sources(3)), START, 10, forbidden)[0].ids[:2] == [2, 2]


def test_padding_start_and_forbidden_ids_are_never_written_and_leave_their_probability_to_the_others() -> None:
    model, src = small_model(), padded(sources(5))
    with torch.no_grad():
        model.fc_out.bias[[PAD, START, 5, 6]] += 50
    config = replace(CONFIG, forbidden_ids=(5, 6))
    for hypothesis in greedy(model, src, START, END, config):
        assert not {PAD, START, 5, 6} & set(hypothesis.ids)
        assert hypothesis.token_log_probs[0] > -3


def test_a_target_without_padding_id_may_start_with_it() -> None:
    model = peaked_model(trg_pad_idx=None)
    found = greedy(model, padded(sources(3)), PAD, END, CONFIG)
    assert all(PAD not in hypothesis.ids for hypothesis in found)


def test_finished_sentences_leave_the_batch_and_the_source_is_read_once(monkeypatch: pytest.MonkeyPatch) -> None:
    model, texts, rows, projected = peaked_model(), sources(12), [], []
    decode, project = model.decode, MultiHeadAttention.keys_values

    def counting(trg: torch.Tensor, *rest: object) -> torch.Tensor:
        rows.append(len(trg))
        assert trg.size(1) == 1
        return decode(trg, *rest)  # type: ignore[arg-type]

    def projecting(
        self: MultiHeadAttention, key: torch.Tensor, value: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor]:
        projected.append(self)
        return project(self, key, value)

    monkeypatch.setattr(model, "decode", counting)
    monkeypatch.setattr(MultiHeadAttention, "keys_values", projecting)
    found = greedy(model, padded(texts), START, END, CONFIG)
    lengths = [len(hypothesis.token_log_probs) for hypothesis in found]
    assert rows == [sum(length > step for length in lengths) for step in range(max(lengths))]
    assert all(projected.count(layer.cross_attention) == 1 for layer in model.decoder.layers)


@pytest.mark.parametrize("stop_early", [False, True])
def test_the_model_comes_back_as_it_was_handed_over(stop_early: bool) -> None:
    model = peaked_model(dropout=0.5).train()
    model.encoder.eval()
    before = {name: module.training for name, module in model.named_modules()}
    src = padded(sources(4))
    expected = greedy(peaked_model_like(model), src, START, END, CONFIG)
    steps = write(model, src, START, END, CONFIG, lambda log_probs, sentences, length: log_probs.argmax(dim=1))
    for _ in steps:
        assert {name: module.training for name, module in model.named_modules()} == before
        assert not torch.is_inference_mode_enabled()
        if stop_early:
            steps.close()  # type: ignore[attr-defined]
    assert greedy(model, src, START, END, CONFIG) == expected  # no dropout either
    assert {name: module.training for name, module in model.named_modules()} == before
    assert all(m.attend is attention for m in model.modules() if isinstance(m, MultiHeadAttention))


def peaked_model_like(model: Transformer) -> Transformer:
    """The same model in evaluation mode."""
    twin = Transformer.from_config(model.config, dtype=torch.float64)
    twin.load_state_dict(model.state_dict())
    return twin.eval()


def test_an_error_in_the_middle_puts_the_model_back_too() -> None:
    model = peaked_model().train()

    class Broken(nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            assert not model.training
            raise RuntimeError("broken")

    model.decoder.norm = Broken()
    with pytest.raises(RuntimeError, match="broken"):
        greedy(model, padded(sources(2)), START, END, CONFIG)
    assert model.training
    assert all(m.attend is attention for m in model.modules() if isinstance(m, MultiHeadAttention))


def test_an_attention_of_the_users_own_is_used_as_it_is() -> None:
    model, called = peaked_model(), []

    def own(*args: torch.Tensor) -> torch.Tensor:
        called.append(1)
        return fused_attention(*args)

    for module in model.modules():
        if isinstance(module, MultiHeadAttention):
            module.attend = own
    greedy(model, padded(sources(2)), START, END, CONFIG)
    assert called


def test_watched_logits_are_not_written_to() -> None:
    model, logits = peaked_model(), []
    model.fc_out.register_forward_hook(lambda module, args, output: logits.append(output))
    greedy(model, padded(sources(2)), START, END, CONFIG)
    assert all(seen.isfinite().all() for seen in logits)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32])
def test_scores_are_at_least_float32_whatever_the_model_computes_in(dtype: torch.dtype) -> None:
    model, src = peaked_model().to(dtype), padded(sources(5))
    steps = list(write(model, src, START, END, CONFIG, lambda log_probs, sentences, length: log_probs.argmax(dim=1)))
    assert {step.log_probs.dtype for step in steps} == {torch.float32}
    assert next(model.parameters()).dtype == dtype


def test_no_source_gives_no_answer() -> None:
    none = torch.zeros(0, 3, dtype=torch.int64)
    assert greedy(small_model(), none, START, END, CONFIG) == []
    assert beam_search(small_model(), none, START, END, replace(CONFIG, beam=2)) == []
    assert sample(small_model(), none, START, END, replace(CONFIG, sample=True)) == []


@pytest.mark.parametrize(
    ("src", "config", "words"),
    [
        ([[3, 4], [PAD, PAD]], CONFIG, "nothing but padding"),
        ([[3] * 17], CONFIG, "src sentence 0 of the batch has 17 tokens"),
        ([[3]], replace(CONFIG, forbidden_ids=(END,)), "no end"),
        ([[3]], replace(CONFIG, forbidden_ids=(11,)), "the target vocabulary ends with id 10"),
    ],
)
def test_what_cannot_be_decoded_is_said(src: list[list[int]], config: DecodingConfig, words: str) -> None:
    with pytest.raises(ValueError, match=words) as raised:
        greedy(small_model(), torch.tensor(src), START, END, config)
    assert isinstance(raised.value, UserError) or "max_length" in words or "src sentence" in words


@pytest.mark.gpu
def test_a_model_on_the_gpu_gives_the_same_answers() -> None:
    if not torch.cuda.is_available():
        pytest.skip("no CUDA device")
    model, src = peaked_model(), padded(sources(20))
    for config in (CONFIG, replace(CONFIG, beam=3, n_best=3)):
        here = beam_search(model.cpu(), src, START, END, config)
        there = beam_search(model.cuda(), src, START, END, config)
        assert all(map(same, chain(*there), chain(*here)))
    drawing = replace(CONFIG, sample=True, seed=3)
    here = sample(model.cpu(), src, START, END, drawing)
    there = sample(model.cuda(), src, START, END, drawing)
    assert all(map(same, chain(*there), chain(*here)))
