import inspect
import json
from dataclasses import asdict, fields
from typing import Any

import pytest

from glassformer.decode import DecodingConfig
from glassformer.decode import config as module
from glassformer.errors import UserError


@pytest.mark.parametrize(
    "config",
    [
        DecodingConfig(),
        DecodingConfig(beam=5, n_best=2, length_penalty=1, forbidden_ids=(3, 9), forced_end=False, max_ratio=1),
        DecodingConfig(sample=True, n_best=3, temperature=0.5, top_k=4, top_p=0.9, min_p=0.1, seed=7),
    ],
)
def test_a_config_comes_back_from_json(config: DecodingConfig) -> None:
    assert DecodingConfig.from_dict(json.loads(json.dumps(asdict(config)))) == config
    assert DecodingConfig.from_dict(asdict(config)) == config


def test_settings_left_out_have_their_defaults() -> None:
    assert DecodingConfig.from_dict({}) == DecodingConfig()
    assert DecodingConfig.from_dict({"beam": 4}) == DecodingConfig(beam=4)


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"lenght_penalty": 1.0}, r"unknown setting of decoding 'lenght_penalty'. Did you mean length_penalty\?"),
        ({"beam": "4"}, "beam='4' does not fit a setting of decoding"),
        ({"beam": True}, "beam=True does not fit a setting of decoding"),
        ({"seed": 1.5}, r"seed=1.5 does not fit a setting of decoding"),
        ({"forbidden_ids": [1, "a"]}, "forbidden_ids=.* does not fit a setting of decoding"),
        ({"length_penalty": float("nan")}, "length_penalty=nan does not fit"),
        ({"beam": 2, "n_best": 3}, "n_best=3 is more than beam=2.*Take beam=3 or more"),
        ({"beam": 0}, "beam=0 does not fit: it must be at least 1"),
        ({"n_best": 0}, "n_best=0"),
        ({"length_penalty": -0.1}, "length_penalty=-0.1 .* 0 or more"),
        ({"temperature": 0}, r"temperature=0.* above 0 \(for no chance at all, leave out sample\)"),
        ({"top_k": -1}, "top_k=-1"),
        ({"top_p": 0.0}, "top_p=0.0 .* above 0 and at most 1"),
        ({"top_p": 1.1}, "top_p=1.1"),
        ({"min_p": 2.0}, "min_p=2.0"),
        ({"seed": -1}, "seed=-1"),
        ({"max_ratio": -1.0}, "max_ratio=-1.0"),
        ({"max_extra": -1}, "max_extra=-1"),
        ({"forbidden_ids": [-1]}, "forbidden_ids=.*-1"),
        ({"batch_tokens": 0}, "batch_tokens=0"),
    ],
)
def test_what_does_not_fit_is_named(values: dict[str, Any], words: str) -> None:
    with pytest.raises(UserError, match=words):
        DecodingConfig.from_dict(values)


def test_many_draws_need_no_beam() -> None:
    assert DecodingConfig(sample=True, n_best=5).beam == 1


def test_the_length_penalty_is_the_papers() -> None:
    assert DecodingConfig(length_penalty=0.6).penalty(1) == 1
    assert DecodingConfig(length_penalty=0.6).penalty(7) == pytest.approx(2**0.6)
    assert DecodingConfig(length_penalty=0).penalty(30) == 1


def test_every_setting_says_what_it_means() -> None:
    source = inspect.getsource(module.DecodingConfig).splitlines()
    for field in fields(DecodingConfig):
        (line,) = [line for line in source if line.startswith(f"    {field.name}: ")]
        assert "  # " in line
