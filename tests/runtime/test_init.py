"""Public names load on demand, so that the manager of the server stays small."""

from __future__ import annotations

import subprocess
import sys

import pytest

import arlen_runtime


@pytest.mark.parametrize("name", arlen_runtime.__all__)
def test_each_public_name_is_there(name: str) -> None:
    assert getattr(arlen_runtime, name).__name__ == name


def test_another_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        arlen_runtime.nothing  # noqa: B018 - the access is the test


def test_importing_a_lower_package_does_not_load_the_application() -> None:
    code = "import sys, arlen_runtime.errors; sys.exit(any(name in sys.modules for name in ('jinja2', 'arlen_runtime.app')))"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
