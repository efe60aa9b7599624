"""The statements that an application's source holds. One rule: the source is read, never imported.

Found is every call of one of ALNPg's methods whose statement is written out: a string, also in parts, or a name that the
module gives one string once. With it comes what the call says about the statement: how many parameters, which of them are
literals, and the class that its rows become. A statement that is put together at run time is counted and not checked.
"""

from __future__ import annotations

import ast
import json
import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

METHODS = {
    "query": True,
    "query_one": True,
    "query_value": True,
    "execute": True,
    "stream": True,
    "query_many": False,
    "execute_many": False,
}
"""ALNPg's methods that take a statement first; whether the other arguments are its parameters, one by one."""

_SQL = re.compile(
    r"\s*(--[^\n]*\n\s*|/\*.*?\*/\s*)*(select|insert|update|delete|merge|with|values|table|call)\b",
    re.IGNORECASE | re.DOTALL,
)

_NOT_OURS = frozenset({"__pycache__", "node_modules", "site-packages"})


class Field(NamedTuple):
    """One field of a class that rows become: its name, its annotation as written, whether it must be given."""

    name: str
    annotation: str
    required: bool


class RowClass(NamedTuple):
    """A class that rows become."""

    name: str
    fields: tuple[Field, ...]


class Call(NamedTuple):
    """One statement in the source, and what is said of it there.

    `given` is the number of parameters (None: not known), `names` are the keys of a mapping written out (None: no such),
    `literals` maps the index of a parameter that is a literal to the name of its type.
    """

    file: str
    line: int
    sql: str
    given: int | None = None
    names: frozenset[str] | None = None
    literals: tuple[tuple[int, str], ...] = ()
    into: RowClass | None = None


class Source(NamedTuple):
    """What was found: the calls, and how many statements are put together at run time."""

    calls: tuple[Call, ...]
    unread: int


def read(folder: Path) -> Source:
    """Read every Python file below `folder`, but for hidden folders and what is installed there."""
    modules = dict(_modules(folder))
    calls: list[Call] = []
    unread = 0
    for file, tree in modules.items():
        found = _Reader(file, tree, modules).read()
        calls += found.calls
        unread += found.unread
    return Source(tuple(calls), unread)


def manifest(source: Source) -> str:
    """Return the statements as JSON, to be kept with a release and checked against a later schema."""
    return json.dumps([{"file": each.file, "line": each.line, "sql": each.sql} for each in source.calls], indent=1)


def from_manifest(text: str) -> Source:
    """Read a manifest again; of the calls only the statements are known. Raises ValueError for anything else."""
    try:
        return Source(tuple(Call(each["file"], each["line"], each["sql"]) for each in json.loads(text)), 0)
    except (TypeError, KeyError) as error:
        raise ValueError("this is no manifest of statements") from error


def _modules(folder: Path) -> Iterator[tuple[str, ast.Module]]:
    for path in sorted(folder.rglob("*.py")):
        parts = path.relative_to(folder).parts
        if any(part.startswith(".") or part in _NOT_OURS for part in parts):
            continue
        try:
            yield "/".join(parts), ast.parse(path.read_text(encoding="utf-8"))
        except (SyntaxError, UnicodeDecodeError):
            continue  # whoever imports it is told; here it has no statements


class _Reader:
    """Reads one module."""

    def __init__(self, file: str, tree: ast.Module, modules: dict[str, ast.Module]) -> None:
        """Take the module, and all modules by their path, where its imports lead."""
        self._file = file
        self._tree = tree
        self._modules = modules
        self._strings = _strings(tree)

    def read(self) -> Source:
        """Return the module's calls in the order of their lines."""
        calls: list[Call] = []
        unread = 0
        for node in ast.walk(self._tree):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in METHODS:
                sql, line = self._statement(node)
                if sql is None:
                    unread += _is_put_together(node)
                elif _SQL.match(sql):
                    calls.append(self._call(node, sql, line))
        return Source(tuple(sorted(calls, key=lambda each: each.line)), unread)

    def _statement(self, node: ast.Call) -> tuple[str | None, int]:
        first = node.args[0] if node.args else None
        if isinstance(first, ast.Constant) and isinstance(first.value, str):
            return first.value, first.lineno
        if isinstance(first, ast.Name) and first.id in self._strings:
            return self._strings[first.id]
        return None, node.lineno

    def _call(self, node: ast.Call, sql: str, line: int) -> Call:
        params = node.args[1:]
        given = (
            None if not METHODS[_method(node)] or any(isinstance(each, ast.Starred) for each in params) else len(params)
        )
        names = None
        if given == 1 and isinstance(params[0], ast.Dict):
            keys = [key.value if isinstance(key, ast.Constant) else None for key in params[0].keys]
            names = frozenset(map(str, keys)) if None not in keys else None
        constants = (
            [] if given is None else [(i, each) for i, each in enumerate(params) if isinstance(each, ast.Constant)]
        )
        literals = tuple((index, type(each.value).__name__) for index, each in constants)
        return Call(self._file, line, sql, given, names, literals, self._row_class(node))

    def _row_class(self, node: ast.Call) -> RowClass | None:
        """Return the class that `into` names, where its source is at hand."""
        into = next((each.value for each in node.keywords if each.arg == "into"), None)
        if not isinstance(into, ast.Name):
            return None
        found = _class_in(self._tree, into.id)
        for imported in ast.walk(self._tree):
            if found is None and isinstance(imported, ast.ImportFrom) and imported.module:
                names = {alias.asname or alias.name: alias.name for alias in imported.names}
                tree = self._modules.get(imported.module.replace(".", "/") + ".py")
                found = _class_in(tree, names[into.id]) if tree and into.id in names else None
        return found


def _method(node: ast.Call) -> str:
    return node.func.attr if isinstance(node.func, ast.Attribute) else ""


def _strings(tree: ast.Module) -> dict[str, tuple[str, int]]:
    """Return the names that the module gives one string and nothing else ever, and the string's line."""
    stores = Counter(
        each.id for each in ast.walk(tree) if isinstance(each, ast.Name) and isinstance(each.ctx, ast.Store)
    )
    found: dict[str, tuple[str, int]] = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.Assign | ast.AnnAssign) and isinstance(node.value, ast.Constant):
            value, line = node.value.value, node.value.lineno
            for target in node.targets if isinstance(node, ast.Assign) else [node.target]:
                if isinstance(value, str) and isinstance(target, ast.Name) and stores[target.id] == 1:
                    found[target.id] = (value, line)
    return found


def _class_in(tree: ast.Module, name: str) -> RowClass | None:
    for node in tree.body:
        if isinstance(node, ast.ClassDef) and node.name == name:
            fields = [
                each for each in node.body if isinstance(each, ast.AnnAssign) and isinstance(each.target, ast.Name)
            ]
            known = [
                Field(ast.unparse(each.target), ast.unparse(each.annotation), each.value is None) for each in fields
            ]
            return RowClass(name, tuple(known)) if known else None
    return None


def _is_put_together(node: ast.Call) -> bool:
    first = node.args[0] if node.args else None
    return isinstance(first, ast.JoinedStr | ast.BinOp)
