"""Edits: what they put in a value's place, that it is used, and that mistakes are said."""

from collections.abc import Callable

import pytest
import torch
from torch import Tensor
from torch.overrides import _get_current_function_mode_stack

from glassformer.errors import UserError
from glassformer.look.edits import replace_with, uniform, zero, zero_channel, zero_head
from glassformer.look.seen import Seen
from glassformer.look.watch import watch
from glassformer.model.cache import Cache
from glassformer.model.fused import use_fused
from glassformer.model.transformer import Transformer
from tests.look.small import CROSS, SRC, TRG, make

Edit = Callable[[Tensor], Tensor]


@pytest.fixture
def model() -> Transformer:
    return make(num_layers=2)


def watched(model: Transformer, **edit: Edit) -> tuple[Tensor, Seen]:
    with watch(model, edit=edit) as seen:
        logits = model(SRC, TRG)
    return logits, seen


def cached(model: Transformer, edit: dict[str, Edit]) -> Tensor:
    cache = Cache(2)
    with watch(model, edit=edit):
        memory, src_mask = model.encode(SRC), model.make_src_mask(SRC)
        steps = [model.fc_out(model.decode(TRG[:, i : i + 1], memory, src_mask, cache)) for i in range(TRG.size(1))]
    return torch.cat(steps, 1)


@pytest.mark.parametrize("norm", ["post", "pre"])
@pytest.mark.parametrize("positions", ["learned", "sinusoidal", "none"])
def test_each_value_is_edited_once_each_time_that_it_is_made_and_a_copy_changes_nothing(
    norm: str, positions: str
) -> None:
    model = make(norm=norm, positions=positions, num_layers=2)
    with watch(model) as plain:
        model(SRC, TRG)
    made: dict[str, int] = {}

    def copied(name: str) -> Edit:
        def edit(value: Tensor) -> Tensor:
            made[name] = made.get(name, 0) + 1
            return value.clone()

        return edit

    names = [name for name in plain if name != "prefix"]  # the target under another name
    with watch(model, edit={name: copied(name) for name in names}) as seen:
        model(SRC, TRG)
    times = {
        "words": 3,
        "src_mask": 2,
        "encoder.stream": 3,
        "decoder.stream": 3,
    }  # for both masks; before and in a loop
    assert made == {name: times.get(name, 1) for name in names}
    assert list(seen) == list(plain)
    for name in names:
        assert torch.equal(seen[name].value, plain[name].value), name
        assert seen[name].steps[-1].name == "edit"


@pytest.mark.parametrize(
    "name", ["encoder.embedded", "memory", "decoder.layers.1.feed_forward.hidden", f"{CROSS}.energy"]
)
def test_what_is_put_there_is_seen_and_used(model: Transformer, name: str) -> None:
    _, plain = watched(model)
    logits, seen = watched(model, **{name: lambda value: value * 2})
    torch.testing.assert_close(seen[name].value, plain[name].value * 2)
    assert not torch.equal(logits, plain["logits"].value)
    assert torch.equal(model(SRC, TRG), plain["logits"].value)


def test_a_pass_made_of_another_s_values_is_that_other_pass(model: Transformer) -> None:
    with watch(model) as other:
        wanted = model(SRC.flip(0), TRG)
    logits, _ = watched(
        model, memory=replace_with(other["memory"].value), src_mask=replace_with(other["src_mask"].value)
    )
    torch.testing.assert_close(logits, wanted, rtol=0, atol=1e-12)


def test_an_edited_mask_is_the_mask(model: Transformer) -> None:
    _, plain = watched(model, trg_mask=lambda mask: mask.new_ones(mask.shape))
    assert plain["decoder.layers.0.self_attention.attention"].value.gt(0).all()
    _, seen = watched(model, src_mask=zero)
    assert seen[f"{CROSS}.attention"].value.eq(0).all()
    assert seen["words"].value.any()


def test_a_head_at_zero_is_a_model_without_it(model: Transformer) -> None:
    logits, seen = watched(model, **{f"{CROSS}.heads_out": zero_head(1)})
    by_weights, _ = watched(model, **{f"{CROSS}.attention": zero_head(1)})
    torch.testing.assert_close(logits, by_weights, rtol=0, atol=1e-12)
    assert seen[f"{CROSS}.heads_out"].value[:, :, 1].eq(0).all()
    assert not seen[f"{CROSS}.heads_out"].value[:, :, 0].eq(0).any()
    with torch.no_grad():
        model.decoder.layers[0].cross_attention.fc_out.weight[:, 4:] = 0
    torch.testing.assert_close(model(SRC, TRG), logits, rtol=0, atol=1e-12)


def test_a_channel_at_zero_is_one_neuron_less(model: Transformer) -> None:
    name = "encoder.layers.0.feed_forward.hidden"
    _, seen = watched(model, **{name: zero_channel(3)})
    assert seen[name].value[..., 3].eq(0).all()
    assert seen[name].value.ne(0).any()


def test_uniform_shares_what_may_be_attended_to(model: Transformer) -> None:
    _, seen = watched(model, **{"*attention.attention": uniform})
    assert seen[f"{CROSS}.attention"].value[0, 0, 0].tolist() == pytest.approx([0.2] * 5 + [0])
    own = seen["decoder.layers.1.self_attention.attention"].value[1, 1]
    torch.testing.assert_close(own, torch.ones(5, 5).tril().double() / torch.arange(1, 6)[:, None])
    assert uniform(torch.zeros(2, 3)).eq(0).all()


@pytest.mark.parametrize(
    "name", ["decoder.layers.*.keys", "*.values", "decoder.layers.1.self_attention.queries", "logits"]
)
def test_with_a_cache_an_edit_does_the_same_as_without(model: Transformer, name: str) -> None:
    edit = {name: lambda value: value * 1.5 + 0.1}
    logits, _ = watched(model, **edit)
    torch.testing.assert_close(cached(model, edit), logits, rtol=0, atol=1e-12)
    assert not torch.equal(cached(model, {}), logits)


def test_a_fused_model_is_edited_in_its_written_out_attention(model: Transformer) -> None:
    logits, _ = watched(model, **{f"{CROSS}.attention": uniform})
    fused, _ = watched(use_fused(model), **{f"{CROSS}.attention": uniform})
    assert torch.equal(fused, logits)


def test_float16_stays_float16() -> None:
    model = make(dtype=torch.float16)
    logits, seen = watched(model, **{f"{CROSS}.attention": uniform, "memory": lambda value: value / 2})
    assert logits.dtype == seen[f"{CROSS}.attention"].value.dtype == torch.float16


def test_gradients_flow_through_an_edit(model: Transformer) -> None:
    with watch(model, edit={"memory": lambda value: value * 0}):
        model(SRC, TRG).sum().backward()
    assert model.encoder.word_embedding.weight.grad is not None
    assert model.encoder.word_embedding.weight.grad.eq(0).all()
    assert model.decoder.word_embedding.weight.grad is not None
    assert model.decoder.word_embedding.weight.grad.ne(0).any()


def test_several_edits_of_one_name_come_in_their_order(model: Transformer) -> None:
    with watch(model) as seen, watch(model, edit={"memory": lambda v: v + 1, "mem*": lambda v: v * 2}) as inner:
        model(SRC, TRG)
    assert torch.equal(seen["decoded"].value, inner["decoded"].value)  # the outer one sees what the inner one did
    _, plain = watched(model)
    torch.testing.assert_close(inner["memory"].value, (plain["memory"].value + 1) * 2)


def test_only_and_edit_do_not_mind_each_other(model: Transformer) -> None:
    with watch(model, only="logits", edit={"decoded": zero}) as seen:
        model(SRC, TRG)
    assert list(seen) == ["logits"]
    assert torch.equal(seen["logits"].value, model.fc_out.bias.detach().expand(2, 5, 12))


@pytest.mark.parametrize(
    ("edit", "message"),
    [
        (
            {"memory": lambda value: value[:1]},
            r"edit of memory gave a tensor \(1, 6, 8\) of torch.float64, wanted a tensor \(2, 6, 8\)",
        ),
        ({"memory": lambda value: value.float()}, r"of torch.float32, wanted a tensor \(2, 6, 8\) of torch.float64"),
        ({"memory": lambda value: None}, "edit of memory gave NoneType, wanted a tensor"),
        ({"memory": torch.ones(2)}, r"not a function of a tensor. For a fixed value, take replace_with\(tensor\)"),
        ({"memry": zero}, "unknown name to edit 'memry'. Did you mean memory"),
        ({"*.enrgy": zero}, "unknown name to edit '\\*.enrgy'"),
        ({"prefix": zero}, "edit of 'prefix' changed nothing: prefix only names a value that was made elsewhere"),
        ({"memory": zero_head(0)}, r"zero_head\(0\): memory \(axes n s e\) has no axis h"),
        ({f"{CROSS}.energy": zero_head(2)}, "head=2 is not in .*energy .*: there are 2, counted from 0 to 1"),
        ({"memory": zero_channel(8)}, "channel=8 is not in memory"),
        ({"memory": zero_head(0, axis=3)}, "axis=3 is not an axis of memory"),
    ],
)
def test_a_mistake_is_said_and_nothing_is_left_behind(model: Transformer, edit: dict[str, Edit], message: str) -> None:
    with pytest.raises(UserError, match=message), watch(model, edit=edit):
        model(SRC, TRG)
    assert not _get_current_function_mode_stack()
    assert not any(module._forward_hooks for module in model.modules())


def test_an_edit_without_a_call_says_to_make_one(model: Transformer) -> None:
    with pytest.raises(UserError, match="call the model inside the with block"), watch(model, edit={"memory": zero}):
        pass


def test_another_mistake_is_not_hidden_by_an_edit_that_matched_nothing(model: Transformer) -> None:
    with pytest.raises(ZeroDivisionError), watch(model, edit={"memry": zero}):
        1 / 0  # noqa: B018


def test_the_usual_functions_work_on_plain_tensors() -> None:
    value = torch.ones(1, 2, 3)
    assert zero_head(1, axis=1)(value).tolist() == [[[1, 1, 1], [0, 0, 0]]]
    assert zero_channel(0)(value).sum() == 4
    assert replace_with(value)(torch.zeros(1)) is value
    assert zero(torch.tensor([True])).tolist() == [False]
