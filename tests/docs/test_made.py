"""The pages that are made from the program are what it says now: `make docs` writes them again."""

import re

import pytest

from glassformer.learn.course import bank, course
from glassformer.runs.named import RUNS, TRANSLATION_RUNS
from tests.docs.makers import maker
from tests.docs.pages import read

PAGES = {
    "cards": "cards.md",
    "mistakes": "mistakes.md",
    "differences": "differences.md",
    "runs": "guides/runs.md",
    "speed": "speed.md",
}


@pytest.mark.parametrize("name", PAGES)
def test_the_page_is_what_its_maker_makes(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    made: str = maker(f"make_{name}", monkeypatch).page()
    assert made == read(PAGES[name]), f"docs/{PAGES[name]} is stale: run python docs/make_{name}.py"


def test_every_named_run_has_its_row_and_its_story(monkeypatch: pytest.MonkeyPatch) -> None:
    page = read("guides/runs.md")
    for name in (*RUNS, *TRANSLATION_RUNS):
        assert len(re.findall(rf"^(?:\||##) .*\b{name}\b(?!-)", page, flags=re.MULTILINE)) == 2, name


def test_every_follow_up_is_a_card_with_its_rubric_folded() -> None:
    page = read("cards.md")
    questions = sum(len(texts.follow_ups) for texts in course())
    points = sum(len(follow_up.rubric) for texts in course() for follow_up in texts.follow_ups)
    assert page.count("<summary>") == page.count("</details>") == questions
    assert len(re.findall(r"^- ", page, flags=re.MULTILINE)) == points


def test_every_mistake_has_its_row_with_four_cells() -> None:
    rows = [line for line in read("mistakes.md").splitlines() if line.startswith("| `")]
    mistakes = [mistake for texts in course() for part in bank(texts).parts for mistake in part.mistakes]
    assert [re.match(r"\| `([^`]+)`", row)[1] for row in rows] == [mistake.name for mistake in mistakes]  # type: ignore[index]
    for row in rows:
        assert len(re.findall(r"(?<!\\)\|", row)) == 5, row


def test_every_thread_in_a_source_is_a_link() -> None:
    page = read("mistakes.md")
    plain = re.sub(r"\[[^\]]*\]\([^)]*\)", "", page)
    assert not re.search(r"[\w.-]+/[\w.-]+\\?#\d+", plain)


def test_the_makers_of_all_made_pages_are_run_by_make_docs(monkeypatch: pytest.MonkeyPatch) -> None:
    makers = maker("make", monkeypatch).MAKERS
    assert set(makers) == {f"make_{name}.py" for name in ("confusions", "tour", *PAGES)}
