"""No test of data may reach the network or the caches of the person who runs it."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.data.local_server import Server, local_server


@pytest.fixture(autouse=True)
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty cache folder, and no data folder from outside."""
    monkeypatch.setenv("GLASSFORMER_CACHE", str(tmp_path / "glassformer-cache"))
    monkeypatch.delenv("GLASSFORMER_DATA", raising=False)
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    return tmp_path / "glassformer-cache"


@pytest.fixture
def server() -> Iterator[Server]:
    with local_server() as running:
        yield running
