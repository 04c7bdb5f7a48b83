"""Models that other people wrote, in the styles they write them: watched, edited and explained as ours are."""

import linecache
import math
import random
from collections.abc import Callable
from itertools import count
from types import ModuleType

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from glassformer.errors import UserError
from glassformer.look.edits import zero, zero_head
from glassformer.look.explain import explain
from glassformer.look.watch import watch
from tests.look.sums import assert_adds_up

IDS = torch.tensor([[3, 1, 4, 1], [5, 2, 6, 0]])


def attention(query: Tensor, key: Tensor, value: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
    d_k = query.size(-1)
    scores = torch.matmul(query, key.transpose(-2, -1)) / math.sqrt(d_k)
    scores = scores.masked_fill(mask == 0, -1e9)
    p_attn = scores.softmax(dim=-1)
    return torch.matmul(p_attn, value), p_attn


class MultiHeadedAttention(nn.Module):
    """The annotated style: the weights are kept on the module, `x` is assigned again."""

    def __init__(self, h: int, d_model: int) -> None:
        super().__init__()
        self.d_k, self.h = d_model // h, h
        self.linears = nn.ModuleList(nn.Linear(d_model, d_model) for _ in range(4))
        self.attn: Tensor | None = None

    def forward(self, query, key, value, mask):  # type: ignore[no-untyped-def]
        nbatches = query.size(0)
        query, key, value = [
            lin(x).view(nbatches, -1, self.h, self.d_k).transpose(1, 2)
            for lin, x in zip(self.linears, (query, key, value), strict=False)
        ]
        x, self.attn = attention(query, key, value, mask)
        x = x.transpose(1, 2).contiguous().view(nbatches, -1, self.h * self.d_k)
        return self.linears[-1](x)


class Block(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.attn = MultiHeadedAttention(2, 8)
        self.ff = nn.Sequential(nn.Linear(8, 12), nn.GELU(), nn.Linear(12, 8))
        self.ln1, self.ln2 = nn.LayerNorm(8), nn.LayerNorm(8)

    def forward(self, x, mask):  # type: ignore[no-untyped-def]
        h = self.ln1(x)
        x = x + self.attn(h, h, h, mask)
        h = self.ln2(x)
        x = x + self.ff(h)
        return x


class Annotated(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.embed, self.pos = nn.Embedding(10, 8), nn.Parameter(torch.randn(6, 8))
        self.blocks = nn.ModuleList(Block() for _ in range(2))
        self.head = nn.Linear(8, 10, bias=False)

    def forward(self, ids):  # type: ignore[no-untyped-def]
        mask = torch.tril(torch.ones(ids.size(1), ids.size(1)))
        x = self.embed(ids)
        x = x + self.pos[: ids.size(1)]
        for block in self.blocks:
            x = block(x, mask)
        if ids.size(1) > 100:
            x = x * 2
        else:
            x = x / 2
        return self.head(x)


class Fused(nn.Module):
    """The compact style: one projection for all, chunked; writes into its tensors."""

    def __init__(self) -> None:
        super().__init__()
        self.emb = nn.Embedding(10, 8)
        self.qkv = nn.Linear(8, 24, bias=False)
        self.norm = nn.RMSNorm(8)
        self.out = nn.Linear(8, 8)

    def forward(self, ids):  # type: ignore[no-untyped-def]
        x = self.emb(ids)
        q, k, v = self.qkv(self.norm(x)).chunk(3, dim=-1)
        att = (q @ k.transpose(-2, -1)).mul_(8**-0.5)
        att.masked_fill_(torch.ones(4, 4, dtype=torch.bool).triu(1), float("-inf"))
        att = F.softmax(att, dim=-1)
        x += self.out(att @ v)
        pooled = torch.einsum("b t c -> b c", x) / 4
        gate = torch.sigmoid(pooled.mean(dim=-1, keepdim=True))
        return self.mix(pooled, gate)

    def mix(self, pooled, gate):  # type: ignore[no-untyped-def]
        mixed = gate * pooled + (1 - gate) * pooled.neg()
        return mixed


class AroundTorch(nn.Module):
    """Somebody's own embedding around torch's Transformer, which is not read."""

    def __init__(self) -> None:
        super().__init__()
        self.embedding = nn.Embedding(10, 8)
        self.transformer = nn.Transformer(8, 2, 1, 1, 16, dropout=0.0, batch_first=True)
        self.rnn = nn.GRU(8, 8, batch_first=True)
        self.mha = nn.MultiheadAttention(8, 2, batch_first=True)
        self.fc = nn.Linear(8, 10)

    def forward(self, src, tgt):  # type: ignore[no-untyped-def]
        src_emb, tgt_emb = self.embedding(src), self.embedding(tgt)
        hidden = self.transformer(
            src_emb, tgt_emb, tgt_mask=nn.Transformer.generate_square_subsequent_mask(tgt.size(1))
        )
        states, last = self.rnn(hidden)
        mixed, _ = self.mha(states, states, states)
        logits = self.fc(mixed + last.transpose(0, 1))
        return logits


def test_the_annotated_style_has_its_names() -> None:
    model = Annotated().double().eval()
    with watch(model) as seen:
        logits = model(IDS)
    own = {"mask", "x", "x'2", "x'3"}
    block = {"h", "x", "h'2", "x'2"}
    attn = {"query", "key", "value", "scores", "scores'2", "p_attn", "x", "attn", "x'2"}
    names = own | {f"blocks.{i}.{name}" for i in (0, 1) for name in block | {f"attn.{name}" for name in attn}}
    assert set(seen) == names
    assert torch.equal(model.head(seen["x'3"].value), logits)
    assert torch.equal(seen["x'2"].value, seen["blocks.1.x'2"].value)  # a loop's name stays, with its last value
    assert torch.equal(seen["x"].value, model.embed(IDS))
    assert torch.equal(seen["blocks.1.attn.attn"].value, seen["blocks.1.attn.p_attn"].value)
    assert seen["blocks.0.x'2"].operation == "Sequential, add"
    assert seen["blocks.0.attn.x"].where.startswith("test_foreign.py:")


def test_the_compact_style_has_its_names_and_writing_into_a_tensor_does_not_change_what_was_seen() -> None:
    model = Fused().double()
    with watch(model) as seen:
        answer = model(IDS)
    assert list(seen) == ["x", "q", "k", "v", "att", "att'2", "x'2", "pooled", "gate", "mixed"]
    assert torch.equal(seen["x"].value, model.emb(IDS))
    assert torch.equal(seen["att"].value, seen["q"].value @ seen["k"].value.mT * 8**-0.5)
    assert torch.equal(seen["mixed"].value, answer)


def test_torch_s_own_modules_are_not_read_and_break_nothing() -> None:
    model = AroundTorch().double().eval()
    plain = model(IDS, IDS)
    with watch(model) as seen:
        watched = model(IDS, IDS)
    assert torch.equal(plain, watched)
    assert list(seen) == ["src_emb", "tgt_emb", "hidden", "states", "last", "mixed", "_", "logits"]
    assert seen["hidden"].operation == "full, triu, Transformer"


@pytest.mark.parametrize(
    ("make", "name", "edit"),
    [
        (Annotated, "x", zero),
        (Annotated, "x'2", lambda value: value * 2),
        (Annotated, "blocks.0.attn.x", zero_head(1, axis=1)),
        (Annotated, "blocks.1.attn.p_attn", zero),
        (Annotated, "blocks.1.h'2", lambda value: value + 1),
        (Fused, "q", zero),
        (Fused, "v", lambda value: value * 3),
        (Fused, "x'2", zero),
        (Fused, "mixed", zero),
        (AroundTorch, "tgt_emb", zero),
        (AroundTorch, "hidden", zero),
        (AroundTorch, "states", zero),
    ],
)
def test_an_edit_changes_what_follows(
    make: Callable[[], nn.Module], name: str, edit: Callable[[Tensor], Tensor]
) -> None:
    model = make().double().eval()
    inputs = (IDS, IDS) if make is AroundTorch else (IDS,)
    plain = model(*inputs)
    with watch(model, edit={name: edit}) as seen:
        edited = model(*inputs)
    assert not torch.equal(plain, edited)
    assert torch.equal(model(*inputs), plain)
    with watch(model) as unedited:
        model(*inputs)
    if name != "x'2":
        torch.testing.assert_close(seen[name].value, edit(unedited[name].value))


def test_what_no_operation_shows_cannot_be_edited_and_says_so() -> None:
    model = Annotated().double()
    with (
        pytest.raises(UserError, match=r"edit of 'blocks.0.attn.key' changed nothing: .* made elsewhere"),
        watch(model, edit={"blocks.0.attn.key": zero}),
    ):
        model(IDS)


@pytest.mark.parametrize("make", [Annotated, Fused])
def test_the_arithmetic_adds_up_in_foreign_models_too(make: Callable[[], nn.Module]) -> None:
    model = make().double().eval()
    with watch(model) as seen:
        model(IDS)
    chance = random.Random(0)
    opened = set()
    for name, tap in seen.items():
        for _ in range(4):
            cell = explain(seen, name, [chance.randrange(size) for size in tap.shape])
            opened |= assert_adds_up(cell, chance)
    assert {"blocks.0.attn.linears.1.weight", "embed.weight", "pos"} <= opened or {"emb.weight", "qkv.weight"} <= opened


CELLS = {
    "<ipython-input-1>": """
from torch import nn

class Inner(nn.Module):
    def forward(self, x):
        twice = x * 2
        return twice
""",
    "<ipython-input-2>": """
class Outer(nn.Module):
    def __init__(self):
        super().__init__()
        self.inner = Inner()

    def forward(self, x):
        x = self.inner(x)
        x = x + 1
        return x
""",
}


def test_a_notebook_s_cells_are_read_from_the_line_cache() -> None:
    module = ModuleType("__main__")
    for name, text in CELLS.items():
        linecache.cache[name] = (len(text), None, text.splitlines(True), name)
        exec(compile(text, name, "exec"), vars(module))
    model = module.Outer()
    with watch(model, edit={"x": lambda value: value + 10}) as seen:
        assert torch.equal(model(torch.ones(2)), torch.full((2,), 13.0))
    assert {name: tap.value.tolist() for name, tap in seen.items()} == {
        "inner.twice": [2, 2],
        "x": [12, 12],
        "x'2": [13, 13],
    }
    assert seen["x'2"].source == "x = x + 1"


def test_a_module_without_readable_source_is_watched_in_silence() -> None:
    namespace: dict[str, type[nn.Module]] = {"nn": nn}  # type: ignore[dict-item]
    exec("class Hidden(nn.Module):\n    def forward(self, x):\n        y = x * 2\n        return y\n", namespace)
    with watch(namespace["Hidden"]()) as seen:
        namespace["Hidden"]()(torch.ones(2))
    assert not seen


def test_repeated_calls_count_one_value_each() -> None:
    model, step = Annotated().eval(), count()
    with torch.no_grad(), watch(model, only="*p_attn", edit={"x": lambda value: value + next(step)}) as seen:
        for _ in range(3):
            model(IDS)
    assert next(step) == 3
    assert [len(seen.all(name)) for name in seen] == [3, 3]
