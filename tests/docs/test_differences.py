"""Other people's formulas as docs/differences.md measures them: each is theirs, and no training is missing."""

import json
from collections.abc import Callable
from types import ModuleType

import pytest
import torch
from torch import nn

from glassformer.exchange.compare.references import OriginCode
from glassformer.exchange.compare.sides import Ours
from tests.docs.makers import maker
from tests.docs.pages import read
from tests.small import small_batch, small_model


@pytest.fixture
def variants(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    return maker("variants", monkeypatch)


def test_shared_projections_and_the_root_of_all_channels_are_the_origins_code(variants: ModuleType) -> None:
    ours = small_model(heads=3, forward_expansion=4)
    code = OriginCode("origin-code", Ours("ours", ours.config))
    theirs = code.start(seed=0)
    ours.load_state_dict(code.as_ours(theirs))
    variants.chained(variants.share_projections, variants.divide_by_embed_size)(ours)
    places = {"self_attention": "attention", "cross_attention": "transformer_block.attention"}
    for path, module in ours.named_modules():
        if isinstance(module, variants.SharedLinear):
            *stack, attention, name = path.split(".")
            source = f"{'.'.join(stack)}.{places[attention]}.{name.removeprefix('to_')}.weight"
            module.linear.weight.data = theirs[source]
    src, trg = small_batch()
    words = (trg != ours.config.trg_pad_idx).unsqueeze(-1)
    with torch.no_grad():
        assert ((ours(src, trg) - code.logits(theirs, src, trg)) * words).abs().max() < 1e-12


def test_the_annotated_norm_with_its_gains_made_up_for_is_layer_norm_but_for_eps(variants: ModuleType) -> None:
    norm, x = nn.LayerNorm(6, eps=0.0).double(), torch.randn(5, 6, dtype=torch.float64)
    theirs = variants.AnnotatedNorm(norm, eps=0.0)
    assert torch.allclose(theirs(x) * (6 / 5) ** 0.5, norm(x), rtol=0, atol=1e-12)


@pytest.mark.parametrize("name", ["drop_inside", "drop_after_norm", "nothing"])
def test_where_dropout_stands_changes_no_answer(variants: ModuleType, name: str) -> None:
    model = small_model(dropout=0.5)
    src, trg = small_batch()
    with torch.no_grad():
        before = model(src, trg)
        change: Callable[[nn.Module], None] = getattr(variants, name)
        change(model)
        assert torch.allclose(model(src, trg), before, rtol=0, atol=1e-12)


def test_every_variant_is_trained_with_every_seed_and_stands_on_the_page(monkeypatch: pytest.MonkeyPatch) -> None:
    ablation = maker("ablation", monkeypatch)
    kept = json.loads(maker("make_differences", monkeypatch).KEPT.read_text(encoding="utf-8"))
    assert set(kept) == set(ablation.VARIANTS)
    for found in kept.values():
        assert len(found["loss"]) == len(found["exact"]) == len(ablation.SEEDS)
    page = read("differences.md").replace("\\", "")
    for variant in ablation.VARIANTS.values():
        assert variant.says.replace("*", "") in page
