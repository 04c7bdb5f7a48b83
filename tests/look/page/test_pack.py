"""What goes into the page: weights, vocabularies, the table of taps, PyTorch's own numbers, and what fits."""

import json
import math
from dataclasses import asdict, fields
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from glassformer.checkpoint import Config, Loaded, save
from glassformer.checkpoint.tensors import weights_of
from glassformer.data import Vocabularies, Vocabulary
from glassformer.decode import DecodingConfig, Translator
from glassformer.errors import UserError
from glassformer.look.pack import Shown, pack, packed_weights, rounded, size_of
from glassformer.look.shapes import watch_pair
from glassformer.look.words import vocabulary_entry
from glassformer.model.transformer import Transformer

SENTENCE = "b a n d"


def a_loaded(seed: int = 0, joint: bool = False, **choices: Any) -> Loaded:
    src = Vocabulary.train(["a b c d n"], kind="symbols")
    trg = src if joint else Vocabulary.train(["abcdn"], kind="characters")
    torch.manual_seed(seed)
    sizes = dict(embed_size=12, num_layers=2, heads=2, forward_expansion=2, max_length=12) | choices
    model = Transformer(len(src), len(trg), src.pad_id, trg.pad_id, **sizes).eval()
    config = Config(model=model.config, data={}, decoding={"max_extra": 4}, run={"training": {"seed": 7}})
    return Loaded(model, Vocabularies(src, trg), config)


def packed(loaded: Loaded, **more: Any) -> tuple[dict[str, Any], dict[str, bytes]]:
    payload, blobs = pack(Shown(loaded, {"scores": {"exact": 50.0}}), SENTENCE, title="a model", **more)
    return json.loads(json.dumps(payload, allow_nan=False)), blobs


@pytest.mark.parametrize("tie", ["none", "two-way", "three-way"])
def test_the_weights_are_the_models_in_float16_each_once(tie: str) -> None:
    loaded = a_loaded(joint=True, tie_embeddings=tie)
    payload, blobs = packed(loaded)
    (entry,) = payload["models"]
    numbers = np.frombuffer(blobs[entry["blob"]], "<f2")
    expected = weights_of(loaded.model)
    assert [name for name, *_ in entry["tensors"]] == list(expected)
    assert len(numbers) == sum(tensor.numel() for tensor in expected.values())
    for name, shape, offset in entry["tensors"]:
        found = numbers[offset : offset + math.prod(shape)].reshape(shape)
        assert np.array_equal(found, expected[name].detach().half().numpy()), name


def test_the_entry_says_what_is_known_of_the_model() -> None:
    loaded = a_loaded()
    payload, _ = packed(loaded)
    (entry,) = payload["models"]
    assert (entry["id"], entry["role"], entry["label"]) == ("main", "model", "a model")
    assert set(entry["config"]) == {field.name for field in fields(loaded.model.config)}
    parameters = sum(parameter.numel() for parameter in loaded.model.parameters())
    assert entry["facts"] == {"parameters": parameters, "seed": 7, "scores": {"exact": 50.0}}
    assert payload["decoding"] == json.loads(json.dumps(asdict(DecodingConfig(max_extra=4))))
    assert [payload["vocabularies"][entry[side]] for side in ("src", "trg")] == [
        json.loads(json.dumps(vocabulary_entry(vocabulary))) for vocabulary in loaded.vocabularies
    ]


def test_a_vocabulary_of_both_sides_is_there_once() -> None:
    payload, _ = packed(a_loaded(joint=True), checkpoints=[(5, a_loaded(joint=True))])
    assert len(payload["vocabularies"]) == 1
    assert {(entry["src"], entry["trg"]) for entry in payload["models"]} == {(0, 0)}


def test_the_hash_is_the_one_in_the_models_manifest(tmp_path: Path) -> None:
    loaded = a_loaded(tie_embeddings="two-way")
    save(tmp_path / "model", *loaded)
    manifest = json.loads((tmp_path / "model" / "manifest.json").read_text(encoding="utf-8"))
    payload, _ = packed(loaded)
    assert payload["models"][0]["hash"] == manifest["files"]["model.safetensors"]["sha256"]


def test_the_taps_have_axes_and_source_of_the_first_layers() -> None:
    taps = packed(a_loaded())[0]["taps"]
    energy = taps["decoder.layers.0.cross_attention.energy"]
    assert energy["axes"] == "n h q k"
    assert energy["where"].startswith("glassformer/model/attention.py:")
    assert energy["source"].startswith("energy = einsum(")
    assert energy["operation"] == "einsum nqhd,nkhd->nhqk, div"
    assert {"src_mask", "memory", "encoder.stream", "encoder.layers.0.attended", "logits"} <= set(taps)
    assert not any(".layers.1." in name for name in taps)


def test_the_reference_is_pytorch_in_float64_with_the_rounded_weights() -> None:
    loaded = a_loaded()
    payload, blobs = packed(loaded)
    reference = payload["reference"]
    src, trg = loaded.vocabularies
    answer = Translator(loaded.model, loaded.vocabularies, DecodingConfig(max_extra=4)).hypotheses([SENTENCE])[0][0]
    assert reference["src"] == [*src.encode(SENTENCE), src.end_id]
    assert reference["trg"] == [trg.start_id, *answer.tokens][:12]
    ids = reference["src"], [*reference["trg"], trg.end_id]
    seen = watch_pair(rounded(loaded.model), *ids)
    for name in ("memory", "decoded", "logits"):
        stored = reference["taps"][name]
        value = np.frombuffer(blobs[stored["blob"]], "<f8").reshape(stored["shape"])
        assert np.array_equal(value, seen[name].value.numpy()), name
    exact = watch_pair(a_loaded().model.double(), *ids)["logits"].value
    assert reference["rounding"] == float((exact - seen["logits"].value).abs().max())
    assert 0 < reference["rounding"] < 0.01


def test_packing_leaves_the_model_as_it_was() -> None:
    loaded, twin = a_loaded(), a_loaded()
    loaded.model.train()
    packed(loaded)
    assert loaded.model.training
    for mine, theirs in zip(loaded.model.parameters(), twin.model.parameters(), strict=True):
        assert mine.dtype == torch.float32
        assert torch.equal(mine, theirs)


def test_sisters_and_checkpoints_stand_beside_the_model() -> None:
    sisters = {"honest": (a_loaded(1), {"cheats": False}), "cheating": (a_loaded(2), {"cheats": True})}
    checkpoints = [(step, a_loaded(step)) for step in (0, 500)]
    payload, blobs = packed(a_loaded(), sisters=sisters, checkpoints=checkpoints, curve=[(0, math.nan), (500, 1.25)])
    models = payload["models"]
    assert [entry["id"] for entry in models] == ["main", "honest", "cheating", "step-00000000", "step-00000500"]
    assert [entry["role"] for entry in models] == ["model", "sister", "sister", "checkpoint", "checkpoint"]
    assert [entry["facts"].get("cheats") for entry in models] == [None, False, True, None, None]
    assert [entry["facts"].get("step") for entry in models[3:]] == [0, 500]
    assert [entry["facts"].get("loss") for entry in models[3:]] == [None, 1.25]
    assert payload["curve"] == [[500, 1.25]]
    assert blobs[models[2]["blob"]] == packed_weights(a_loaded(2).model)[1]


def test_checkpoints_are_thinned_to_the_budget_and_keep_both_ends() -> None:
    checkpoints = [(step, a_loaded(step)) for step in range(9)]
    one = size_of(checkpoints[0][1].model)
    kept = {}
    for room in (1, 2, 3, 5, 20):
        payload, blobs = packed(a_loaded(), checkpoints=checkpoints, budget=room * one + one // 2)
        kept[room] = [entry["facts"]["step"] for entry in payload["models"][1:]]
        assert sum(len(blob) for name, blob in blobs.items() if name.startswith("weights")) <= room * one
        assert payload["live"]
    assert kept == {
        1: [], 2: [8], 3: [0, 8], 5: [0, 3, 5, 8], 20: list(range(9)),
    }  # fmt: skip


def test_sisters_come_before_checkpoints() -> None:
    one = size_of(a_loaded().model)
    payload, _ = packed(
        a_loaded(), sisters={"honest": (a_loaded(1), {})}, checkpoints=[(0, a_loaded())], budget=2 * one
    )
    assert [entry["role"] for entry in payload["models"]] == ["model", "sister"]


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.bfloat16])
def test_a_model_over_the_budget_is_a_recording_of_one_pass(dtype: torch.dtype) -> None:
    loaded = a_loaded(dtype=dtype)
    payload, blobs = packed(loaded, checkpoints=[(0, a_loaded())], budget=size_of(loaded.model) - 1)
    assert not payload["live"]
    assert payload["reference"] is None
    assert [entry["blob"] for entry in payload["models"]] == [None]
    recording = payload["recording"]
    assert set(blobs) == {recording["blob"]}
    numbers = np.frombuffer(blobs[recording["blob"]], "<f4")
    seen = watch_pair(loaded.model, recording["src"], [*recording["trg"], loaded.vocabularies.trg.end_id])
    assert [name for name, *_ in recording["taps"]] == list(seen)
    limits = torch.finfo(torch.float32)
    for name, shape, offset, kind in recording["taps"]:
        value = seen[name].value
        assert shape == list(value.shape), name
        assert kind == {torch.bool: "Uint8Array", torch.int64: "Int32Array"}.get(value.dtype, "Float32Array"), name
        expected = value.double().clamp(limits.min, limits.max).float().flatten().numpy()
        assert np.array_equal(numbers[offset : offset + value.numel()], expected), name


@pytest.mark.parametrize("sentence", ["", "   ", "\n"])
def test_a_sentence_without_a_word_is_refused(sentence: str) -> None:
    with pytest.raises(UserError, match="no word to look at"):
        pack(Shown(a_loaded(), {}), sentence, title="")


def test_a_sentence_that_is_too_long_is_refused() -> None:
    pack(Shown(a_loaded(), {}), "a " * 11, title="")
    with pytest.raises(UserError, match=r"has 13 tokens with its </s>.* max_length=12. Shorten it"):
        pack(Shown(a_loaded(), {}), "a " * 12, title="")


@pytest.mark.parametrize("value", [math.nan, math.inf])
@pytest.mark.parametrize("budget", [0, 10**6])
def test_weights_that_are_no_numbers_are_refused(value: float, budget: int) -> None:
    loaded = a_loaded()
    with torch.no_grad():
        loaded.model.decoder.layers[1].feed_forward.fc_in.bias[3] = value
    with pytest.raises(UserError, match=r"decoder.layers.1.feed_forward.fc_in.bias holds what is no number"):
        packed(loaded, budget=budget)


def test_weights_too_large_for_float16_are_refused() -> None:
    loaded = a_loaded()
    with torch.no_grad():
        loaded.model.fc_out.weight[0, 0] = 70_000
    with pytest.raises(UserError, match=r"fc_out.weight holds 70000, and the page's float16 ends at 65504"):
        packed(loaded)
