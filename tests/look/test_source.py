"""What the text alone says: names, letters, positions."""

from pathlib import Path

import pytest

from glassformer.look.watching.source import Bound, Sources

TEXT = """
from torch import Tensor, einsum, nn


def outer(a: Float[Tensor, "n q"], b: Float[Tensor, "n k"]) -> Float[Tensor, "n q k"]:
    product = einsum("nq,nk->nqk", a, b)
    doubled = product * 2  # why
    turned = doubled.transpose(1, 2)
    either = a if a.size(0) else b
    first, second = pair(a)
    return product


def pair(a: Float[Tensor, "n e"]) -> tuple[Float[Tensor, "n x"], Int[Tensor, "#n y"]]:
    for part in (a, a):
        a.kept = part
    left = (
        a.exp()
        + 1
    )
    return left, a


class Layer(nn.Module):
    def __init__(self, embed_size: int, forward_size: int) -> None:
        self.widen = nn.Linear(embed_size, forward_size)

    def forward(self, x: Float[Tensor, "n t e"]) -> Float[Tensor, "n t e"]:
        wide = self.widen(x)
        annotated: Float[Tensor, "n z"] = other(wide)
        heads = x.unflatten(-1, (2, -1)).flatten(2).unsqueeze(1)
        return x
"""


@pytest.fixture
def bounds(tmp_path: Path) -> dict[str, Bound]:
    file = tmp_path / "written.py"
    file.write_text(TEXT, encoding="utf-8")
    return {b.name: b for statement in Sources([str(file)]).statements[str(file)] for b in statement.bounds if b}


@pytest.mark.parametrize(
    ("name", "axes"),
    [
        ("product", "n q k"),  # an einsum's result
        ("doubled", "n q k"),  # arithmetic keeps the letters
        ("turned", None),  # what no rule covers is left open
        ("either", "n q"),
        ("first", "n x"),  # a function's annotation, part by part
        ("second", "n y"),
        ("left", "n x"),  # the name is returned, so the annotation speaks
        ("wide", "n t f"),  # the layer was built with forward_size
        ("annotated", "n z"),
        ("heads", "n 1 t e"),
    ],
)
def test_the_letters_come_from_annotations_einsum_and_layer_sizes(
    bounds: dict[str, Bound], name: str, axes: str | None
) -> None:
    assert bounds[name].axes == (tuple(axes.split()) if axes else None)


def test_a_statement_is_quoted_as_one_line_without_its_comment(bounds: dict[str, Bound]) -> None:
    assert bounds["doubled"].source == "doubled = product * 2"
    assert bounds["left"].source == "left = (a.exp() + 1)"


def test_only_assignments_to_bare_names_count(bounds: dict[str, Bound]) -> None:
    assert "kept" not in bounds
    assert "part" not in bounds
    assert list(bounds)[:3] == ["product", "doubled", "turned"]


def test_a_name_knows_what_its_right_hand_side_calls(bounds: dict[str, Bound]) -> None:
    assert bounds["wide"].callee == "widen"
    assert bounds["first"].callee == "pair"
    assert bounds["either"].callee == ""


AGAIN = """
def straight(x):
    x = first(x)
    x = second(x)
    x += third(x)
    return x


def looped(items):
    x = first(items)
    for item in items:
        x = second(x, item)
        x = third(x)
    x = fourth(x)
    return x


def branched(x, y):
    if y:
        x = first(x)
        y = second(x)
    else:
        x = third(x)
    with y:
        x = fourth(x)
    self.kept = x
    x, self.kept, y[0] = fifth(x)
    return x


def outer():
    class Inner:
        def forward(self, x):
            deep = x + 1
            return deep
    return Inner()
"""


def names_of(tmp_path: Path, text: str) -> dict[str, list[tuple[str, str]]]:
    file = tmp_path / "again.py"
    file.write_text(text, encoding="utf-8")
    starts = [(i, line) for i, line in enumerate(text.split("\n"), 1) if "def " in line]
    found: dict[str, list[tuple[str, str]]] = {}
    for statement in Sources([str(file)]).statements[str(file)]:
        function = max((i, line) for i, line in starts if i < statement.start[0])[1].split("def ")[1].partition("(")[0]
        found.setdefault(function, []).extend((b.name, b.callee) for b in statement.bounds if b)
    return found


def test_a_name_assigned_again_is_numbered_but_a_loop_carries_it_on(tmp_path: Path) -> None:
    names = names_of(tmp_path, AGAIN)
    assert names["straight"] == [("x", "first"), ("x'2", "second"), ("x'3", "third")]
    assert names["looped"] == [("x", "first"), ("x", "second"), ("x'2", "third"), ("x'3", "fourth")]


def test_branches_share_their_numbers_and_attributes_of_the_module_have_names(tmp_path: Path) -> None:
    names = names_of(tmp_path, AGAIN)
    assert names["branched"] == [
        ("x", "first"),
        ("y", "second"),
        ("x", "third"),
        ("x'2", "fourth"),
        ("kept", ""),
        ("x'3", "fifth"),
        ("kept'2", "fifth"),
    ]


def test_classes_inside_functions_are_read(tmp_path: Path) -> None:
    assert names_of(tmp_path, AGAIN)["forward"] == [("deep", "")]


def test_a_statement_knows_how_its_name_is_returned(tmp_path: Path) -> None:
    text = """
def parts(x):
    a = x + 1
    b = a * 2
    return a, b


def whole(x):
    a = x + 1
    return a
"""
    file = tmp_path / "returned.py"
    file.write_text(text, encoding="utf-8")
    bounds = [b for statement in Sources([str(file)]).statements[str(file)] for b in statement.bounds if b]
    assert [b.returned for b in bounds] == [(), (1,), (None,)]  # the first a is read before it is returned
