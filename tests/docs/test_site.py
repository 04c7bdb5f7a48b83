"""The site builds without a warning, and asks the network for nothing."""

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.docs.pages import DOCS, NAMES, ROOT

pytest.importorskip("zensical", reason="the site is built with the extra docs")


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, subprocess.CompletedProcess[str]]:
    """The site, built strictly from a copy of its sources."""
    copy = tmp_path_factory.mktemp("site")
    shutil.copytree(DOCS, copy / "docs", ignore=shutil.ignore_patterns("*.py", "__pycache__", "*.ipynb"))
    (copy / "docs/tour.ipynb").write_text("{}", encoding="utf-8")  # `make docs` puts the real one there
    shutil.copytree(ROOT / "src", copy / "src", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "mkdocs.yml", copy)
    command = [sys.executable, "-m", "zensical", "build", "--clean", "--strict"]
    done = subprocess.run(command, cwd=copy, capture_output=True, text=True, timeout=200, check=False)
    return copy / "site", done


def test_it_builds_without_a_warning(built: tuple[Path, subprocess.CompletedProcess[str]]) -> None:
    _, done = built
    said = done.stdout + done.stderr
    assert done.returncode == 0, said
    assert "No issues found" in said


def test_every_page_is_there_and_the_scripts_are_not(built: tuple[Path, subprocess.CompletedProcess[str]]) -> None:
    site, _ = built
    for name in NAMES:
        assert (site / name).with_suffix(".html").is_file()
    assert not list(site.rglob("*.py"))


def test_nothing_is_fetched_from_elsewhere(built: tuple[Path, subprocess.CompletedProcess[str]]) -> None:
    """Links may lead out; scripts, styles, fonts and pictures may not."""
    site, _ = built
    for page in site.rglob("*.html"):
        text = page.read_text(encoding="utf-8")
        for tag in re.findall(r"<(?:script|link|img|iframe|source)\b[^>]*>", text):
            assert not re.search(r"""(?:src|href)=["']?(?:https?:)?//""", tag), f"{page.name}: {tag}"
        assert "class=mermaid" not in text
        assert 'class="mermaid' not in text


def test_links_within_the_site_reach_their_pages(built: tuple[Path, subprocess.CompletedProcess[str]]) -> None:
    site, _ = built
    pages = {page: page.read_text(encoding="utf-8") for page in site.rglob("*.html") if page.name != "404.html"}
    named = {page: set(re.findall(r'\b(?:id|name)="([^"]+)"', text)) for page, text in pages.items()}
    for page, text in pages.items():
        for target in set(re.findall(r'<a [^>]*href="([^":]+)"', text)):
            path, _, anchor = target.partition("#")
            goal = (page.parent / path).resolve() if path else page
            assert goal.is_file(), f"{page.name} points to {target}"
            assert not anchor or goal not in named or anchor in named[goal], f"{page.name} points to {target}"


def test_nothing_of_markdown_is_left_in_the_words(built: tuple[Path, subprocess.CompletedProcess[str]]) -> None:
    site, _ = built
    for page in site.rglob("*.html"):
        article = re.search(r"<article.*?</article>", page.read_text(encoding="utf-8"), flags=re.DOTALL)
        if article and page.name != "404.html":
            words = re.sub(r"<pre.*?</pre>|<code.*?</code>", "", article[0], flags=re.DOTALL)
            words = re.sub(r"<[^>]+>", " ", words)
            assert not re.search(r"```|\\[<_*\[|#]|\]\(|^:::", words, flags=re.MULTILINE), page.name
