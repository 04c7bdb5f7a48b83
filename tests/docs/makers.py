"""The makers of docs/, which are scripts and no package: loaded by their files."""

import importlib.util
import sys
from types import ModuleType

import pytest

from tests.docs.pages import DOCS


def maker(name: str, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """docs/NAME.py as a module; what lies beside it can be imported, as when Python runs it."""
    monkeypatch.syspath_prepend(str(DOCS))
    spec = importlib.util.spec_from_file_location(f"docs_{name}", DOCS / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    monkeypatch.setitem(sys.modules, spec.name, module)
    spec.loader.exec_module(module)
    return module
