"""The page's engine against PyTorch with the same float16-rounded weights: every tap, edits, masks drawn by hand."""

import json
import math
from collections.abc import Iterator
from typing import Any

import pytest
import torch
from playwright.sync_api import Error
from torch import Tensor

from glassformer.look.edits import Edit, replace_with, uniform, zero, zero_channel, zero_head
from glassformer.look.pack import rounded
from glassformer.look.watch import watch
from glassformer.model.attention import MultiHeadAttention, attention
from glassformer.model.transformer import Transformer
from tests.look.page.engine_host import Engine
from tests.small import VARIANTS, small_model, variant_name

SRC = [5, 3, 12, 7, 4, 2, 0]
OTHER_SRC = [9, 9, 1, 3, 8, 2, 0]
TRG = [1, 7, 4, 10, 3]
SHAPES = [
    dict(decoder_layers=3, decoder_heads=4, heads=3, num_layers=1, forward_expansion=3, decoder_forward_expansion=0.5),
    dict(trg_pad_idx=None, activation="gelu", positions="sinusoidal", final_norms=True),
    dict(tie_embeddings="three-way", trg_vocab_size=13, scale_embeddings=True, norm="pre"),
    dict(embed_size=10, heads=5, forward_expansion=1.3, activation="silu"),
]
TOLERANCE = {"float64": 1e-10, "float32": 1e-5}


@pytest.fixture(scope="module")
def engine(browser: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    engine = Engine(browser, tmp_path_factory.mktemp("engine"))
    yield engine
    engine.page.close()


def seen_by_torch(
    model: Transformer, src: list[int] = SRC, trg: list[int] = TRG, edit: dict[str, Edit] | None = None
) -> dict[str, Tensor]:
    with torch.no_grad(), watch(model, edit=edit) as seen:
        model(torch.tensor([src]), torch.tensor([trg]))
    return {name: tap.value for name, tap in seen.items()}


def check(found: dict[str, Tensor], expected: dict[str, Tensor], tolerance: float = TOLERANCE["float64"]) -> None:
    """The same names; masks and ids exactly, all else within `tolerance` x max(1, its largest value)."""
    assert set(found) == set(expected)
    for name, value in expected.items():
        assert found[name].shape == value.shape, name
        assert found[name].dtype == value.dtype, name
        shut = value == torch.finfo(value.dtype).min if value.is_floating_point() else torch.ones_like(value).bool()
        assert torch.equal(found[name][shut], value[shut]), name
        mine, theirs = found[name][~shut].double(), value[~shut].double()
        largest = max([1.0, *theirs.abs().tolist()])
        assert torch.allclose(mine, theirs, rtol=0, atol=tolerance * largest), name


@pytest.mark.parametrize("precision", ["float64", "float32"])
@pytest.mark.parametrize("choices", VARIANTS + SHAPES, ids=variant_name)
def test_every_tap_is_that_of_pytorch(engine: Engine, choices: dict[str, Any], precision: str) -> None:
    torch.manual_seed(0)
    model = small_model(**choices)
    engine.open(model, precision)
    expected = seen_by_torch(rounded(model).to(getattr(torch, precision)))
    check(engine.taps(SRC, TRG), expected, TOLERANCE[precision])


def test_the_taps_come_in_the_order_of_computation(engine: Engine) -> None:
    model = small_model()
    engine.open(model)
    late = "prefix"  # Python notes a name without an operation one operation later
    expected = [name for name in seen_by_torch(model) if name != late]
    assert [name for name in engine.taps(SRC, TRG) if name != late] == expected


ENCODER, DECODER = "encoder.layers.1", "decoder.layers.0"
EDITS: list[tuple[list[dict[str, Any]], dict[str, Edit]]] = [
    ([dict(name="memory", kind="zero")], {"memory": zero}),
    ([dict(name="src_mask", kind="zero")], {"src_mask": zero}),
    (
        [dict(name=f"{DECODER}.cross_attention.attention", kind="zero", head=1)],
        {f"{DECODER}.cross_attention.attention": zero_head(1)},
    ),
    (
        [dict(name=f"{ENCODER}.self_attention.heads_out", kind="zero", head=0)],
        {f"{ENCODER}.self_attention.heads_out": zero_head(0)},
    ),
    (
        [dict(name=f"{ENCODER}.feed_forward.hidden", kind="zero", channel=5)],
        {f"{ENCODER}.feed_forward.hidden": zero_channel(5)},
    ),
    (
        [dict(name=f"{DECODER}.self_attention.attention", kind="uniform")],
        {f"{DECODER}.self_attention.attention": uniform},
    ),
    (
        [
            dict(name=f"{DECODER}.cross_attention.attention", kind="zero", head=1),
            dict(name=f"{DECODER}.cross_attention.attention", kind="uniform"),
            dict(name="decoder.embedded", kind="zero", channel=0),
        ],
        {
            f"{DECODER}.cross_attention.attention": lambda value: uniform(zero_head(1, axis=1)(value)),
            "decoder.embedded": zero_channel(0),
        },
    ),
]


def with_edits(edits: list[dict[str, Any]]) -> str:
    return f'{{ edit: (await import("glass/engine/edits.js")).editMap({json.dumps(edits)}) }}'


@pytest.mark.parametrize(
    ("edits", "functions"), EDITS, ids=lambda value: "-".join(e["kind"] for e in value if "kind" in e)
)
@pytest.mark.parametrize("precision", ["float64", "float32"])
def test_an_edit_is_what_watch_makes_of_it(
    engine: Engine, edits: list[dict[str, Any]], functions: dict[str, Edit], precision: str
) -> None:
    torch.manual_seed(1)
    model = small_model()
    engine.open(model, precision)
    expected = seen_by_torch(rounded(model).to(getattr(torch, precision)), edit=functions)
    check(engine.taps(SRC, TRG, with_edits(edits)), expected, TOLERANCE[precision])


def test_a_swap_takes_the_value_of_another_pass(engine: Engine) -> None:
    torch.manual_seed(2)
    model = rounded(small_model())
    engine.open(model)
    name = f"{ENCODER}.attended"
    found = engine.taps(
        SRC,
        TRG,
        f"""{{ edit: (await import("glass/engine/edits.js")).editMap(
          [{{ name: "{name}", kind: "swap" }}], opened.forward({OTHER_SRC}, {TRG})) }}""",
    )
    check(found, seen_by_torch(model, edit={name: replace_with(seen_by_torch(model, OTHER_SRC)[name])}))


@pytest.mark.parametrize("edits", [edits for edits, _ in EDITS], ids=lambda edits: "-".join(e["kind"] for e in edits))
def test_an_edit_written_as_python_does_the_same(engine: Engine, edits: list[dict[str, Any]]) -> None:
    torch.manual_seed(3)
    model = rounded(small_model())
    engine.open(model)
    written = engine.call("async (edits) => (await import('glass/engine/edits.js')).asPython(edits)", edits)
    names: dict[str, Any] = {}
    exec(written["imports"], names)
    expected = seen_by_torch(model, edit=eval(written["dictionary"], names))
    check(engine.taps(SRC, TRG, with_edits(edits)), expected)


@pytest.mark.parametrize(
    ("edit", "said"),
    [
        ('["remembered", (value) => value]', 'no value of this model is called "remembered"'),
        ('["memory", (value) => value.flatten()]', 'edit of "memory": shape'),
    ],
)
def test_an_edit_that_cannot_be_made_is_an_error(engine: Engine, edit: str, said: str) -> None:
    engine.open(small_model())
    with pytest.raises(Error, match=said):
        engine.taps(SRC, TRG, f"{{ edit: new Map([{edit}]) }}")


def drawn(rows: int, columns: int, *, empty_row: int | None = None) -> Tensor:
    mask = torch.rand(1, 1, rows, columns) < 0.6
    mask[..., 0] = True
    if empty_row is not None:
        mask[0, 0, empty_row] = False
    return mask


@pytest.mark.parametrize("precision", ["float64", "float32"])
@pytest.mark.parametrize("kinds", [["encoder"], ["decoder"], ["cross"], ["encoder", "decoder", "cross"]])
def test_a_mask_drawn_by_hand_takes_the_place_of_the_computed_one(
    engine: Engine, kinds: list[str], precision: str
) -> None:
    torch.manual_seed(4)
    model = small_model()
    engine.open(model, precision)
    s, t = len(SRC), len(TRG)
    sizes = {"encoder": (s, s), "decoder": (t, t), "cross": (t, s)}
    masks = {kind: drawn(*sizes[kind], empty_row=1) for kind in kinds}
    given = ", ".join(
        f'{kind}: await tensor([{list(mask.shape)}, {mask.int().flatten().tolist()}, "Uint8Array"])'
        for kind, mask in masks.items()
    )
    expected = rounded(model).to(getattr(torch, precision))
    for path, module in expected.named_modules():
        kind = "cross" if path.endswith("cross_attention") else path.partition(".")[0]
        if isinstance(module, MultiHeadAttention) and kind in masks:
            module.attend = lambda q, k, v, _, mask=masks[kind]: attention(q, k, v, mask)
    found = engine.taps(SRC, TRG, f"{{ masks: {{ {given} }} }}")
    check(found, seen_by_torch(expected), TOLERANCE[precision])
    assert all(
        found[name][0, :, 1].eq(0).all()
        for name in found
        if name.endswith(".attention") and ("cross" if "cross" in name else name.partition(".")[0]) in masks
    )


def test_a_source_of_only_padding_is_looked_at_by_nobody(engine: Engine) -> None:
    torch.manual_seed(5)
    model = rounded(small_model())
    engine.open(model)
    found = engine.taps([0, 0, 0], TRG)
    check(found, seen_by_torch(model, [0, 0, 0]))
    assert found[f"{DECODER}.cross_attention.attention"].eq(0).all()


@pytest.mark.parametrize("side", ["src", "trg"])
def test_a_sentence_longer_than_max_length_is_an_error(engine: Engine, side: str) -> None:
    model = small_model()
    engine.open(model)
    sentences = {"src": SRC, "trg": TRG} | {side: [3] * (model.config.max_length + 1)}
    with pytest.raises(Error, match=f"{side} has 17 tokens, but the model reads at most max_length=16"):
        engine.taps(sentences["src"], sentences["trg"])


def test_every_float16_is_read_as_it_is_where_the_browser_has_none(engine: Engine) -> None:
    found = engine.call("async () => Array.from((await import('glass/engine/float16.js')).float16s(), String)")
    values = torch.arange(65536, dtype=torch.int32).to(torch.uint16).view(torch.float16).double().tolist()
    mine = [float(value.replace("Infinity", "inf")) for value in found]
    assert all(a == b or (math.isnan(a) and math.isnan(b)) for a, b in zip(mine, values, strict=True))


def test_the_error_function_is_exact_to_the_last_digits(engine: Engine) -> None:
    points = torch.linspace(-7, 7, 1401).double().tolist()
    found = engine.call(
        "async (points) => { const { erf } = await import('glass/engine/activations.js'); return points.map(erf); }",
        points,
    )
    assert found == pytest.approx([math.erf(point) for point in points], rel=1e-14, abs=1e-15)
