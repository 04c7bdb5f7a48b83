"""torch.nn.Transformer in and out: the same numbers, forward and backward."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from glassformer.errors import UserError
from glassformer.exchange import torch_nn
from glassformer.exchange.facts import Facts
from glassformer.exchange.imported import Imported
from glassformer.model.blocks import FeedForward
from tests.exchange.torch_model import TorchModel, told, torch_model
from tests.small import PAD, small_batch, small_model, variant_name

pytestmark = pytest.mark.filterwarnings("ignore:enable_nested_tensor is True")

MODELS: list[dict[str, Any]] = [
    dict(norm="post", positions="buffer"),
    dict(norm="post", positions="learned", final_norms=False, activation="gelu", batch_first=False),
    dict(norm="pre", positions="computed", scale=False),
    dict(norm="pre", positions="learned", bias=False, activation="gelu", heads=2),
    dict(norm="post", positions="buffer", tie=True, layers=1, decoder_layers=3),
]


PAD_ID = torch.tensor(PAD)


def imported(weights: dict[str, Tensor], folder: Path, **facts: Any) -> Imported:
    torch.save(weights, folder / "model.pt")
    return torch_nn.read(folder / "model.pt", Facts(**facts))


@pytest.mark.parametrize("choices", MODELS, ids=variant_name)
def test_logits_and_gradients_are_torchs(choices: dict[str, Any], tmp_path: Path) -> None:
    theirs = torch_model(**choices)
    ours = imported(theirs.state_dict(), tmp_path, **told(**choices)).model
    assert ours.config.tie_embeddings == ("two-way" if choices.get("tie") else "none")
    src, trg = small_batch()
    words = (trg != PAD).unsqueeze(-1)
    mine, other = ours(src, trg) * words, theirs(src, trg) * words
    torch.testing.assert_close(mine, other, rtol=0, atol=1e-12)
    assert other.std() > 0.3, "logits that could differ"

    weights = torch.randn_like(mine)
    (mine * weights).sum().backward()
    (other * weights).sum().backward()
    with torch.no_grad():
        for parameter in ours.parameters():
            parameter.copy_(parameter.grad)  # the way out has one place for each tensor, so for each gradient too
    gradients = torch_nn.export_torch(ours)
    compared = 0
    for name, parameter in theirs.named_parameters():
        ours_name = name.replace("tgt_", "trg_").replace("position.", "positions.").replace("generator", "fc_out")
        torch.testing.assert_close(gradients[ours_name], parameter.grad, rtol=0, atol=1e-11, msg=name)
        compared += 1
    assert compared >= 28


@pytest.mark.parametrize(
    "rename",
    [
        lambda name: name.replace("src_embedding", "src_tok_emb.embedding").replace("tgt_emb", "tgt_tok_emb.emb"),
        lambda name: name.replace("transformer.", "").replace("generator", "fc"),
        lambda name: f"module.{name}".replace("src_emb", "encoder_emb").replace("tgt_emb", "decoder_emb"),
        lambda name: name.replace("pos_encoding", "pe").replace("generator", "linear_out"),
        lambda name: name.replace("transformer.encoder", "transformer_encoder").replace("generator", "output_layer"),
    ],
)
def test_usual_names_are_recognised(rename: Callable[[str], str], tmp_path: Path) -> None:
    theirs = torch_model()
    renamed = {rename(name): tensor for name, tensor in theirs.state_dict().items()}
    src, trg = small_batch()
    ours = imported(renamed, tmp_path, **told()).model
    words = (trg != PAD).unsqueeze(-1)
    torch.testing.assert_close(ours(src, trg) * words, theirs(src, trg) * words, rtol=0, atol=1e-12)


def test_other_names_are_told_and_asked_for(tmp_path: Path) -> None:
    theirs = torch_model(positions="learned")
    names = {"src_embedding": "kelp", "tgt_embedding": "moss", "src_position": "ant", "tgt_position": "bee"}
    renamed = {}
    for name, tensor in theirs.state_dict().items():
        module = name.removesuffix(".weight")
        renamed[f"{names[module]}.weight" if module in names else name] = tensor
    with pytest.raises(UserError, match=r"--names src_embedding=NAME; outside the stacks there are .*kelp.weight"):
        imported(renamed, tmp_path, **told())
    parts = {part.replace("tgt", "trg").replace("position", "positions"): name for part, name in names.items()}
    found = imported(renamed, tmp_path, **told(), names=parts)
    assert found.model.config.positions == "learned"
    src, trg = small_batch()
    words = (trg != PAD).unsqueeze(-1)
    torch.testing.assert_close(found.model(src, trg) * words, theirs(src, trg) * words, rtol=0, atol=1e-12)
    with pytest.raises(UserError, match=r"unknown part of a model in --names 'src_embeding'. Did you mean src_embed"):
        imported(renamed, tmp_path, **told(), names={"src_embeding": "kelp"})
    with pytest.raises(UserError, match=r"unknown tensor of .* 'kalp'. Did you mean kelp"):
        imported(renamed, tmp_path, **told(), names=parts | {"src_embedding": "kalp"})


def test_one_table_may_play_several_parts(tmp_path: Path) -> None:
    theirs = torch_model(tie=True)
    weights = theirs.state_dict()
    del weights["tgt_embedding.weight"]
    weights["src_embedding.weight"] = weights["generator.weight"]
    found = imported(weights, tmp_path, **told(), names={"trg_embedding": "generator"})
    assert found.model.config.tie_embeddings == "three-way"
    assert found.names["generator.weight"] == "decoder.word_embedding.weight and fc_out.weight"


def test_a_table_of_other_waves_becomes_learned_positions(tmp_path: Path) -> None:
    theirs = torch_model()
    theirs.pos_encoding.copy_(theirs.pos_encoding.roll(1, dims=0))  # the first position has number -1, say
    theirs.waves = theirs.pos_encoding.squeeze(1)
    ours = imported(theirs.state_dict(), tmp_path, **told()).model
    assert ours.config.positions == "learned"
    src, trg = small_batch()
    words = (trg != PAD).unsqueeze(-1)
    torch.testing.assert_close(ours(src, trg) * words, theirs(src, trg) * words, rtol=0, atol=1e-12)


def test_positions_that_are_told_must_be_the_files(tmp_path: Path) -> None:
    waves, learned = torch_model().state_dict(), torch_model(positions="learned").state_dict()
    assert imported(waves, tmp_path, **told(), positions="learned").model.config.positions == "learned"
    for weights, kind in ((waves, "none"), (learned, "sinusoidal")):
        with pytest.raises(UserError, match=f"and --positions {kind} was given"):
            imported(weights, tmp_path, **told(), positions=kind)


def test_a_final_norm_after_one_stack_alone_is_refused(tmp_path: Path) -> None:
    weights = {name: w for name, w in torch_model().state_dict().items() if "encoder.norm" not in name}
    with pytest.raises(UserError, match="a final norm after one stack alone"):
        imported(weights, tmp_path, **told())


def test_a_shorter_length_cuts_the_table_and_says_so(tmp_path: Path) -> None:
    found = imported(torch_model(positions="learned").state_dict(), tmp_path, **told(), max_length=9)
    assert found.model.config.max_length == 9
    assert "positions from 9 on are left out." in found.notes


def test_what_weights_cannot_say_is_asked_for_all_at_once(tmp_path: Path) -> None:
    with pytest.raises(UserError) as error:
        imported(torch_model(positions="computed").state_dict(), tmp_path)
    for option in ("heads", "norm", "activation", "scale-embeddings", "positions", "max-length", "src-pad", "start"):
        assert f"--{option} (" in str(error.value)


@pytest.mark.parametrize(
    "choices",
    [
        dict(norm="post", final_norms=True),
        dict(norm="pre", positions="sinusoidal", tie_embeddings="two-way", decoder_layers=1),
        dict(norm="post", activation="gelu", final_norms=False),
    ],
    ids=variant_name,
)
def test_what_goes_out_comes_back_as_it_was(choices: dict[str, Any], tmp_path: Path) -> None:
    model = small_model(**choices)
    c = model.config
    computed = dict(positions="sinusoidal", max_length=c.max_length) if c.positions == "sinusoidal" else {}
    back = imported(
        torch_nn.export_torch(model), tmp_path, heads=c.heads, norm=c.norm, activation=c.activation,
        scale_embeddings=c.scale_embeddings, src_pad=PAD, trg_pad=PAD, start=1, end=2, **computed,
    ).model  # fmt: skip
    src, trg = small_batch()
    assert torch.equal(back(src, trg), model(src, trg))


def test_what_is_told_to_compute_nothing_is_left_out_and_said(tmp_path: Path) -> None:
    theirs = torch_model()
    weights = theirs.state_dict()
    weights |= {"causal_mask": torch.full((9, 9), float("-inf")).triu(1), "transformer.encoder.layers.0.steps": PAD_ID}
    with pytest.raises(UserError, match=r"'causal_mask' and 1 more, for which.*leave it out: --leave causal_mask"):
        imported(weights, tmp_path, **told())
    left = ("causal_mask", "transformer.encoder.layers.0.steps")
    found = imported(weights, tmp_path, **told(), leave=left)
    assert all(found.names[name] == "left out, as --leave says" for name in left)
    src, trg = small_batch()
    words = (trg != PAD).unsqueeze(-1)
    torch.testing.assert_close(found.model(src, trg) * words, theirs(src, trg) * words, rtol=0, atol=1e-12)
    with pytest.raises(UserError, match=r"unknown tensor of .* in --leave 'causal'. Did you mean causal_mask"):
        imported(weights, tmp_path, **told(), leave=("causal",))


def test_the_way_out_loads_into_torchs_own_module(tmp_path: Path) -> None:
    theirs = TorchModel(norm="pre", positions="learned", decoder_layers=2, width=24, heads=2).double()
    ours = small_model(norm="pre", activation="relu", scale_embeddings=True)
    own_names = {
        "trg_embedding": "tgt_embedding",
        "_positions": "_position",
        "trg_pos": "tgt_pos",
        "fc_out": "generator",
    }
    renamed = {}
    for name, tensor in torch_nn.export_torch(ours).items():
        for before, after in own_names.items():
            name = name.replace(before, after)
        renamed[name] = tensor
    theirs.load_state_dict(renamed)
    src, trg = small_batch()
    words = (trg != PAD).unsqueeze(-1)
    torch.testing.assert_close(ours(src, trg) * words, theirs(src, trg) * words, rtol=0, atol=1e-12)


def test_what_torch_cannot_hold_is_refused() -> None:
    with pytest.raises(UserError, match="decoder_heads makes 3 in the decoder and 2 in the encoder"):
        torch_nn.export_torch(small_model(decoder_heads=3))
    with pytest.raises(UserError, match="decoder_forward_expansion makes 18"):
        torch_nn.export_torch(small_model(decoder_forward_expansion=1.5))

    class Gated(FeedForward):
        pass

    model = small_model()
    model.encoder.layers[0].feed_forward = Gated(12, 24, "relu")
    with pytest.raises(UserError, match=r"encoder.layers.0.feed_forward is a Gated, which torch.nn.Transformer does"):
        torch_nn.export_torch(model)
