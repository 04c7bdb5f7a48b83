"""Downloads: a file with its final name is whole, and every failure says what to do."""

from pathlib import Path

import pytest

from glassformer.data.download import cache_folder, download, given_folder
from glassformer.errors import UserError
from tests.data.local_server import Server

CONTENT = bytes(range(256)) * 1000


def anything(path: Path) -> None:
    assert path.exists()


def test_a_file_arrives_whole_with_progress_and_a_truthful_user_agent(server: Server, tmp_path: Path) -> None:
    server.files["/a.gz"] = CONTENT
    told: list[tuple[str, int, int | None]] = []
    download(
        f"{server.address}/a.gz", tmp_path / "deep" / "a.gz", accept=anything, progress=lambda *now: told.append(now)
    )
    assert (tmp_path / "deep" / "a.gz").read_bytes() == CONTENT
    assert told[-1] == ("a.gz", len(CONTENT), len(CONTENT))
    assert [done for _, done, _ in told] == sorted(done for _, done, _ in told)
    ((_, agent),) = server.asked
    assert "glassformer/" in agent


@pytest.mark.parametrize("failure", ["404", "cut", "silent", "refused", "not accepted"])
def test_a_failed_download_says_so_and_leaves_nothing(failure: str, server: Server, tmp_path: Path) -> None:
    def refuse(path: Path) -> None:
        raise UserError("wrong checksum")

    if failure != "404":
        server.files["/a"] = CONTENT
    getattr(server, failure, set()).add("/a")
    address = "http://127.0.0.1:1" if failure == "refused" else server.address
    says = {
        "404": "the server says 404 Not Found",
        "cut": f"it ended after {len(CONTENT) // 2} of {len(CONTENT)} bytes",
        "silent": "nothing came for 0.2 seconds",
        "refused": "refused",
        "not accepted": "wrong checksum",
    }
    accept = refuse if failure == "not accepted" else anything
    with pytest.raises(UserError, match=says[failure]) as caught:
        download(f"{address}/a", tmp_path / "home" / "a", accept=accept, timeout=0.2)
    if failure != "not accepted":
        assert f"cannot download {address}/a" in str(caught.value)
        assert "--data-dir" in str(caught.value)
    assert not list((tmp_path / "home").iterdir())


def test_a_failed_download_leaves_an_earlier_file_alone(server: Server, tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"earlier")
    with pytest.raises(UserError):
        download(f"{server.address}/a", tmp_path / "a", accept=anything)
    assert (tmp_path / "a").read_bytes() == b"earlier"


def test_the_cache_lies_where_the_environment_says_or_at_home(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    assert cache_folder() == tmp_path / "glassformer-cache"
    monkeypatch.delenv("GLASSFORMER_CACHE")
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("USERPROFILE", str(tmp_path))
    assert cache_folder() == tmp_path / ".cache" / "glassformer"


def test_the_data_folder_is_the_argument_then_the_environment_then_none(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    assert given_folder(None) is None
    monkeypatch.setenv("GLASSFORMER_DATA", str(tmp_path))
    assert given_folder(None) == tmp_path
    (tmp_path / "other").mkdir()
    assert given_folder(tmp_path / "other") == tmp_path / "other"
    with pytest.raises(UserError, match="absent does not exist"):
        given_folder(tmp_path / "absent")
