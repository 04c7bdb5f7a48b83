"""The shape summary of a live forward."""

import json

import pytest

from glassformer.look.shapes import ShapeTable, shape_rows, watch_pair
from glassformer.look.svg import export_svg
from glassformer.model.transformer import Transformer
from tests.look.drawing import shown


@pytest.fixture
def model() -> Transformer:
    return Transformer(10, 12, 0, 0, embed_size=16, num_layers=2, heads=2, max_length=9)


def test_the_origin_s_table_is_that_of_a_live_forward(model: Transformer) -> None:
    rows = {row["name"]: row for row in shape_rows(watch_pair(model, [4, 5, 6, 2], [1, 7, 8, 9, 3, 2]))}
    cross = "decoder.layers.0.cross_attention"
    expected = {
        "queries": (["N", "query_len", "heads", "head_dim"], [1, 5, 2, 8]),
        "energy": (["N", "heads", "query_len", "key_len"], [1, 2, 5, 4]),
        "attention": (["N", "heads", "query_len", "key_len"], [1, 2, 5, 4]),
        "out": (["N", "query_len", "embed_size"], [1, 5, 16]),
    }
    for quantity, (words, sizes) in expected.items():
        assert rows[f"{cross}.{quantity}"]["words"] == words
        assert rows[f"{cross}.{quantity}"]["sizes"] == sizes
    assert rows["logits"]["axes"] == ["n", "t", "v"]
    assert rows[f"{cross}.energy"]["where"].startswith("glassformer/model/attention.py:")
    assert rows[f"{cross}.energy"]["source"].startswith("energy = einsum(")


def test_one_layer_of_each_side_or_every_one(model: Transformer) -> None:
    seen = watch_pair(model, [4, 5, 2], [1, 7, 2])
    few, all_layers = shape_rows(seen), shape_rows(seen, every_layer=True)
    assert not [row for row in few if ".layers.1." in row["name"]]
    layers = [row for row in few if ".layers.0." in row["name"]]
    assert len(all_layers) == len(few) + len(layers)
    assert [row["name"] for row in all_layers] == [name for name in seen if name in {row["name"] for row in all_layers}]


def test_the_rows_are_plain_data(model: Transformer) -> None:
    rows = shape_rows(watch_pair(model, [4, 2], [1, 2]))
    assert json.loads(json.dumps(rows)) == rows
    assert all(len(row["axes"]) == len(row["words"]) == len(row["sizes"]) for row in rows)
    assert all(row["what"] for row in rows)


@pytest.mark.parametrize("width", [80, 120])
def test_the_table_shows_letters_sizes_and_lines(model: Transformer, width: int) -> None:
    table = ShapeTable(
        watch_pair(model, [4, 5, 2], [1, 7, 8, 2]), src_pieces=["[b]", "c", "</s>"], trg_pieces=["<s>", "x", "y"]
    )
    text = shown(table, width)
    squeezed = " ".join(text.split())
    assert all(len(line) <= width for line in text.splitlines())
    assert "s src_len 3 source positions: [b] c </s>" in squeezed
    assert "energy n h q k 1 2 3 3 how well each query fits each key" in squeezed
    assert 'energy = einsum("nqhd,nkhd->nhqk", [queries, keys])' in squeezed
    assert "queries (N, query_len, heads, head_dim) (1, 3, 2, 8)" in squeezed
    assert "decoder.layers.0.cross_attention" in squeezed


@pytest.mark.parametrize("training", [True, False])
def test_looking_leaves_the_mode_as_it_was(model: Transformer, training: bool) -> None:
    model.train(training)
    watch_pair(model, [4, 2], [1, 2])
    assert model.training is training


def test_a_picture_asks_for_nothing_from_anywhere(model: Transformer, tmp_path) -> None:  # type: ignore[no-untyped-def]
    path = tmp_path / "shapes.svg"
    export_svg(ShapeTable(watch_pair(model, [4, 2], [1, 2]), src_pieces=["<img src=x>", "</s>"]), path, title="<b>")
    text = path.read_text(encoding="utf-8")
    assert "&lt;img" in text
    assert "<img" not in text
    for fetch in ("@font-face", "url(http", "href", "@import", "<script"):
        assert fetch not in text
