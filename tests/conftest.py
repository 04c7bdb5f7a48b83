"""Fixtures for all tests; ring 0's shape annotations are checked while tests run."""

import os
from pathlib import Path

import pytest
from jaxtyping import install_import_hook

import tests.typechecker  # noqa: F401  the hook below names it

install_import_hook("glassformer.model", "tests.typechecker.typechecker")

import torch  # noqa: E402  after the hook, before anything of ours

SHARED = Path(__file__).parents[2] / "shared" / "data"


@pytest.fixture(autouse=True)
def seeded() -> None:
    """Every test starts from the same random state; a test that needs another seed sets it itself."""
    torch.manual_seed(0)


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The folder of real text for development: GLASSFORMER_DATA, or shared/data beside the checkout."""
    folder = Path(os.environ.get("GLASSFORMER_DATA", SHARED))
    if not folder.is_dir():
        pytest.skip(f"no data folder at {folder}: set GLASSFORMER_DATA to run this test")
    return folder
