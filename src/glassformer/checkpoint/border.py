"""Where JSON from outside becomes our dataclasses: unknown keys, wrong types, NaN and Infinity are refused."""

import json
from pathlib import Path
from typing import Any, NoReturn, TypeVar

from pydantic import ConfigDict, TypeAdapter, ValidationError

from glassformer.errors import UserError

STRICT = ConfigDict(extra="forbid", allow_inf_nan=False)

T = TypeVar("T")


def read_json(path: Path, adapter: TypeAdapter[T]) -> T:
    """The content of a JSON file, checked. Raises UserError that names the file and every place that is wrong."""
    try:
        text = path.read_bytes()
        json.loads(text, parse_constant=_refuse)
        return adapter.validate_json(text, strict=True)
    except OSError as error:
        raise UserError(f"{path} cannot be read: {error.strerror or error}. Is it a checkpoint's folder?") from error
    except ValidationError as error:
        wrong = "; ".join(f"{'.'.join(map(str, e['loc'])) or 'the file'}: {e['msg']}" for e in error.errors())
        raise UserError(f"{path} does not fit: {wrong}. It should come from `save`.") from error
    except (ValueError, RecursionError) as error:
        raise UserError(f"{path} is not JSON that can be read: {error}. It should come from `save`.") from error


def as_json(value: Any) -> str:
    """Text that `read_json` reads back to the same value. Raises UserError for NaN and for what JSON cannot hold."""
    try:
        return json.dumps(value, ensure_ascii=False, indent=1, allow_nan=False) + "\n"
    except (TypeError, ValueError) as error:
        raise UserError(f"this cannot be kept as JSON: {error}. Use numbers, text, lists and dictionaries.") from error


def _refuse(constant: str) -> NoReturn:
    raise ValueError(f"it holds {constant}, which is no number")
