import sys
from typing import get_args

import pytest
import torch
from torch import nn

from glassformer.decode import DecodingConfig, beam_search, greedy
from glassformer.decode.linears import joined
from glassformer.decode.quantize import Int8Linear, Quantized, quantize
from glassformer.decode.stepper import packs
from glassformer.errors import UserError
from tests.decode.peaked import END, START, padded, peaked_model, sources

CONFIG = DecodingConfig(max_ratio=1.0, max_extra=4)


def test_an_integer_product_is_that_of_the_rounded_numbers() -> None:
    layer, x = nn.Linear(40, 7), torch.randn(5, 2, 40) * torch.tensor([1e-3, 1.0, 50.0, 1e4, 0.0]).view(5, 1, 1)
    ours = Int8Linear.of(layer)
    weight_scale = layer.weight.abs().amax(dim=1, keepdim=True).double() / 127
    weight = (layer.weight / weight_scale).round() * weight_scale
    largest = x.abs().amax(dim=2, keepdim=True).double()
    rounded = (x / largest.clamp_min(1e-30) * 63).round() * largest / 63
    expected = rounded @ weight.T + layer.bias
    assert torch.allclose(ours(x).double(), expected, rtol=1e-4, atol=1e-4)
    assert torch.equal(ours(x[4]), layer.bias.expand(2, -1))  # a row of zeros


def test_no_sum_of_integers_overflows() -> None:
    layer = nn.Linear(512, 4)
    with torch.no_grad():
        layer.weight.copy_(torch.tensor([1.0, -1.0, 1.0, -1.0]).view(4, 1).expand(4, 512))
        layer.bias.zero_()
    x = torch.stack([torch.ones(512), -torch.ones(512)])
    assert torch.allclose(Int8Linear.of(layer)(x), layer(x), rtol=1e-5)


def test_a_row_gets_the_same_whatever_the_others_are() -> None:
    layer, x = Int8Linear.of(nn.Linear(64, 300)), torch.randn(50, 64)
    x[7] *= 1000
    assert torch.equal(layer(x)[:5], layer(x[:5]))
    assert torch.equal(layer(x)[9:10], layer(x[9:10]))


def test_layers_side_by_side_are_one_product() -> None:
    layers, x = [Int8Linear.of(nn.Linear(12, size)) for size in (12, 12, 20)], torch.randn(3, 12)
    assert torch.equal(joined(layers, len(x))(x), torch.cat([layer(x) for layer in layers], dim=1))


def test_a_sentence_alone_is_answered_as_in_a_batch() -> None:
    model = quantize(peaked_model(), "int8")
    assert packs(model, START)
    src = padded(sources(60))
    together = greedy(model, src, START, END, CONFIG)
    assert [greedy(model, row.unsqueeze(0), START, END, CONFIG)[0].ids for row in src] == [h.ids for h in together]


def test_quantised_answers_are_near_the_models_own_and_the_model_stays_as_it_is(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    model, src = peaked_model(dropout=0.2).float().train(), padded(sources(100))
    before = {name: value.clone() for name, value in model.state_dict().items()}
    own = greedy(model, src, START, END, CONFIG)
    for kind in get_args(Quantized):
        small = quantize(model, kind)
        assert not small.training
        found = greedy(small, src, START, END, CONFIG)
        assert sum(a.ids == b.ids for a, b in zip(own, found, strict=True)) >= 80
        if kind == "bfloat16":  # it has ties that the packed decoder and the plain one break otherwise
            continue
        beams = beam_search(small, src[:9], START, END, DecodingConfig(beam=3, max_extra=3))
        monkeypatch.setattr("glassformer.decode.stepper.packs", lambda model, start_id: False)
        assert [each.ids for each in greedy(small, src, START, END, CONFIG)] == [each.ids for each in found]
        plain = beam_search(small, src[:9], START, END, DecodingConfig(beam=3, max_extra=3))
        assert [several[0].ids for several in plain] == [several[0].ids for several in beams]
        monkeypatch.undo()
    assert model.training
    assert all(torch.equal(before[name], value) for name, value in model.state_dict().items())


def test_linear_layers_take_a_quarter_of_the_memory_as_int8_and_half_as_bfloat16() -> None:
    model = peaked_model().float()
    assert quantize(model, "int8").fc_out.weight.element_size() == 1
    assert quantize(model, "bfloat16").fc_out.weight.element_size() == 2


def test_what_cannot_be_quantised_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(UserError, match="quantize='int4' is not one of int8, bfloat16"):
        quantize(peaked_model(), "int4")  # type: ignore[arg-type]
    with pytest.raises(UserError, match="computes on the CPU"):
        quantize(peaked_model().to("meta"), "int8")
    monkeypatch.setattr(sys.modules["glassformer.decode.quantize"], "engines", lambda: ["qnnpack"])
    with pytest.raises(UserError, match="fbgemm"):
        quantize(peaked_model(), "int8")
