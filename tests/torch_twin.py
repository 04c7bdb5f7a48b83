"""torch.nn.Transformer with the weights of one of ours: somebody else's numbers to compare with."""

import torch
from torch import Tensor, nn

from glassformer.model.attention import MultiHeadAttention
from glassformer.model.transformer import Transformer
from tests.small import PAD


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
