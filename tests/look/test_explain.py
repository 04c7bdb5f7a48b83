"""The arithmetic of any cell: terms that add up, and a way down to the embeddings."""

import random

import pytest
import torch

from glassformer.errors import UserError
from glassformer.look.edits import zero_head
from glassformer.look.explain import explain
from glassformer.look.seen import Seen
from glassformer.look.watch import watch
from glassformer.model.cache import Cache
from tests.look.drawing import shown
from tests.look.small import CROSS, SRC, TRG, make
from tests.look.sums import assert_adds_up

IN_WORDS = ("mask", "words", "look_ahead", "every_pair", "prefix", "position", "two_i")  # no numbers to add up


def seen_by(train: bool = False, **choices: object) -> Seen:
    model = make(**choices).train(train)
    with watch(model) as seen:
        model(SRC, TRG)
    return seen


@pytest.mark.parametrize(
    ("positions", "norm", "activation", "tying", "dtype", "dropout"),
    [
        ("learned", "post", "relu", "none", torch.float64, 0.0),
        ("learned", "pre", "gelu", "two-way", torch.float64, 0.0),
        ("sinusoidal", "post", "silu", "three-way", torch.float64, 0.3),
        ("sinusoidal", "pre", "relu", "none", torch.float32, 0.0),
        ("none", "post", "gelu", "none", torch.float32, 0.0),
        ("none", "pre", "silu", "two-way", torch.float64, 0.0),
    ],
)
def test_every_cell_is_the_sum_of_its_terms_all_the_way_down(
    positions: str, norm: str, activation: str, tying: str, dtype: torch.dtype, dropout: float
) -> None:
    choices = dict(positions=positions, norm=norm, activation=activation, tie_embeddings=tying, dtype=dtype)
    seen = seen_by(train=dropout > 0, scale_embeddings=norm == "pre", dropout=dropout, **choices)
    chance = random.Random(1)
    for name, tap in seen.items():
        for _ in range(3):
            index = [chance.randrange(size) for size in tap.shape]
            cell = explain(seen, name, index)
            assert cell.value == tap.value[tuple(index)].item()
            assert cell.terms or name.endswith(IN_WORDS)
            assert_adds_up(cell, chance, 1e-12 if dtype == torch.float64 else 1e-6)


@pytest.mark.parametrize("train", [False, True])
def test_the_way_down_ends_at_the_embeddings_of_both_languages(train: bool) -> None:
    seen = seen_by(train, num_layers=2, dropout=0.1)
    chance, opened = random.Random(2), set()
    for _ in range(40):
        opened |= assert_adds_up(explain(seen, "logits", (1, 3, 5)), chance, deepest=200)
    assert {
        "encoder.word_embedding.weight",
        "decoder.word_embedding.weight",
        "decoder.positions.table.weight",
    } <= opened
    assert {"decoder.layers.1.cross_attention.attention", "encoder.layers.0.feed_forward.hidden", "words"} <= opened


def test_with_a_cache_the_way_down_goes_through_earlier_steps() -> None:
    model, cache = make(num_layers=2), Cache(2)
    with watch(model) as seen:
        memory, src_mask = model.encode(SRC), model.make_src_mask(SRC)
        for step in range(3):
            model.fc_out(model.decode(TRG[:, step : step + 1], memory, src_mask, cache))
    cell = explain(seen, "decoder.layers.0.self_attention.keys", (0, 0, 1, 2))
    first = seen.all("decoder.layers.0.self_attention.keys")[0]
    assert cell.words == "cat: moved here"
    assert cell.terms[0].value == first.value[0, 0, 1, 2].item()
    chance, opened = random.Random(3), set()
    for _ in range(30):
        opened |= assert_adds_up(explain(seen, "logits", (1, 0, 5)), chance, deepest=200)
    assert {"encoder.word_embedding.weight", "decoder.word_embedding.weight"} <= opened
    earliest = explain(seen, "logits", (0, 0, 1), call=0)
    assert earliest.value == seen.all("logits")[0].value[0, 0, 1].item()


def test_an_energy_opens_into_queries_times_keys() -> None:
    seen = seen_by()
    cell = explain(seen, f"{CROSS}.energy", (0, 1, 2, 3))
    assert cell.place == f"{CROSS}.energy[n0 h1 q2 k3]"
    assert cell.words == "divided by 2"
    product, scale = cell.terms[0].factors
    assert scale.value == 0.5
    assert product.words == "einsum nqhd,nkhd->nhqk, summed over d"
    assert [[factor.place for factor in term.factors] for term in product.terms] == [
        [f"{CROSS}.queries[n0 q2 h1 d{d}]", f"{CROSS}.keys[n0 k3 h1 d{d}]"] for d in range(4)
    ]
    queries = product.terms[2].factors[0]
    assert queries.value == seen[f"{CROSS}.queries"].value[0, 2, 1, 2].item()
    (linear,) = queries.terms[0].factors
    assert len(linear.terms) == 9
    assert [factor.name for factor in linear.terms[0].factors] == [
        "decoder.layers.0.self_attention_residual.out",
        f"{CROSS}.to_queries.weight",
    ]
    assert linear.terms[8].factors[0].place == f"{CROSS}.to_queries.bias[6]"


def test_the_first_number_is_a_row_of_the_word_table() -> None:
    seen = seen_by(scale_embeddings=True)
    cell = explain(seen, "encoder.embedded", (0, 1, 3))
    looked_up, scale = cell.terms[0].factors
    assert scale.value == pytest.approx(8**0.5)
    assert looked_up.words.startswith("row 5 of encoder.word_embedding.weight")
    assert looked_up.terms[0].factors[0].index == (5, 3)
    assert looked_up.uses[0].value == 5


def test_a_mask_says_why() -> None:
    seen = seen_by()
    assert explain(seen, "trg_mask", (0, 0, 1, 3)).words == "False: False and True"
    mask = explain(seen, "src_mask", (0, 0, 0, 5))
    assert not mask.value
    assert mask.uses[0].name == "words"
    closed = explain(seen, f"{CROSS}.attention", (0, 0, 1, 5))
    assert closed.words == "filled with 0 because the mask says so"
    assert closed.uses[0].uses[0].name == "words"


def test_an_edit_is_named_in_the_arithmetic() -> None:
    model = make()
    with watch(model, edit={f"{CROSS}.heads_out": zero_head(1)}) as seen:
        model(SRC, TRG)
    cell = explain(seen, f"{CROSS}.heads_out", (0, 1, 1, 2))
    assert cell.value == 0
    assert cell.words.startswith("put here by an edit")
    assert cell.uses[0].value != 0
    assert cell.uses[0].terms


def test_the_drawing_fits_and_shows_the_largest_terms_first() -> None:
    seen = seen_by(embed_size=64, heads=2)
    cell = explain(seen, "decoder.layers.0.feed_forward.out", (0, 1, 3))
    text = shown(cell)
    assert all(len(line) <= 80 for line in text.splitlines())
    assert "decoder.layers.0.feed_forward.out[n0 t1 e3]" in text
    assert "blocks.py:" in text
    assert "249 smaller terms" in text
    first, *_ = sorted(range(257), key=lambda i: -abs(cell.terms[i].value))
    lines = [line.split()[0] for line in text.splitlines() if line.strip().startswith("terms[")]
    assert lines[0] == f"terms[{first}]"
    assert len(lines) == 8
    assert f"(249 more: {cell.rest(8):.4g})" in str(cell)
    assert str(cell).endswith(f" = {cell.value:.4g}")


def test_only_what_was_kept_can_be_opened() -> None:
    with watch(model := make(), only="*.attention") as seen:
        model(SRC, TRG)
    cell = explain(seen, f"{CROSS}.attention", (0, 0, 0, 0))
    (softmax,) = cell.terms[0].factors
    assert softmax.terms
    power = softmax.terms[0].factors[0]
    assert power.uses[0].kind == "given"


@pytest.mark.parametrize("index", [(0, 0), (0, 6, 0), (0, 0, -1), (0, 0, 0, 0)])
def test_an_index_that_does_not_fit_is_refused(index: tuple[int, ...]) -> None:
    with pytest.raises(UserError, match=r"is not in memory: axes n s e, sizes 2 6 8. Give one number an axis"):
        explain(seen_by(), "memory", index)


def test_an_unknown_name_suggests_the_nearest() -> None:
    with pytest.raises(UserError, match="Did you mean memory"):
        explain(seen_by(), "memry", (0, 0, 0))
