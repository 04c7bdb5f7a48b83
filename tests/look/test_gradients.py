"""Gradients of every value, and what became of each parameter."""

import pytest
import torch
from torch import Tensor, nn

from glassformer.errors import UserError
from glassformer.look.gradients import GradientReport, gradient_report
from glassformer.look.watch import watch
from tests.look.drawing import shown
from tests.look.small import CROSS, SRC, TRG, make


def test_each_value_has_its_gradient_after_backward() -> None:
    model = make()
    with watch(model, gradients=True) as seen:
        logits = model(SRC, TRG)
        assert seen["memory"].gradient is None
        logits.pow(2).sum().backward()
    torch.testing.assert_close(seen["logits"].gradient, 2 * seen["logits"].value)
    torch.testing.assert_close(seen["decoded"].gradient, 2 * seen["logits"].value @ model.fc_out.weight.detach())
    for name, tap in seen.items():
        numbers = tap.value.is_floating_point()
        assert (tap.gradient is not None) == numbers, name
        if tap.gradient is not None:
            assert tap.gradient.shape == tap.shape
            assert not tap.gradient.requires_grad
    assert seen[f"{CROSS}.attention"].gradient is not None


def test_watching_gradients_changes_none_and_leaves_no_hook() -> None:
    model, other = make(), make()
    other.load_state_dict(model.state_dict())
    with watch(model, gradients=True) as seen:
        loss = model(SRC, TRG).logsumexp(-1).sum()
        loss.backward(retain_graph=True)
    other(SRC, TRG).logsumexp(-1).sum().backward()
    for one, two in zip(model.parameters(), other.parameters(), strict=True):
        assert one.grad is not None
        assert two.grad is not None
        assert torch.equal(one.grad, two.grad)
        assert not one._backward_hooks
    before = seen["memory"].gradient
    loss.backward()
    assert seen["memory"].gradient is before


def test_without_gradients_there_are_none() -> None:
    model = make()
    with watch(model) as seen:
        model(SRC, TRG).sum().backward()
    assert all(tap.gradient is None for tap in seen.values())
    with pytest.raises(UserError, match=r"watch\(model, gradients=True\)"):
        gradient_report(model, seen)


def test_an_edit_decides_where_gradients_flow() -> None:
    model = make()
    with watch(model, edit={"memory": lambda value: value.detach()}, gradients=True) as seen:
        model(SRC, TRG).sum().backward()
    assert seen["memory"].gradient is None
    assert seen["decoder.embedded"].gradient is not None
    report = gradient_report(model, seen)
    assert {row.name.partition(".")[0] for row in report.missing} == {"encoder"}
    assert {row.fate for row in report.missing} == {"cut off"}


class Leaky(nn.Module):
    """Parameters that learn nothing, each for another reason."""

    def __init__(self) -> None:
        super().__init__()
        self.good = nn.Linear(3, 3)
        self.spare = nn.Linear(3, 3)
        self.frozen = nn.Linear(3, 3).requires_grad_(False)
        self.cut = nn.Linear(3, 3, bias=False)
        self.quiet = nn.Linear(3, 3, bias=False)
        self.shut = nn.Linear(3, 3, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        kept = self.frozen(self.good(x))
        lost = self.cut(x).detach()
        with torch.no_grad():
            unfollowed = self.quiet(x)
        closed = self.shut(x) * 0
        out = kept + lost + unfollowed + closed
        return out


def leaky() -> GradientReport:
    model = Leaky()
    with watch(model, gradients=True) as seen:
        model(torch.ones(2, 3)).sum().backward()
    return gradient_report(model, seen)


def test_each_parameter_has_its_fate_and_the_reason() -> None:
    rows = {row.name: row for row in leaky().rows}
    assert {name: row.fate for name, row in rows.items()} == {
        "good.weight": "arrived",
        "good.bias": "arrived",
        "spare.weight": "unused",
        "spare.bias": "unused",
        "frozen.weight": "frozen",
        "frozen.bias": "frozen",
        "cut.weight": "cut off",
        "quiet.weight": "cut off",
        "shut.weight": "zero",
    }
    assert (
        rows["cut.weight"].why == "used in lost, and from there no path leads to the loss: detached, or not part of it"
    )
    assert "torch.no_grad" in rows["quiet.weight"].why
    assert rows["shut.weight"].largest == 0
    assert rows["good.bias"].used_in == ["kept"]
    assert rows["spare.bias"].largest is None


def test_the_report_is_drawn_and_plain_data() -> None:
    report = leaky()
    text = shown(report)
    assert "2 of 9 parameters got a gradient" in text
    assert all(len(line) <= 80 for line in text.splitlines())
    for row in report.missing:
        assert row.name in text
    assert report.to_dict()["rows"][0]["fate"] == "arrived"


def test_our_model_leaves_nobody_out() -> None:
    for norm in ("post", "pre"):
        model = make(norm=norm, tie_embeddings="three-way", activation="gelu")
        with watch(model, gradients=True) as seen:
            model(SRC, TRG).logsumexp(-1).sum().backward()
        assert not [row for row in gradient_report(model, seen).missing if not row.name.endswith("to_keys.bias")]


def test_a_report_without_a_backward_is_refused() -> None:
    model = make()
    with watch(model, gradients=True) as seen:
        model(SRC, TRG)
    with pytest.raises(UserError, match=r"call loss.backward\(\) inside the with block"):
        gradient_report(model, seen)
