import inspect
from dataclasses import fields, replace

import pytest
import torch

from glassformer.model.config import NormPlace, TransformerConfig, base, big, check_choice, origin, tiny
from glassformer.model.transformer import Transformer

ORIGIN_SIGNATURE = dict(
    src_vocab_size=inspect.Parameter.empty,
    trg_vocab_size=inspect.Parameter.empty,
    src_pad_idx=inspect.Parameter.empty,
    trg_pad_idx=inspect.Parameter.empty,
    embed_size=512,
    num_layers=6,
    forward_expansion=4,
    heads=8,
    dropout=0,
    device="cpu",
    max_length=100,
)


def test_the_constructor_is_the_origins_name_by_name() -> None:
    parameters = list(inspect.signature(Transformer).parameters.values())
    first = {parameter.name: parameter.default for parameter in parameters[:11]}
    assert list(first.items()) == list(ORIGIN_SIGNATURE.items())
    assert all(parameter.kind is parameter.KEYWORD_ONLY for parameter in parameters[11:])


def test_config_fields_are_the_constructors_arguments_but_device_and_dtype() -> None:
    arguments = set(inspect.signature(Transformer).parameters) - {"device", "dtype"}
    assert {field.name for field in fields(TransformerConfig)} == arguments


def test_a_config_builds_the_model_it_came_from() -> None:
    model = Transformer(30, 20, 0, 1, embed_size=24, num_layers=1, heads=3, norm="pre", decoder_layers=2)
    twin = Transformer.from_config(model.config, dtype=torch.float64)
    assert twin.config == model.config
    assert {name: tensor.shape for name, tensor in twin.state_dict().items()} == {
        name: tensor.shape for name, tensor in model.state_dict().items()
    }


def closed_form(vocab: int, e: int, layers: int, f: int, shared_tables: int) -> int:
    """Parameters counted by hand: tables, attention 4(e^2+e), feed-forward 2ef+f+e, norms 2e, output bias."""
    attention, feed_forward, norm = 4 * (e * e + e), 2 * e * f + f + e, 2 * e
    encoder = layers * (attention + feed_forward + 2 * norm)
    decoder = layers * (2 * attention + feed_forward + 3 * norm)
    return shared_tables * vocab * e + encoder + decoder + vocab


@pytest.mark.parametrize(
    ("preset", "expected", "papers_millions"),
    [
        (base, closed_form(37000, 512, 6, 2048, 1), 65),
        (big, closed_form(37000, 1024, 6, 4096, 1), 213),
    ],
    ids=["base", "big"],
)
def test_the_papers_presets_have_the_closed_forms_parameters(preset, expected: int, papers_millions: int) -> None:
    with torch.device("meta"):
        model = Transformer(37000, 37000, 0, 0, **preset(), device="meta")
    count = sum(parameter.numel() for parameter in model.parameters())
    assert count == expected
    # Table 3 prints 65 and 213 million for "about 37000" entries: no one vocabulary gives both, so it rounds.
    assert count / 1e6 == pytest.approx(papers_millions, rel=0.035)


def test_the_origin_preset_is_the_constructors_defaults() -> None:
    with torch.device("meta"):
        model = Transformer(10, 10, 0, 0, **origin(), device="meta")
    assert (model.config.embed_size, model.config.num_layers, model.config.heads) == (512, 6, 8)
    e, layers, f = 512, 6, 2048
    tables = 2 * 10 * e + 2 * 100 * e + 10 * e
    assert sum(p.numel() for p in model.parameters()) == tables + closed_form(10, e, layers, f, 0)


def test_tiny_is_tiny() -> None:
    assert sum(p.numel() for p in Transformer(40, 40, 0, 0, **tiny()).parameters()) < 250_000


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (dict(heads=7), r"heads=7 does not divide embed_size=512: .* Try heads=8\."),
        (dict(decoder_heads=3), r"decoder_heads=3 does not divide embed_size=512"),
        (dict(forward_expansion=0.001), r"forward_expansion=0.001 times embed_size=512 is 0.512"),
        (dict(dropout=1.0), r"dropout=1.0 is not a probability below 1"),
        (dict(src_pad_idx=40), r"src_pad_idx=40 is not an id of a vocabulary of 40: ids go from 0 to 39"),
        (dict(trg_pad_idx=-1), r"trg_pad_idx=-1 is not an id"),
        (dict(num_layers=0), r"num_layers=0 is too small"),
        (dict(embed_size=9, heads=3, positions="sinusoidal"), r"embed_size=9 is odd"),
        (dict(tie_embeddings="three-way"), r"src_vocab_size=40 and trg_vocab_size=30 differ"),
    ],
    ids=lambda value: "-".join(value) if isinstance(value, dict) else "",
)
def test_a_wrong_size_is_named_with_its_rule_and_a_way_out(change: dict, message: str) -> None:
    with torch.device("meta"):
        config = Transformer(40, 30, 0, 0, device="meta").config
    with pytest.raises(ValueError, match=message):
        replace(config, **change)


def test_an_unknown_choice_is_named_with_the_known_ones() -> None:
    with pytest.raises(ValueError, match=r"norm='after' is not one of 'post', 'pre'\."):
        check_choice("norm", "after", NormPlace)


def test_forward_expansion_may_be_a_fraction_and_differ_in_the_decoder() -> None:
    model = Transformer(9, 9, 0, 0, 8, 1, 1.5, 2, decoder_forward_expansion=2.25)
    assert model.encoder.layers[0].feed_forward.fc_in.out_features == 12
    assert model.decoder.layers[0].feed_forward.fc_in.out_features == 18
