"""Proof 3: our Transformer is torch.nn.Transformer with the same weights, forward and gradients."""

from typing import Any

import pytest
import torch
from torch import Tensor, nn

from glassformer.model.attention import MultiHeadAttention
from glassformer.model.transformer import Transformer
from tests.small import PAD, small_batch, small_model


def packed(attention: MultiHeadAttention) -> dict[str, Tensor]:
    projections = (attention.to_queries, attention.to_keys, attention.to_values)
    return {
        "in_proj_weight": torch.cat([linear.weight for linear in projections]),
        "in_proj_bias": torch.cat([linear.bias for linear in projections]),
        "out_proj.weight": attention.fc_out.weight,
        "out_proj.bias": attention.fc_out.bias,
    }


def layer_weights(layer: nn.Module) -> dict[str, Tensor]:
    sublayers = {"self_attention": "self_attn", "cross_attention": "multihead_attn"}
    present = [name for name in sublayers if hasattr(layer, name)]
    weights = {
        f"{sublayers[name]}.{key}": tensor for name in present for key, tensor in packed(getattr(layer, name)).items()
    }
    for number, name in enumerate([*present, "feed_forward"], start=1):
        norm = getattr(layer, f"{name}_residual").norm
        weights |= {f"norm{number}.weight": norm.weight, f"norm{number}.bias": norm.bias}
    feed_forward = {"linear1": layer.feed_forward.fc_in, "linear2": layer.feed_forward.fc_out}
    return weights | {
        f"{name}.{part}": getattr(module, part) for name, module in feed_forward.items() for part in ("weight", "bias")
    }


def torch_twin(model: Transformer) -> nn.Transformer:
    config = model.config
    twin = nn.Transformer(
        config.embed_size, config.heads, config.encoder.layers, config.decoder.layers, config.encoder.forward_size,
        dropout=0, activation=config.activation, batch_first=True, norm_first=config.norm == "pre", dtype=torch.float64,
    )  # fmt: skip
    weights = {}
    for stack in ("encoder", "decoder"):
        ours = getattr(model, stack)
        for index, layer in enumerate(ours.layers):
            weights |= {f"{stack}.layers.{index}.{key}": tensor for key, tensor in layer_weights(layer).items()}
        if config.has_final_norms:
            weights |= {f"{stack}.norm.weight": ours.norm.weight, f"{stack}.norm.bias": ours.norm.bias}
        else:
            getattr(twin, stack).norm = None  # nn.Transformer adds a final norm even to post-norm stacks
    twin.load_state_dict({key: tensor.detach().clone() for key, tensor in weights.items()})
    return twin


def twin_decoded(model: Transformer, twin: nn.Transformer, src: Tensor, trg: Tensor) -> Tensor:
    def entering(stack: nn.Module, tokens: Tensor) -> Tensor:
        return stack.positions(stack.word_embedding(tokens) * stack.scale, 0)

    future = torch.ones(trg.size(1), trg.size(1), dtype=torch.bool).triu(1)  # True = hidden over there
    return twin(
        entering(model.encoder, src), entering(model.decoder, trg), tgt_mask=future,
        src_key_padding_mask=src == PAD, memory_key_padding_mask=src == PAD, tgt_key_padding_mask=trg == PAD,
    )  # fmt: skip


@pytest.mark.filterwarnings("ignore:enable_nested_tensor is True")
@pytest.mark.parametrize("activation", ["relu", "gelu"])
@pytest.mark.parametrize(("norm", "final_norms"), [("post", False), ("post", True), ("pre", True)])
def test_same_weights_same_numbers_as_torch_nn_transformer(norm: str, final_norms: bool, activation: str) -> None:
    choices: dict[str, Any] = dict(norm=norm, final_norms=final_norms, activation=activation, decoder_layers=3)
    model = small_model(**choices).train()  # train: the twin's inference fast path would be another kernel
    twin = torch_twin(model)
    src, trg = small_batch()
    ours = model.decode(trg, model.encode(src), model.make_src_mask(src))
    theirs = twin_decoded(model, twin, src, trg)
    real = (trg != PAD).unsqueeze(-1)
    torch.testing.assert_close(ours * real, theirs * real, rtol=0, atol=1e-12)

    weights = torch.randn_like(ours) * real
    (ours * weights).sum().backward()
    (theirs * weights).sum().backward()
    theirs_by_name = dict(twin.named_parameters())
    compared = 0
    for stack in ("encoder", "decoder"):
        for index, layer in enumerate(getattr(model, stack).layers):
            for sublayer, name in (("self_attention", "self_attn"), ("cross_attention", "multihead_attn")):
                if hasattr(layer, sublayer):
                    attention = getattr(layer, sublayer)
                    linears = (attention.to_queries, attention.to_keys, attention.to_values)
                    gradient = torch.cat([linear.weight.grad for linear in linears])
                    other = theirs_by_name[f"{stack}.layers.{index}.{name}.in_proj_weight"].grad
                    torch.testing.assert_close(gradient, other, rtol=0, atol=1e-11)
                    compared += 1
            ours_in = layer.feed_forward.fc_in.weight.grad
            torch.testing.assert_close(
                ours_in, theirs_by_name[f"{stack}.layers.{index}.linear1.weight"].grad, rtol=0, atol=1e-11
            )
    assert compared == 2 + 2 * 3
