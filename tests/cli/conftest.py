"""A command line to call in-process, and one small trained model for all its tests."""

import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import pytest

from glassformer.cli import main


class Answer(NamedTuple):
    code: int
    out: str
    err: str


Cli = Callable[..., Answer]


def call(*words: str) -> int:
    """Run `glassformer WORDS` here; its exit code."""
    before = sys.argv
    sys.argv = ["glassformer", *words]
    try:
        main.main()
    except SystemExit as stopped:
        return int(stopped.code or 0)
    finally:
        sys.argv = before
    return 0


@pytest.fixture
def cli(capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Cli:
    """`cli("masks", "I love")` -> exit code, standard output, standard error."""
    monkeypatch.setenv("COLUMNS", "120")

    def run(*words: str) -> Answer:
        capfd.readouterr()
        code = call(*words)
        said = capfd.readouterr()
        return Answer(code, said.out, said.err)

    return run


@pytest.fixture(scope="session")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a `reverse` run of a few seconds."""
    home = tmp_path_factory.mktemp("cli")
    os.environ["GLASSFORMER_CACHE"] = str(home / "cache")
    folder = home / "reverse"
    assert (
        call("train", "reverse", "--out", str(folder), "--max-steps", "40", "--evaluate-every", "20", "--threads", "1")
        == 0
    )
    return folder
