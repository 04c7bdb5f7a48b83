"""A real browser: headless Chromium by Playwright, and pages in it that may not ask for anything."""

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from glassformer.look.pages import page_of, write_page
from glassformer.look.sisters import sisters
from tests.look.page.waiting import until

playwright = pytest.importorskip("playwright.sync_api", reason="needs playwright: pip install -e '.[test]'")
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")


@pytest.fixture(scope="session")
def browser() -> Iterator[Any]:
    """One Chromium for all tests of a worker; skipped, with a word, where there is none."""
    if CHROMIUM is None:
        pytest.skip("no Chromium here: apt-get install chromium")
    with playwright.sync_playwright() as started:
        running = started.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield running
        running.close()


class Opened:
    """Pages of one test, and everything they asked for or complained about."""

    def __init__(self, browser: Any) -> None:
        self.browser = browser
        self.contexts: list[Any] = []
        self.requests: list[str] = []
        self.complaints: list[str] = []

    def __call__(
        self, path: Path, fragment: str = "", *, width: int = 1440, height: int = 900, dark: bool = False
    ) -> Any:
        """The page at `path`, opened from disk with networking off; `fragment` is the part after #."""
        context = self.browser.new_context(
            viewport={"width": width, "height": height}, color_scheme="dark" if dark else "light", offline=True
        )
        self.contexts.append(context)
        page = context.new_page()
        page.on("request", lambda request: self.requests.append(request.url))
        page.on("requestfailed", lambda request: self.complaints.append(f"failed: {request.url[:80]}"))
        page.on("console", lambda said: said.type in ("error", "warning") and self.complaints.append(said.text))
        page.on("pageerror", lambda error: self.complaints.append(str(error)))
        page.goto(path.as_uri() + (f"#{fragment}" if fragment else ""))
        until(page, "window.glass?.ready")
        return page


@pytest.fixture
def open_page(browser: Any) -> Iterator[Opened]:
    """`open_page(path)`; at the end no page has made a request or written an error."""
    opened = Opened(browser)
    yield opened
    for context in opened.contexts:
        context.close()
    assert [url[:80] for url in opened.requests if not url.startswith(("file:", "data:", "blob:"))] == []
    assert opened.complaints == []


@pytest.fixture(scope="session")
def reverse_page(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The page of the shipped model that reverses letters, with its cheating sister on it."""
    path = tmp_path_factory.mktemp("page") / "reverse.html"
    write_page(page_of(sisters()["honest"].loaded, "a b c d e f g").html, path)
    return path
