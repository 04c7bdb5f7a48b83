"""Pictures by matplotlib: the same bytes each time, any words, and nothing left behind."""

import logging
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from glassformer.errors import UserError
from glassformer.look.attention import AttentionPicture, attention_wall, colour
from glassformer.look.files import save_drawing
from glassformer.look.heads import HeadStatistics, head_statistics
from glassformer.look.masks import mask_drawing, target_masks
from glassformer.look.plot import attention_figure, heads_figure, masks_figure, save_figure, wall_figure
from glassformer.look.shapes import watch_pair
from glassformer.model.transformer import Transformer

matplotlib = pytest.importorskip("matplotlib")

SRC = ["喜欢", "مرحبا", "$a$ $b", "<img onerror=x>", "\x1b[2J😀", "</s>"]
TRG = ["<s>", "हिन्दी", "_x^2", "&amp;"]


def picture(weights: list[list[float]]) -> AttentionPicture:
    return AttentionPicture("decoder.layers.0.cross_attention.attention", 0, TRG[:2], SRC[:3], weights)


@pytest.fixture(scope="module")
def everything() -> tuple[list[list[AttentionPicture]], list[HeadStatistics]]:
    """All maps and statistics of a model whose stacks differ in depth and heads."""
    torch.manual_seed(0)
    model = Transformer(12, 12, 0, 0, 12, 2, heads=3, decoder_layers=1, decoder_heads=2, max_length=9)
    seen = watch_pair(model, [4, 5, 6, 7, 8, 2], [1, 4, 5, 6, 2])
    walls = [row for part in ("encoder", "decoder", "cross") for row in attention_wall(seen, part, SRC, TRG)]
    return walls, head_statistics(seen)


def test_one_map_has_words_on_its_axes_and_percent_in_its_cells() -> None:
    figure = attention_figure(picture([[0.25, 0.75, 0.0], [1.0, 0.0, 0.0]]))
    axes, scale = figure.axes
    assert [label.get_text() for label in axes.get_yticklabels()] == TRG[:2]
    assert [label.get_text() for label in axes.get_xticklabels()] == SRC[:3]
    assert [text.get_text() for text in axes.texts] == ["25", "75", "", "100", "", ""]
    assert axes.get_title(loc="left") == "Cross-attention, layer 0, head 0"
    assert "answers" in axes.get_xlabel()
    assert "asks" in axes.get_ylabel()
    assert scale.get_yticklabels()[-1].get_text() == "100 %"


def test_its_colours_are_the_terminal_s() -> None:
    (image,) = attention_figure(picture([[0.1, 0.9, 0.0], [1.0, 0.0, 0.0]])).axes[0].images
    for weight in (0.0, 0.02, 0.1, 0.5, 1.0):
        drawn = [255 * part for part in image.to_rgba(weight)[:3]]
        assert drawn == pytest.approx(colour(weight), abs=2.5)


def test_every_layer_and_head_has_its_small_map(
    everything: tuple[list[list[AttentionPicture]], list[HeadStatistics]],
) -> None:
    rows = everything[0]
    figure = wall_figure(rows)
    maps = [axes for axes in figure.axes if axes.images]
    assert [axes.get_title() for axes in maps] == [f"head {head}" for heads in (3, 3, 2, 2) for head in range(heads)]
    named = [axes.get_ylabel().replace("\n", " ") for axes in maps if axes.get_ylabel()]
    assert named == [
        "Encoder self-attention layer 0",
        "Encoder self-attention layer 1",
        "Decoder self-attention layer 0",
        "Cross-attention layer 0",
    ]


def test_statistics_are_maps_of_layers_and_heads(
    everything: tuple[list[list[AttentionPicture]], list[HeadStatistics]],
) -> None:
    rows = everything[1]
    maps = [axes for axes in heads_figure(rows).axes if axes.images]
    assert [axes.get_title() for axes in maps[:2]] == ["entropy, bits", "distance, words"]
    assert maps[0].images[0].get_array().shape == (2, 3)
    assert maps[-1].images[0].get_array().shape == (1, 2)
    assert [text.get_text() for text in maps[0].texts] == [f"{row.entropy:.1f}" for row in rows[:6]]


def test_closed_cells_say_why() -> None:
    figure = masks_figure(target_masks(["<s>", "I", "love", "</s>"], [1, 4, 5, 2], 0, pad_to=4))
    axes = next(axes for axes in figure.axes if axes.get_title(loc="left") == "Target mask: look-ahead and padding")
    assert "".join(text.get_text() or "." for text in axes.texts) == ".fff..ff...f...."
    figure = masks_figure(target_masks(["<s>", "I", "</s>"], [1, 4, 2], 0, pad_to=4)[2:])
    assert "".join(text.get_text() or "." for text in figure.axes[0].texts) == ".ffb..fb...b...p"
    assert [text.get_text() for text in figure.legends[0].get_texts()] == [
        "may attend",
        "future (f): after the row's own word",
        "padding (p): no word",
        "both (b): future and padding",
    ]


@pytest.mark.parametrize("ending", ["png", "svg"])
def test_any_words_are_drawn_without_a_warning_and_always_the_same(
    ending: str,
    everything: tuple[list[list[AttentionPicture]], list[HeadStatistics]],
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
) -> None:
    paths = [tmp_path / f"{name}.{ending}" for name in "ab"]
    with caplog.at_level(logging.WARNING):
        for path in paths:
            save_figure(attention_figure(everything[0][-1][0]), path)
    assert paths[0].read_bytes() == paths[1].read_bytes()
    assert not caplog.records


def test_words_in_an_svg_are_text_and_nothing_is_fetched(
    everything: tuple[list[list[AttentionPicture]], list[HeadStatistics]], tmp_path: Path
) -> None:
    save_figure(attention_figure(everything[0][-1][0]), tmp_path / "a.svg")
    text = (tmp_path / "a.svg").read_text(encoding="utf-8")
    for word in ("喜欢", "مرحبا", "$a$ $b", "&lt;img onerror=x&gt;", "&amp;amp;", "\\x1b[2J😀"):
        assert f">{word}<" in text
    for fetching in ("<img", "<script", "url(http", 'href="http', "@import", "<dc:date>"):
        assert fetching not in text


def test_the_user_s_settings_are_neither_used_nor_changed(tmp_path: Path) -> None:
    save_figure(attention_figure(picture([[1.0, 0, 0], [0, 1.0, 0]])), tmp_path / "a.svg")
    with matplotlib.rc_context({"font.size": 30, "axes.grid": True, "svg.fonttype": "path"}):
        before = dict(matplotlib.rcParams)
        save_figure(attention_figure(picture([[1.0, 0, 0], [0, 1.0, 0]])), tmp_path / "b.svg")
        assert dict(matplotlib.rcParams) == before
    assert (tmp_path / "a.svg").read_bytes() == (tmp_path / "b.svg").read_bytes()


@pytest.mark.parametrize(("rows", "columns"), [(1, 1), (1, 9), (60, 50)])
def test_every_size_can_be_drawn(rows: int, columns: int, tmp_path: Path) -> None:
    weights = torch.full((rows, columns), 1 / columns).tolist()
    shown = AttentionPicture("x.attention", None, ["asks"] * rows, ["answers"] * columns, weights)
    save_figure(attention_figure(shown), tmp_path / "a.svg")
    assert "x.attention, mean of all heads" in (tmp_path / "a.svg").read_text(encoding="utf-8")


def test_without_matplotlib_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    with pytest.raises(UserError, match=r"pip install glassformer\[plot\]"):
        attention_figure(picture([[1.0, 0, 0], [0, 1.0, 0]]))


@pytest.mark.parametrize("draw", [lambda: wall_figure([]), lambda: wall_figure([[]]), lambda: heads_figure([])])
def test_nothing_to_draw_is_said(draw: Callable[[], object]) -> None:
    with pytest.raises(UserError, match="to draw"):
        draw()


@pytest.mark.parametrize("ending", [".svg", ".html", ".txt"])
def test_a_drawing_is_written_as_its_ending_says(ending: str, tmp_path: Path) -> None:
    path = tmp_path / f"mask{ending}"
    save_drawing(mask_drawing(target_masks(["<s>", "<b>", "</s>"], [1, 4, 2], 0)[0]), path, title="a & b")
    text = path.read_text(encoding="utf-8")
    assert ("<b>" in text) == (ending == ".txt")
    assert ("&lt;b&gt;" in text) == (ending != ".txt")


def test_another_ending_or_a_missing_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"must end in \.html, \.svg, \.txt\."):
        save_drawing("x", tmp_path / "a.pdf", title="a")
    with pytest.raises(UserError, match="there is no folder"):
        save_drawing("x", tmp_path / "nowhere" / "a.txt", title="a")
