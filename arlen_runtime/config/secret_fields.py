"""Finds the settings that an application declares as secret, in its source.

`setting("", "...", secret=True)` is found without importing the application: a command that prints
the configuration must not run it.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

from arlen_runtime.config.sections import Config


def secret_fields(config: Config) -> frozenset[str]:
    """Return the names of the fields that are declared with `secret=True`.

    They are searched for in the package, or the module, that [app] target names, and only if the
    application has settings.
    """
    if not config.settings:
        return frozenset()
    return frozenset(name for path in _sources(config) for name in _declared_in(path))


def _sources(config: Config) -> Iterator[Path]:
    name = config.app.target.partition(":")[0].partition(".")[0] or "app"
    folder = config.root / name
    yield from sorted(folder.rglob("*.py")) if folder.is_dir() else [config.root / f"{name}.py"]


def _declared_in(path: Path) -> Iterator[str]:
    try:
        text = path.read_bytes()
        tree = ast.parse(text) if b"secret" in text else ast.Module([], [])
    except (OSError, SyntaxError, ValueError, RecursionError):
        return
    for node in ast.walk(tree):
        if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name) and isinstance(node.value, ast.Call):
            secret = [keyword.value for keyword in node.value.keywords if keyword.arg == "secret"]
            if secret and not (isinstance(secret[0], ast.Constant) and secret[0].value is False):
                yield node.target.id
