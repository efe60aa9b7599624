"""Public names load on demand, so that the manager of the server stays small."""

from __future__ import annotations

import ast
import inspect
import subprocess
import sys

import pytest

import arlen_runtime

PUBLIC_NAMES: list[str] = vars(arlen_runtime)["__all__"]  # hidden from type checkers


WITHOUT_A_NAME = {"Layer", "Middleware", "Proceed", "__version__"}
"""Type aliases and a text: they do not know what they are called."""


@pytest.mark.parametrize("name", PUBLIC_NAMES)
def test_each_public_name_is_there(name: str) -> None:
    value = getattr(arlen_runtime, name)
    assert name in WITHOUT_A_NAME or value.__name__ == name


def test_type_checkers_see_the_names_that_are_loaded_on_demand() -> None:
    imports = [
        node for node in ast.walk(ast.parse(inspect.getsource(arlen_runtime))) if isinstance(node, ast.ImportFrom)
    ]
    seen = [(alias.asname, node.module) for node in imports for alias in node.names if alias.asname]
    assert seen == list(arlen_runtime._MODULE_OF.items())


def test_a_name_is_loaded_when_it_is_first_used() -> None:
    code = (
        "import sys, arlen_runtime as a; before = 'arlen_runtime.errors' in sys.modules; a.NotFound; "
        "sys.exit(before or 'arlen_runtime.errors' not in sys.modules or 'arlen_runtime.app' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_another_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        arlen_runtime.nothing  # noqa: B018 - the access is the test


def test_importing_a_lower_package_does_not_load_the_application() -> None:
    code = "import sys, arlen_runtime.errors; sys.exit(any(name in sys.modules for name in ('jinja2', 'arlen_runtime.app')))"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_the_testing_tools_load_neither_the_application_nor_the_database() -> None:
    code = (
        "import sys; from arlen_runtime.testing import Answer, RunningServer, TestClient, load_config; "
        "sys.exit(any(name in sys.modules for name in ('jinja2', 'psycopg', 'arlen_runtime.app')))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
