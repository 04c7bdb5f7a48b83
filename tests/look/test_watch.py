"""watch(model): the names, the values, and that nothing is left behind."""

import math
import threading
from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn
from torch.overrides import _get_current_function_mode_stack

from glassformer.errors import UserError
from glassformer.look.watch import watch
from glassformer.model.attention import MultiHeadAttention, attention
from glassformer.model.cache import Cache
from glassformer.model.fused import fused_attention, use_fused
from glassformer.model.transformer import Transformer

SRC = torch.tensor([[1, 5, 6, 4, 2, 0], [1, 8, 7, 3, 4, 2]])
TRG = torch.tensor([[1, 7, 4, 3, 2, 0], [1, 5, 6, 4, 7, 2]])
CROSS = "decoder.layers.0.cross_attention"

ATTENTION = ["queries", "keys", "values", "energy", "masked_energy", "attention", "heads_out", "out"]
POST_RESIDUAL = ["branch", "residual_sum", "out"]
PRE_RESIDUAL = ["normed", "branch", "residual_sum"]
TOP = ["words", "src_mask", "memory", "every_pair", "prefix", "look_ahead", "trg_mask", "decoded", "logits"]


def public_names(residual: list[str]) -> set[str]:
    """The frozen list for 1 + 1 layers with learned positions: a change here is a change for users."""
    names = set(TOP)
    for side, parts, own, end in (
        ("encoder", ["self_attention"], ["attended"], "memory"),
        ("decoder", ["self_attention", "cross_attention"], ["attended", "informed"], "decoded"),
    ):
        layer = f"{side}.layers.0"
        names |= {f"{side}.{name}" for name in ("embedded", "positioned", "stream", end)}
        names |= {f"{side}.positions.{name}" for name in ("position", "positioned")}
        names |= {f"{layer}.{part}.{name}" for part in parts for name in ATTENTION}
        names |= {f"{layer}.feed_forward.{name}" for name in ("hidden", "out")}
        names |= {f"{layer}.{part}_residual.{name}" for part in [*parts, "feed_forward"] for name in residual}
        names |= {f"{layer}.{name}" for name in [*own, "out"]}
    return names


def make(**choices: object) -> Transformer:
    sizes: dict[str, object] = dict(embed_size=16, num_layers=1, heads=2, max_length=12, dtype=torch.float64)
    return Transformer(10, 12, 0, 0, **(sizes | choices)).eval()  # type: ignore[arg-type]


@pytest.fixture
def model() -> Transformer:
    return make()


@pytest.mark.parametrize(("norm", "residual"), [("post", POST_RESIDUAL), ("pre", PRE_RESIDUAL)])
def test_the_public_names_are_these(norm: str, residual: list[str]) -> None:
    model = make(norm=norm)
    with watch(model) as seen:
        model(SRC, TRG[:, :-1])
    assert set(seen) == public_names(residual)


@pytest.mark.parametrize("positions", ["learned", "sinusoidal", "none"])
@pytest.mark.parametrize("norm", ["post", "pre"])
def test_each_letter_has_one_size(positions: str, norm: str) -> None:
    model = make(
        positions=positions, norm=norm, heads=2, decoder_heads=4, forward_expansion=3, decoder_forward_expansion=2
    )
    with watch(model) as seen:
        model(SRC, TRG[:, :-1])
    for name, tap in seen.items():
        side, part = name.partition(".")[0], name.split(".")[-2:][0]
        heads, width = (2, 48) if side == "encoder" else (4, 32)
        asks = answers = 6 if side == "encoder" else 5
        if part == "cross_attention":
            answers = 6
        sizes = dict(n=2, s=6, t=5, e=16, v=12, h=heads, d=16 // heads, f=width, q=asks, k=answers) | {"1": 1}
        assert all(letter == "_" or sizes[letter] == size for letter, size in zip(tap.axes, tap.shape, strict=True)), (
            tap
        )


def test_the_axes_are_the_letters_of_the_source(model: Transformer) -> None:
    with watch(model) as seen:
        model(SRC, TRG[:, :-1])
    expected = {
        "src_mask": "n11s",
        "trg_mask": "n1qk",
        "encoder.embedded": "nse",
        "decoder.embedded": "nte",
        "encoder.layers.0.feed_forward.hidden": "nsf",
        "decoder.layers.0.feed_forward.hidden": "ntf",
        "encoder.layers.0.feed_forward_residual.residual_sum": "nse",
        f"{CROSS}.queries": "nqhd",
        f"{CROSS}.keys": "nkhd",
        f"{CROSS}.energy": "nhqk",
        f"{CROSS}.masked_energy": "nhqk",
        f"{CROSS}.attention": "nhqk",
        f"{CROSS}.heads_out": "nqhd",
        f"{CROSS}.out": "nqe",
        "memory": "nse",
        "decoded": "nte",
        "logits": "ntv",
    }
    assert {name: "".join(seen[name].axes) for name in expected} == expected


def test_the_values_are_those_of_the_equations(model: Transformer) -> None:
    with watch(model) as seen:
        logits = model(SRC, TRG[:, :-1])
    value = {name: tap.value for name, tap in seen.items()}
    near: Callable[[Tensor, Tensor], None] = lambda a, b: torch.testing.assert_close(a, b, rtol=0, atol=1e-12)  # noqa: E731
    layer = model.decoder.layers[0]
    near(value["logits"], logits)
    near(value["encoder.embedded"], model.encoder.word_embedding.weight[SRC])
    near(value[f"{CROSS}.keys"].flatten(2), layer.cross_attention.to_keys(value["memory"]))
    scores = torch.einsum("nqhd,nkhd->nhqk", value[f"{CROSS}.queries"], value[f"{CROSS}.keys"]) / math.sqrt(8)
    near(value[f"{CROSS}.energy"], scores)
    near(value[f"{CROSS}.attention"], scores.masked_fill(SRC.eq(0)[:, None, None], -math.inf).softmax(-1))
    near(value[f"{CROSS}.out"], layer.cross_attention.fc_out(value[f"{CROSS}.heads_out"].flatten(2)))
    residual = "decoder.layers.0.cross_attention_residual"
    near(value[f"{residual}.residual_sum"], value["decoder.layers.0.attended"] + value[f"{residual}.branch"])
    near(value["decoder.layers.0.informed"], layer.cross_attention_residual.norm(value[f"{residual}.residual_sum"]))
    near(value["logits"], model.fc_out(value["decoded"]))


def test_a_tap_names_its_line_and_its_operations(model: Transformer) -> None:
    with watch(model) as seen:
        model(SRC, TRG[:, :-1])
    for tap in seen.values():
        with open(tap.file, encoding="utf-8") as file:
            line = file.read().split("\n")[tap.line - 1]
        assert line.strip().startswith(tap.quantity) or f"{tap.quantity}, " in line or f", {tap.quantity}" in line
        assert tap.where == f"glassformer/model/{tap.file.rpartition('/')[2]}:{tap.line}"
    energy = seen[f"{CROSS}.energy"]
    assert energy.source.startswith("energy = einsum(")
    assert energy.module == CROSS
    operations = {name: seen[f"{CROSS}.{name}"].operation for name in ATTENTION}
    assert operations["energy"] == "einsum nqhd,nkhd->nhqk, div"
    assert operations["heads_out"] == "einsum nhqk,nkhd->nqhd"
    assert operations["queries"] == "linear, unflatten"
    assert operations["out"] == "flatten, linear"
    assert seen["decoder.layers.0.attended"].source.endswith("trg_mask, cache.self_attention))")
    assert "energy (n=2 h=2 q=5 k=6) = einsum nqhd,nkhd->nhqk, div" in repr(energy)


def test_a_tap_has_its_operations_with_their_operands(model: Transformer) -> None:
    with watch(model) as seen:
        model(SRC, TRG[:, :-1])
    product, division = seen[f"{CROSS}.energy"].steps
    assert product.equation == "nqhd,nkhd->nhqk"
    assert [operand.data_ptr() for operand in product.operands] == [
        seen[f"{CROSS}.{name}"].value.data_ptr() for name in ("queries", "keys")
    ]
    assert division.args[0] is product.result
    assert division.args[1] == math.sqrt(8)
    assert torch.equal(division.result, seen[f"{CROSS}.energy"].value)
    linear, _ = seen[f"{CROSS}.queries"].steps
    weight = model.decoder.layers[0].cross_attention.to_queries.weight
    assert linear.operands[1].data_ptr() == weight.data_ptr()
    for name, tap in seen.items():
        for step in tap.steps:
            assert torch.equal(step.function(*step.args, **step.kwargs), step.result), name
            assert not any(operand.requires_grad for operand in [*step.operands, *step.results])


def test_only_keeps_the_operands_of_what_it_keeps(model: Transformer) -> None:
    with watch(model, only="*.attention") as seen:
        model(SRC, TRG[:, :-1])
    assert {str(step) for tap in seen.values() for step in tap.steps} == {"softmax", "invert", "masked_fill"}


def test_the_order_is_that_of_computation(model: Transformer) -> None:
    with watch(model) as seen:
        model(SRC, TRG[:, :-1])
    order = [name for name in seen if name.startswith(CROSS + ".")]
    assert order == [f"{CROSS}.{name}" for name in ATTENTION]
    assert list(seen)[-2:] == ["decoded", "logits"]
    assert list(seen).index("memory") < list(seen).index("decoder.embedded")


def test_decoding_with_a_cache_shows_every_step(model: Transformer) -> None:
    with watch(model) as whole:
        model(SRC, TRG[:, :-1])
    cache = Cache(1)
    with watch(model) as seen:
        memory, src_mask = model.encode(SRC), model.make_src_mask(SRC)
        for step in range(5):
            model.fc_out(model.decode(TRG[:, step : step + 1], memory, src_mask, cache))
    for part, lengths in (("self_attention", [1, 2, 3, 4, 5]), ("cross_attention", [6, 6, 6, 6, 6])):
        name = f"decoder.layers.0.{part}"
        for quantity in ("keys", "values"):
            taps = seen.all(f"{name}.{quantity}")
            assert [tap.shape[1] for tap in taps] == lengths
            assert {tap.axes for tap in taps} == {("n", "k", "h", "d")}
            torch.testing.assert_close(taps[-1].value, whole[f"{name}.{quantity}"].value, rtol=0, atol=1e-12)
        steps = [tap.value for tap in seen.all(f"{name}.queries")]
        torch.testing.assert_close(torch.cat(steps, 1), whole[f"{name}.queries"].value, rtol=0, atol=1e-12)
        assert seen[f"{name}.attention"] is seen.all(f"{name}.attention")[-1]
        assert [tap.shape[2:] for tap in seen.all(f"{name}.attention")] == [(1, length) for length in lengths]
    logits = torch.cat([tap.value for tap in seen.all("logits")], 1)
    torch.testing.assert_close(logits, whole["logits"].value, rtol=0, atol=1e-12)
    assert len(seen.all("memory")) == 1
    assert len(seen.all("decoded")) == 5
    assert public_names(POST_RESIDUAL) <= set(seen)


def test_a_second_call_adds_a_second_value(model: Transformer) -> None:
    with watch(model) as seen:
        first, second = model(SRC, TRG[:, :-1]), model(SRC[:1], TRG[:1, :3])
    for name in public_names(POST_RESIDUAL):
        assert len(seen.all(name)) == 2, name
    assert torch.equal(seen.all("logits")[0].value, first)
    assert torch.equal(seen["logits"].value, second)


@pytest.mark.parametrize("context", [torch.no_grad, torch.inference_mode, torch.enable_grad])
def test_watching_changes_no_number(model: Transformer, context: Callable[[], torch.no_grad]) -> None:
    with context():
        plain = model(SRC, TRG[:, :-1])
        with watch(model) as seen:
            watched = model(SRC, TRG[:, :-1])
    assert torch.equal(plain, watched)
    assert plain.requires_grad == watched.requires_grad
    assert not any(tap.value.requires_grad for tap in seen.values())


def test_gradients_and_dropout_are_as_without() -> None:
    grads, names = [], []
    for watching in (False, True):
        torch.manual_seed(1)
        model = make(dropout=0.3).train()
        with watch(model, only=None if watching else "nothing") as seen:
            model(SRC, TRG[:, :-1]).logsumexp(-1).sum().backward()
        names.append(set(seen))
        grads.append([parameter.grad for parameter in model.parameters()])
    assert names == [set(), public_names(POST_RESIDUAL)]
    for one, other in zip(*grads, strict=True):
        assert one is not None
        assert other is not None
        assert torch.equal(one, other)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32])
def test_every_dtype_is_shown_as_it_is(dtype: torch.dtype) -> None:
    model = make(dtype=dtype)
    with watch(model) as seen:
        model(SRC, TRG[:, :-1])
    assert set(seen) == public_names(POST_RESIDUAL)
    assert {tap.value.dtype for tap in seen.values()} == {dtype, torch.bool, torch.int64}
    assert seen[f"{CROSS}.attention"].value[0, :, :, 5].eq(0).all()


def test_only_keeps_what_matches(model: Transformer) -> None:
    with watch(model, only="*.attention") as seen:
        model(SRC, TRG[:, :-1])
    assert list(seen) == [
        f"{side}.attention" for side in ("encoder.layers.0.self_attention", "decoder.layers.0.self_attention", CROSS)
    ]
    with watch(model, only=["logits", f"{CROSS}.e*"]) as seen:
        model(SRC, TRG[:, :-1])
    assert list(seen) == [f"{CROSS}.energy", "logits"]


def test_a_fused_model_is_watched_written_out_and_fused_again_afterwards(model: Transformer) -> None:
    with watch(model) as written:
        model(SRC, TRG[:, :-1])
    use_fused(model)
    own = model.encoder.layers[0].self_attention
    own.attend = lambda queries, keys, values, mask: attention(queries, keys, values, mask)
    before = own.attend
    with watch(model) as seen:
        model(SRC, TRG[:, :-1])
    assert set(seen) == set(written)
    assert own.attend is before
    assert model.decoder.layers[0].cross_attention.attend is fused_attention


@pytest.mark.parametrize("wrap", [lambda model: torch.compile(model, backend="eager"), lambda model: model])
def test_a_compiled_model_runs_without_its_compiled_code(
    model: Transformer, wrap: Callable[[nn.Module], nn.Module]
) -> None:
    compiled = wrap(model)
    if compiled is model:
        model.compile(backend="eager")
    with watch(compiled) as seen:
        logits = compiled(SRC, TRG[:, :-1])
    assert set(seen) == public_names(POST_RESIDUAL)
    assert torch.equal(seen["logits"].value, logits)


def traces_of(model: nn.Module) -> list[object]:
    hooks = ("_forward_hooks", "_forward_pre_hooks", "_backward_hooks", "_forward_hooks_with_kwargs")
    found: list[object] = [[dict(getattr(module, kind)) for kind in hooks] for module in model.modules()]
    found.append([sorted(vars(module)) for module in model.modules()])
    found.append([module.attend for module in model.modules() if isinstance(module, MultiHeadAttention)])
    return [*found, _get_current_function_mode_stack()]


@pytest.mark.parametrize("mistake", ["in the block", "in the model", "none"])
def test_nothing_is_left_behind(model: Transformer, mistake: str) -> None:
    use_fused(model)
    before = traces_of(model)
    try:
        with watch(model) as seen:
            assert traces_of(model) != before
            model(SRC, TRG[:, :-1] if mistake != "in the model" else TRG.repeat(1, 3))
            if mistake == "in the block":
                raise ValueError("a mistake")
    except ValueError:
        pass
    assert traces_of(model) == before
    count = len(seen)
    model(SRC, TRG[:, :-1])
    assert len(seen) == count
    assert "memory" in seen


def test_an_exception_leaves_what_was_seen_before_it(model: Transformer) -> None:
    with pytest.raises(ValueError, match="trg sentence"), watch(model) as seen:
        model(SRC, TRG.repeat(1, 3))
    assert "memory" in seen
    assert "decoded" not in seen


def test_watches_may_be_nested(model: Transformer) -> None:
    with watch(model) as outer:
        with watch(model, only="*.energy") as inner:
            model(SRC, TRG[:, :-1])
        model(SRC, TRG[:, :-1])
    assert set(outer) == public_names(POST_RESIDUAL)
    assert len(inner) == 3
    assert all(len(outer.all(name)) == 2 for name in outer)
    assert outer[f"{CROSS}.energy"].operation == "einsum nqhd,nkhd->nhqk, div"
    assert inner[f"{CROSS}.energy"].operation == "einsum nqhd,nkhd->nhqk, div"


def test_another_model_and_another_thread_are_not_seen(model: Transformer) -> None:
    other = make(num_layers=2)
    with watch(model) as seen:
        other(SRC, TRG[:, :-1])
        thread = threading.Thread(target=lambda: model(SRC, TRG[:, :-1]))
        thread.start()
        thread.join()
    assert not seen


class NoisyAttention(MultiHeadAttention):
    """A variation such as people write in their own files."""

    def forward(self, query, key, value, mask, cache=None):  # type: ignore[no-untyped-def]
        louder_query = query * 2
        return super().forward(louder_query, key, value, mask, cache)


def test_a_subclass_in_another_file_is_seen_too(model: Transformer) -> None:
    variation = NoisyAttention(16, 2).double()
    model.decoder.layers[0].cross_attention = variation
    with watch(model) as seen:
        model(SRC, TRG[:, :-1])
    assert set(seen) == public_names(POST_RESIDUAL) | {f"{CROSS}.louder_query"}
    assert seen[f"{CROSS}.louder_query"].where.startswith("test_watch.py:")
    assert seen[f"{CROSS}.louder_query"].source == "louder_query = query * 2"


def test_a_name_that_was_not_seen_suggests_the_nearest(model: Transformer) -> None:
    with watch(model) as seen:
        model(SRC, TRG[:, :-1])
    with pytest.raises(UserError, match=r"unknown tap 'logit'. Did you mean logits"):
        seen["logit"]
    assert "logit" not in seen
    assert seen.get("logit") is None


def test_an_empty_watch_says_to_call_the_model(model: Transformer) -> None:
    with watch(model) as seen:
        pass
    with pytest.raises(KeyError, match="call the model inside the with block"):
        seen["logits"]
