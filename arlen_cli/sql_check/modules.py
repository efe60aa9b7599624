"""The modules of an application, and what their names stand for.

The source is parsed and never imported. A name is followed through assignments and imports to its
definition in the application. A name that is assigned twice, or that comes from outside, is
unknown.
"""

from __future__ import annotations

import ast
import os
from collections import Counter
from collections.abc import Iterator
from functools import cached_property
from pathlib import Path
from typing import NamedTuple

_SKIPPED_FOLDERS = frozenset({"__pycache__", "node_modules", "site-packages"})

_MAX_STEPS = 8
"""Maximum number of re-exports to follow: more of them is a cycle."""


class UnreadableFile(NamedTuple):
    """A file that cannot be parsed: where, and why."""

    file: str
    line: int
    reason: str


class Module:
    """One file: its dotted name, its tree, and the definitions and imports of its names."""

    def __init__(self, file: str, source: str) -> None:
        """Parse the source. `file` is relative to the application's folder.

        Raises SyntaxError, or ValueError for a NUL.
        """
        self.file = file
        self.tree = ast.parse(source)
        self.source = source
        self.lines = source.splitlines(keepends=True)
        parts = file.removesuffix(".py").split("/")
        self.name = ".".join(parts[:-1] if parts[-1] == "__init__" else parts)
        self._package = self.name if parts[-1] == "__init__" else self.name.rpartition(".")[0]

    @cached_property
    def nodes(self) -> list[ast.AST]:
        """Every node of the tree, computed on first use: many modules are never asked."""
        return list(ast.walk(self.tree))

    @cached_property
    def definitions(self) -> dict[str, ast.expr | ast.ClassDef]:
        """The names that stand for exactly one value or class in the module."""
        return dict(_definitions(self.nodes))

    @cached_property
    def imports(self) -> dict[str, str]:
        """Local name to the absolute dotted name that it stands for."""
        return dict(self._imports())

    def _imports(self) -> Iterator[tuple[str, str]]:
        for node in self.nodes:
            if isinstance(node, ast.Import):
                for alias in node.names:
                    head = alias.name.partition(".")[0]
                    yield (alias.asname, alias.name) if alias.asname else (head, head)
            elif isinstance(node, ast.ImportFrom):
                parents = self._package.split(".")[: len(self._package.split(".")) - (node.level - 1)]
                base = ".".join([*(parents if node.level else []), *([node.module] if node.module else [])])
                for alias in node.names:
                    yield alias.asname or alias.name, f"{base}.{alias.name}"


class Definition(NamedTuple):
    """What a name stands for, and the module that defines it."""

    module: Module
    node: ast.expr | ast.ClassDef


class Modules:
    """All modules below a folder."""

    def __init__(self, folder: Path) -> None:
        """Read every Python file below `folder`, except in hidden and installed folders."""
        self.unreadable: list[UnreadableFile] = []
        self.all: list[Module] = []
        for path in _files(folder):
            self._read(path.relative_to(folder).as_posix(), path)
        self._by_name = {module.name: module for module in self.all}

    def find(self, module: Module, name: ast.expr) -> Definition | None:
        """Return what a (dotted) name means in a module; None if that is uncertain."""
        dotted = dotted_name(name)
        head, _, rest = dotted.partition(".")
        if not rest and head in module.definitions:
            return Definition(module, module.definitions[head])
        if not head or head in module.definitions or head not in module.imports:
            return None
        return self._find_absolute(".".join(filter(None, (module.imports[head], rest))), _MAX_STEPS)

    def _find_absolute(self, dotted: str, steps: int) -> Definition | None:
        module_name, _, name = dotted.rpartition(".")
        module = self._by_name.get(module_name)
        if module is None or not steps:
            return None
        if name in module.definitions:
            return Definition(module, module.definitions[name])
        return self._find_absolute(module.imports[name], steps - 1) if name in module.imports else None

    def _read(self, file: str, path: Path) -> None:
        try:
            self.all.append(Module(file, path.read_text(encoding="utf-8")))
        except SyntaxError as error:
            self.unreadable.append(UnreadableFile(file, error.lineno or 1, f"not valid Python: {error.msg}"))
        except UnicodeDecodeError:
            self.unreadable.append(UnreadableFile(file, 1, "not valid UTF-8"))
        except ValueError as error:
            self.unreadable.append(UnreadableFile(file, 1, f"not valid Python: {error}"))
        except OSError as error:
            self.unreadable.append(UnreadableFile(file, 1, f"cannot be read: {error.strerror}"))


def _files(folder: Path) -> Iterator[Path]:
    """Yield the files in sorted order. A hidden virtual environment has thousands; skip it."""
    for root, folders, files in os.walk(folder):
        folders[:] = sorted(name for name in folders if not name.startswith(".") and name not in _SKIPPED_FOLDERS)
        yield from (Path(root, file) for file in sorted(files) if file.endswith(".py") and not file.startswith("."))


def dotted_name(node: ast.expr) -> str:
    """Return `a.b.c` for a name or its attributes; "" for anything else."""
    if isinstance(node, ast.Name):
        return node.id
    if isinstance(node, ast.Attribute) and (prefix := dotted_name(node.value)):
        return f"{prefix}.{node.attr}"
    return ""


def _definitions(nodes: list[ast.AST]) -> Iterator[tuple[str, ast.expr | ast.ClassDef]]:
    stores = Counter(_bound_names(nodes))
    for node in nodes:
        if isinstance(node, ast.ClassDef) and stores[node.name] == 1:
            yield node.name, node
        elif isinstance(node, ast.Assign | ast.AnnAssign) and node.value is not None:
            for target in node.targets if isinstance(node, ast.Assign) else [node.target]:
                if isinstance(target, ast.Name) and stores[target.id] == 1:
                    yield target.id, node.value


def _bound_names(nodes: list[ast.AST]) -> Iterator[str]:
    """Yield a name each time that something binds it."""
    for node in nodes:
        if isinstance(node, ast.Name) and not isinstance(node.ctx, ast.Load):
            yield node.id
        elif isinstance(node, ast.arg):
            yield node.arg
        elif isinstance(node, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            yield node.name
        elif isinstance(node, ast.alias):
            yield node.asname or node.name.partition(".")[0]
