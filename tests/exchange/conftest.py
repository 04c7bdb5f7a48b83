"""The command line, called in-process."""

from tests.cli.conftest import cli

__all__ = ["cli"]
