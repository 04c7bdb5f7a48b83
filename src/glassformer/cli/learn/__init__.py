"""`glassformer learn`: the course on a terminal."""

from glassformer.cli.learn.commands import app

__all__ = ["app"]
