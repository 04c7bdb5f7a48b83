"""Proof 2: decoding step by step with the cache is one pass."""

from typing import Any

import pytest
import torch

from glassformer.model.cache import Cache
from glassformer.model.fused import use_fused
from tests.small import VARIANTS, small_batch, small_model, variant_name


@pytest.mark.parametrize("fused", [False, True], ids=["written", "fused"])
@pytest.mark.parametrize("chunks", [[1] * 7, [3, 1, 2, 1]], ids=["one by one", "3+1+2+1"])
@pytest.mark.parametrize("choices", VARIANTS, ids=variant_name)
def test_decoding_in_chunks_with_the_cache_equals_one_pass(
    choices: dict[str, Any], chunks: list[int], fused: bool
) -> None:
    model = small_model(**choices)
    if fused:
        use_fused(model)
    src, trg = small_batch(trg_len=7)
    memory, src_mask = model.encode(src), model.make_src_mask(src)
    one_pass = model.decode(trg, memory, src_mask)
    cache = Cache(len(model.decoder.layers))
    in_chunks = [model.decode(part, memory, src_mask, cache) for part in trg.split(chunks, dim=1)]
    torch.testing.assert_close(torch.cat(in_chunks, dim=1), one_pass, rtol=0, atol=1e-12)
    assert cache.length == 7


def test_the_memory_is_projected_once_per_sentence() -> None:
    model = small_model()
    src, trg = small_batch()
    calls = []
    model.decoder.layers[0].cross_attention.to_keys.register_forward_hook(lambda *_: calls.append(1))
    memory, src_mask = model.encode(src), model.make_src_mask(src)
    cache = Cache(len(model.decoder.layers))
    for token in trg.split(1, dim=1):
        model.decode(token, memory, src_mask, cache)
    assert len(calls) == 1


def test_selected_rows_go_on_as_if_they_had_been_alone() -> None:
    model = small_model()
    src, trg = small_batch(sentences=4)
    memory, src_mask = model.encode(src), model.make_src_mask(src)
    rows = torch.tensor([2, 0, 0])
    cache = Cache(len(model.decoder.layers))
    model.decode(trg[:, :3], memory, src_mask, cache)
    cache.select(rows)
    continued = model.decode(trg[rows, 3:], memory[rows], src_mask[rows], cache)
    alone = model.decode(trg[rows], memory[rows], src_mask[rows])
    torch.testing.assert_close(continued, alone[:, 3:], rtol=0, atol=1e-12)


def test_a_cache_that_outgrows_max_length_is_an_error() -> None:
    model = small_model(max_length=8)
    src, _ = small_batch()
    memory, src_mask = model.encode(src), model.make_src_mask(src)
    cache = Cache(len(model.decoder.layers))
    model.decode(torch.ones(3, 8, dtype=torch.long), memory, src_mask, cache)
    with pytest.raises(ValueError, match=r"9 tokens .* max_length=8"):
        model.decode(torch.ones(3, 1, dtype=torch.long), memory, src_mask, cache)
