"""Waiting for the page. Playwright's own wait for an expression polls by eval, which the page's policy forbids."""

from typing import Any


def until(page: Any, expression: str, argument: Any = None, seconds: float = 20) -> None:
    """Comes back when the JavaScript expression, or the function of `argument`, is true."""
    for _ in range(round(seconds * 40)):
        if page.evaluate(expression, argument):
            return
        page.wait_for_timeout(25)
    raise AssertionError(f"never true: {expression} ({argument})")
