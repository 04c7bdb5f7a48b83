"""Fixtures for all tests; ring 0's shape annotations are checked while tests run."""

import os
from pathlib import Path

# One thread a process, here and in those that tests start: with several workers on few cores PyTorch's threads wait
# for each other at every step.
os.environ.setdefault("OMP_NUM_THREADS", "1")

import pytest
from jaxtyping import install_import_hook

import tests.typechecker  # noqa: F401  the hook below names it

install_import_hook("glassformer.model", "tests.typechecker.typechecker")

import torch  # noqa: E402  after the hook, before anything of ours

SHARED = Path(__file__).parents[2] / "shared" / "data"


@pytest.fixture(autouse=True)
def seeded() -> None:
    """Every test starts from the same random state and with one thread; a test that needs others sets them itself."""
    torch.manual_seed(0)
    torch.set_num_threads(1)


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The folder of real text for development: GLASSFORMER_DATA, or shared/data beside the checkout."""
    folder = Path(os.environ.get("GLASSFORMER_DATA", SHARED))
    if not folder.is_dir():
        pytest.skip(f"no data folder at {folder}: set GLASSFORMER_DATA to run this test")
    return folder
