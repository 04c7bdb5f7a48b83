"""A model folder of JoeyNMT has the same logits here; another epsilon in the norms is made ours exactly."""

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from glassformer.errors import UserError
from glassformer.exchange.epsilon import with_our_epsilon
from glassformer.exchange.joeynmt import parse_yaml, read
from glassformer.model.transformer import Transformer
from tests.exchange.damage import outcomes
from tests.small import SRC_VOCAB, TRG_VOCAB, small_batch, small_model

STACK = dict(type="transformer", num_layers=2, num_heads=2, hidden_size=12, ff_size=20, layer_norm="pre", dropout=0.1)
EMBEDDINGS = dict(embedding_dim=12, scale=True)
MODELS: list[tuple[dict[str, Any], dict[str, Any], dict[str, Any]]] = [  # of the model, the encoder, the decoder
    ({}, {}, {}),
    (dict(tied_softmax=True), dict(layer_norm="post"), dict(layer_norm="post", num_layers=1, num_heads=4)),
    (dict(tied_softmax=True, tied_embeddings=True), dict(activation="swish"), dict(activation="swish", ff_size=9)),
    ({}, dict(layer_norm="post", activation="gelu", num_layers=3), dict(layer_norm="post", activation="gelu")),
]


def config(model: dict[str, Any], encoder: dict[str, Any], decoder: dict[str, Any]) -> str:
    """A config.yaml as people write them, with remarks."""
    stacks = {"encoder": STACK | encoder, "decoder": STACK | decoder}
    lines = ["# a model", 'name: "small"', "data:", "    src: # the source", '        lang: "de"', "", "model:"]
    lines += [f"    {name}: {str(value).lower()}" for name, value in model.items()]
    for name, stack in stacks.items():
        lines += [f"    {name}:", *(f"        {key}: {value}  # or not" for key, value in stack.items())]
        lines += ["        embeddings:", *(f"            {key}: {str(v).lower()}" for key, v in EMBEDDINGS.items())]
    return "\n".join(lines)


@pytest.mark.slow
@pytest.mark.peers
@pytest.mark.parametrize("parts", MODELS, ids=str)
def test_the_logits_are_those_of_its_own_package(parts: Any, tmp_path: Path) -> None:
    environments = pytest.importorskip("benchmarks.environments")
    sizes = (SRC_VOCAB, SRC_VOCAB if parts[0].get("tied_embeddings") else TRG_VOCAB)
    script = Path(__file__).with_name("joeynmt_model.py")
    python = environments.python_of("joeynmt")
    environments.run([str(python), str(script), str(tmp_path), config(*parts), *map(str, sizes)])
    imported = read(tmp_path)
    for name, digits in (("float32", 1e-5), ("float64", 1e-6)):  # factors were rounded to float32
        kept: dict[str, Tensor] = torch.load(tmp_path / f"{name}.pt", weights_only=True)
        expected = kept["logits"]
        logits = imported.model.to(getattr(torch, name))(kept["src"], kept["trg"])
        assert (logits - expected).abs().max() < digits * expected.abs().max().clamp(min=1)


@pytest.mark.parametrize(
    "choices",
    [
        dict(norm="pre"),
        dict(norm="post"),
        dict(norm="post", final_norms=True, decoder_layers=3),
        dict(norm="pre", tie_embeddings="two-way", scale_embeddings=True),
        dict(norm="post", tie_embeddings="three-way", trg_vocab_size=SRC_VOCAB),
    ],
    ids=str,
)
@pytest.mark.parametrize("epsilon", [1e-6, 1e-12, 1e-2])
def test_another_epsilon_is_made_ours(choices: dict[str, Any], epsilon: float) -> None:
    theirs = small_model(**choices)
    with torch.no_grad():
        for name, tensor in theirs.named_parameters():
            if "embedding" in name or "positions" in name:
                tensor.mul_(0.05)  # so small that an epsilon counts
    ours = Transformer.from_config(theirs.config, dtype=torch.float64).eval()
    ours.load_state_dict(with_our_epsilon(theirs.state_dict(), epsilon, pre_norm=choices["norm"] == "pre"))
    src, trg = small_batch()
    ordinary = theirs(src, trg)
    for module in theirs.modules():
        if isinstance(module, nn.LayerNorm):
            module.eps = epsilon
    expected = theirs(src, trg)
    assert (expected - ordinary).abs().max() > 1e-6
    assert torch.allclose(ours(src, trg), expected, rtol=0, atol=1e-10)
    assert ours.config.tie_embeddings == theirs.config.tie_embeddings


def write_folder(folder: Path, *parts: dict[str, Any]) -> None:
    """What JoeyNMT writes, of random tensors: its names are in its source."""
    stacks = {"encoder": STACK | parts[1], "decoder": STACK | parts[2]}
    size, tensors = 12, {"decoder.output_layer.weight": torch.randn(TRG_VOCAB, 12)}
    attentions = {"encoder": ["src_src_att"], "decoder": ["trg_trg_att", "src_trg_att"]}
    norms = {"encoder": ["layer_norm"], "decoder": ["x_layer_norm", "dec_layer_norm"]}
    for stack, choices in stacks.items():
        side, rows = ("src", SRC_VOCAB) if stack == "encoder" else ("trg", TRG_VOCAB)
        tensors |= {f"{side}_embed.lut.weight": torch.randn(rows, size), f"{stack}.pe.pe": torch.randn(1, 30, size)}
        shapes = {"layer_norm": (size,)} if choices["layer_norm"] == "pre" else {}
        for number in range(choices["num_layers"]):
            place = f"layers.{number}."
            for name in attentions[stack]:
                layers = ("q_layer", "k_layer", "v_layer", "output_layer")
                shapes |= {f"{place}{name}.{layer}": (size, size) for layer in layers}
            shapes |= {f"{place}{name}": (size,) for name in (*norms[stack], "feed_forward.layer_norm")}
            shapes[f"{place}feed_forward.pwff_layer.0"] = (choices["ff_size"], size)
            shapes[f"{place}feed_forward.pwff_layer.3"] = (size, choices["ff_size"])
        tensors |= {f"{stack}.{name}.weight": torch.randn(shape) for name, shape in shapes.items()}
        tensors |= {f"{stack}.{name}.bias": torch.randn(shape[0]) for name, shape in shapes.items()}
    for side, rows in (("src", SRC_VOCAB), ("trg", TRG_VOCAB)):
        tokens = ["<unk>", "<pad>", "<s>", "</s>", *(f"w{number}" for number in range(rows - 4))]
        (folder / f"{side}_vocab.txt").write_text("\n".join(tokens) + "\n")
    (folder / "config.yaml").write_text(config(*parts))
    torch.save({"model_state": tensors, "optimizer_state": {"step": 3}}, folder / "best.ckpt")


def test_a_folder_is_read_with_its_vocabularies(tmp_path: Path) -> None:
    write_folder(tmp_path, {}, {}, {})
    imported = read(tmp_path)
    src, trg = imported.vocabularies
    assert (src.unknown_id, src.pad_id, trg.start_id, trg.end_id) == (0, 1, 2, 3)
    assert src.encode("w0 w8 other") == [4, 12, 0]
    assert imported.model.config.dropout == 0.1
    assert len(imported.names) == len(torch.load(tmp_path / "best.ckpt", weights_only=True)["model_state"])


@pytest.mark.parametrize(
    ("parts", "match"),
    [
        (({}, dict(type="recurrent"), {}), r"encoder.type='recurrent', and our model has transformer"),
        (({}, {}, dict(activation="tanh")), r"decoder.activation='tanh', and our model has relu, gelu, swish"),
        (({}, {}, dict(alpha=0.5)), r"decoder.alpha=0.5, and our model has 1.0"),
        (({}, {}, dict(layer_norm="post")), "layer_norm is 'pre' in the encoder and 'post' in the decoder"),
        (({}, dict(num_heads="many"), {}), "encoder: num_heads does not fit"),
        (({}, dict(num_layers=3), {}), "shape|no tensor"),
    ],
    ids=str,
)
def test_what_our_model_lacks_is_refused_by_name(parts: Any, match: str, tmp_path: Path) -> None:
    write_folder(tmp_path, {}, {}, {})
    (tmp_path / "config.yaml").write_text(config(*parts))
    with pytest.raises(UserError, match=match):
        read(tmp_path)


@pytest.mark.parametrize("half", [torch.bfloat16, torch.float16], ids=str)
def test_half_precision_gives_the_model_of_the_same_numbers_in_float32(half: torch.dtype, tmp_path: Path) -> None:
    write_folder(tmp_path, {}, {}, {})
    weights = torch.load(tmp_path / "best.ckpt", weights_only=True)["model_state"]
    weights = {name: tensor.to(half) for name, tensor in weights.items()}
    torch.save({"model_state": weights}, tmp_path / "best.ckpt")
    torch.save({"model_state": {name: tensor.float() for name, tensor in weights.items()}}, tmp_path / "float.ckpt")
    ours, expected = (read(path).model.state_dict() for path in (tmp_path, tmp_path / "float.ckpt"))
    assert all(torch.equal(ours[name], expected[name]) for name in expected)


def test_a_config_is_maps_in_maps() -> None:
    text = 'a:\n  b: "x # y"\n  c: # why\n    d: 1 # how\n\n    e: off\nf: null\ng: {}\n'
    assert parse_yaml(text) == {"a": {"b": "x # y", "c": {"d": "1", "e": False}}, "f": None, "g": {}}
    assert json.dumps(parse_yaml("")) == "{}"
    with pytest.raises(UserError, match="'words' is no setting"):
        parse_yaml("a: 1\nwords\n")


def test_damaged_files_are_refused_or_read_whole(tmp_path: Path) -> None:
    write_folder(tmp_path, {}, dict(num_layers=1), dict(num_layers=1))
    files = ["best.ckpt", "best.ckpt", "config.yaml", "src_vocab.txt"]
    assert outcomes(lambda: read(tmp_path), tmp_path, files) == {
        "refused",
        "read",
    }  # a flipped bit in a weight cannot be seen
