"""Words on both axes, whatever they contain and however wide the terminal is."""

import pytest
from rich.cells import cell_len
from rich.text import Text

from glassformer.look.grid import Grid, fit, letters, readable
from tests.look.drawing import shown


def grid(rows: list[str], columns: list[str], cell_width: int = 3) -> Grid:
    return Grid(rows, columns, lambda row, column, width: Text("x" * width), cell_width=cell_width)


@pytest.mark.parametrize(
    ("piece", "text"),
    [
        ("love", "love"),
        (" ", "␣"),
        ("", "∅"),
        ("a\nb", "a\\nb"),
        ("\x1b[31m", "\\x1b[31m"),
        ("[red]x[/red]", "[red]x[/red]"),
    ],
)
def test_a_piece_is_shown_and_never_interpreted(piece: str, text: str) -> None:
    assert readable(piece) == text


def test_markup_and_control_characters_stay_text_on_the_axes() -> None:
    text = shown(grid(["[bold]r[/bold]", "\x1b[2J"], ["[red]", ":smile:"]))
    for word in ("[bold]r[/bold]", "\\x1b[2J", "[red]", ":smile:"):
        assert word in text
    assert "\x1b" not in text


@pytest.mark.parametrize("width", [20, 30, 40, 80, 200])
@pytest.mark.parametrize("columns", [["a"], ["I", "喜欢", "é" * 3, "</s>"], [f"word{i}" for i in range(30)]])
def test_every_line_fits_and_every_cell_is_drawn(width: int, columns: list[str]) -> None:
    rows = ["<s>", "深度学习", "a very long word indeed"]
    lines = shown(grid(rows, columns), width).splitlines()
    assert all(cell_len(line) <= width for line in lines)
    runs = [len(line.rpartition("  ")[2].split()) if "x" in line else 0 for line in lines]
    assert sum(line.count("x") for line in lines) % (len(rows) * len(columns)) == 0
    assert max(runs) >= 1


def test_wide_characters_keep_the_columns_aligned() -> None:
    lines = shown(grid(["我", "love"], ["喜欢", "deep", "ab"])).splitlines()
    starts = {cell_len(line[: line.index("x")]) for line in lines[1:]}
    assert len(starts) == 1
    assert cell_len(lines[0][: lines[0].index("deep")]) == min(starts) + 5


def test_words_that_do_not_fit_stand_upright_on_the_grid() -> None:
    lines = shown(grid(["a"], ["learning"] * 9), 40).splitlines()
    assert [line.split()[-1] for line in lines[:8]] == list("learning")
    assert "asks ↓" in lines[7]


def test_too_many_columns_go_on_below() -> None:
    lines = shown(grid(["a"], list("abcdefghijklmnopqrstuvwxyz")), 30).splitlines()
    headers = [line.split()[2:] for line in lines if "asks" in line]
    assert len(headers) > 1
    assert [name for header in headers for name in header] == list("abcdefghijklmnopqrstuvwxyz")


def test_a_long_label_is_cut_with_an_ellipsis() -> None:
    assert fit("abcdef", 4) == "abc…"
    assert fit("喜欢深度", 4) == "喜… "
    assert fit("ab", 4) == "ab  "


def test_combining_marks_stay_with_their_letter() -> None:
    assert letters("e\u0301a") == ["e\u0301", "a"]
