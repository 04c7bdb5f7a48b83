"""Proof 3: our Transformer is torch.nn.Transformer with the same weights, forward and gradients."""

from typing import Any

import pytest
import torch

from tests.small import PAD, small_batch, small_model
from tests.torch_twin import torch_twin, twin_decoded


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
