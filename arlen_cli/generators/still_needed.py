"""Finds what other files still need of the runs to be undone: pages, modules, routes, tables.

A reference is a literal: an import, the name of a page or route, a table in a migration. Whatever
the other files reach is needed, directly or through files of the runs. A computed name counts by
its first part: "posts/_" ~ kind needs every page whose name starts so.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

from jinja2 import Environment, TemplateSyntaxError

from arlen_cli.generators.migration import FOLDER as MIGRATIONS
from arlen_cli.generators.plan import Action, Keep, Note, Plan, Remove, RemoveLines
from arlen_cli.generators.python_source import SourceError, own_files, read_source
from arlen_cli.generators.remove_lines import remove_lines

_PAGES = "/templates/"
_CREATE = "create_"


class _Part(NamedTuple):
    """A file or route of the runs: the literal that refers to it, and its own literals."""

    title: str
    name: str
    literals: frozenset[str]

    def is_needed_by(self, literals: Iterable[str]) -> bool:
        return any(literal == self.name or ("/" in literal and self.name.startswith(literal)) for literal in literals)


def keep_needed(plan: Plan, root: Path) -> Plan:
    """Return the plan without the removals that other files need, and with a note for each reason.

    Raises SourceError for an invalid file that may need something.
    """
    removed = {action.path for action in plan.actions if isinstance(action, Remove)}
    parts = {**_file_parts(removed, root), **_route_parts(plan.actions)}
    needed: set[str] = set()
    notes = []
    for path, literals in _other_files(plan, root, removed, parts.values()):
        for key in [key for key, part in parts.items() if part.is_needed_by(literals)]:
            notes.append(Note(f"{path} still uses {parts[key].title}: it is kept with what it uses"))
            _reach(key, parts, needed)
    actions = (_spare(action, needed) for action in plan.actions)
    return replace(plan, actions=(*actions, *dict.fromkeys(notes)))


def _reach(key: str, parts: Mapping[str, _Part], needed: set[str]) -> None:
    """Add a part, and all parts that it needs itself."""
    if key not in needed:
        needed.add(key)
        for other, part in parts.items():
            if part.is_needed_by(parts[key].literals):
                _reach(other, parts, needed)


def _spare(action: Action, needed: set[str]) -> Action:
    if isinstance(action, Remove) and action.path in needed:
        return Keep(action.path)
    if isinstance(action, RemoveLines):
        spared = tuple(line for line in action.statements if line in needed)
        return replace(
            action, statements=tuple(line for line in action.statements if line not in needed), spared=spared
        )
    return action


def _file_parts(removed: Iterable[str], root: Path) -> dict[str, _Part]:
    """Return path to part. A controller needs the pages, table and tests of its name."""
    parts = {}
    for path in removed:
        if (root / path).is_file():
            literals: frozenset[str] = frozenset()
            if _is_readable(path):
                with suppress(SourceError):  # it may be the broken file that is to be removed
                    literals = _literals_of(path, (root / path).read_bytes())
            if "/controllers/" in path:
                name = Path(path).stem
                literals |= {f"{name}/", f"{_CREATE}{name}", f"tests.test_{name}"}
            parts[path] = _Part(path, _reference_to(path), literals)
    return parts


def _route_parts(actions: Iterable[Action]) -> dict[str, _Part]:
    """Return line to part, for each route that has a name."""
    parts = {}
    for removal in (action for action in actions if isinstance(action, RemoveLines)):
        for line in removal.statements:
            nodes = list(ast.walk(ast.parse(line)))
            used = {node.id for node in nodes if isinstance(node, ast.Name)}
            modules = {f"{line.module}.{line.name}" for line in removal.imports if line.name in used}
            for node in nodes:
                match node:
                    case ast.keyword(arg="name", value=ast.Constant(value=str(name))):
                        parts[line] = _Part(f"the route {name}", name, frozenset(modules))
    return parts


def _reference_to(path: str) -> str:
    """Return how other files refer to a file: as a page, a migration, or a module."""
    if _PAGES in path:
        return path.partition(_PAGES)[2]
    if path.endswith(".sql"):
        return Path(path).stem.partition("_")[2]
    return path.removesuffix(".py").replace("/", ".")


def _other_files(
    plan: Plan, root: Path, removed: Iterable[str], parts: Iterable[_Part]
) -> Iterator[tuple[str, frozenset[str]]]:
    """Yield path and literals of every other file that could need a part, as it will be."""
    words = {_word_of(part.name).encode() for part in parts}
    removals = {action.path: action for action in plan.actions if isinstance(action, RemoveLines)}
    for file in own_files(root):
        path = file.relative_to(root).as_posix()
        if path in removed or not _is_readable(path):
            continue
        content = file.read_bytes()
        if not any(word in content for word in words):
            continue
        if path in removals:
            source = read_source(path, content)
            content = source.encode(remove_lines(source.text, removals[path]) or source.text)
        yield path, _literals_of(path, content)


def _is_readable(path: str) -> bool:
    """Return True for a module, a page or a migration: no other file is searched for references."""
    return path.endswith(".py") or _PAGES in path or path.startswith(f"{MIGRATIONS}/")


def _word_of(name: str) -> str:
    """Return a word that a file must contain to refer to this page, module, route or table."""
    if "/" in name:
        return name.partition("/")[0]
    words = name.removeprefix(_CREATE).split(".")
    return words[-1] if words[2:] else words[0]


def _literals_of(path: str, content: bytes) -> frozenset[str]:
    """Return the strings of a page or module, the imported names, the tables of a migration."""
    if path.startswith(f"{MIGRATIONS}/"):
        return frozenset(f"{_CREATE}{word}" for word in _sql_words(content.decode(errors="replace")))
    if not path.endswith(".py"):
        return frozenset(_page_literals(path, content))
    return frozenset(_module_literals(path, ast.parse(read_source(path, content).text)))


def _sql_words(sql: str) -> Iterator[str]:
    """Yield the words outside of comments. An untouched migration has examples in its comments."""
    from arlen_runtime.alnpg.sql_text import blank  # noqa: PLC0415 - LAZY in arlen_cli/__init__.py

    yield from re.findall(r"\w+", blank(sql, "comment"))


def _page_literals(path: str, content: bytes) -> Iterator[str]:
    try:
        for _, kind, text in Environment(autoescape=True).lex(content.decode()):
            if kind == "string":
                yield text[1:-1]
    except TemplateSyntaxError as error:
        raise SourceError(path, error.lineno, str(error.message)) from None
    except UnicodeDecodeError as error:
        raise SourceError(path, content.count(b"\n", 0, error.start) + 1, "it is not valid UTF-8") from None


def _module_literals(path: str, tree: ast.Module) -> Iterator[str]:
    for node in ast.walk(tree):
        match node:
            case ast.Constant(value=str(text)):
                yield text
            case ast.Import(names=names):
                yield from (alias.name for alias in names)
            case ast.ImportFrom(module=module, names=names, level=level):
                parents = path.split("/")[:-level] if level else []
                base = ".".join([*parents, *([module] if module else [])])
                yield base
                yield from (f"{base}.{alias.name}" for alias in names)
