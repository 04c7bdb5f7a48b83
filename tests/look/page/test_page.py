"""The page as a person meets it: a file opened from disk, with keyboard and mouse, small and large, light and dark."""

import json
import re
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import torch
from axe_playwright_python.sync_playwright import Axe

from glassformer.checkpoint import Config, Loaded, save
from glassformer.data import Vocabularies, Vocabulary
from glassformer.look import pages
from glassformer.look.pages import page_of, write_page
from glassformer.look.sisters import sisters
from glassformer.model.transformer import Transformer
from tests.look.page.waiting import until

ROOMS = ["story", "plan", "masks", "wall", "cell", "journey", "ledger", "surgery", "beam", "time"]
HOSTILE = "<img/src=x/onerror=window.hacked=1>"
CHANGED = {
    "edits": json.dumps([{"name": "decoder.layers.1.cross_attention.attention", "kind": "zero", "head": 0}]),
    "masks": json.dumps({"decoder": ["0.2"]}),
    "cell": "logits@0.2.5",
}


def fragment(**state: str) -> str:
    return "&".join(f"{name}={value}" for name, value in state.items())


def test_every_room_is_reached_by_its_key_and_by_tab(open_page: Any, reverse_page: Path) -> None:
    page = open_page(reverse_page)
    titles = []
    for key in "1234567890":
        page.keyboard.press(key)
        until(page, "room => glass.lab.state.room === room", ROOMS["1234567890".index(key)])
        titles.append(page.inner_text("main h2"))
    assert len(set(titles)) == 10
    page.keyboard.press("1")
    page.evaluate("document.querySelector('.skip').focus()")
    reached = set()
    for _ in range(24):
        page.keyboard.press("Tab")
        reached.add(page.evaluate("document.activeElement.dataset.key ?? ''"))
    assert {f"room {room}" for room in ROOMS} <= reached


@pytest.mark.parametrize(("width", "dark"), [(360, False), (1440, True)])
def test_every_room_is_readable_and_accessible(open_page: Any, reverse_page: Path, width: int, dark: bool) -> None:
    page = open_page(
        reverse_page, fragment(cell="decoder.layers.0.cross_attention.attention@0.0.1.2"), width=width, dark=dark
    )
    for room in ROOMS:
        page.evaluate("room => glass.lab.set({room})", room)
        until(page, "glass.lab.answer !== null")
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), f"{room} is wider than the window"
        found = (
            Axe().run(page, options={"runOnly": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa"]}).response["violations"]
        )
        assert [(room, each["id"], each["nodes"][0]["html"][:200]) for each in found] == []
        assert len(page.screenshot()) > 10_000


def test_words_are_data_in_every_room(open_page: Any, tmp_path: Path) -> None:
    vocabulary = Vocabulary.train([f"{HOSTILE} <script>alert(1)</script> a"], kind="symbols", size=50)
    model = Transformer(
        len(vocabulary), len(vocabulary), vocabulary.pad_id, vocabulary.pad_id, embed_size=16, num_layers=1, heads=2
    )
    loaded = Loaded(
        model.eval(), Vocabularies(vocabulary, vocabulary), Config(model=model.config, data={}, decoding={}, run={})
    )
    path = tmp_path / "hostile.html"
    write_page(page_of(loaded, f"a {HOSTILE} <script>alert(1)</script>").html, path)
    page = open_page(path)
    page.evaluate("text => glass.lab.set({trg: text})", f"{HOSTILE} a")
    for room in ROOMS:
        page.evaluate("room => glass.lab.set({room})", room)
        assert page.evaluate("document.querySelectorAll('#app img, #app script').length") == 0
        assert HOSTILE in page.inner_text("#app")
    assert page.evaluate("window.hacked === undefined")


def test_a_view_is_a_link(open_page: Any, reverse_page: Path) -> None:
    page = open_page(reverse_page, fragment(room="surgery", src="c a b", **CHANGED))
    state = page.evaluate("glass.lab.state")
    assert (state["room"], state["src"], state["cell"]) == ("surgery", "c a b", CHANGED["cell"])
    assert json.dumps(state["edits"]) == CHANGED["edits"]
    page.fill("input >> nth=0", "d e f g")
    until(page, "glass.lab.src.length === 5")
    again = open_page(reverse_page, page.evaluate("location.hash.slice(1)"))
    assert again.evaluate("glass.lab.state") == page.evaluate("glass.lab.state")
    page.evaluate("glass.lab.set({room: 'beam'})")
    page.go_back()
    until(page, "glass.lab.state.room === 'surgery'")


@pytest.mark.parametrize(
    "hash", ["room=nowhere", "edits=[1", "cell=@@", "step=%22x%22", "src=zzz", "head=a.b.c", "model=none"]
)
def test_an_address_that_makes_no_sense_still_opens(open_page: Any, reverse_page: Path, hash: str) -> None:
    page = open_page(reverse_page, hash)
    assert page.inner_text("main h2")


def test_an_address_that_cannot_be_read_shows_the_example_and_says_why(open_page: Any, reverse_page: Path) -> None:
    page = open_page(reverse_page, "room=wall&src=" + "+".join("a" * 40))
    assert "max_length=" in page.inner_text(".problem")
    assert page.evaluate("glass.lab.src.length") == 8
    assert page.inner_text("main h2") == "Attention wall"


def test_what_cannot_be_read_is_said_and_what_was_there_stays(open_page: Any, reverse_page: Path) -> None:
    page = open_page(reverse_page)
    before = page.evaluate("glass.lab.src.length")
    page.fill("input >> nth=0", " ".join("a" * 40))
    page.wait_for_selector(".problem")
    assert "max_length=" in page.inner_text(".problem")
    assert page.evaluate("glass.lab.src.length") == before
    page.fill("input >> nth=0", "b a")
    until(page, "glass.lab.src.length === 3")
    assert page.query_selector(".problem") is None


def test_the_footer_states_measured_differences(open_page: Any, reverse_page: Path) -> None:
    page = open_page(reverse_page)
    until(page, "document.querySelector('footer').textContent.includes('float64')")
    words = page.inner_text("footer").replace("−", "-")
    single, double = (
        float(each) for each in re.search(r"at most (\S+) in float32 and (\S+) in float64", words).groups()
    )  # type: ignore[union-attr]
    assert 0 < single < 1e-5
    assert 0 < double < 1e-10


def test_copy_as_python_gives_the_number_on_screen(
    open_page: Any, reverse_page: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    page = open_page(reverse_page, fragment(src="c a b d", **CHANGED))
    program = page.evaluate("document.querySelector('.python').textContent")
    at = page.evaluate("glass.lab.pass.taps.get('logits').at(0, 2, 5)")
    plain = page.evaluate("glass.lab.plain.taps.get('logits').at(0, 2, 5)")
    save(tmp_path / "model", *sisters()["honest"].loaded)
    exec(compile(re.sub(r'load\(".*?"\)', f"load({str(tmp_path / 'model')!r})", program), "copied", "exec"), {})
    said = float(re.search(r"tensor\((.*?)\)", capsys.readouterr().out).group(1))  # type: ignore[union-attr]
    assert said == pytest.approx(at, abs=0.01)  # the page rounds the weights to float16
    assert abs(at - plain) > 0.05


def test_speed_is_reported(open_page: Any, reverse_page: Path, record_property: Any) -> None:
    page = open_page(reverse_page)
    for text in ("a b c", "j i h g", "b b b a"):
        page.fill("input >> nth=0", text)
        page.wait_for_timeout(50)
    figures = page.evaluate("({opened: glass.opened, edits: glass.lab.milliseconds})")
    record_property("opened_ms", figures["opened"])
    record_property("edit_ms", sorted(figures["edits"])[len(figures["edits"]) // 2])
    assert len(figures["edits"]) >= 4


def test_a_model_too_large_to_compute_is_a_recording(
    open_page: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    loaded = sisters()["honest"].loaded
    monkeypatch.setattr(pages, "pack", partial(pages.pack, budget=1000))
    made = page_of(loaded, "a b c")
    assert not made.live
    path = tmp_path / "recording.html"
    write_page(made.html, path)
    page = open_page(path)
    src, trg = page.evaluate("[glass.lab.src, glass.lab.trg]")
    with torch.no_grad():
        logits = loaded.model(torch.tensor([src]), torch.tensor([trg]))
    shown = page.evaluate("Array.from(glass.lab.pass.taps.get('logits').data)")
    torch.testing.assert_close(torch.tensor(shown).view_as(logits), logits, rtol=0, atol=1e-6)
    for room in ROOMS:
        page.evaluate("room => glass.lab.set({room})", room)
    page.fill("input >> nth=0", "d e")
    page.wait_for_selector(".problem")
    assert "--serve" in page.inner_text(".problem")
