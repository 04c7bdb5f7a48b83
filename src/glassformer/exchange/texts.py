"""Settings and lists of tokens beside other people's weights."""

import json
from pathlib import Path
from typing import Any

from glassformer.errors import UserError


def read_json(path: Path, kind: type) -> Any:
    """The content of a JSON file that must be a `kind`: a dict or a list. Raises UserError that names the file."""
    try:
        content = json.loads(read_text(path))
    except (ValueError, RecursionError) as error:
        raise UserError(f"{path} is no JSON that can be read: {error}. Copy it again.") from error
    if not isinstance(content, kind):
        raise UserError(f"{path} holds no {kind.__name__}, as it should. Copy it again.")
    return content


def read_lines(path: Path) -> list[str]:
    """One token a line. A carriage return belongs to its token, unless it ends every line."""
    lines = read_text(path).removesuffix("\n").split("\n")
    return [line[:-1] for line in lines] if all(line.endswith("\r") for line in lines) else lines


def read_text(path: Path) -> str:
    """A file in UTF-8. Raises UserError that names it."""
    try:
        return path.read_bytes().decode("utf-8-sig")
    except OSError as error:
        raise UserError(f"{path} cannot be read: {error.strerror}. Copy the whole folder.") from error
    except UnicodeDecodeError as error:
        raise UserError(f"{path} is no text in UTF-8: {error}. Copy it again.") from error
